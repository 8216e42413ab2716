"""The rows of the CSV files beside images, or where one of them cannot be read."""

from __future__ import annotations

from pathlib import Path

from hmcbench.errors import BadInput
from hmcbench.hierarchy.csv_rows import csv_rows


def read_rows(file: Path, allowed: str = "a CSV file") -> list[tuple[int, list[str]]]:
    """(line, cells) of every row that is not blank, the header first; see :func:`csv_rows`.

    Args:
        allowed: what the file should be, for the message of an error.

    Raises:
        BadInput: a file that cannot be opened, is not UTF-8, or is no CSV; names the line.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise BadInput(f"{file} cannot be read ({error.strerror})", allowed=allowed) from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1  # its object has no byte order mark, as its start
        what = f"{file}:{line}: cannot be read: byte 0x{error.object[error.start]:02x} is not UTF-8"
        raise BadInput(what, allowed=allowed, hint="save it as CSV UTF-8") from None
    return list(csv_rows(text, file.name))
