"""``hmcbench score``: three tables in, numbers out."""

from __future__ import annotations

import json
from pathlib import Path

import click
from tabulate import tabulate

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("score")
@click.option("--hierarchy", required=True, type=_FILE, help="CSV: parent,child (empty parent: top level).")
@click.option("--truth", required=True, type=_FILE, help="CSV: id,labels (joined by |, any depth).")
@click.option(
    "--predictions", required=True, type=_FILE, help="CSV: id,labels or id,CLASS,CLASS,... with scores."
)
@click.option("--threshold", default=0.5, show_default=True, type=click.FloatRange(0, 1), help="For scores.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def score_command(hierarchy: Path, truth: Path, predictions: Path, threshold: float, as_json: bool) -> None:
    """Score a table of predictions: all set, level, structure and ranking metrics that apply.

    \b
    Example:
      hmcbench score --hierarchy H.csv --truth T.csv --predictions P.csv
    """
    from hmcbench.scoring import score_files

    result = score_files(hierarchy, truth, predictions, threshold)
    if as_json:
        click.echo(json.dumps(result, indent=1))
        return
    click.echo(tabulate(result.items(), headers=("metric", "value"), floatfmt=".4f", tablefmt="simple"))
