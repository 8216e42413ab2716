"""Files to tables of text: CSV with any usual separator, Excel and Parquet where pandas is installed."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hmcbench.errors import BadInput, Unavailable
from hmcbench.hierarchy.csv_rows import csv_rows
from hmcbench_tables.endings import EXCEL, PARQUET, TEXT

ALLOWED = "a CSV, TSV, Excel or Parquet file with one header line"
_READERS = {".xlsx": "openpyxl", ".xlsm": "openpyxl", ".xls": "xlrd", ".ods": "odf"}


@dataclass(frozen=True)
class TextTable:
    """Text cells of one file, by column.

    Attributes:
        name: the file's name, as reports show it.
        source: its path.
        columns: the header.
        cells: for every column its N cells, blanks around them removed.
        lines: the line (of text) or row (of a sheet) of each of the N rows.
    """

    name: str
    source: str
    columns: Sequence[str]
    cells: Sequence[Sequence[str]]
    lines: Sequence[int]

    def __len__(self) -> int:
        return len(self.lines)

    def column(self, name: str) -> Sequence[str]:
        return self.cells[self.columns.index(name)]


def read_table(path: Path) -> TextTable:
    """Read a file with a header; the ending of its name says how.

    Raises:
        BadInput: no such file, another format, no rows, a row of another length, a name given twice.
        Unavailable: Excel or Parquet without pandas, or without the library that pandas needs for it.
    """
    ending = path.suffix.lower()
    if not path.exists():
        raise BadInput(f"no file {path}", allowed=ALLOWED)
    if path.is_dir():
        raise BadInput(f"{path} is a folder", allowed=ALLOWED, hint="folders of images: --images PATH")
    if ending in (*EXCEL, *PARQUET):
        return table_of_frame(_frame(path, ending), path)
    if ending not in TEXT:
        raise BadInput(f"{path}: tables of this kind ({ending or 'no ending'}) are not read", allowed=ALLOWED)
    rows = list(csv_rows(_text(path), str(path)))
    if not rows:
        raise BadInput(f"{path} is empty", allowed=ALLOWED)
    (line, header), body = rows[0], rows[1:]
    for number, cells in body:
        if len(cells) != len(header):
            raise BadInput(f"{path}:{number}: {len(cells)} cells where the header has {len(header)}")
    if len(header) == 1:
        raise BadInput(
            f"{path}:{line}: one column, {header[0][:60]!r}", allowed="cells separated by comma, ; or tab"
        )
    columns = list(zip(*(cells for _line, cells in body), strict=True)) if body else [()] * len(header)
    return _checked(path, header, columns, [number for number, _cells in body], line)


def table_of_frame(frame: Any, path: Path) -> TextTable:
    """The columns of a pandas frame as text: whole numbers without a point, dates as ISO, no value as ''."""
    frame = frame.convert_dtypes()
    columns = []
    for position in range(frame.shape[1]):
        column = frame.iloc[:, position]
        empty = column.isna().tolist()
        columns.append(
            [
                "" if missing else str(value).strip()
                for value, missing in zip(column.tolist(), empty, strict=True)
            ]
        )
    header = [
        "" if str(name).startswith("Unnamed: ") else " ".join(str(name).split()) for name in frame.columns
    ]
    return _checked(path, header, columns, list(range(2, len(frame) + 2)), 1)


def _checked(
    path: Path, header: Sequence[str], columns: Iterable[Sequence[str]], lines: Sequence[int], line: int
) -> TextTable:
    """The table without columns that have neither a name nor a cell."""
    named = [(name, cells) for name, cells in zip(header, columns, strict=True) if name or any(cells)]
    if not lines:
        raise BadInput(f"{path} has a header and no rows", allowed=ALLOWED)
    unnamed = next((cells for name, cells in named if not name), None)
    if unnamed is not None:
        example = next(cell for cell in unnamed if cell)
        raise BadInput(
            f"{path}:{line}: a column has no name ({example!r} stands in it)", hint="name it in the header"
        )
    twice = next((name for name, count in Counter(name for name, _ in named).items() if count > 1), None)
    if twice is not None:
        raise BadInput(f"{path}:{line}: the column {twice!r} is there twice", hint="rename one of them")
    return TextTable(path.name, str(path), [n for n, _ in named], [c for _, c in named], lines)


def _text(path: Path) -> str:
    """The text of a file in UTF-8, or in UTF-16 with the mark that Excel writes."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}", allowed=ALLOWED) from None
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    if encoding != "utf-16" and b"\0" in data:
        raise BadInput(f"{path} is no text", allowed=ALLOWED, hint="is its name right?")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadInput(
            f"{path}:{line}: not UTF-8 text (byte {error.start})", hint="save it as CSV UTF-8"
        ) from None


def _frame(path: Path, ending: str) -> Any:
    """The first sheet of a workbook, or a Parquet file, as a pandas frame."""
    reader = "pyarrow" if ending in PARQUET else _READERS[ending]
    for module in ("pandas", reader):
        if importlib.util.find_spec(module) is None:
            what = f"{path}: {ending[1:]} files need {module}"
            raise Unavailable(what, hint="pip install 'hmcbench[tables]'")
    import pandas

    try:
        return pandas.read_parquet(path) if ending in PARQUET else pandas.read_excel(path)
    except Exception as error:  # each of the libraries has its own errors for a damaged file
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise BadInput(f"{path} cannot be read: {reason}", allowed=ALLOWED) from None
