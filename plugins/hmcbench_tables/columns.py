"""What the columns of a table hold: numbers, names, dates or free text; and the cells as values."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

import numpy as np

from hmcbench.errors import BadInput, close_matches
from hmcbench_tables.problems import RowProblems
from hmcbench_tables.reading import TextTable

MOST_VALUES = 50  # different values of a nominal column; a column with more is text, unless it is set
MOSTLY = 0.9  # share of numbers from which the other cells of a column are mistakes
KINDS = ("number", "nominal")
_MISSING = {"", "nan", "n/a", "#n/a", "null", "?"}
_NO_NUMBER = {*_MISSING, "na", "none", "-", "--"}  # Na, none and - may be values of a nominal column
_COMMA = re.compile(r"[-+]?\d*,\d+(e[-+]?\d+)?\Z", re.IGNORECASE)
_DATE = re.compile(
    r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2}))"
    r"([ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?)?"
    r"\s?(Z|[-+]\d{2}:?\d{2}|[AP]M)?\Z",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Feature:
    """One feature.

    Attributes:
        values: float (N,); positions in ``names`` where it is nominal, NaN where the value is missing.
        names: the values of a nominal column, sorted; empty for numbers.
    """

    name: str
    values: np.ndarray
    names: tuple[str, ...] = ()

    @property
    def missing(self) -> int:
        """How many values are missing."""
        return int(np.isnan(self.values).sum())


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
        present = column.values[rows][~np.isnan(column.values[rows])]
        if not len(present):
            unused[column.name] = "it has no value"
        elif (present == present[0]).all() and len(present) == len(rows):
            unused[column.name] = "it is constant"
    return Features([c for c in columns if c.name not in unused], unused)


def guess(cells: Sequence[str]) -> str:
    """``number``, ``nominal``, or why the column is no feature."""
    counts = Counter(cells)
    present = {cell: n for cell, n in counts.items() if not is_missing(cell)}
    total = sum(present.values())
    comma = decimal_comma(present)
    numeric = sum(n for cell, n in present.items() if not math.isnan(number(cell, comma)[0]))
    empty = sum(n for cell, n in present.items() if cell.casefold() in _NO_NUMBER)
    if not total:
        return "it has no value"
    if numeric and numeric + empty >= MOSTLY * total:
        return "number"
    if all(_DATE.match(cell) for cell in present):
        return "it holds dates"
    if len(present) > MOST_VALUES or len(present) > max(2, total / 2):
        return f"it holds text, {len(present):,} different values in {len(cells):,} rows"
    return "nominal"


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is no value, whatever the column holds."""
    return cell.casefold() in _MISSING


def decimal_comma(cells: Mapping[str, int] | Sequence[str]) -> bool:
    """Whether the numbers of a column have a comma where others have a point."""
    return any(_COMMA.match(cell) for cell in cells) and not any("." in cell for cell in cells)


def number(cell: str, comma: bool = False) -> tuple[float, str]:
    """The number in a cell and what is wrong with it; NaN without a problem where it is missing."""
    if cell.casefold() in _NO_NUMBER:
        return math.nan, ""
    try:
        value = float((cell.replace(",", ".") if comma else cell).replace("_", "?"))  # Python reads 1_000
    except ValueError:
        return math.nan, f"{cell[:40]!r} is no number"
    if not math.isfinite(value) or abs(value) > 1e30:
        return math.nan, f"{cell[:40]!r} is no finite number"
    return value, ""


def numbers(name: str, cells: Sequence[str], report: RowProblems) -> np.ndarray:
    """Float (N,); a cell that is no number makes its row a problem."""
    comma = decimal_comma(cells)
    known: dict[str, tuple[float, str]] = {cell: number(cell, comma) for cell in set(cells)}
    if any(what for _value, what in known.values()):
        for row, cell in enumerate(cells):
            if known[cell][1]:
                report.reject(row, "number", f"column {name!r}: {known[cell][1]}")
    return np.array([known[cell][0] for cell in cells], dtype=np.float64)


def nominal(name: str, cells: Sequence[str]) -> Feature:
    """Positions of the cells in their sorted values; numbers are sorted by size."""
    present = {cell for cell in cells if not is_missing(cell)}
    size = {cell: number(cell)[0] for cell in present}
    ordered = sorted(present, key=lambda cell: (math.isnan(size[cell]), np.nan_to_num(size[cell]), cell))
    place = {cell: float(i) for i, cell in enumerate(ordered)}
    return Feature(name, np.array([place.get(cell, math.nan) for cell in cells]), tuple(ordered))
