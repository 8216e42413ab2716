"""``hmcbench ensemble``: rows from the stored predictions of other rows."""

from __future__ import annotations

from pathlib import Path

import click

from hmcbench.cli.common import references
from hmcbench.errors import BadInput
from hmcbench.records.suite_file import suite_folders
from hmcbench.registry.registry import default_registry


@click.command("ensemble")
@click.argument("runs", type=click.Path(path_type=Path))
@click.option("--suite", default="", metavar="NAME", help="Only this suite.")
@click.option("--rows", default="", metavar="ROW,ROW", help="Models, as the leaderboard names them.")
@click.option("--over-seeds", is_flag=True, help="Average the seeds of each row too; rows weigh the same.")
@click.option(
    "--best", type=click.IntRange(min=0), default=0, metavar="K", help="Select up to K, on validation."
)
@click.option("--name", default="", metavar="LABEL", help="What the new row is called.")
def ensemble_command(runs: Path, suite: str, rows: str, over_seeds: bool, best: int, name: str) -> None:
    """Add a row that is the mean of the stored predictions of other rows of RUNS; nothing is trained.

    Without --best every named row has the same weight. With it, members are added one by one, each time the
    one that is best for the suite's primary metric on validation (of all rows, unless --rows names some; one
    may be taken again). The new row ranks beside the others, and costs what its members cost together.

    \b
    Example:
      hmcbench ensemble runs --suite smoke --rows forest,mlp
      hmcbench ensemble runs --rows mcvn --over-seeds --name mcvn-5
      hmcbench ensemble runs --best 10
    """
    from hmcbench.derive.ensembles import Wanted, make_ensembles
    from hmcbench.derive.new_records import write_records
    from hmcbench.leaderboard.files import boards_of, write_boards
    from hmcbench.records.record import read_all
    from hmcbench.records.suite_file import read_info

    wanted = Wanted(tuple(dict.fromkeys(references(rows))), over_seeds, best, name.strip())
    if not wanted.best and len(wanted.rows) < (1 if over_seeds else 2):
        raise BadInput(
            "an ensemble needs two members",
            allowed="--rows A,B, or --rows A --over-seeds, or --best K",
            hint="hmcbench leaderboard shows the rows",
        )
    registry = default_registry()
    folders = suite_folders(runs, suite)
    new = [make_ensembles(read_info(f), read_all(f / "records"), wanted, registry) for f in folders]
    for folder, records in zip(folders, new, strict=True):  # once those of all suites are made
        for record in write_records(folder / "records", records):
            click.echo(f"record       {record.path}")
        for path in write_boards(folder, boards_of(folder)):
            click.echo(f"leaderboard  {path}")
