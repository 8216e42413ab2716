"""Tables of label sets or of scores in CSV files: ``id,labels``, or ``id,<class>,<class>,...``.

Everything that can be wrong with a row is one line that names ``file:line``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hmcbench.errors import BadInput, close_matches
from hmcbench.hierarchy.csv_rows import csv_rows
from hmcbench.hierarchy.hierarchy import Hierarchy

SETS = "the header id,labels"
EITHER = "the header id,labels or id,<class>,<class>,..."


@dataclass
class LabelTable:
    """One file of truth or predictions.

    Attributes:
        path: the file.
        header: its first row.
        lines: id -> line, in the order of the rows.
        values: closed sets, boolean CSR (N, C), or scores, float64 (N, C), by class column.
    """

    path: Path
    header: list[str]
    lines: dict[str, int]
    values: Any

    @property
    def scores(self) -> bool:
        return isinstance(self.values, np.ndarray)

    @classmethod
    def read(cls, path: Path, hierarchy: Hierarchy) -> LabelTable:
        """Read a file; raises BadInput for anything wrong with it, as ``file:line``."""
        rows = csv_rows(read_text(path), str(path))
        _, header = next(rows, (1, []))
        return cls.of_rows(path, header, rows, hierarchy)

    @classmethod
    def of_rows(
        cls, path: Path, header: list[str], rows: Iterable[tuple[int, list[str]]], hierarchy: Hierarchy
    ) -> LabelTable:
        """The same of the header and the rows (line, cells) of a file."""
        sets = header == ["id", "labels"]
        columns = None if sets else score_columns(path, header, hierarchy.classes, "class")
        lines: dict[str, int] = {}
        parsed: list[Any] = []
        for line, cells in rows:
            where = f"{path}:{line}"
            new_id(cells, header, where, lines)
            lines[cells[0]] = line
            parsed.append(_labels(cells[1], where, hierarchy) if sets else _numbers(cells, where, header))
        if not parsed:
            raise BadInput(f"{path}:2: no rows below the header", allowed="at least one sample")
        if columns is None:
            return cls(path, header, lines, hierarchy.encode(parsed))
        values = np.empty((len(parsed), hierarchy.n))
        values[:, columns] = parsed
        return cls(path, header, lines, values)

    def several_paths(self, hierarchy: Hierarchy) -> str:
        """``file:line: the labels of 'x' lie on several paths`` of the first such row of sets; or nothing."""
        if self.scores:
            return ""
        _, crowded = hierarchy.level_positions(self.values)
        several = np.flatnonzero(np.any(crowded, axis=1))
        if not len(several):
            return ""
        name, line = list(self.lines.items())[several[0]]
        return f"{self.path}:{line}: the labels of {name!r} lie on several paths"


def read_text(path: Path) -> str:
    """The text of a file; raises BadInput where it is missing, empty or not UTF-8."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}", allowed="a CSV file") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise BadInput(f"{path}:{line}: not UTF-8 text", hint="save it again as CSV UTF-8") from None
    if not text.strip():
        raise BadInput(f"{path}:1: the file is empty", allowed="a header and one row per sample")
    return text


def score_columns(path: Path, header: list[str], known: Sequence[str], kind: str) -> list[int]:
    """The positions in ``known`` of the columns of numbers; raises BadInput unless each stands there once.

    Args:
        known: classes or targets.
        kind: what they are, for errors.
    """
    if len(header) < 2 or header[0] != "id":
        raise BadInput(f"{path}:1: the header is {short(header)}", allowed=_header(kind))
    position, names = {name: i for i, name in enumerate(known)}, header[1:]
    for name in names:
        if name not in position:
            raise BadInput(
                f"{path}:1: unknown {kind} {name!r} in the header",
                allowed=_header(kind),
                hint=close_matches(name, known),
            )
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise BadInput(f"{path}:1: the column {twice[0]!r} stands twice in the header")
    absent = sorted(set(known) - set(names))
    if absent:
        raise BadInput(
            f"{path}:1: no column for {kind} {absent[0]!r}" + more(absent),
            allowed=f"a {'score' if kind == 'class' else 'number'} for every {kind}",
        )
    return [position[name] for name in names]


def _header(kind: str) -> str:
    return EITHER if kind == "class" else f"the header id,<{kind}>,<{kind}>,..."


def new_id(cells: Sequence[str], header: Sequence[str], where: str, lines: Mapping[str, int]) -> None:
    """Raise BadInput for a row of another length than the header, and for an id that is empty or known."""
    if len(cells) != len(header):
        raise BadInput(f"{where}: {len(cells)} cells", allowed=f"{len(header)}, as in the header")
    if not cells[0]:
        raise BadInput(f"{where}: no id")
    if cells[0] in lines:
        raise BadInput(f"{where}: id {cells[0]!r} stands twice, first in line {lines[cells[0]]}")


def _labels(cell: str, where: str, hierarchy: Hierarchy) -> list[str]:
    """The labels of one cell; an empty cell is a sample without any."""
    names = [name.strip() for name in cell.split("|")] if cell else []
    for name in names:
        if not name:
            raise BadInput(f"{where}: an empty label in {cell!r}", allowed="labels joined by one '|'")
        if name not in hierarchy:
            raise BadInput(
                f"{where}: unknown class {name!r}",
                allowed="a class of the hierarchy",
                hint=close_matches(name, hierarchy.classes),
            )
    return names


def _numbers(cells: list[str], where: str, header: list[str]) -> list[float]:
    numbers = []
    for text, name in zip(cells[1:], header[1:], strict=True):
        value = number(text)
        if not 0 <= value <= 1:
            raise BadInput(f"{where}: the score of {name!r} is {text!r}", allowed="a number from 0 to 1")
        numbers.append(value)
    return numbers


def number(text: str) -> float:
    """The number that a cell holds; NaN where it holds none."""
    try:
        return math.nan if "_" in text or not text.isascii() else float(text)
    except ValueError:
        return math.nan


def short(header: Sequence[str]) -> str:
    """A header in quotation marks, cut where it is long."""
    text = ",".join(header)
    return repr(text if len(text) <= 60 else text[:57] + "...")


def more(names: Sequence[str]) -> str:
    """`` (and 3 more)`` after the first of several names."""
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""
