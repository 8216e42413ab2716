"""Reads a table as text: a header, rows of cells and their lines; and a cell as a number."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hmcbench.errors import BadInput, close_matches

_MISSING = {"", "nan", "na", "n/a", "null", "none", "-", "?"}


@dataclass(frozen=True)
class Table:
    """Text cells of one file.

    Attributes:
        name: the file's name, as reports show it.
        source: its path, or the name of synthetic samples.
        columns: the header, blanks around names removed.
        rows: cells, blanks around them removed; as many in every row as there are columns.
        lines: the line of each row in the file.
    """

    name: str
    source: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    lines: Sequence[int]

    def column(self, position: int) -> list[str]:
        return [row[position] for row in self.rows]


def read_table(path: Path) -> Table:
    """Read a CSV file with a header, separated by commas.

    Rows and columns without any text are left out. Text that is not UTF-8 is tried as GB 18030, in
    which Chinese tables are often saved.

    Raises:
        BadInput: no such file, no text, no row, cells that do not fit the header, a name given twice.
    """
    cells = _cells(path)
    if not cells:
        raise BadInput(f"{path} is empty", allowed="a CSV file with a header line")
    header = [name.strip() for name in cells[0][1]]
    if len(header) == 1 and re.search(r"[;\t]", header[0]):
        first = header[0] if len(header[0]) <= 60 else header[0][:57] + "..."
        raise BadInput(
            f"{path}: the columns are not separated by commas: {first!r}", hint="save it as CSV with commas"
        )
    rows = [[cell.strip() for cell in row] for _line, row in cells[1:]]
    lines = [line for line, _row in cells[1:]]
    if not rows:
        raise BadInput(f"{path} has a header and no rows")
    for line, row in zip(lines, rows, strict=True):
        if len(row) != len(header):
            raise BadInput(f"{path}:{line}: {len(row)} cells where the header has {len(header)}")
    used = [i for i, name in enumerate(header) if name or any(row[i] for row in rows)]
    names = [header[i] for i in used]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise BadInput(f"{path}: the column {repeated!r} is there twice")
    return Table(path.name, str(path), names, [[row[i] for i in used] for row in rows], lines)


def read_plain(path: Path, columns: Sequence[str]) -> Table:
    """Read rows of words without a header; ``columns`` are its names."""
    rows = [(line, cells[0].split()) for line, cells in _cells(path)]
    for line, row in rows:
        if len(row) != len(columns):
            raise BadInput(f"{path}:{line}: {len(row)} values where {len(columns)} are expected")
    if not rows:
        raise BadInput(f"{path} is empty")
    return Table(path.name, str(path), columns, [row for _line, row in rows], [line for line, _row in rows])


def _cells(path: Path) -> list[tuple[int, list[str]]]:
    """(line, cells) of every row that is not blank."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from None
    # binary files and UTF-16 hold zeros; GB 18030 would decode them
    for encoding in () if b"\0" in data else ("utf-8-sig", "gb18030"):
        try:
            text = data.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise BadInput(f"{path} is no text", allowed="a CSV file", hint="save it as CSV UTF-8")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[tuple[int, list[str]]] = []
    line = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells) or cells == [""]:  # "" is a row of one column, not a blank
                rows.append((line, cells))
            line = reader.line_num + 1  # a quoted cell may span several lines
    except csv.Error as error:
        raise BadInput(f"{path}:{reader.line_num}: {error}", allowed="a CSV file") from None
    return rows


COLUMN_HINT = "add what is missing, or rename it in the header"


def find_columns(
    table: Table, columns: Sequence[tuple[str, Sequence[str]]], hint: str = COLUMN_HINT
) -> dict[str, int]:
    """Positions of columns by name or by one of its other spellings; case does not matter.

    Raises:
        BadInput: names every column that is missing, and the columns of the file.
    """
    positions = {re.sub(r"\s+", " ", name).casefold(): i for i, name in enumerate(table.columns)}
    places: dict[str, int] = {}
    missing: dict[str, str] = {}
    for name, spellings in columns:
        known = [positions[s.casefold()] for s in (name, *spellings) if s.casefold() in positions]
        if known:
            places[name] = known[0]
        else:
            others = [s for s in spellings if s.casefold() != name.casefold()]
            missing[name] = f"{name} (or {', '.join(others)})" if others else name
    if missing:
        guess = close_matches(next(iter(missing)), table.columns) if len(missing) == 1 else ""
        shown = ", ".join(table.columns[:30]) + (", ..." if len(table.columns) > 30 else "")
        word = "column" if len(missing) == 1 else "columns"
        raise BadInput(
            f"{table.source} lacks the {word} {', '.join(missing.values())}"
            + (f"; {guess}" if guess else ""),
            hint=f"it has {shown}. {hint}",
        )
    return places


def number(cell: str) -> tuple[float, str, str]:
    """The number in a cell, the problem with it (or ""), and the kind of the problem."""
    if cell.casefold() in _MISSING:
        problem = f"{cell!r} is no number: the value is missing" if cell else "the cell is empty"
        return math.nan, problem, "nan"
    try:
        value = float(cell.replace("_", "?"))  # Python takes 1_000 for a number
    except ValueError:
        point = f"; write {cell.replace(',', '.')}" if re.fullmatch(r"[-+]?\d*,\d+", cell) else ""
        return math.nan, f"{cell!r} is no number{point}", "number"
    if not math.isfinite(value) or abs(value) > 1e30:
        return math.nan, f"{cell!r} is no finite number", "number"
    return value, "", ""
