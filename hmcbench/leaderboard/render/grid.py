"""Tables on a terminal whose columns fit into its width; those that do not are left out and named."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from rich.cells import cell_len
from rich.text import Text

GAP, INDENT = 2, 4


@dataclass(frozen=True)
class GridColumn:
    """A column: the lines of its head, and the lines of every cell.

    ``name`` is what is said of it where it does not fit; without a name it is always shown.
    """

    head: Sequence[str]
    cells: Sequence[Sequence[Text]]
    name: str = ""
    left: bool = False

    @property
    def width(self) -> int:
        lines = [*self.head, *(line.plain for cell in self.cells for line in cell)]
        return max(map(cell_len, lines), default=0)


@dataclass(frozen=True)
class DrawnTable:
    """The lines of a table, and the names of the columns that did not fit."""

    lines: Sequence[Text]
    hidden: Sequence[str]


def grid(columns: Sequence[GridColumn], width: int, names: int) -> DrawnTable:
    """A table of the columns that fit into ``width`` characters, in their order.

    Args:
        columns: at least ``names`` + 1; the last ones may have no name either.
        names: how many of the first columns name the rows. Where not even one more column fits beside
            them, every row begins with a line of its names.
    """
    chosen = _fitting(columns, width)
    if any(column.name for column in chosen) or not any(column.name for column in columns):
        rows = [[column.cells[i] for column in chosen] for i in range(_rows(columns))]
        lines = [*_head(chosen), *(line for row in rows for line in _drawn(chosen, row))]
    else:
        chosen = _fitting(columns[names:], width - INDENT)
        chosen = chosen if any(column.name for column in chosen) else list(columns[names : names + 1])
        lines = [*_indented(_head(chosen))]
        for i in range(_rows(columns)):
            lines.append(Text(" " * GAP).join(column.cells[i][0] for column in columns[:names]))
            lines += _indented(_drawn(chosen, [column.cells[i] for column in chosen]))
    return DrawnTable(lines, [column.name for column in columns if column.name and column not in chosen])


def folded(title: str, width: int = 12) -> list[str]:
    """A title in lines of at most ``width`` characters where ``_`` and spaces allow it.

    >>> folded("level1_accuracy ↑"), folded("fit (s) ↓")
    (['level1_', 'accuracy ↑'], ['fit (s) ↓'])
    """
    lines = [""]
    for part in re.split(r"(?<=[_ ])", title):
        if lines[-1] and len((lines[-1] + part).rstrip()) > width:
            lines.append("")
        lines[-1] += part
    return [line.rstrip() for line in lines]


def _rows(columns: Sequence[GridColumn]) -> int:
    return len(columns[0].cells)


def _fitting(columns: Sequence[GridColumn], width: int) -> list[GridColumn]:
    """The columns without a name, and of the others the first ones that fit beside them."""
    room = width - sum(column.width + GAP for column in columns if not column.name) + GAP
    chosen, full = [], False
    for column in columns:
        if column.name:
            room -= column.width + GAP
            full = full or room < 0
        if not column.name or not full:
            chosen.append(column)
    return chosen


def _head(columns: Sequence[GridColumn]) -> Iterator[Text]:
    """The head, its last lines at the bottom, and a rule."""
    most = max(len(column.head) for column in columns)
    heads = [[""] * (most - len(column.head)) + list(column.head) for column in columns]
    yield from _drawn(columns, [[Text(line, style="bold") for line in head] for head in heads])
    yield Text("─" * (sum(column.width + GAP for column in columns) - GAP), style="dim")


def _drawn(columns: Sequence[GridColumn], cells: Sequence[Sequence[Text]]) -> Iterator[Text]:
    """The lines of one row."""
    for line in zip_longest(*cells, fillvalue=Text("")):
        padded = []
        for column, part in zip(columns, line, strict=True):
            blank = " " * (column.width - cell_len(part.plain))
            padded.append(part + Text(blank) if column.left else Text(blank) + part)
        joined = Text(" " * GAP).join(padded)
        joined.rstrip()
        yield joined


def _indented(lines: Iterator[Text]) -> Iterator[Text]:
    return (Text(" " * INDENT) + line for line in lines)
