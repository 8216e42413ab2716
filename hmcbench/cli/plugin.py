"""``hmcbench plugin``: write a new plugin, or check an installed one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from hmcbench.cli.common import number, pairs
from hmcbench.cli.plugin_option import plugin_option
from hmcbench.errors import BadInput, unknown
from hmcbench.registry.loading import Plugin
from hmcbench.registry.registry import Registry, default_registry

if TYPE_CHECKING:
    from hmcbench.testing.checks import Outcome

KINDS = ["dataset", "model", "metric", "featurizer", "shift", "suite", "file"]
MARKS = {"ok": "ok     ", "failed": "FAILED ", "skipped": "skipped"}


@click.group("plugin")
def plugin_command() -> None:
    """Write a new plugin, or check an installed one."""


@plugin_command.command("new")
@click.argument("name")
@click.option(
    "--kind",
    required=True,
    type=click.Choice(KINDS),
    help="What it provides; file: a model in one file.",
)
@click.option("--into", default=".", show_default=True, metavar="FOLDER", help="Write it into this folder.")
def new_command(name: str, kind: str, into: str) -> None:
    """Write the package NAME, a plugin that can be installed, tested and run unchanged; or the file NAME.py.

    \b
    Example:
      hmcbench plugin new my-model --kind file
      hmcbench plugin new my-model --kind model
      pip install -e my-model
    """
    from pathlib import Path

    from hmcbench.testing.skeletons import write, write_file

    if kind == "file":
        path = write_file(default_registry(), name, Path(into))
        model = "".join(part.capitalize() for part in name.split("-"))
        click.echo(f"wrote {path}\nnext:\n  hmcbench plugin check {path.stem} --plugin {path}")
        click.echo(f"  hmcbench run --suite smoke --model prior --model {path}:{model}")
        return
    files = write(default_registry(), name, kind, Path(into))
    folder = name if into == "." else f"{into.rstrip('/')}/{name}"
    click.echo(f"wrote {folder}: {', '.join(map(str, files))}")
    suite = name if kind == "suite" else f"{folder}/example.toml"
    click.echo(f"next:\n  pip install -e {folder}\n  hmcbench plugin check {name}")
    click.echo(f"  hmcbench run --suite {suite}")


@plugin_command.command("check")
@click.argument("name", default="")
@plugin_option
@click.option("--spec", "only", multiple=True, metavar="SPEC", help="Only this model, dataset, ...")
@click.option("--set", "values", multiple=True, metavar="SPEC.PARAM=VALUE", help="Use this value.")
@click.option(
    "--timeout",
    type=click.FloatRange(1, 86400),
    default=120.0,
    callback=number,
    show_default=True,
    help="Seconds for one check.",
)
@click.option("--verbose", is_flag=True, help="Print the checks that passed too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def check_command(
    name: str, only: tuple[str, ...], values: tuple[str, ...], timeout: float, verbose: bool, as_json: bool
) -> int:
    """Run the conformance checks of the plugin NAME, by default of all third-party plugins.

    Exit status 1 if a check failed, or if none ran.

    \b
    Example:
      hmcbench plugin check nearest
      hmcbench plugin check hff --spec hffvt --set hffvt.epochs=1
    """
    registry = default_registry()
    plugins = _plugins(registry, name)
    specs = _specs(registry, plugins, only)
    settings = _settings(registry, specs, values)
    outcomes: list[Outcome] = []
    for outcome in _outcomes([] if only else plugins, specs, settings, timeout):
        outcomes.append(outcome)
        if not as_json and (verbose or outcome.status == "failed"):
            click.echo("\n".join(_lines(outcome)))
    ran, failed = _counts(outcomes)
    if as_json:
        checks = [asdict(outcome) for outcome in outcomes]
        click.echo(json.dumps({"ran": ran, "failed": failed, "checks": checks}, indent=1))
    else:
        _print_summary(outcomes, verbose)
    return int(failed > 0 or ran == 0)


def _plugins(registry: Registry, name: str) -> list[Plugin]:
    """The plugins to check; their specs need not be usable."""
    installed = registry.manager.plugins
    names = [p.name for p in installed]
    plugins = [p for p in installed if (name in (p.name, p.distribution) if name else not p.builtin)]
    if not plugins and name:
        raise unknown("plugin", name, names, "hmcbench list plugins shows them")
    if not plugins:
        raise BadInput(
            "no third-party plugin is installed: no check ran",
            hint=f"hmcbench plugin check NAME checks one of {', '.join(names)}",
        )
    return plugins


def _specs(registry: Registry, plugins: list[Plugin], only: tuple[str, ...]) -> list[tuple[str, str]]:
    """(kind, name) of the specs to check."""
    from hmcbench.testing.checks import of_plugin

    specs = [pair for plugin in plugins for pair in of_plugin(registry, plugin)]
    names = [name for _, name in specs]
    for name in only:
        if name not in names:
            raise unknown("spec of the plugin", name, names)
    return [(kind, name) for kind, name in specs if not only or name in only]


def _settings(
    registry: Registry, specs: list[tuple[str, str]], values: Iterable[str]
) -> dict[str, dict[str, str]]:
    """Spec -> parameter -> value, checked before anything runs."""
    settings: dict[str, dict[str, str]] = {}
    for key, value in pairs("--set", values, "SPEC.PARAM=VALUE").items():
        spec, dot, param = key.rpartition(".")
        if not dot:
            raise BadInput(f"--set {key}={value}", allowed="--set SPEC.PARAM=VALUE")
        settings.setdefault(spec, {})[param] = value
    for spec, params in settings.items():
        kinds = [kind for kind, name in specs if name == spec and kind not in ("suites", "metrics")]
        if not kinds:
            raise unknown("spec of the plugin", spec, [name for _, name in specs])
        for kind in kinds:
            registry.resolve(kind, spec, "quick", **params)
    return settings


def _outcomes(
    plugins: list[Plugin], specs: list[tuple[str, str]], settings: dict[str, dict[str, str]], timeout: float
) -> Iterator[Outcome]:
    from hmcbench.testing.checks import check_plugin, isolated

    for plugin in plugins:
        yield from check_plugin(plugin)
    for kind, name in specs:
        yield from isolated.outcomes(kind, name, settings.get(name, {}), timeout)


def _lines(outcome: Outcome) -> list[str]:
    line = f"{MARKS[outcome.status]} {outcome.kind[:-1]} {outcome.spec}: {outcome.check}"
    lines = [line + (f": {outcome.detail}" if outcome.detail else "")]
    return lines + ([f"        why it matters: {outcome.why}"] if outcome.why else [])


def _counts(outcomes: list[Outcome]) -> tuple[int, int]:
    """How many checks ran, and how many failed."""
    return sum(o.status != "skipped" for o in outcomes), sum(o.status == "failed" for o in outcomes)


def _print_summary(outcomes: list[Outcome], verbose: bool) -> None:
    specs: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        specs.setdefault(f"{outcome.kind[:-1]} {outcome.spec}", []).append(outcome)
    for name, of_spec in specs.items():
        ran, failed = _counts(of_spec)
        skipped = f", {len(of_spec) - ran} skipped" if ran < len(of_spec) else ""
        click.echo(f"{name}: {ran} checks ran, {failed} failed{skipped}")
    ran, failed = _counts(outcomes)
    hint = "" if verbose else " (--verbose says why)"
    skipped = f", {len(outcomes) - ran} skipped{hint}" if ran < len(outcomes) else ""
    click.echo(f"{ran} checks ran, {failed} failed{skipped}")
    if not ran:
        click.echo("no check ran: that is a failure")
