"""``hmcbench list`` and ``hmcbench show``: what is installed. Imports no numerical library."""

from __future__ import annotations

import inspect
import re
from typing import Any

import click

from hmcbench.cli.plugin_option import plugin_option
from hmcbench.errors import BadInput
from hmcbench.interfaces import PROFILES, Spec
from hmcbench.registry.loading import Plugin
from hmcbench.registry.registry import KINDS, Registry, default_registry, load_object, missing

_CHOICES = ["plugins", *KINDS]


@click.command("list")
@click.argument("kind", type=click.Choice(_CHOICES), default="plugins")
@plugin_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def list_command(kind: str, as_json: bool) -> None:
    """List what is installed: plugins, suites, datasets, models, metrics, rules, featurizers,
    shifts.

    \b
    Example:
      hmcbench list models
      hmcbench list metrics --json
    """
    registry = default_registry()
    if kind == "plugins":
        rows = _plugins(registry)
    else:
        rows = [_row(registry, kind, spec) for spec in registry.specs(kind)]
    if as_json:
        import json

        click.echo(json.dumps(rows, indent=1, sort_keys=True))
        return
    if not rows:
        click.echo(f"no {kind} are installed")
        return
    click.echo(columns([list(rows[0]), *(list(r.values()) for r in rows)]))


def columns(rows: list[list[str]]) -> str:
    """Rows in aligned columns, the first one underlined. (Importing a table library slows the start.)"""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    ruled = [rows[0], ["-" * width for width in widths], *rows[1:]]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in ruled)


def _plugins(registry: Registry) -> list[dict[str, Any]]:
    return [
        {
            "plugin": p.name,
            "package": f"{p.distribution} {p.version}",
            "hooks": ", ".join(h.removeprefix("hmcbench_") for h in p.hooks),
            "status": _plugin_status(p),
        }
        for p in registry.manager.plugins
    ]


def _plugin_status(plugin: Plugin) -> str:
    if plugin.error:
        return f"broken: {plugin.error}"
    if plugin.warning:
        return f"warning: {plugin.warning}"
    return f"slow: {plugin.seconds:.1f} s" if plugin.slow else "ok"


def _row(registry: Registry, kind: str, spec: Any) -> dict[str, Any]:
    row = {"name": spec.name, "plugin": registry.owner(kind, spec.name).name}
    if kind == "models":
        row["views"] = ", ".join(_view(spec, v) for v in spec.views) or "none"
    if kind == "datasets":
        row["views"] = ", ".join(spec.views)
    if kind == "featurizers":
        row["from"] = spec.source.partition("[")[0]
    if kind == "metrics":
        row["better"] = spec.better
    if kind == "rules":
        row |= {"makes": spec.makes, "paths": ", ".join(spec.paths)}
    if kind == "shifts":
        severities = ", ".join(f"{severity:g}" for severity in spec.severities)
        row |= {"views": ", ".join(spec.views), "severities": f"{severities} {spec.unit}".strip()}
    if isinstance(spec, Spec) and kind != "metrics":
        row["status"] = _status(spec)
    return {**row, "summary": spec.summary}


def _view(spec: Spec, view: str) -> str:
    """A view in words; where a parameter chooses it (``{inputs:auto=texture|table}``), its default."""
    match = re.fullmatch(r"\{(\w+)(?::(.*))?\}", view)
    if match:
        default = str(spec.params[match[1]].default)
        pairs = (pair.partition("=") for pair in (match[2] or "").split(";"))
        view = {name: meaning for name, _, meaning in pairs}.get(default, default)
    return view.partition("[")[0].replace("|", " or ")


def _status(spec: Spec) -> str:
    absent = missing(spec)
    if not absent:
        return "ok"
    return f"needs {', '.join(absent)}" + (f": pip install 'hmcbench[{spec.extra}]'" if spec.extra else "")


@click.command("show")
@click.argument("kind", type=click.Choice([k.removesuffix("s") for k in KINDS]))
@click.argument("name")
@plugin_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def show_command(kind: str, name: str, as_json: bool) -> None:
    """Show one dataset, model, metric, decision rule, featurizer, shift or suite.

    \b
    Example:
      hmcbench show model hffnet-2d
      hmcbench show metric level2_accuracy
    """
    import json

    from tabulate import tabulate

    registry = default_registry()
    if kind == "suite":
        from hmcbench.plan.suite import load_suite

        info = load_suite(registry, name).info()
        click.echo(json.dumps(info, indent=1, default=list) if as_json else _suite_text(info))
        return
    if kind == "metric":
        from hmcbench.metrics.ids import find_spec

        name = find_spec(registry.specs("metrics"), name).name  # level2_accuracy: level{k}_accuracy
    name, _, variant = name.partition(":")
    spec = registry.get(f"{kind}s", name.partition("[")[0])
    if variant and not spec.variant:
        raise BadInput(f"{spec.name} takes no :variant", hint=f"hmcbench show {kind} {spec.name}")
    plugin = registry.owner(f"{kind}s", spec.name)
    facts = {
        "name": spec.name,
        "summary": spec.summary,
        "version": spec.version,
        "plugin": f"{plugin.name} ({plugin.distribution} {plugin.version})",
        "status": _status(spec),
        "aliases": ", ".join(spec.aliases),
        "citation": spec.citation,
        "licence": spec.licence,
    }
    for field in _FIELDS:
        value = getattr(spec, field, "")
        facts[field] = ", ".join(map(str, value)) if isinstance(value, tuple) else value
    if kind == "model":
        facts["views"] = ", ".join(_view(spec, view) for view in spec.views)
    params = [_param(spec, p) for p in spec.params]
    if as_json:
        click.echo(json.dumps({**facts, "params": params}, indent=1))
        return
    click.echo(tabulate([(k, v) for k, v in facts.items() if v], tablefmt="plain", disable_numparse=True))
    if params:
        click.echo("\nparameters (the default, then the profiles)")
        click.echo(tabulate(params, headers="keys", tablefmt="simple", disable_numparse=True))
    if kind in ("metric", "rule", "shift"):
        click.echo("\n" + inspect.cleandoc(load_object(spec.factory).__doc__ or ""))


_FIELDS = (
    *("task", "tasks", "unit", "views", "paths", "depths"),
    *("scores", "source", "better", "over", "makes", "severities", "unit"),
)


def _param(spec: Spec, name: str) -> dict[str, Any]:
    param = spec.params[name]
    row: dict[str, Any] = {"name": name, "default": _text(param.default)}
    varies = any(name in values for values in spec.profiles.values())
    for profile in PROFILES:
        value = spec.profiles.get(profile, {}).get(name, param.default)
        row[profile] = _text(value) if varies else ""
    high = "" if param.high is None else f" {param.high:g}"
    bounds = "" if param.low is None else f" [{param.low:g} ..{high}]"
    choices = f" ({', '.join(map(str, param.choices))})" if param.choices else ""
    return {**row, "help": param.help + choices + bounds}


def _text(value: Any) -> str:
    return '""' if value == "" else str(value)


def _decisions(decisions: dict[str, Any]) -> dict[str, str]:
    rules = decisions["rules"]
    return {"thresholds": decisions["thresholds"], **({"rules": " ".join(rules)} if rules else {})}


def _suite_text(info: dict[str, Any]) -> str:
    suite = info["suite"]
    texts = filter(None, (suite["summary"], suite["question"]))
    lines = [f"{suite['name']} (version {suite['version']})", *texts, ""]
    lines.append(f"datasets  {', '.join(suite['datasets'])}")
    lines.append(f"ranked by {suite['primary']}")
    lines.append("split     " + ", ".join(f"{k}={v}" for k, v in info["protocol"].items()))
    if "decisions" in suite:
        lines.append("decisions " + ", ".join(f"{k}={v}" for k, v in _decisions(suite["decisions"]).items()))
    for name, profile in info["profiles"].items():
        settings = ", ".join(f"{k}={v}" for k, v in profile.items() if k not in ("models", "labels"))
        lines.append(f"{name:9} {settings}")
        for model in profile["models"]:
            label = profile["labels"].get(model)
            lines.append(f"          {model}" + (f" (called {label})" if label else ""))
    return "\n".join(lines)
