"""Several boards, and the comparison over their datasets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

from hmcbench.leaderboard.across import Across, across
from hmcbench.leaderboard.board import Board
from hmcbench.records.record import Record


class Boards(list[Board]):
    """Boards in the order in which they are shown.

    Attributes:
        records: of the boards, as they were read.
    """

    def __init__(self, boards: Iterable[Board] = (), records: Sequence[Record] = ()) -> None:
        super().__init__(boards)
        self.records = records

    @cached_property
    def across(self) -> list[Across]:
        """Comparisons over datasets; computed at the first use, once."""
        return across(self)
