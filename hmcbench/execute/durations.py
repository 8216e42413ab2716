"""How long cells take: the time budget of a run (:class:`Budget`) and the time left (:class:`TimeLeft`)."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from hmcbench.errors import BadInput
from hmcbench.plan.cells import Cell
from hmcbench.records.record import Record

if TYPE_CHECKING:
    from hmcbench.plan.cells import Cell


# --------------------------------------------------------------------------- what fits into a total time

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


# --------------------------------------------------------------------------- how long the rest will take


class _Seen(NamedTuple):
    cell: Cell
    whole: float
    training: float


UNSEEN = 0.75  # a model not seen yet costs this much of those that were: suites put their costliest first


class TimeLeft:
    """Fed with what happens to the cells of a run; knows the time left within a factor of about two.

    A waiting cell is taken to cost what its model cost before on the same data. A model that was
    not seen yet costs its epochs (one, where it has none) at the rate of its kind: networks by
    networks, others by others, or whatever there is. What a cell spends before it trains (features,
    which are kept) is not counted for others. Other runs on the same folder are taken to go on doing
    the share of the work that they have done since this one began.

    Args:
        cells: what is to be run.
        jobs: how many run side by side.
        took: seconds by (dataset, model label) from earlier records.
        clock: for tests.
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        jobs: int = 1,
        took: Mapping[tuple[str, str], float] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._waiting = {cell.key: cell for cell in cells}
        self._jobs, self._clock = jobs, clock
        self._running: dict[str, Cell] = {}
        self._started: dict[str, float] = {}
        self._fitting: dict[str, float] = {}
        self._total: dict[str, float] = {}  # by progress: seconds of the whole cell
        self._ended: list[_Seen] = []
        self._own = self._others = 0.0  # seconds of cells that ended, here and in other runs
        self._earlier = dict(took or {})

    def started(self, cell: Cell) -> None:
        self._running[cell.key] = self._waiting.pop(cell.key, cell)
        self._started[cell.key] = self._clock()

    def phase(self, cell: Cell, name: str) -> None:
        if name == "fit":
            self._fitting[cell.key] = self._clock()

    def progress(self, cell: Cell, done: int, total: int) -> None:
        """``done`` of ``total`` steps of its training are over."""
        begun = self._fitting.setdefault(cell.key, self._started.get(cell.key, self._clock()))
        if done > 0:
            rate = (self._clock() - begun) / done
            self._total[cell.key] = self._before(cell) + rate * max(done, total)

    def ended(self, cell: Cell, seconds: float, ok: bool = True) -> None:
        """A cell that failed says nothing about how long others take."""
        self._waiting.pop(cell.key, None)
        self._running.pop(cell.key, None)
        self._own += seconds
        if ok:
            self._ended.append(_Seen(cell, seconds, seconds - self._before(cell)))

    def elsewhere(self, cell: Cell, seconds: float) -> None:
        """Another run has done it, in so many seconds."""
        self._waiting.pop(cell.key, None)
        self._others += seconds

    def _before(self, cell: Cell) -> float:
        """Seconds between the start of a cell and its training."""
        if cell.key not in self._fitting or cell.key not in self._started:
            return 0.0
        return self._fitting[cell.key] - self._started[cell.key]

    def seconds(self) -> float | None:
        """Seconds left; None while nothing is known, 0 when nothing is left."""
        if not self._waiting and not self._running:
            return 0.0
        expected = _Expected(self._seen(), self._earlier)
        now, rest = self._clock(), 0.0
        for key, cell in self._running.items():
            whole = self._total.get(key) or expected.of(cell)
            rest += max(whole - (now - self._started[key]), 0.0)
        share = self._own / (self._own + self._others) if self._own else 1.0
        rest += share * sum(map(expected.of, self._waiting.values()))
        return (
            None
            if math.isnan(rest)
            else rest / max(1, min(self._jobs, len(self._waiting) + len(self._running)))
        )

    def _seen(self) -> list[_Seen]:
        """Cells that ended, and those that run by their progress."""
        running = [(c, self._total[k]) for k, c in self._running.items() if k in self._total]
        return [*self._ended, *(_Seen(c, total, total - self._before(c)) for c, total in running)]


class _Expected:
    """Means over the cells that were seen, so that thousands of waiting ones are looked up."""

    def __init__(self, seen: Sequence[_Seen], earlier: Mapping[tuple[str, str], float]) -> None:
        pairs: dict[tuple[str, str], list[float]] = {}
        kinds: dict[bool, list[_Seen]] = {}
        for one in seen:
            pairs.setdefault(one.cell.pair, []).append(one.whole)
            kinds.setdefault(one.cell.accelerated, []).append(one)
        self._whole = {**earlier, **{pair: sum(found) / len(found) for pair, found in pairs.items()}}
        self._rate = {kind: _rate(found) for kind, found in kinds.items()}
        self._any = _rate(seen)

    def of(self, cell: Cell) -> float:
        """Seconds of a whole cell; NaN where nothing is known."""
        if cell.pair in self._whole:
            return self._whole[cell.pair]
        return UNSEEN * epochs(cell) * self._rate.get(cell.accelerated, self._any)


def _rate(seen: Sequence[_Seen]) -> float:
    """Seconds of training per epoch."""
    return sum(one.training for one in seen) / sum(epochs(one.cell) for one in seen) if seen else math.nan


def epochs(cell: Cell) -> float:
    """The number of passes over the data that a model announces in its parameters, at least 1."""
    value = cell.record["model"]["params"].get("epochs", 1)
    return max(1.0, float(value)) if isinstance(value, (int, float)) else 1.0
