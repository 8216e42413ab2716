"""Reads ``index.csv``: a file, its labels, and optionally its group and split, per row.

Columns: ``file``; then either ``level1`` to ``levelK`` (an empty cell ends the path) or ``labels``
(joined by ``|``, each a full path ``a/b`` or a name); optional ``group`` and ``split``. Other
columns are ignored.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from hmcbench.errors import BadInput, Problem
from hmcbench_sem.reader.entries import SIDES, Entry, clean, split_label

_LEVEL = re.compile(r"level([1-9][0-9]*)\Z")
_ALLOWED = "columns file, level1..levelK or labels, and optionally group and split"


class _BadRow(Exception):
    def __init__(self, kind: str, what: str) -> None:
        self.kind = kind
        super().__init__(what)


def read_index(path: Path) -> tuple[str, list[Entry], list[Problem]]:
    """The kind of labels (``levels`` or ``labels``), the usable rows, and what is wrong with the others.

    Raises:
        BadInput: no text, no such header, or no rows.
    """
    rows = _rows(path)
    header = [name.strip().lower() for name in rows[0][1]] if rows else []
    levels = _check_header(path, header)
    entries: list[Entry] = []
    problems: list[Problem] = []
    for line, cells in rows[1:]:
        where = f"{path.name}:{line}"
        try:
            if len(cells) != len(header):
                raise _BadRow("row", f"{len(cells)} cells where the header has {len(header)}")
            entries.append(_entry(dict(zip(header, map(str.strip, cells), strict=True)), levels, where))
        except _BadRow as error:
            problems.append(Problem(where, str(error), error.kind))
    if len(rows) < 2:
        raise BadInput(f"{path} lists no image: it has a header and no rows", allowed=_ALLOWED)
    return ("levels" if levels else "labels"), entries, problems


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """(line, cells) of every row that is not blank."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        what = f"{path} is not UTF-8 text (byte {error.start})"
        raise BadInput(what, hint="save it as CSV UTF-8") from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        return [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except csv.Error as error:
        raise BadInput(f"{path}:{reader.line_num}: {error}", allowed=_ALLOWED) from None


def _check_header(path: Path, header: Sequence[str]) -> list[str]:
    """The level columns in order; none if there is a ``labels`` column instead."""
    listed = ",".join(header)
    if not header:
        raise BadInput(f"{path} is empty", allowed=_ALLOWED)
    if "file" not in header and len(header) == 1 and re.search(r"[;\t]", listed):
        raise BadInput(f"{path}: the columns are not separated by commas: {listed!r}", allowed=_ALLOWED)
    twice = next((name for name in header if name and header.count(name) > 1), None)
    if twice is not None:
        raise BadInput(f"{path}: the column {twice!r} is there twice", allowed=_ALLOWED)
    if "file" not in header:
        raise BadInput(f"{path} has no column 'file': it has {listed}", allowed=_ALLOWED)
    numbers = sorted(int(found[1][:9]) for found in map(_LEVEL.match, header) if found)
    if bool(numbers) == ("labels" in header):
        what = "both level columns and labels" if numbers else "neither level columns nor labels"
        raise BadInput(f"{path} has {what}: it has {listed}", allowed=_ALLOWED)
    if numbers != list(range(1, len(numbers) + 1)):
        missing = next(k for k in range(1, len(numbers) + 2) if k not in numbers)
        raise BadInput(f"{path} has level{max(numbers)} but no level{missing}", allowed=_ALLOWED)
    return [f"level{k}" for k in numbers]


def _entry(row: Mapping[str, str], levels: Sequence[str], where: str) -> Entry:
    if not row["file"]:
        raise _BadRow("missing", "the cell 'file' is empty")
    paths = (_path(row, levels),) if levels else _labels(row["labels"])
    side = row.get("split", "")
    if side.lower() not in SIDES:
        allowed = ", ".join(name for name in SIDES if name)
        raise _BadRow("split", f"split {side!r} is not one of {allowed}, or empty")
    file = row["file"].replace("\\", "/")  # a list written on Windows
    return Entry(
        file=file if file.startswith("/") else PurePosixPath(file).as_posix(),
        paths=paths,
        where=where,
        group=row.get("group", ""),
        split=SIDES[side.lower()],
    )


def _path(row: Mapping[str, str], levels: Sequence[str]) -> tuple[str, ...]:
    names = [clean(row[level]) for level in levels]
    given = [name for name in names if name]
    if not given:
        raise _BadRow("no-label", "it has no label")
    if names[: len(given)] != given:
        gap = levels[names.index("")]
        raise _BadRow("level-gap", f"{gap} is empty but a later level is not")
    slash = next((name for name in given if "/" in name), None)
    if slash is not None:
        raise _BadRow("class-name", f"class name {slash!r} contains '/', which joins the levels of a path")
    return tuple(given)


def _labels(cell: str) -> tuple[tuple[str, ...], ...]:
    if not cell:
        raise _BadRow("no-label", "it has no label")
    labels = [label.strip() for label in cell.split("|")]
    if not all(labels):
        raise _BadRow("no-label", f"labels {cell!r} has an empty label between bars")
    return tuple(sorted({split_label(label) for label in labels}))
