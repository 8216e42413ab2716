"""Where the order of two rows changes from one situation to another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from hmcbench.leaderboard.board import Style
from hmcbench.leaderboard.inference import Contrast, Estimate, contrast
from hmcbench.leaderboard.render.text import signed
from hmcbench.leaderboard.statistics import LEVEL

MOST = 4
"""So many changes are told."""


@dataclass(frozen=True)
class OrderChange:
    """A pair of rows that changes places.

    Attributes:
        ahead, behind: labels of the rows, as they stand before.
        before, after: the first minus the second.
        silent: whether one of them rests on one training.
    """

    ahead: str
    behind: str
    before: Contrast
    after: Contrast
    silent: bool

    @property
    def clear(self) -> tuple[bool, bool]:
        """Whether the difference before, and the one after, is clear on these samples."""
        return _clear(self.before), _clear(self.after)

    def told(self, before: str, after: str, style: Style = "score") -> str:
        """A sentence.

        Args:
            before, after: the situations, as ``without a shift``.
            style: of the metric.
        """
        which = ("both differences are", "only the first is", "only the second is", "neither difference is")
        place = {(True, True): 0, (True, False): 1, (False, True): 2, (False, False): 3}[self.clear]
        once = ", of models that were trained once" if self.silent else ""
        first, second = (signed(of.difference, style) for of in (self.before, self.after))
        return (
            f"{self.ahead} is ahead of {self.behind} {before} ({first}) and behind {after}"
            f" ({second}); {which[place]} clear on these samples{once}."
        )


def _clear(compared: Contrast) -> bool:
    return compared.p is not None and compared.p < 1 - LEVEL


def changes(rows: Mapping[str, tuple[Estimate, Estimate]], sign: float) -> list[OrderChange]:
    """Pairs of rows that change places, the clearest first.

    Args:
        rows: label -> estimates before and after.
        sign: -1 where less is better.
    """
    swaps = []
    for a, b in combinations(rows, 2):
        gains = [sign * (rows[a][i].mean - rows[b][i].mean) for i in (0, 1)]
        if gains[0] < 0:
            a, b, gains = b, a, [-gain for gain in gains]
        if gains[0] > 0 > gains[1]:  # the tests are slow, and most pairs keep their places
            before, after = (contrast(rows[a][i], rows[b][i]) for i in (0, 1))
            silent = rows[a][0].silent or rows[b][0].silent
            swaps.append(OrderChange(a, b, before, after, silent))
    return sorted(swaps, key=lambda c: (-sum(c.clear), c.after.p or 1.0, c.ahead, c.behind))


def sentences(
    swaps: Sequence[OrderChange], rows: int, before: str, after: str, style: Style = "score"
) -> list[str]:
    """The first changes in words, or that there are none among so many rows; ``style``: of the metric."""
    if not swaps:
        return [f"The order of the {rows} rows is the same {after}."] if rows > 1 else []
    texts = [change.told(before, after, style) for change in swaps[:MOST]]
    more = len(swaps) - MOST
    return [*texts, f"So do {more} further pairs change places."] if more > 0 else texts
