"""``hmcbench reproduce``: run a published table again."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hmcbench.cli import INTERRUPTED
from hmcbench.cli.common import (
    FILE,
    FOLDER,
    check_output,
    device_option,
    pairs,
    rerun_option,
    timeout_option,
)
from hmcbench.cli.run import COUNT, JOBS, check_device
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
    "--dataset",
    "datasets",
    multiple=True,
    metavar="PATTERN",
    help="Only these datasets, of a table of several.",
)
@click.option("--profile", default="", metavar="NAME", help="A profile of the suite; default: the table's.")
@click.option("--splits", default=0, type=COUNT, metavar="N", help="Random splits; 0: as the table says.")
@click.option("--seeds", default=0, type=COUNT, metavar="N", help="Trainings; 0: as the table says.")
@device_option
@click.option("--jobs", default=1, type=JOBS, show_default=True, help="Cells at the same time on a CPU.")
@timeout_option
@rerun_option
@click.option("--out", default="runs", type=FOLDER, show_default=True)
@click.option("--output", type=FILE, help="Write here too: FILE.md or FILE.json.")
def reproduce_command(
    table: str,
    data: Sequence[str],
    patterns: Sequence[str],
    datasets: Sequence[str],
    timeout: float,
    **options: Any,
) -> int:
    """Run the published TABLE as its paper describes it, and compare with the paper's numbers.

    Without TABLE the known tables are listed. Cells that have a record are not run again.

    \b
    Example:
      hmcbench reproduce 3 --data nims-steel=nims_fatigue
      hmcbench reproduce hmc-classic --dataset '*_FUN' --row C-HMCNN
    """
    from hmcbench.plan.choices import Choices
    from hmcbench.reproduce.tables import find_table, known_tables, of_datasets

    registry = default_registry()
    if not table:
        lines = [
            (known.name, f"{known.title} (suite {known.suite}; {known.source})")
            for known in known_tables(registry)
        ]
        formatter = click.get_current_context().make_formatter()
        formatter.write_dl(lines)
        click.echo(formatter.getvalue(), nl=False)
        return 0
    output: Path | None = options["output"]
    if output is not None and output.suffix not in (".md", ".json"):
        raise BadInput(f"--output {output}", allowed="a file that ends in .md or .json")
    check_output(output)
    published = of_datasets(find_table(registry, table), datasets)
    own_data = pairs("--data", data, "NAME=PATH")
    chosen = {name: options.pop(name) for name in ("profile", "splits", "seeds")}
    choices = Choices(data=own_data, time_limit=timeout, **chosen)
    return _run(published, _rows(published, patterns), choices, options, bool(patterns or datasets))


def _rows(table: PublishedTable, patterns: Sequence[str]) -> list[PublishedRow]:
    rows = [r for r in table.rows if not patterns or any(fnmatch.fnmatchcase(r.label, p) for p in patterns)]
    if not rows:
        raise unknown(f"row of table {table.name}", patterns[0], [row.label for row in table.rows])
    return rows


def _run(
    table: PublishedTable,
    rows: Sequence[PublishedRow],
    choices: Choices,
    options: dict[str, Any],
    part: bool,
) -> int:
    """Run what has no record, and show the table; ``part``: of some of its rows or datasets."""
    from hmcbench.cli import live
    from hmcbench.execute import runner
    from hmcbench.plan.suite import load_suite
    from hmcbench.records.record import suite_folder
    from hmcbench.reproduce import compare, figures

    out: Path = options["out"]
    output: Path | None = options["output"]
    check_device(options["device"])
    registry = default_registry()
    folder = _folder(out / suite_folder(load_suite(registry, table.suite).name), part)
    absent = compare.absent_data(table, registry, choices)
    if absent and len(absent) == len(table.datasets):
        result = compare.untestable(table, rows, "no data", absent)
        return _show_unmeasured(result, folder, output)
    try:
        planned = compare.plan_table(table, registry, choices, rows)
    except BadInput:
        if choices.data or not table.not_public:
            raise
        result = compare.untestable(table, rows, table.not_public)
        return _show_unmeasured(result, folder, output)
    before = runner.existing(planned.plan, out)
    todo = runner.pending(planned.plan, before.records, options["rerun"])
    click.echo(f"table {table.name}: {len(planned.plan.cells)} cells, {len(todo)} to run", err=True)
    with live.view(todo, options["jobs"]) as view:
        outcome = runner.execute(
            planned.plan,
            out,
            **{name: options[name] for name in ("device", "jobs", "rerun")},
            observer=view,
            on_interrupt=live.say_interrupted,
            before=before,
        )
    if outcome.interrupted:
        click.echo("hmcbench: the same command continues from here", err=True)
        return INTERRUPTED
    specs = registry.specs("metrics")
    headers = dict(zip(table.datasets, table.headers, strict=False))
    result = compare.compare(table, planned, outcome.done, specs, rows)
    paths = [
        path
        for name, reference in planned.references.items()
        for path in figures.draw(
            table,
            _by_row(planned, compare.of_dataset(outcome.done, reference)),
            folder,
            headers.get(name, ""),
        )
    ]
    _show(result, [*_files(result, folder), *([output] if output else [])], paths)
    return 1 if outcome.failed else 0


def _by_row(planned: Planned, records: Sequence[Record]) -> dict[str, list[Record]]:
    return {row: [r for r in records if r.ok and r.label == label] for row, label in planned.labels.items()}


def _folder(suite: Path, part: bool) -> Path:
    """Of the files; some rows or datasets of a table do not replace the whole table."""
    return suite / "tables" / "part" if part else suite / "tables"


def _files(result: Result, folder: Path) -> list[Path]:
    return [folder / f"{result.table.name}.md", folder / f"{result.table.name}.json"]


def _show_unmeasured(result: Result, folder: Path, output: Path | None) -> int:
    """Show the paper's numbers alone; they do not replace a table that is there."""
    files = _files(result, folder)
    new = [] if any(path.exists() for path in files) else files
    _show(result, [*new, *([output] if output else [])], [])
    if not new:
        click.echo(f"hmcbench: nothing was measured, so {files[0]} stays as it is", err=True)
    return 0


def _show(result: Result, paths: Sequence[Path], figures: Sequence[Path]) -> None:
    """Print the table, and write it into files by their endings."""
    from hmcbench.files import write_atomic
    from hmcbench.reproduce.render import to_json, to_text

    click.echo(to_text(result, console=True))
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, to_json(result) if path.suffix == ".json" else to_text(result))
    for path in (*paths, *figures):
        click.echo(f"table        {path}")
