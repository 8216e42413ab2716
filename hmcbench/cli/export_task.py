"""``hmcbench export-task``: the data of a suite as files, for any program or person."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from hmcbench.cli.common import FOLDER, pairs
from hmcbench.registry.registry import default_registry


@click.command("export-task")
@click.argument("suite")
@click.option("--to", "target", type=FOLDER, required=True, help="A new folder.")
@click.option("--dataset", "datasets", multiple=True, metavar="NAME", help="Only these; repeatable.")
@click.option("--data", multiple=True, metavar="NAME=PATH", help="Your own data, as for run.")
@click.option("--profile", default="", metavar="NAME", help="For the number of seeds; the first by default.")
@click.option("--seeds", type=click.IntRange(1, 10_000), metavar="N", help="Folders for answers of N seeds.")
@click.option("--folds", type=click.IntRange(min=2), metavar="K", help="As for run.")
@click.option("--splits", type=click.IntRange(1, 1000), metavar="N", help="As for run.")
@click.option(
    "--images",
    type=click.Choice(["copy", "list"]),
    default="copy",
    show_default=True,
    help="Copy image files, or list their paths, which may name the classes.",
)
def export_task_command(
    suite: str, target: Path, datasets: Sequence[str], data: Sequence[str], images: Any, **options: Any
) -> None:
    """Write the data of SUITE (a name or FILE.toml): inputs and labels to learn from, inputs to answer.

    The folder has the hierarchy, a README, and for every dataset, fold and seed an example of the file that
    is wanted. Test labels are not in it. "hmcbench bring" reads the answers.

    \b
    Example:
      hmcbench export-task smoke --to task
      hmcbench export-task sem-failure --data sem-failure=my_images --to task --images list
    """
    from hmcbench.derive.export_task import export_task
    from hmcbench.plan.choices import Choices
    from hmcbench.plan.suite import load_suite

    registry = default_registry()
    choices = Choices(
        profile=options["profile"],
        data=pairs("--data", data, "NAME=PATH"),
        datasets=tuple(datasets),
        seeds=options["seeds"] or 0,
        folds=options["folds"] or 0,
        splits=options["splits"] or 0,
        free_protocol=True,
    )
    for line in export_task(load_suite(registry, suite), registry, choices, target, images, suite):
        click.echo(f"dataset      {line}")
    click.echo(f"task         {target / 'README.md'}")
