"""The CSV files that people write: hierarchies, lists of samples, scores."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator

from hmcbench.errors import BadInput

__all__ = ["csv_rows"]  # what plugins may use


def csv_rows(text: str, where: str) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of every row that is not blank; cells are trimmed, in composed Unicode.

    Cells are separated by commas, semicolons or tabs: what comes first in the header. A first line
    ``sep=;``, as Excel writes it, is no row.

    Raises:
        BadInput: no CSV; names ``where`` and the line.

    >>> list(csv_rows("file;labels\\n1.png;a, b\\n", "index.csv"))
    [(1, ['file', 'labels']), (2, ['1.png', 'a, b'])]
    """
    chosen = re.match(r"sep=([,;\t])\r?\n", text)
    header = text.lstrip().partition("\n")[0]
    separator = chosen or re.search(r"([,;\t])", header)
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=separator[1] if separator else ",", strict=True)
    line = 1
    try:
        for cells in reader:
            trimmed = [unicodedata.normalize("NFC", cell.strip()) for cell in cells]
            if any(trimmed) and not (chosen and line == 1):
                yield line, trimmed
            line = reader.line_num + 1  # a quoted cell may hold several lines
    except csv.Error as error:
        raise BadInput(f"{where}:{line}: cannot be read as CSV: {error}") from None
