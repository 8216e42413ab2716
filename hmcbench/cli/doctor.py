"""``hmcbench doctor``: what is installed, what is missing, and whether a small suite runs."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import click

from hmcbench.errors import BadInput
from hmcbench.registry.registry import default_registry, missing


@click.command("doctor")
@click.option("--fast", is_flag=True, help="Leave the smoke suite out.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def doctor_command(fast: bool, as_json: bool) -> int:
    """Check this installation and run the smoke suite (under 20 seconds).

    \b
    Example:
      hmcbench doctor
    """
    checks = [*system(), *plugins(), *libraries()]
    if not fast:
        checks.append(smoke())
    good = all(c["ok"] is not False for c in checks)
    if as_json:
        click.echo(json.dumps({"ok": good, "checks": checks}, indent=1))
    else:
        for check in checks:
            mark = {True: "ok     ", False: "FAILED ", None: "absent "}[check["ok"]]
            click.echo(f"{mark} {check['name']}: {check['detail']}")
        click.echo("everything that is installed works" if good else "something is wrong: see FAILED above")
    return 0 if good else 1


def check(name: str, ok: bool | None, detail: str) -> dict[str, Any]:
    """``ok``: True, False, or None for something optional that is absent."""
    return {"name": name, "ok": ok, "detail": detail}


def system() -> list[dict[str, Any]]:
    """Versions, hardware, and whether the cache can be written to."""
    from hmcbench.execute import resources
    from hmcbench.files import cache_dir

    libraries = resources.versions(("sklearn", "torch", "torchvision", "timm"))
    facts = resources.hardware("cpu")
    gpus = resources.cuda_devices()
    cores = f"{facts['cores']} core{'s' * (facts['cores'] != 1)}"
    try:
        cache = cache_dir()
        probe = cache / ".doctor"
        probe.write_bytes(b"")
        probe.unlink()
        writable, where = True, str(cache)
    except (OSError, BadInput) as error:
        writable, where = False, str(error)
    return [
        check("versions", True, ", ".join(f"{k} {v}" for k, v in libraries.items())),
        check("machine", True, f"{facts['cpu']}, {cores}, {facts['memory_gb']} GB"),
        check("gpu", bool(gpus) or None, f"{len(gpus)} visible" if gpus else "none visible: the CPU is used"),
        check("cache", writable, where),
    ]


def plugins() -> list[dict[str, Any]]:
    """One check per plugin; a broken one gives its reason."""
    checks = []
    for p in default_registry().manager.plugins:
        slow = f"; every command waits {p.seconds:.1f} s for it" if p.slow else ""
        works = False if p.error else None if p.warning else True
        detail = p.error or p.warning or f"{p.distribution} {p.version}"
        checks.append(check(f"plugin {p.name}", works, detail + slow))
    return checks


def libraries() -> list[dict[str, Any]]:
    """Extras whose libraries are missing, with the command that installs them."""
    registry = default_registry()
    absent: dict[str, set[str]] = {}
    for kind in ("datasets", "models", "featurizers"):
        for spec in registry.specs(kind):
            if missing(spec):
                absent.setdefault(spec.extra or spec.name, set()).update(missing(spec))
    return [
        check(f"extra {extra}", None, f"{', '.join(sorted(names))}: pip install 'hmcbench[{extra}]'")
        for extra, names in sorted(absent.items())
    ]


def smoke() -> dict[str, Any]:
    """Run the suite ``smoke`` in a temporary folder."""
    from hmcbench.execute import runner
    from hmcbench.plan.cells import make_plan
    from hmcbench.plan.choices import Choices
    from hmcbench.plan.suite import load_suite

    registry = default_registry()
    plan = make_plan(load_suite(registry, "smoke"), registry, Choices())
    with tempfile.TemporaryDirectory() as folder:
        outcome = runner.execute(plan, Path(folder), device="cpu")
    if outcome.failed:
        first = outcome.failed[0]
        return check("smoke suite", False, f"{first.label}: {first.cause}: {first.message}")
    return check("smoke suite", len(outcome.done) == len(plan.cells), f"{len(outcome.done)} cells ran")
