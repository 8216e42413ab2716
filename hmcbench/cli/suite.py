"""``hmcbench suite new``: a suite for data of one's own, to be edited."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hmcbench.cli.common import FILE, check_output
from hmcbench.cli.own_data import COLUMNS, SOURCES, check_one_source, options_of, own_reference
from hmcbench.errors import BadInput
from hmcbench.registry.registry import default_registry


@click.group("suite")
def suite_command() -> None:
    """Write a suite for your own data."""


@suite_command.command("new")
@click.argument("file", type=FILE, metavar="FILE.toml")
@options_of(SOURCES, COLUMNS)
def new_command(file: Path, **options: Any) -> None:
    """Write FILE.toml: the suite that run would make for these data, to be edited.

    \b
    Example:
      hmcbench suite new alloys.toml --table alloys.csv --labels level1,level2 --drop id
      hmcbench suite new fractures.toml --images my_images
    """
    from hmcbench.files import write_atomic
    from hmcbench.plan.own_data import suite_text

    if file.suffix != ".toml":
        raise BadInput(f"{file}", allowed="a file that ends in .toml")
    check_output(file)
    if file.exists():
        raise BadInput(f"{file} is there already", hint="name another file, or remove this one")
    check_one_source(options, ("table", "images"))
    write_atomic(file, suite_text(default_registry(), own_reference(options)))
    click.echo(f"suite  {file}\nrun it: hmcbench run --suite {file}")
