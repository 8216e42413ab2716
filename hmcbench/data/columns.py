"""Cells of text as columns: whether they hold numbers, names, dates or free text, and their values."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = [
    "MOSTLY", "MOST_VALUES", "Feature", "doubtful_comma", "guess", "is_missing", "nominal", "number",
    "numbers", "why_unused",
]  # fmt: skip  # what plugins may use

MOST_VALUES = 50  # different values of a nominal column; a column with more is text, unless it is set
MOSTLY = 0.9  # share of numbers from which the other cells of a column are mistakes
_MISSING = {"", "nan", "<na>", "n/a", "#n/a", "null", "?"}
_NO_NUMBER = {*_MISSING, "na", "none", "-", "--"}  # Na, none and - may be values of a nominal column
_COMMA = re.compile(r"[-+]?\d*,\d+(e[-+]?\d+)?\Z", re.IGNORECASE)
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2},\d{3}\Z")  # 1,234; not 0,125, which nobody writes for 125
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


def doubtful_comma(cells: Mapping[str, int] | Sequence[str]) -> str:
    """A cell such as ``1,234``, where every comma of the column may also separate thousands; else ``""``.

    Such a column is read as decimal numbers, as any other with commas.

    >>> doubtful_comma(["1,234", "900"]), doubtful_comma(["1,234", "0,9"]), doubtful_comma(["1,234", "0.9"])
    ('1,234', '', '')
    """
    if not decimal_comma(cells):
        return ""
    commas = [cell for cell in cells if _COMMA.match(cell)]
    return commas[0] if all(map(_THOUSANDS.match, commas)) else ""


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


def numbers(cells: Sequence[str]) -> tuple[np.ndarray, dict[int, str]]:
    """Float (N,), NaN where a value is missing; and row -> what is wrong, of cells that are no numbers."""
    comma = decimal_comma(cells)
    known: dict[str, tuple[float, str]] = {cell: number(cell, comma) for cell in set(cells)}
    wrong = {row: known[cell][1] for row, cell in enumerate(cells) if known[cell][1]}
    return np.array([known[cell][0] for cell in cells], dtype=np.float64), wrong


def nominal(name: str, cells: Sequence[str]) -> Feature:
    """Positions of the cells in their sorted values; numbers are sorted by size."""
    present = {cell for cell in cells if not is_missing(cell)}
    size = {cell: number(cell)[0] for cell in present}
    ordered = sorted(present, key=lambda cell: (math.isnan(size[cell]), np.nan_to_num(size[cell]), cell))
    place = {cell: float(i) for i, cell in enumerate(ordered)}
    return Feature(name, np.array([place.get(cell, math.nan) for cell in cells]), tuple(ordered))


def why_unused(values: np.ndarray) -> str:
    """Why the values (N,) of a column tell nothing, or an empty text."""
    present = values[~np.isnan(values)]
    if not len(present):
        return "it has no value"
    return "it is constant" if len(present) == len(values) and (present == present[0]).all() else ""
