"""``leaderboard``, ``rescore`` and ``publish``: commands that read records and train nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hmcbench.cli.common import NOTEBOOK_WIDTH, check_output, in_notebook, pairs_of_several, references
from hmcbench.errors import BadInput
from hmcbench.records.suite_file import suite_folders
from hmcbench.registry.registry import default_registry

if TYPE_CHECKING:
    from hmcbench.leaderboard.boards import Boards
    from hmcbench.records.record import Record

FORMATS = ("md", "csv", "json", "latex", "html")
LONG, PARQUET = "long.csv", "parquet"  # of records, not of boards
_RUNS = click.argument("runs", default="runs", type=click.Path(path_type=Path))


def render(boards: Boards, kind: str, pictures: bool = False) -> str:
    """Markdown, CSV, JSON, LaTeX or HTML text; HTML also shows the cells."""
    from hmcbench.leaderboard.render.csv_json import to_csv, to_json
    from hmcbench.leaderboard.render.latex import to_latex
    from hmcbench.leaderboard.render.markdown import to_markdown

    if kind == "html":
        from hmcbench.report.page import page_of

        return page_of(boards, pictures)
    renderers: dict[str, Any] = {"md": to_markdown, "csv": to_csv, "json": to_json, "latex": to_latex}
    return str(renderers[kind](boards))


def show_boards(boards: Boards) -> None:
    """Print boards to the console."""
    from rich.console import Console

    from hmcbench.leaderboard.render.console import print_console

    width = None if sys.stdout.isatty() else 160  # None: the terminal's
    print_console(boards, Console(width=NOTEBOOK_WIDTH if in_notebook() else width))


@click.command("leaderboard")
@_RUNS
@click.option("--suite", default="", metavar="NAME", help="Only this suite.")
@click.option("--columns", default="", metavar="ID,ID", help="These metrics and costs, in this order.")
@click.option("--primary", default="", metavar="ID", help="The metric that ranks.")
@click.option("--format", "kind", type=click.Choice(["console", *FORMATS, LONG, PARQUET]), default="console")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file instead.")
@click.option("--pictures", is_flag=True, help="Show your own samples in the HTML page, from the figures.")
@click.option(
    "--into", type=click.Path(dir_okay=False, path_type=Path), help="Write one table into this Markdown file,"
)
@click.option("--marker", default="", metavar="NAME", help="between <!-- NAME --> and <!-- /NAME --> there.")
def leaderboard_command(
    runs: Path,
    suite: str,
    columns: str,
    primary: str,
    kind: str,
    output: Path | None,
    pictures: bool,
    into: Path | None,
    marker: str,
) -> None:
    """Show or write the leaderboards of RUNS (a runs folder, a suite's folder, or published results).

    --columns and --primary take any metric that the records store (level{k}_accuracy: every level).
    --into replaces the text between two marker lines of your page, and nothing else. --format long.csv and
    parquet write all values of all records, a line for each record, partition and metric.

    \b
    Example:
      hmcbench leaderboard
      hmcbench leaderboard runs --columns hf1_macro,level{k}_accuracy,fit_s --primary hf1_macro
      hmcbench leaderboard runs --suite sem-failure --format md --output board.md
      hmcbench leaderboard runs --suite sem-failure --into README.md --marker sem-failure
      hmcbench leaderboard runs --format long.csv --output all.csv
    """
    from hmcbench.leaderboard.boards import Boards
    from hmcbench.leaderboard.columns import split_ids
    from hmcbench.leaderboard.files import boards_of
    from hmcbench.leaderboard.render.block import check_primary, to_block, with_columns, write_block

    _check_targets(kind, output, into, marker)
    if pictures and kind != "html":
        raise BadInput(f"--pictures with --format {kind}", allowed="--format html")
    folders = suite_folders(runs, suite)
    if kind in (LONG, PARQUET):
        if columns or primary:
            raise BadInput(
                f"--format {kind} with --columns or --primary", allowed="all values of all records"
            )
        _write_long(folders, kind, output)
        return
    ids = split_ids(columns)
    by_folder = [boards_of(folder, primary=primary, columns=ids) for folder in folders]
    boards = Boards(chain(*by_folder), list(chain(*(of_suite.records for of_suite in by_folder))))
    check_primary(boards, primary)
    if ids:
        boards = with_columns(boards, ids)
    if into is not None:
        changed = write_block(into, marker, to_block(boards))
        click.echo(f"{'leaderboard' if changed else 'unchanged  '}  {into}")
    elif output is not None:
        from hmcbench.files import write_atomic

        write_atomic(output, render(boards, "md" if kind == "console" else kind, pictures))
        click.echo(f"leaderboard  {output}")
    elif kind == "console":
        show_boards(boards)
    else:
        click.echo(render(boards, kind, pictures), nl=False)


def _labelled_records(folder: Path) -> Iterator[Record]:
    """The records of a suite's folder under the labels of its rows, one after another."""
    from hmcbench.records.record import each_record
    from hmcbench.records.row_names import with_labels
    from hmcbench.records.suite_file import read_info

    info = read_info(folder)
    for record in each_record(folder / "records"):
        yield from with_labels([record], info)


def _write_long(folders: Sequence[Path], kind: str, output: Path | None) -> None:
    """The records of suites as one long table; no board is computed."""
    from hmcbench.leaderboard.render.long import to_long_csv, write_long_csv, write_parquet

    records = chain.from_iterable(map(_labelled_records, folders))
    if output is None:
        click.echo(to_long_csv(records), nl=False)
        return
    if kind == PARQUET:
        write_parquet(records, output)
    else:
        write_long_csv(records, output)
    click.echo(f"table        {output}")


def _check_targets(kind: str, output: Path | None, into: Path | None, marker: str) -> None:
    """Refuse options that exclude each other, before anything is read."""
    check_output(output)
    if kind == PARQUET and output is None:
        raise BadInput("--format parquet without --output", hint="--output FILE.parquet")
    if into is None and marker:
        raise BadInput(f"--marker {marker} without --into", hint=f"--into FILE.md --marker {marker}")
    if into is None:
        return
    if not marker:
        raise BadInput(f"--into {into} without --marker", hint=f"--into {into} --marker NAME")
    if output is not None:
        raise BadInput("--into and --output cannot be given together")
    if kind not in ("console", "md"):
        raise BadInput(f"--into writes Markdown, not {kind}", hint=f"--format {kind} --output FILE")


@click.command("rescore")
@_RUNS
@click.option("--suite", default="", metavar="NAME", help="Only this suite.")
@click.option(
    "--rules", default="", metavar="RULE,RULE", help="Score under these decision rules too, or all."
)
def rescore_command(runs: Path, suite: str, rules: str) -> int:
    """Compute the metrics of old records again, from their stored predictions alone.

    Computes every installed metric, or those that the suite names in "metrics". Needs neither the data
    nor the plugins that made the records; run it after installing a metric. Where predictions are
    damaged, or a metric fails, the values and the leaderboards that stood are kept.

    Exit status: 0, or 1 where predictions are damaged or a metric failed.

    --rules adds the values under decision rules (hmcbench list rules); their thresholds are fitted on the
    validation predictions.

    \b
    Example:
      hmcbench rescore runs
      hmcbench rescore runs --rules isotonic,map
    """
    from hmcbench.leaderboard.files import boards_of, write_boards
    from hmcbench.metrics.rules.scoring import find_rules
    from hmcbench.records.rescore import rescore

    registry = default_registry()
    every = [spec.name for spec in registry.specs("rules")]
    chosen = find_rules(registry, every if rules == "all" else references(rules))
    complete = True
    for folder in suite_folders(runs, suite):
        result = rescore(folder / "records", rules=chosen)
        complete &= result.complete
        click.echo(f"{folder}: {result}")
        if result.damaged:
            click.echo(
                f"kept         the leaderboards of {folder}: run its damaged cells again, then rescore"
            )
            continue
        for path in write_boards(folder, boards_of(folder)):
            click.echo(f"leaderboard  {path}")
    return 0 if complete else 1


@click.command("publish")
@_RUNS
@click.option(
    "--to", "target", default="results", show_default=True, type=click.Path(file_okay=False, path_type=Path)
)
@click.option("--suite", default="", metavar="NAME", help="Only this suite.")
@click.option(
    "--figures/--no-figures", default=True, show_default=True, help="Draw the boards and first models."
)
@click.option("--no-truth", is_flag=True, help="Leave the truth out, whatever the datasets allow.")
@click.option(
    "--data",
    multiple=True,
    metavar="NAME=PATH",
    help="Data of a dataset, for intervals; may be repeated.",
)
@click.option(
    "--predictions", multiple=True, metavar="PATTERN", help="Publish those of these rows only, or none."
)
def publish_command(
    runs: Path,
    target: Path,
    suite: str,
    figures: bool,
    no_truth: bool,
    data: Sequence[str],
    predictions: Sequence[str],
) -> None:
    """Copy records and leaderboards of RUNS to a folder that can be committed or served.

    Writes an index, a Markdown and an HTML page per suite, CSV, JSON, figures and records. RUNS may be
    the target folder itself: its tables are then written anew.

    Truth that may not be redistributed is left out; the intervals over samples that need it are kept.
    For records without truth, --data names their data, from which the intervals are computed; this
    publishes no truth. Published records of others stay.

    Where predictions are large, --predictions names the rows that keep them (none: no row does); the
    others keep their metrics, intervals and the digest of their predictions.

    \b
    Example:
      hmcbench publish runs --to results
      hmcbench publish results --to results --suite nims-steel --data nims-steel=nims_fatigue
    """
    from hmcbench.publish.publish import publish
    from hmcbench.records.given_data import Given

    paths = pairs_of_several("--data", data, "NAME=PATH")
    given = Given(default_registry(), paths) if paths else None
    if "none" in predictions and len(predictions) > 1:
        raise BadInput("--predictions none beside other --predictions", allowed="none alone, or rows")
    chosen = [] if list(predictions) == ["none"] else list(predictions) or ["*"]
    for path in publish(
        runs,
        target,
        suite,
        figures=figures,
        truth=not no_truth,
        given=given,
        predictions=chosen,
        on_choice=click.echo,
    ):
        click.echo(f"published    {path}")
