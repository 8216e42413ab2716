"""``hmcbench learning``: how much data a model needs, and what wrong labels cost it."""

from __future__ import annotations

import math
from pathlib import Path

import click
from tabulate import tabulate

from hmcbench.errors import BadInput, unknown
from hmcbench.records.suite_file import suite_folders
from hmcbench.registry.registry import default_registry


@click.command("learning")
@click.argument("runs", type=click.Path(path_type=Path))
@click.option("--suite", default="", metavar="NAME", help="Only this suite.")
@click.option("--metric", default="", metavar="ID", help="Another metric than the one that ranks.")
@click.option("--reach", type=float, metavar="VALUE", help="Add the samples needed until this value.")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), help="A folder for figures.")
def learning_command(runs: Path, suite: str, metric: str, reach: float | None, output: Path | None) -> None:
    """Show the learning curves of a suite with train_share or label_noise under [protocol].

    A table per curve, in Markdown, with 95 % intervals; with --output also a figure. Samples until a value
    are interpolated between neighbouring points, over the logarithm of their number.

    \b
    Example:
      hmcbench learning runs --suite my-suite --reach 0.9 --output figures
      hmcbench learning runs --metric 'class_f1[thermal/oxide-spalling]'
    """
    from hmcbench.leaderboard.build import analyse
    from hmcbench.leaderboard.draws import DrawCache
    from hmcbench.leaderboard.grouping import groups, newest
    from hmcbench.leaderboard.intervals import Intervals
    from hmcbench.leaderboard.learning import curves, table
    from hmcbench.metrics.ids import find_spec
    from hmcbench.records.record import read_all, slug
    from hmcbench.records.row_names import with_labels
    from hmcbench.records.suite_file import read_info
    from hmcbench.report.figures.learning import learning_figure
    from hmcbench.report.figures.style import save

    if reach is not None and not math.isfinite(reach):
        raise BadInput(f"--reach {reach} cannot be used", allowed="a number")
    specs = default_registry().specs("metrics")
    if metric:
        find_spec(specs, metric)
    shown, known = 0, set[str]()
    for folder in suite_folders(runs, suite):
        info = read_info(folder) or {}
        records = newest(with_labels(read_all(folder / "records"), info))
        boards = []
        for group in groups(records):
            analysis = analyse(
                group,
                info,
                specs=specs,
                intervals=Intervals.read(folder),
                cache=DrawCache.open(),
                primary=metric,
                columns=(metric,) if metric else (),
            )
            boards.append((group, analysis))
        known |= {name for record in records for name in record.metrics("test")}
        for curve_set in curves(boards, metric):
            if not any(point.cells for point in curve_set.points):
                continue
            shown += 1
            heads, rows = table(curve_set, reach)
            click.echo(f"{curve_set.title}\n{curve_set.metric}, mean and 95 % interval\n")
            click.echo(tabulate(rows, heads, tablefmt="pipe", disable_numparse=True) + "\n")
            if output is not None:
                output.mkdir(parents=True, exist_ok=True)
                name = f"learning-{slug(curve_set.title)}-{curve_set.axis}-{slug(curve_set.metric)}.png"
                click.echo(f"figure  {save(learning_figure(curve_set), output / name)}")
    if metric and not shown and metric not in known:
        raise unknown(f"metric of {runs}", metric, known, nearest_first=True)
    if not shown:
        raise BadInput(
            f"{runs} has no two boards that differ in the share of training samples or of wrong labels",
            hint="train_share = [0.1, 0.3, 1.0] or label_noise = [0, 0.2] under [protocol] of a suite",
        )
