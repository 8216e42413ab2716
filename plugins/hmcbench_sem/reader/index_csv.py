"""Reads ``index.csv``: a file, its labels, and optionally its group and split, per row.

Columns: ``file``; then either ``level1`` to ``levelK`` (an empty cell ends the path) or ``labels``
(joined by ``|``, each a full path ``a/b`` or a name), or ``target:NAME`` columns of numbers; optional
``group`` and ``split``. Other columns are features of the samples, but for those that look like a column of
the reader: these are ignored with a warning.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from hmcbench.errors import BadInput, Problem
from hmcbench.files import listed_path
from hmcbench.hierarchy.csv_rows import csv_rows
from hmcbench_sem.reader.entries import SIDES, Entry, clean, is_of_system, side_of, split_label
from hmcbench_sem.reader.further_columns import is_target

_LEVEL = re.compile(r"level([1-9][0-9]*)\Z")
_LIKE_LEVEL = re.compile(r"(levels?|lvl|lev)[\W_]*\d[\W\d_]*")
_LIKE_OTHERS = re.compile(r"levels?|label|class|classes|files|filename|groups|splits")
_ALLOWED = "columns file, level1..levelK or labels or target:NAME, and optionally group and split"


_READ = ("file", "labels", "group", "split")


class _BadRow(Exception):
    def __init__(self, kind: str, what: str) -> None:
        self.kind = kind
        super().__init__(what)


def read_index(path: Path) -> tuple[str, list[Entry], list[Problem]]:
    """The kind of labels (``levels``, ``labels`` or ``targets``), the usable rows, the problems of others.

    Raises:
        BadInput: no text, no such header, or no rows.
    """
    rows = list(csv_rows(_text(path), str(path)))
    header = [name.lower() for name in rows[0][1]] if rows else []
    levels = _check_header(path, header)
    ignored = dict(_ignored(header, levels, [cells for _, cells in rows[1:]]))
    further = {
        place: name
        for place, name in enumerate(rows[0][1])
        if name and name.lower() not in (*_READ, *levels, *ignored)
    }
    entries: list[Entry] = []
    problems = [
        Problem(f"{path.name}:{rows[0][0]}", what, "column", fatal=False) for what in ignored.values()
    ]
    for line, cells in rows[1:]:
        where = f"{path.name}:{line}"
        try:
            if len(cells) != len(header):
                raise _BadRow("row", f"{len(cells)} cells where the header has {len(header)}")
            entry = _entry(dict(zip(header, cells, strict=True)), levels, where)
            extra = {name: cells[place].strip() for place, name in further.items()}
            entries.append(replace(entry, extra=extra))
        except _BadRow as error:
            problems.append(Problem(where, str(error), error.kind))
    if len(rows) < 2:
        raise BadInput(f"{path} lists no image: it has a header and no rows", allowed=_ALLOWED)
    problems += [
        Problem(entry.where, f"{entry.file} is hidden, or made by a system", "system-folder", fatal=False)
        for entry in entries
        if any(is_of_system(part) for part in entry.file.split("/") if part != "..")
    ]
    return ("levels" if levels else "labels" if "labels" in header else "targets"), entries, problems


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        what = f"{path} is not UTF-8 text (byte {error.start})"
        raise BadInput(what, hint="save it as CSV UTF-8") from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from None


def _check_header(path: Path, header: Sequence[str]) -> list[str]:
    """The level columns in order; none if there is a ``labels`` column instead."""
    listed = ",".join(header)
    if not header:
        raise BadInput(f"{path} is empty", allowed=_ALLOWED)
    twice = next((name for name in header if name and header.count(name) > 1), None)
    if twice is not None:
        raise BadInput(f"{path}: the column {twice!r} is there twice", allowed=_ALLOWED)
    if "file" not in header:
        raise BadInput(f"{path} has no column 'file': it has {listed}", allowed=_ALLOWED)
    for name in header:
        if _LIKE_LEVEL.fullmatch(unicodedata.normalize("NFKC", name)) and not _LEVEL.match(name):
            what = f"{path}: the column {name!r} looks like a level and is none"
            raise BadInput(what, allowed="level1, level2, level3 and so on: numbers begin at 1")
    numbers = sorted(int(match[1][:9]) for match in map(_LEVEL.match, header) if match)
    targets = any(map(is_target, header))
    kinds = {"level columns": bool(numbers), "labels": "labels" in header, "targets": targets}
    there = [name for name, present in kinds.items() if present]
    if len(there) != 1:
        what = f"both {there[0]} and {there[1]}" if there else "neither level columns nor labels nor targets"
        raise BadInput(f"{path} has {what}: it has {listed}", allowed=_ALLOWED)
    if numbers != list(range(1, len(numbers) + 1)):
        missing = next(k for k in range(1, len(numbers) + 2) if k not in numbers)
        raise BadInput(f"{path} has level{max(numbers)} but no level{missing}", allowed=_ALLOWED)
    return [f"level{k}" for k in numbers]


def _ignored(
    header: Sequence[str], levels: Sequence[str], rows: Sequence[list[str]]
) -> Iterator[tuple[str, str]]:
    """Name and warning of columns that are not read and look as if they should be."""
    for place, name in enumerate(header):
        if name in (*_READ, *levels):
            continue
        cells = {cells[place] for cells in rows if place < len(cells)} - {""}
        if "split" not in header and len(cells) > 1 and all(map(side_of, cells)):
            yield name, f"the column {name!r} looks like a split and is not read; name it split"
        elif _LIKE_OTHERS.fullmatch(name):
            allowed = _ALLOWED.removeprefix("columns ")
            yield name, f"the column {name!r} is not read; those that are: {allowed}"


def _entry(row: Mapping[str, str], levels: Sequence[str], where: str) -> Entry:
    if not row["file"]:
        raise _BadRow("missing", "the cell 'file' is empty")
    paths = (_path(row, levels),) if levels else _labels(row["labels"]) if "labels" in row else ()
    split = row.get("split", "")
    if split and not side_of(split):
        raise _BadRow("split", f"split {split!r} is not one of {', '.join(SIDES)}, or empty")
    return Entry(
        file=listed_path(row["file"]).as_posix(),
        paths=paths,
        where=where,
        group=row.get("group", ""),
        split=side_of(split),
    )


def _path(row: Mapping[str, str], levels: Sequence[str]) -> tuple[str, ...]:
    cells = [clean(row[level]) for level in levels]
    names = [name for name in cells if name]
    if not names:
        raise _BadRow("no-label", "it has no label")
    if cells[: len(names)] != names:
        raise _BadRow("level-gap", f"{levels[cells.index('')]} is empty but a later level is not")
    slash = next((name for name in names if "/" in name), None)
    if slash is not None:
        raise _BadRow("class-name", f"class name {slash!r} contains '/', which joins the levels of a path")
    return tuple(names)


def _labels(cell: str) -> tuple[tuple[str, ...], ...]:
    if not cell:
        raise _BadRow("no-label", "it has no label")
    labels = [label.strip() for label in cell.split("|")]
    if not all(labels):
        raise _BadRow("no-label", f"labels {cell!r} has an empty label between bars")
    return tuple(sorted({split_label(label) for label in labels}))
