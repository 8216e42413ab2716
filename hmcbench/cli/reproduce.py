"""``hmcbench reproduce``: a published table, run again."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hmcbench.cli import INTERRUPTED
from hmcbench.cli.common import check_output, number, pairs
from hmcbench.errors import BadInput, unknown
from hmcbench.registry.registry import default_registry

if TYPE_CHECKING:
    from hmcbench.plan.choices import Choices
    from hmcbench.records.record import Record
    from hmcbench.reproduce.compare import Planned, Result
    from hmcbench.reproduce.tables import PublishedRow, PublishedTable


@click.command("reproduce")
@click.argument("table", default="")
@click.option("--data", multiple=True, metavar="NAME=PATH", help="Use your own files for the dataset NAME.")
@click.option("--row", "patterns", multiple=True, metavar="PATTERN", help="Only these rows of the table.")
@click.option(
    "--splits", default=0, type=click.IntRange(0), metavar="N", help="Random splits; 0: as the table says."
)
@click.option("--device", default="auto", metavar="auto|cpu|cuda:0", show_default=True)
@click.option("--jobs", default=1, type=click.IntRange(1, 256), show_default=True, help="Cells side by side.")
@click.option(
    "--timeout",
    default=0.0,
    type=click.FloatRange(0, 1e9),
    callback=number,
    metavar="S",
    help="Seconds per cell; 0: the profile's.",
)
@click.option("--rerun", type=click.Choice(["missing", "failed", "all"]), default="missing")
@click.option("--out", default="runs", type=click.Path(file_okay=False, path_type=Path), show_default=True)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write here too: FILE.md or FILE.json."
)
def reproduce_command(
    table: str,
    data: Sequence[str],
    patterns: Sequence[str],
    splits: int,
    device: str,
    jobs: int,
    timeout: float,
    rerun: str,
    out: Path,
    output: Path | None,
) -> int:
    """Run the published TABLE as its paper describes it, and print our numbers beside the paper's.

    Without TABLE the known ones are listed. Cells that have a record are not run again.

    \b
    Example:
      hmcbench reproduce 3 --data nims-steel=nims_fatigue
    """
    from hmcbench.plan.choices import Choices
    from hmcbench.reproduce.tables import find_table, known_tables

    registry = default_registry()
    if not table:
        for one in known_tables(registry):
            click.echo(f"{one.name:12} {one.title} (suite {one.suite}; {one.source})")
        return 0
    if output is not None and output.suffix not in (".md", ".json"):
        raise BadInput(f"--output {output}", allowed="a file that ends in .md or .json")
    check_output(output)
    found = find_table(registry, table)
    rows = _rows(found, patterns)
    given = pairs("--data", data, "NAME=PATH")
    choices = Choices(data=given, splits=splits, time_limit=timeout)
    return _run(found, rows, choices, device, jobs, rerun, out, output)


def _rows(table: PublishedTable, patterns: Sequence[str]) -> list[PublishedRow]:
    rows = [r for r in table.rows if not patterns or any(fnmatch.fnmatchcase(r.label, p) for p in patterns)]
    if not rows:
        raise unknown(f"row of table {table.name}", patterns[0], [row.label for row in table.rows])
    return rows


def _run(
    table: PublishedTable,
    rows: Sequence[PublishedRow],
    choices: Choices,
    device: str,
    jobs: int,
    rerun: str,
    out: Path,
    output: Path | None,
) -> int:
    from hmcbench.cli import live
    from hmcbench.cli.run import check_device
    from hmcbench.execute import runner
    from hmcbench.records.record import suite_folder
    from hmcbench.reproduce import compare, figures

    check_device(device)
    registry = default_registry()
    try:
        planned = compare.plan_table(table, registry, choices, rows)
    except BadInput:
        if choices.data or not table.not_public:
            raise
        result = compare.untestable(table, rows, table.not_public)
        return _show(result, out / suite_folder(Path(table.suite).stem), output, [], 0)
    before = runner.existing(planned.plan, out)
    todo = runner.pending(planned.plan, before.records, rerun)  # type: ignore[arg-type]  # click checks it
    click.echo(f"table {table.name}: {len(planned.plan.cells)} cells, {len(todo)} to run", err=True)
    with live.view(todo, jobs) as view:
        outcome = runner.execute(
            planned.plan,
            out,
            device=device,
            jobs=jobs,
            rerun=rerun,  # type: ignore[arg-type]
            observer=view,
            before=before,
        )
    if outcome.interrupted:
        click.echo("hmcbench: interrupted; the same command goes on from here", err=True)
        return INTERRUPTED
    specs = registry.specs("metrics")
    result = compare.compare(table, planned, outcome.done, specs, rows)
    drawn = figures.draw(table, _by_row(planned, outcome.done), outcome.folder / "tables")
    return _show(result, outcome.folder, output, drawn, 1 if outcome.failed else 0)


def _by_row(planned: Planned, records: Sequence[Record]) -> dict[str, list[Record]]:
    return {row: [r for r in records if r.ok and r.label == label] for row, label in planned.labels.items()}


def _show(result: Result, suite: Path, output: Path | None, drawn: Sequence[Path], status: int) -> int:
    """Print the table; write it into the suite's folder and where the user wants it."""
    from hmcbench.files import write_atomic
    from hmcbench.reproduce.render import to_json, to_text

    click.echo(to_text(result, console=True))
    folder = suite / "tables"
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{result.table.name}.md", folder / f"{result.table.name}.json"]
    if output is not None:
        paths.append(output)
    for path in paths:
        write_atomic(path, to_json(result) if path.suffix == ".json" else to_text(result))
    for path in (*paths, *drawn):
        click.echo(f"table        {path}")
    return status
