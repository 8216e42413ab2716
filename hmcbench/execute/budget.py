"""A total time for a run: what fits into it, and what is left out."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from hmcbench.errors import BadInput
from hmcbench.plan.cells import Cell
from hmcbench.records.record import Record

UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
MOST_S = 366 * 86400
_FORM = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def parse_budget(text: str) -> float:
    """``90s``, ``30m``, ``1h30m``, ``2d`` -> seconds; raises BadInput for anything else, and for nothing."""
    found = _FORM.fullmatch(text.strip().lower()) if len(text) < 40 and text.isascii() else None
    parts = found.groups() if found else ()
    seconds = sum(int(part or 0) * unit for part, unit in zip(parts, UNITS.values(), strict=False))
    if not 0 < seconds <= MOST_S:
        raise BadInput(f"--budget {text!r}", allowed="90s, 30m, 1h30m or 2d; a year at most")
    return float(seconds)


def seconds_taken(done: Iterable[Record]) -> dict[tuple[str, str], float]:
    """Mean seconds of a cell by (dataset, model label), from records that are good."""
    found: dict[tuple[str, str], list[float]] = {}
    for record in done:
        if record.ok:
            found.setdefault(record.pair, []).append(float(record.data["timing"]["total_s"]))
    return {pair: sum(values) / len(values) for pair, values in found.items()}


class Budget:
    """Says whether there is time left for a cell, by what its like took.

    A cell counts with the mean of those of its model on its data: of this run, else of earlier
    records. Of a model that has not run yet nothing is known; it is started as long as any time is
    left, and what it takes is what the next one is expected to take.

    Args:
        seconds: in total, from now.
        took: see :func:`seconds_taken`.
        clock: monotonic; for tests.
    """

    def __init__(
        self,
        seconds: float,
        took: Mapping[tuple[str, str], float] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.seconds, self._clock, self._before = seconds, clock, dict(took or {})
        self.until = clock() + seconds
        self._ended: dict[tuple[str, str], list[float]] = {}

    def expects(self, cell: Cell) -> float | None:
        """Seconds; None where nothing is known."""
        ended = self._ended.get(cell.pair)
        return sum(ended) / len(ended) if ended else self._before.get(cell.pair)

    def fits(self, cells: Sequence[Cell]) -> bool:
        """Whether cells that run together may be started now."""
        left = self.until - self._clock()
        return left > 0 and sum(self.expects(cell) or 0.0 for cell in cells) <= left

    def ended(self, cell: Cell, seconds: float) -> None:
        self._ended.setdefault(cell.pair, []).append(seconds)

    def forecast(self, cells: Sequence[Cell], slots: int) -> tuple[int, int, int]:
        """How many cells are expected to fit, how many not, and of how many nothing is known."""
        fit = unknown = 0
        room = self.seconds * slots
        for cell in cells:
            cost = self.expects(cell)
            if cost is None:
                unknown += 1
            elif cost <= min(room, self.seconds):
                room -= cost
                fit += 1
        return fit, len(cells) - fit - unknown, unknown
