"""The CSV files that people write: hierarchies, lists of samples, scores."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator

from hmcbench.errors import BadInput

__all__ = ["csv_rows"]  # what plugins may use

HEADER = 1_000_000  # no header has more characters


def csv_rows(text: str, where: str) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of every row that is not blank; cells are trimmed, in composed Unicode.

    Cells are separated by tabs, if the header has one, else by commas or semicolons: whichever it has more
    of, or first, outside quotation marks. A first line ``sep=;``, as Excel writes it, is no row.

    Raises:
        BadInput: no CSV; names ``where`` and the line.

    >>> list(csv_rows("file;labels\\n1.png;a, b\\n", "index.csv"))
    [(1, ['file', 'labels']), (2, ['1.png', 'a, b'])]
    """
    chosen = re.match(r"sep=([,;\t])\r?\n", text)
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=chosen[1] if chosen else _separator(text), strict=True)
    line = 1
    try:
        for cells in reader:
            trimmed = [unicodedata.normalize("NFC", cell.strip()) for cell in cells]
            if any(trimmed) and not (chosen and line == 1):
                yield line, trimmed
            line = reader.line_num + 1  # a quoted cell may hold several lines
    except csv.Error as error:
        raise BadInput(f"{where}:{line}: cannot be read as CSV: {error}") from None


def _separator(text: str) -> str:
    header = re.sub(r'"[^"]*"', "", text.lstrip()[:HEADER]).partition("\n")[0]
    separators = re.findall(r"[,;\t]", header)
    return "\t" if "\t" in separators else max(separators, key=separators.count, default=",")
