"""What the columns of a table hold: numbers, names, dates or free text; and the cells as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

import numpy as np

from hmcbench.data.columns import Feature, doubtful_comma, guess, nominal, why_unused
from hmcbench.data.columns import numbers as cells_as_numbers
from hmcbench.errors import BadInput, close_matches
from hmcbench_tables.problems import RowProblems
from hmcbench_tables.reading import TextTable

KINDS = ("number", "nominal")


@dataclass(frozen=True)
class Features:
    """The columns that models get, and why others are not used (name -> reason)."""

    columns: Sequence[Feature]
    unused: Mapping[str, str]


def split_names(text: str) -> list[str]:
    """``a;b`` -> ``["a", "b"]``; a name with a comma or semicolon is written with ``%2C`` or ``%3B``."""
    return [unquote(part.strip()) for part in text.split(";") if part.strip()]


def find(table: TextTable, text: str, option: str) -> list[str]:
    """The columns that an option names; BadInput for one that is not there, or is named twice."""
    names = split_names(text)
    for name in names:
        if name not in table.columns:
            guess = close_matches(name, table.columns)
            shown = ", ".join(table.columns[:30]) + (", ..." if len(table.columns) > 30 else "")
            what = f"{table.source} has no column {name!r} ({option})" + (f"; {guess}" if guess else "")
            raise BadInput(what, hint=f"its columns are {shown}")
        if names.count(name) > 1:
            raise BadInput(f"{option} names the column {name!r} twice")
    return names


def set_kinds(table: TextTable, text: str) -> dict[str, str]:
    """``grade:nominal;C:number`` -> column -> kind."""
    kinds: dict[str, str] = {}
    for part in filter(str.strip, text.split(";")):
        name, colon, kind = part.strip().rpartition(":")
        if not colon or kind.strip() not in KINDS:
            raise BadInput(f"kinds: {part.strip()!r}", allowed="COLUMN:number or COLUMN:nominal, joined by ;")
        (column,) = find(table, name, "kinds") or [""]
        kinds[column] = kind.strip()
    return kinds


def read_features(
    table: TextTable, names: Sequence[str], kinds: Mapping[str, str], report: RowProblems
) -> Features:
    """Cells as values. What cannot be a feature is named in ``unused``; cells that break the kind of their
    column make their row a problem."""
    columns: list[Feature] = []
    unused: dict[str, str] = {}
    for name in names:
        cells = table.column(name)
        kind = kinds.get(name) or guess(cells)
        if kind == "number":
            columns.append(Feature(name, numbers(name, cells, report)))
        elif kind == "nominal":
            columns.append(nominal(name, cells))
        else:
            unused[name] = kind
    rows = report.usable
    for column in columns:
        if why := why_unused(column.values[rows]):
            unused[column.name] = why
    return Features([c for c in columns if c.name not in unused], unused)


def numbers(name: str, cells: Sequence[str], report: RowProblems) -> np.ndarray:
    """Float (N,); a cell that is no number makes its row a problem, commas of thousands are a note."""
    values, wrong = cells_as_numbers(cells)
    if doubtful := doubtful_comma(cells):
        read = f"column {name!r}: {doubtful!r} is read as {doubtful.replace(',', '.')}"
        report.note("comma", f"{read}; if its commas separate thousands, delete them in the file")
    for row, what in wrong.items():
        report.reject(row, "number", f"column {name!r}: {what}")
    return values
