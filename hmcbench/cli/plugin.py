"""``hmcbench plugin``: write a new plugin, check one that is installed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from hmcbench.cli.common import number, pairs
from hmcbench.errors import BadInput, unknown
from hmcbench.registry.loading import Plugin
from hmcbench.registry.registry import Registry, default_registry

if TYPE_CHECKING:
    from hmcbench.testing.checks import Outcome

MARKS = {"ok": "ok     ", "failed": "FAILED ", "skipped": "skipped"}


@click.group("plugin")
def plugin_command() -> None:
    """Write a new plugin, check one that is installed."""


@plugin_command.command("new")
@click.argument("name")
@click.option(
    "--kind",
    required=True,
    type=click.Choice(["dataset", "model", "metric", "featurizer", "suite"]),
    help="What it brings.",
)
@click.option(
    "--into", default=".", show_default=True, metavar="FOLDER", help="The folder that gets the new one."
)
def new_command(name: str, kind: str, into: str) -> None:
    """Write the package NAME: a plugin that can be installed, tested and run as it is.

    \b
    Example:
      hmcbench plugin new my-model --kind model
      pip install -e my-model
    """
    from pathlib import Path

    from hmcbench.testing.skeletons import write

    files = write(default_registry(), name, kind, Path(into))
    folder = name if into == "." else f"{into.rstrip('/')}/{name}"
    click.echo(f"wrote {folder}: {', '.join(map(str, files))}")
    suite = name if kind == "suite" else f"{folder}/example.toml"
    click.echo(f"next:\n  pip install -e {folder}\n  hmcbench plugin check {name}")
    click.echo(f"  hmcbench run --suite {suite}")


@plugin_command.command("check")
@click.argument("name", default="")
@click.option("--spec", "only", multiple=True, metavar="SPEC", help="Only this model, dataset, ...")
@click.option("--set", "values", multiple=True, metavar="SPEC.PARAM=VALUE", help="Check it with this value.")
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
    """Run the conformance checks of the plugin NAME; of all that are not part of hmcbench by default.

    Exit status 1 if a check failed, or if none ran.

    \b
    Example:
      hmcbench plugin check nearest
      hmcbench plugin check hff --spec hffvt --set hffvt.epochs=1
    """
    registry = default_registry()
    chosen = _chosen(registry, name)
    wanted = _wanted(registry, chosen, only)
    settings = _settings(registry, wanted, values)
    found: list[Outcome] = []
    for outcome in _outcomes(chosen, wanted, settings, timeout, whole=not only):
        found.append(outcome)
        if not as_json and (verbose or outcome.status == "failed"):
            click.echo("\n".join(_lines(outcome)))
    ran = sum(o.status != "skipped" for o in found)
    failed = sum(o.status == "failed" for o in found)
    if as_json:
        click.echo(json.dumps({"ran": ran, "failed": failed, "checks": [asdict(o) for o in found]}, indent=1))
        return int(failed > 0 or ran == 0)
    _summary(found, verbose)
    return int(failed > 0 or ran == 0)


def _chosen(registry: Registry, name: str) -> list[Plugin]:
    """The plugins to check; their specs need not be usable."""
    plugins = registry.manager.plugins
    if not name:
        strangers = [p for p in plugins if not p.builtin]
        if not strangers:
            raise BadInput(
                "no plugin is installed beside hmcbench's own: no check ran",
                hint=f"hmcbench plugin check NAME checks one of {', '.join(p.name for p in plugins)}",
            )
        return strangers
    named = [p for p in plugins if name in (p.name, p.distribution)]
    if not named:
        raise unknown("plugin", name, [p.name for p in plugins], "hmcbench list plugins shows them")
    return named


def _wanted(registry: Registry, chosen: list[Plugin], only: tuple[str, ...]) -> list[tuple[str, str]]:
    from hmcbench.testing.checks import of_plugin

    every = [pair for plugin in chosen for pair in of_plugin(registry, plugin)]
    for name in only:
        if name not in {spec for _, spec in every}:
            raise unknown("spec of the plugin", name, [spec for _, spec in every])
    return [pair for pair in every if not only or pair[1] in only]


def _settings(
    registry: Registry, wanted: list[tuple[str, str]], values: Iterable[str]
) -> dict[str, dict[str, str]]:
    """Spec -> parameter -> value, each checked before anything runs."""
    settings: dict[str, dict[str, str]] = {}
    for key, value in pairs("--set", values, "SPEC.PARAM=VALUE").items():
        spec, dot, param = key.rpartition(".")
        if not dot:
            raise BadInput(f"--set {key}={value}", allowed="--set SPEC.PARAM=VALUE")
        settings.setdefault(spec, {})[param] = value
    for spec, params in settings.items():
        kinds = [kind for kind, name in wanted if name == spec and kind not in ("suites", "metrics")]
        if not kinds:
            raise unknown("spec of the plugin", spec, [name for _, name in wanted])
        for kind in kinds:
            registry.resolve(kind, spec, "quick", **params)
    return settings


def _outcomes(
    chosen: list[Plugin],
    wanted: list[tuple[str, str]],
    settings: dict[str, dict[str, str]],
    timeout: float,
    whole: bool,
) -> Iterator[Outcome]:
    from hmcbench.testing.checks import check_plugin, isolated

    if whole:
        for plugin in chosen:
            yield from check_plugin(plugin)
    for kind, name in wanted:
        yield from isolated.outcomes(kind, name, settings.get(name, {}), timeout)


def _lines(outcome: Outcome) -> list[str]:
    what = f"{MARKS[outcome.status]} {outcome.kind[:-1]} {outcome.spec}: {outcome.check}"
    lines = [what + (f": {outcome.detail}" if outcome.detail else "")]
    return lines + ([f"        why it matters: {outcome.why}"] if outcome.why else [])


def _summary(found: list[Outcome], verbose: bool) -> None:
    specs: dict[str, list[Outcome]] = {}
    for outcome in found:
        specs.setdefault(f"{outcome.kind[:-1]} {outcome.spec}", []).append(outcome)
    for name, outcomes in specs.items():
        skipped = [o for o in outcomes if o.status == "skipped"]
        failed = sum(o.status == "failed" for o in outcomes)
        line = f"{name}: {len(outcomes) - len(skipped)} checks ran, {failed} failed"
        click.echo(line + (f", {len(skipped)} skipped" if skipped else ""))
    ran = sum(o.status != "skipped" for o in found)
    failed = sum(o.status == "failed" for o in found)
    idle = len(found) - ran
    hint = "" if verbose else " (--verbose says why)"
    more = f", {idle} had nothing to look at{hint}" if idle else ""
    click.echo(f"{ran} checks ran, {failed} failed{more}")
    if not ran:
        click.echo("no check ran: that is a failure")
