"""How long cells take: the time budget of a run (:class:`Budget`) and the time left (:class:`TimeLeft`)."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from hmcbench.errors import BadInput
from hmcbench.plan.cells import Cell
from hmcbench.records.record import Record

DatasetModel = tuple[str, str]
"""Dataset and model label."""

# --------------------------------------------------------------------------- time budget

UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
MOST_S = 366 * 86400
_FORM = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def parse_budget(text: str) -> float:
    """``90s``, ``30m``, ``1h30m``, ``2d`` -> seconds; raises BadInput for any other text."""
    match = _FORM.fullmatch(text.strip().lower()) if len(text) < 40 and text.isascii() else None
    parts = match.groups() if match else ()
    seconds = sum(int(part or 0) * unit for part, unit in zip(parts, UNITS.values(), strict=False))
    if not 0 < seconds <= MOST_S:
        raise BadInput(f"--budget {text!r}", allowed="90s, 30m, 1h30m or 2d; a year at most")
    return float(seconds)


def seconds_taken(records: Iterable[Record]) -> dict[DatasetModel, float]:
    """Mean seconds of a cell by (dataset, model label), from records without a failure."""
    seconds: dict[DatasetModel, list[float]] = {}
    for record in records:
        if record.ok:
            seconds.setdefault(record.pair, []).append(elapsed(record))
    return {pair: fmean(values) for pair, values in seconds.items()}


def elapsed(record: Record) -> float:
    """Seconds that a cell took on the clock; its whole cost also counts features from the cache."""
    timing = record.part("timing")
    return float(timing.get("elapsed_s") or timing.get("total_s") or 0.0)


EPOCH_S = {False: 1.0, True: 20.0}
"""Seconds of an epoch where no record says it, by whether the model uses a GPU if there is one. A guess."""


def cheapest_first(cells: Sequence[Cell], took: Mapping[DatasetModel, float]) -> list[Cell]:
    """Cells sorted by their expected time; of equal ones, the last model of the suite first.

    The expected time is that of earlier records, else it is guessed from the model's epochs and kind. Suites
    list costly models first.
    """
    position = {pair: i for i, pair in enumerate(dict.fromkeys(cell.pair for cell in cells))}

    def cost(cell: Cell) -> tuple[float, int]:
        seconds = took.get(cell.pair, epochs(cell) * EPOCH_S[cell.accelerated])
        return seconds, -position[cell.pair]

    return sorted(cells, key=cost)


class Budget:
    """Whether there is time left for a cell; the runner starts the cheapest first.

    The expected time of a cell is the mean of the cells of the same model and data in this run, else in
    earlier records. Where there are none, the cell is started as long as any time is left.

    Args:
        seconds: total time of the run, from now.
        took: of earlier records, see :func:`seconds_taken`.
        clock: monotonic; for tests.
    """

    def __init__(
        self,
        seconds: float,
        took: Mapping[DatasetModel, float] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.seconds, self._clock, self._before = seconds, clock, dict(took or {})
        self.until = clock() + seconds
        self._ended: dict[DatasetModel, list[float]] = {}

    def expects(self, cell: Cell) -> float | None:
        """Expected seconds; None where no cell of its model and data has run."""
        ended = self._ended.get(cell.pair)
        return fmean(ended) if ended else self._before.get(cell.pair)

    def fits(self, cells: Sequence[Cell]) -> bool:
        """Whether cells that run in one process may be started now."""
        left = self.until - self._clock()
        return left > 0 and sum(self.expects(cell) or 0.0 for cell in cells) <= left

    def ended(self, cell: Cell, seconds: float) -> None:
        self._ended.setdefault(cell.pair, []).append(seconds)

    def forecast(self, cells: Sequence[Cell], slots: int) -> tuple[int, int, int]:
        """The number of cells that are expected to fit, that are not, and of unknown duration."""
        fit = unknown = 0
        room = self.seconds * slots
        for cell in cheapest_first(cells, self._before):
            cost = self.expects(cell)
            if cost is None:
                unknown += 1
            elif cost <= min(room, self.seconds):
                room -= cost
                fit += 1
        return fit, len(cells) - fit - unknown, unknown


# --------------------------------------------------------------------------- time left


class _Cost(NamedTuple):
    cell: Cell
    total: float  # seconds of the whole cell
    training: float


NEW_MODEL = 0.75  # cost of a model without a cell yet, relative to the others: suites list costly ones first


class TimeEstimate(NamedTuple):
    """Seconds left; ``first``: more than half of them rests on cells whose model has not run yet."""

    seconds: float
    first: bool


LEAST_LEFT = 0.1  # of the time that a running cell has taken: it may take longer than expected
SURE_STEPS = 2  # the first step of a training also warms up


class TimeLeft:
    """The time left in a run, within a factor of about two, from the events of its cells.

    A waiting cell is expected to take as long as earlier cells of its model on the same data. A model
    without such a cell is expected to take its epochs (one, where it has none) at the rate of its kind:
    networks at that of networks, others at that of others, else at the mean rate. The time of a cell before
    its training (features, which are cached) is not counted for others. Other runs on the same folder are
    expected to do the same share of the work as since the start of this one.

    Args:
        cells: the cells to run.
        jobs: how many run in parallel.
        took: seconds by (dataset, model label) from earlier records.
        budget: seconds after which the run ends in any case, from now.
        clock: for tests.
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        jobs: int = 1,
        took: Mapping[DatasetModel, float] | None = None,
        budget: float = math.inf,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._waiting = {cell.key: cell for cell in cells}
        self._until = clock() + budget
        self._jobs, self._clock = jobs, clock
        self._running: dict[str, Cell] = {}
        self._sizes: dict[str, int] = {}  # group -> cells of its process, which is fitted together
        self._started: dict[str, float] = {}
        self._fitting: dict[str, float] = {}
        self._total: dict[str, float] = {}  # seconds of the whole process, estimated from its progress
        self._steps: dict[str, int] = {}
        self._ended: list[_Cost] = []
        self._own = self._others = 0.0  # seconds of cells that ended, here and in other runs
        self._earlier = dict(took or {})

    def started(self, cell: Cell) -> None:
        if cell.group:
            self._sizes[cell.group] = 1 + (self._sizes[cell.group] if self._beside(cell) else 0)
        self._running[cell.key] = self._waiting.pop(cell.key, cell)
        self._started[cell.key] = self._clock()

    def phase(self, cell: Cell, name: str) -> None:
        if name == "fit":
            self._fitting[cell.key] = self._clock()

    def progress(self, cell: Cell, steps: int, total: int) -> None:
        """``steps`` of ``total`` steps of its training are done."""
        begun = self._fitting.setdefault(cell.key, self._started.get(cell.key, self._clock()))
        if steps > 0:
            self._steps[cell.key] = steps if steps < total else max(steps, SURE_STEPS)
            rate = (self._clock() - begun) / steps
            self._total[cell.key] = self._before(cell) + rate * max(steps, total)

    def ended(self, cell: Cell, seconds: float, ok: bool = True) -> None:
        """A cell has ended, after ``seconds`` as its share of its process.

        A failed one is not used to estimate others.
        """
        self._waiting.pop(cell.key, None)
        self._running.pop(cell.key, None)
        self._own += seconds
        if ok:
            self._ended.append(_Cost(cell, seconds, seconds - self._before(cell) / self._size(cell)))

    def elsewhere(self, cell: Cell, seconds: float) -> None:
        """Another run has done the cell, in ``seconds``."""
        self._waiting.pop(cell.key, None)
        self._others += seconds

    def _beside(self, cell: Cell) -> int:
        """How many running cells are of its group."""
        return sum(other.group == cell.group for other in self._running.values()) if cell.group else 0

    def _size(self, cell: Cell) -> int:
        """How many cells its process began with."""
        return self._sizes.get(cell.group, 1) if cell.group else 1

    def _before(self, cell: Cell) -> float:
        """Seconds between the start of a cell and its training."""
        if cell.key not in self._fitting or cell.key not in self._started:
            return 0.0
        return self._fitting[cell.key] - self._started[cell.key]

    def spent(self, cell: Cell) -> float:
        """Seconds since the start of a running cell."""
        return self._clock() - self._started.get(cell.key, self._clock())

    def too_slow(self, cell: Cell) -> float | None:
        """Seconds that a running cell is expected to take, if its time limit is shorter; else None.

        Cells that are fitted together have the sum of their limits.
        """
        total = self._total.get(cell.key, 0.0)
        limit = cell.time_limit * max(1, self._size(cell))
        sure = self._is_sure(cell) or self.spent(cell) > limit / 2
        return total if sure and total > limit else None

    def estimate(self) -> TimeEstimate | None:
        """The time left; None while nothing is known."""
        expected = _Expected(self._costs(), self._earlier)
        share = self._own / (self._own + self._others) if self._own else 1.0
        parts = [self._left_of(cell, expected) for cell in self._running.values()]
        parts += [(share * expected.of(cell), expected.knows(cell)) for cell in self._waiting.values()]
        total, known = sum(part for part, _ in parts), sum(part for part, sure in parts if sure)
        if math.isnan(total):
            return None
        seconds = total / max(1, min(self._jobs, len(parts)))
        return TimeEstimate(min(seconds, max(0.0, self._until - self._clock())), known < total / 2)

    def _left_of(self, cell: Cell, expected: _Expected) -> tuple[float, bool]:
        """Seconds that a running cell still takes, and whether they are more than a guess.

        Cells that are fitted together share what their process still takes.
        """
        spent, own = self.spent(cell), self._total.get(cell.key)
        whole = own or self._size(cell) * expected.of(cell)
        seconds = max(whole - spent, LEAST_LEFT * spent) / max(1, self._beside(cell))
        return seconds, self._is_sure(cell) if own else expected.knows(cell)

    def _is_sure(self, cell: Cell) -> bool:
        return self._steps.get(cell.key, 0) >= SURE_STEPS

    def _costs(self) -> list[_Cost]:
        """Of cells that have ended, and of running ones, estimated from their progress."""
        running = [(c, self._total[k], self._size(c)) for k, c in self._running.items() if k in self._total]
        return [
            *self._ended,
            *(_Cost(c, total / n, (total - self._before(c)) / n) for c, total, n in running),
        ]


class _Expected:
    """Means over known costs, computed once for thousands of waiting cells."""

    def __init__(self, costs: Sequence[_Cost], earlier: Mapping[DatasetModel, float]) -> None:
        totals: dict[DatasetModel, list[float]] = {}
        for cost in costs:
            totals.setdefault(cost.cell.pair, []).append(cost.total)
        self._total = {**earlier, **{pair: fmean(seconds) for pair, seconds in totals.items()}}
        mean = _rate(costs)
        by_kind = {kind: [c for c in costs if c.cell.accelerated == kind] for kind in (False, True)}
        self._rate = {kind: _rate(of_kind) if of_kind else mean for kind, of_kind in by_kind.items()}

    def knows(self, cell: Cell) -> bool:
        """Whether a cell of the same model and data has run, or runs."""
        return cell.pair in self._total

    def of(self, cell: Cell) -> float:
        """Seconds of a whole cell; NaN where no cost is known."""
        if cell.pair in self._total:
            return self._total[cell.pair]
        return NEW_MODEL * epochs(cell) * self._rate[cell.accelerated]


def _rate(costs: Sequence[_Cost]) -> float:
    """Seconds of training per epoch; NaN without costs."""
    return sum(c.training for c in costs) / sum(epochs(c.cell) for c in costs) if costs else math.nan


def epochs(cell: Cell) -> float:
    """The model's parameter ``epochs``; 1 where it has none."""
    value = cell.record["model"]["params"].get("epochs", 1)
    return max(1.0, float(value)) if isinstance(value, (int, float)) else 1.0
