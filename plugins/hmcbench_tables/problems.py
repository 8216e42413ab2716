"""Collects the problems of a table, row by row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hmcbench.errors import Problem
from hmcbench_tables.reading import TextTable

LISTED = 10  # lines in one message; further ones are counted


class RowProblems:
    """The problems of a table so far.

    Attributes:
        problems: in the order in which they were met.
        bad: positions of rows that cannot be used.
    """

    def __init__(self, table: TextTable) -> None:
        self.table = table
        self.problems: list[Problem] = []
        self.bad: set[int] = set()

    @property
    def usable(self) -> list[int]:
        """Positions of the rows that can be used, in order."""
        return [row for row in range(len(self.table)) if row not in self.bad]

    def reject(self, row: int, kind: str, what: str) -> None:
        """A row that cannot be used; ``--skip-bad`` leaves it out."""
        self.bad.add(row)
        self.problems.append(Problem(f"{self.table.name}:{self.table.lines[row]}", what, kind))

    def note(self, kind: str, what: str, *, fatal: bool = False) -> None:
        """A problem of the table as a whole."""
        self.problems.append(Problem(self.table.name, what, kind, fatal=fatal, skippable=False))

    def lines(self, rows: Sequence[int]) -> str:
        """``line 7`` or ``lines 7, 9 and 3 more``."""
        return f"line{'s' * (len(rows) > 1)} " + listed([str(self.table.lines[row]) for row in rows])


def listed(names: Iterable[str]) -> str:
    """The first names, and how many more there are."""
    items = list(names)
    more = f" and {len(items) - LISTED} more" if len(items) > LISTED else ""
    return ", ".join(items[:LISTED]) + more
