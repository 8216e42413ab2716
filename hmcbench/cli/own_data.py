"""The options that name data of one's own: ``--table`` with its columns, ``--images``."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from hmcbench.cli.common import pairs
from hmcbench.errors import BadInput

LISTS = ("labels", "target", "group", "drop")
COLUMNS: Sequence[Callable[[Any], Any]] = (
    click.option("--labels", default="", metavar="COL,COL", help="Levels, joined labels, or 0/1 columns."),
    click.option("--parent", default="", metavar="COL", help="A 0/1 column: the class above the labels."),
    click.option("--hierarchy", default="", metavar="FILE", help="CSV: parent,child of the labels."),
    click.option("--target", default="", metavar="COL,COL", help="Numbers to predict, instead of labels."),
    click.option(
        "--group", default="", metavar="COL", help="Rows of one group stay in one partition of a split."
    ),
    click.option("--drop", default="", metavar="COL,COL", help="Columns that must not be used."),
    click.option(
        "--kind", "kinds", multiple=True, metavar="COL=number|nominal", help="If the guess is wrong."
    ),
)
SOURCES: Sequence[Callable[[Any], Any]] = (
    click.option("--table", metavar="FILE", help="Your own table, with --labels or --target."),
    click.option("--images", metavar="PATH", help="Your own folder of labelled images."),
)


def options_of(*groups: Sequence[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """A decorator that adds all options of ``groups`` in their order."""

    def add(command: Any) -> Any:
        for option in reversed([option for group in groups for option in group]):
            command = option(command)
        return command

    return add


def column_params(options: Mapping[str, Any]) -> dict[str, str]:
    """The options of :data:`COLUMNS` that are set, as parameters of the dataset ``table``."""
    from hmcbench.api import table_columns

    lists = {name: _names(f"--{name}", options[name]) for name in LISTS}
    lists["parent"] = [options["parent"]] if options["parent"] else []
    kinds = pairs("--kind", options["kinds"], "COLUMN=number|nominal")
    return table_columns(lists, options["hierarchy"], kinds)


def _names(option: str, text: str) -> list[str]:
    """``a,b`` -> ``["a", "b"]``; a name with a comma in it stands in quotation marks."""
    try:
        (names,) = csv.reader([text], skipinitialspace=True, strict=True) if text else [[]]
    except csv.Error:
        raise BadInput(f"{option} {text!r}", allowed='A,B; "A, B" for a name with a comma') from None
    if not all(name.strip() for name in names):
        raise BadInput(f"{option} {text!r} has an empty name", allowed="COLUMN,COLUMN")
    return [name.strip() for name in names]


def own_reference(options: Mapping[str, Any]) -> str:
    """The reference of the dataset that ``--table`` or ``--images`` names; empty for neither."""
    from hmcbench.plan.own_data import reference_of

    columns = column_params(options)
    if options["table"] is not None:
        return reference_of("table", path=options["table"], **columns)
    if columns:
        option = next(iter(columns)).replace("kinds", "kind")
        raise BadInput(f"--{option} without --table", hint="--table FILE")
    return reference_of("images", path=options["images"]) if options["images"] is not None else ""


FORMS = {"suite": "--suite NAME|FILE.toml", "table": "--table FILE", "images": "--images PATH"}


def check_one_source(options: Mapping[str, Any], sources: Sequence[str]) -> None:
    """Raise BadInput unless exactly one of these options is set, and not to an empty text."""
    named = [name for name in sources if options[name] is not None]
    if len(named) != 1:
        what = " and ".join(f"--{name}" for name in named) + " together" if named else "no data are named"
        raise BadInput(what, allowed=f"one of {', '.join(FORMS[name] for name in sources)}")
    if not options[named[0]]:
        raise BadInput(f"--{named[0]} is empty", allowed=FORMS[named[0]])


def check_source(options: Mapping[str, Any]) -> dict[str, str]:
    """Raise BadInput unless one source of data is named; the parameters of the columns of a table."""
    check_one_source(options, ("suite", "table", "images"))
    own_reference(options)
    return column_params(options)
