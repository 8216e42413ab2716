"""``hmcbench figures``: training curves, confusion matrices, reliability, mistakes."""

from __future__ import annotations

from pathlib import Path

import click

from hmcbench.cli.common import pairs
from hmcbench.cli.plugin_option import plugin_option
from hmcbench.errors import BadInput, HmcbenchError
from hmcbench.registry.registry import default_registry


@click.command("figures")
@click.argument("runs", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), help="The folder to write to.")
@click.option("--data", multiple=True, metavar="NAME=PATH", help="Your files, as given to run.")
@click.option("--side", default="test", show_default=True, metavar="NAME", help="test, validation, shifted.")
@click.option("--shifts", is_flag=True, help="Only what becomes of the models under shifts, per board.")
@plugin_option
def figures_command(runs: Path, output: Path | None, data: tuple[str, ...], side: str, shifts: bool) -> None:
    """Draw the figures of every record in RUNS (a record, a suite's folder, or a runs folder).

    Training curves, and per level a confusion matrix (with several paths: true positives, misses and
    false positives per class) and a reliability diagram; pictures of the most confident mistakes.
    Per board: risk against information, a line per model.
    PNG files, in figures/ beside the records unless --output names a folder. A record without stored
    predictions, or without the side, is named and left out.

    \b
    Example:
      hmcbench figures runs/sem-failure
      hmcbench figures runs/sem-failure --shifts
      hmcbench figures runs/sem-failure --data sem-failure=my_images --output figures
    """
    from hmcbench.records.record import read_all
    from hmcbench.report.figures.record import draw_record
    from hmcbench.report.figures.selection import draw_risks

    if shifts:
        draw_under_shifts(runs, output)
        return
    paths = pairs("--data", data, "NAME=PATH")
    records = [record for record in read_all(runs) if record.ok]
    if not records:
        raise BadInput(f"{runs} holds no record of a cell that ended well", hint="hmcbench run --suite NAME")
    names = sorted({record.dataset for record in records})
    for name in paths:
        if name not in names:
            raise BadInput(f"--data {name}=...: no record is of this dataset", allowed=", ".join(names))
    problems: list[tuple[str, HmcbenchError]] = []
    for record in records:
        base = output if output is not None else record.path.parent.parent / "figures"
        try:
            written, notes = draw_record(record, base / record.path.name, default_registry(), paths, side)
        except HmcbenchError as error:  # predictions that are missing or damaged, or have no such side
            problems.append((record.path.name, error))
            continue
        for path in written:
            click.echo(f"figure  {path}")
        for note in notes:
            click.echo(f"note    {record.path.name}: {note}")
    if len(problems) == len(records):
        raise problems[0][1]
    for name, problem in problems:
        click.echo(f"note    {name}: nothing is drawn: {problem}")
    for path in draw_risks(records, output):
        click.echo(f"figure  {path}")


def draw_under_shifts(runs: Path, output: Path | None) -> None:
    """Draw the boards that have predictions under shifts."""
    from hmcbench.leaderboard.files import boards_of
    from hmcbench.records.suite_file import suite_folders
    from hmcbench.report.figures.shifts import draw_shifts

    boards_in = {folder: boards_of(folder) for folder in suite_folders(runs)}
    if output is not None:  # together, so that no figure replaces that of another suite
        written = draw_shifts([board for boards in boards_in.values() for board in boards], output)
    else:
        drawn = [draw_shifts(boards, folder / "figures") for folder, boards in boards_in.items()]
        written = [path for paths in drawn for path in paths]
    if not written:
        raise BadInput(
            f"{runs} holds no predictions under shifts", hint="hmcbench run --suite NAME --shifts all"
        )
    for path in written:
        click.echo(f"figure  {path}")
