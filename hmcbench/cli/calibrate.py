"""``hmcbench calibrate``: calibrated rows from the stored predictions of other rows."""

from __future__ import annotations

from pathlib import Path

import click

from hmcbench.cli.common import references
from hmcbench.records.suite_file import suite_folders
from hmcbench.registry.registry import default_registry


@click.command("calibrate")
@click.argument("runs", type=click.Path(path_type=Path))
@click.option("--suite", default="", metavar="NAME", help="Only this suite.")
@click.option(
    "--rows",
    default="",
    metavar="ROW,ROW",
    help="Models, as the leaderboard names them; all with probabilities.",
)
@click.option(
    "--method",
    default="temperature",
    show_default=True,
    metavar="METHOD",
    help="temperature, platt, isotonic.",
)
def calibrate_command(runs: Path, suite: str, rows: str, method: str) -> None:
    """Add rows with calibrated probabilities to the boards of RUNS; nothing is trained.

    The calibration is fitted level by level on the samples that the suite puts apart
    ([protocol] calibration = 0.1).

    \b
    Example:
      hmcbench calibrate runs --suite my-suite
      hmcbench calibrate runs --rows forest --method isotonic
    """
    from hmcbench.derive.calibration import calibrate_records
    from hmcbench.derive.new_records import write_records
    from hmcbench.leaderboard.files import boards_of, write_boards
    from hmcbench.records.record import read_all
    from hmcbench.records.suite_file import read_info

    registry = default_registry()
    folders = suite_folders(runs, suite)
    new = [
        calibrate_records(read_info(f), read_all(f / "records"), method, registry, references(rows))
        for f in folders
    ]
    for folder, records in zip(folders, new, strict=True):  # once those of all suites are made
        for record in write_records(folder / "records", records):
            click.echo(f"record       {record.path}")
        for path in write_boards(folder, boards_of(folder)):
            click.echo(f"leaderboard  {path}")
