"""``hmcbench score``: metrics of predictions in CSV files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import click
from tabulate import tabulate

from hmcbench.cli.common import FILE


@click.command("score")
@click.option("--hierarchy", required=True, type=FILE, help="CSV: parent,child (empty parent: top level).")
@click.option("--truth", required=True, type=FILE, help="CSV: id,labels (joined by |, any depth).")
@click.option("--predictions", required=True, type=FILE, help="CSV: id,labels, or id,CLASS,... with scores.")
@click.option("--threshold", default=0.5, show_default=True, type=click.FloatRange(0, 1), help="For scores.")
@click.option(
    "--paths",
    type=click.Choice(["single", "multiple"]),
    help="Paths per sample; default: multiple for scores, as in the files for labels.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def score_command(
    hierarchy: Path,
    truth: Path,
    predictions: Path,
    threshold: float,
    paths: Literal["single", "multiple"] | None,
    as_json: bool,
) -> None:
    """Score a table of predictions: all set, level, structure and ranking metrics that apply.

    Scores become decisions by the likeliest path (--paths single) or by the threshold and the hierarchy;
    ids that end in _raw score the argmax of every level, or the classes that reach the threshold, with
    their ancestors.

    \b
    Example:
      hmcbench score --hierarchy H.csv --truth T.csv --predictions P.csv
    """
    from hmcbench.metrics.csv_files import score_files

    result = score_files(hierarchy, truth, predictions, threshold, paths)
    if as_json:
        click.echo(json.dumps(result, indent=1))
        return
    facts = [(k, v) for k, v in result.items() if isinstance(v, (str, int, float))]
    click.echo(tabulate(facts, tablefmt="plain", disable_numparse=True))
    for note in result["notes"]:
        click.echo(f"note: {note}")
    values = [(k, v) for k, v in result["metrics"].items() if "[" not in k]
    click.echo("\n" + _table(values, ("metric", "value")))
    classes = per_class(result["metrics"])
    if classes:
        click.echo("\n" + _table(classes, "keys"))
    reasons: dict[str, list[str]] = {}
    for name, reason in {**result["left_out"], **result["failures"]}.items():
        reasons.setdefault(reason, []).append(name)
    for reason, names in reasons.items():
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        click.echo(f"left out: {', '.join(names[:3])}{more} ({reason.rstrip('.')})")


def _table(rows: Any, headers: Any) -> str:
    """Names in the first column stay as typed: 01, 1.0, 1e3."""
    text: str = tabulate(rows, headers, floatfmt=".4f", tablefmt="simple", disable_numparse=[0])
    return text


def per_class(metrics: Mapping[str, float]) -> list[dict[str, Any]]:
    """Metrics per class (``class_f1[a]``) as one row per class."""
    rows: dict[str, dict[str, Any]] = {}
    for name, value in metrics.items():
        column, bracket, label = name.partition("[")
        if bracket:
            rows.setdefault(label[:-1], {"class": label[:-1]})[column] = value
    return list(rows.values())
