"""plan -> executor -> records. Runs what has no record yet, alone or beside other runs.

What is on disk is the only memory: a cell with a record is done, one without is run. Nothing here
knows how a cell is executed (executors/), what happens inside one (cell.py) or how one may end
(endings.py).
"""

from __future__ import annotations

import errno
import math
import signal
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hmcbench.errors import BadInput
from hmcbench.execute import resources
from hmcbench.execute.durations import Budget, seconds_taken
from hmcbench.execute.executors.local import Event, Job, LocalExecutor
from hmcbench.execute.executors.ray import RayExecutor
from hmcbench.execute.locks import Locks
from hmcbench.execute.outcome import finish
from hmcbench.execute.queue import RecordScan, Shared, Stamp, scan, sweep_work
from hmcbench.files import sweep_temporary
from hmcbench.plan.cells import Cell, Plan
from hmcbench.records import record as records
from hmcbench.records.suite_file import save_info, suite_name

Rerun = Literal["missing", "failed", "all"]
PLAN_S = 10.0  # to wait for others that write down their plans; a plan is no reason to wait for longer
Observer = Callable[[Event, "records.Record | None"], None]
UNWRITABLE = {
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EROFS", "EACCES", "EPERM", "ENOTDIR", "EEXIST")
    if hasattr(errno, name)
}


@dataclass
class RunOutcome:
    """What a run did.

    Attributes:
        folder: ``out/<suite>``.
        done: records that stand now, of cells of this plan, in plan order.
        ran: how many of them this run made.
        interrupted: whether it was stopped before the end.
        left_out: cells that the time budget had no room for.
    """

    folder: Path
    done: list[records.Record] = field(default_factory=list)
    ran: int = 0
    interrupted: bool = False
    left_out: list[Cell] = field(default_factory=list)

    @property
    def failed(self) -> list[records.Record]:
        return [r for r in self.done if not r.ok]


def existing(plan: Plan, out: Path) -> RecordScan:
    """The records of this plan's cells that are on disk.

    Raises:
        BadInput: the suite's folder holds another suite (names that differ in case share a folder on
            some systems).
    """
    folder = records.records_dir(out, plan.suite.name)
    other = suite_name(folder.parent)
    if other not in ("", plan.suite.name):
        raise BadInput(
            f"{folder.parent} holds the suite {other!r}, not {plan.suite.name!r}",
            hint="--out names another folder",
        )
    return scan(plan.cells, folder)


def pending(plan: Plan, done: Mapping[str, records.Record], rerun: Rerun) -> list[Cell]:
    """Cells of the plan that are still to be run, where ``done`` are the records by key."""
    if rerun == "all":
        return list(plan.cells)
    return [c for c in plan.cells if c.key not in done or (rerun == "failed" and not done[c.key].ok)]


def execute(
    plan: Plan,
    out: Path,
    *,
    device: str = "auto",
    jobs: int = 1,
    per_gpu: int = 1,
    rerun: Rerun = "missing",
    executor: str = "local",
    budget: float = 0.0,
    observer: Observer = lambda _event, _record: None,
    before: RecordScan | None = None,
) -> RunOutcome:
    """Run what is pending and return what stands. Ctrl-C or SIGTERM ends it in good order.

    Args:
        plan, out: what to run, and the folder for the records of all suites.
        device, jobs, per_gpu: see :func:`slots`.
        rerun: which cells are pending.
        executor: ``local``, or ``ray`` for a cluster.
        budget: seconds for all of it; 0 for no limit.
        observer: told of everything that happens to a cell, with its record where there is one.
        before: what :func:`existing` returned, if the caller has called it already.
    """
    folder = records.records_dir(out, plan.suite.name)
    before = before or existing(plan, out)
    todo = hungriest_first(pending(plan, before.records, rerun), before.records.values())
    if executor == "local":
        places = slots(device, jobs, todo, per_gpu)
    limit = Budget(budget, seconds_taken(before.records.values())) if budget else None
    preload = tuple(dict.fromkeys(name for cell in todo for name in cell.preload))
    threads = max((cell.threads for cell in todo), default=1)

    def made() -> LocalExecutor | RayExecutor:
        if executor == "ray":
            return RayExecutor(device, preload, threads)
        return LocalExecutor(places, preload, threads)

    outcome = RunOutcome(folder.parent)
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _save_plan(plan, folder.parent, before.folders)
        if todo:
            _run(todo, folder, made, before.stamps, outcome, observer, limit)
        after, left = _tidy(plan.cells, todo, folder, before)
    outcome.done = list(after.records.values())
    if limit is not None:
        outcome.left_out = left
    return outcome


def _save_plan(plan: Plan, folder: Path, recorded: Collection[str]) -> None:
    """Add the plan to those of the folder, one run at a time: each reads what the others have written."""
    with Locks(folder / "locks") as locks:
        until = time.monotonic() + PLAN_S
        while not locks.claim("plan") and time.monotonic() < until:
            time.sleep(0.02)
        save_info(plan.info(), folder, recorded)


def _tidy(
    cells: Sequence[Cell], todo: Sequence[Cell], folder: Path, before: RecordScan
) -> tuple[RecordScan, list[Cell]]:
    """Remove what runs that were killed have left, also where there was nothing to run.

    Returns what is on disk then, and the cells to do that have no new record.
    """
    with Locks(folder.parent / "locks") as locks:
        records.sweep(folder, locks.dead)
        sweep_temporary(folder.parent, locks.dead)
        after = scan(cells, folder, before)
        left = [c for c in todo if after.stamps.get(c.key) in (None, before.stamps.get(c.key))]
        open_ = {cell.key for cell in left}  # what they have in work is what they go on from
        sweep_work([cell for cell in cells if cell.key not in open_], folder, locks)
    return after, left


def _run(
    todo: Sequence[Cell],
    folder: Path,
    made: Callable[[], LocalExecutor | RayExecutor],
    before: Mapping[str, Stamp],
    outcome: RunOutcome,
    observer: Observer,
    budget: Budget | None,
) -> None:
    """Run cells until all have a record, by whomever."""

    def elsewhere(cell: Cell, record: records.Record) -> None:
        observer(Event("elsewhere", Job(cell, record.path, record.path)), record)

    git = resources.git_revision()
    executor = made()  # first: a cluster that is not there should leave no trace
    with Locks(folder.parent / "locks") as locks, _terminate_as_interrupt():
        records.sweep(folder, locks.dead)
        shared = Shared(todo, folder, locks, before, elsewhere, budget)
        events = executor.run(shared.jobs(), budget.until if budget else math.inf)
        try:
            for event in events:
                record = None
                if event.kind == "ended":
                    if not shared.ours(event.job):
                        continue
                    record = finish(event, folder, git)
                    shared.release(event.job)
                    outcome.ran += 1
                    if budget is not None:
                        budget.ended(event.job.cell, event.seconds)
                observer(event, record)
        except KeyboardInterrupt:
            outcome.interrupted = True
        finally:
            events.close()
            records.sweep_own(folder, locks.owner)


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """One clear line where a disk is full or a folder read-only; what was whole before stays whole."""
    try:
        yield
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise BadInput(
            f"{folder} cannot be written to ({error.strerror})",
            hint="make room, then type the same command again" if full else "--out DIR names another folder",
        ) from None


def hungriest_first(cells: Sequence[Cell], done: Iterable[records.Record]) -> list[Cell]:
    """Cells by the memory that their like took, most first: they start while there is most room.

    Cells of which nothing is known keep their place at the front.
    """
    took: dict[tuple[str, str], float] = {}
    for record in done:
        peak = record.part("memory").get("peak_anon_mb") or 0.0
        took[record.pair] = max(took.get(record.pair, 0.0), float(peak))
    return sorted(cells, key=lambda cell: -took.get(cell.pair, math.inf))


def slots(device: str, jobs: int, cells: Sequence[Cell], per_gpu: int = 1) -> list[str]:
    """The device of each slot: ``jobs`` on a CPU, ``per_gpu`` on each GPU otherwise."""
    if device == "cpu":
        return ["cpu"] * jobs
    gpus = resources.cuda_devices()
    if device == "auto":
        wanted = gpus if any(c.accelerated for c in cells) else []
        return [f"cuda:{gpu}" for gpu in wanted] * per_gpu or ["auto"] * jobs
    index = device.partition(":")[2] or "0"
    if not index.isdigit() or int(index) >= len(gpus):
        have = ", ".join(f"cuda:{i}" for i in range(len(gpus))) or "no GPU is visible"
        raise BadInput(f"device {device!r} is not here", allowed=f"auto, cpu, and what was found: {have}")
    return [f"cuda:{gpus[int(index)]}"] * per_gpu


class _terminate_as_interrupt:
    """SIGTERM means the same as Ctrl-C while cells run."""

    def __enter__(self) -> None:
        def stop(_signal: int, _frame: Any) -> None:
            raise KeyboardInterrupt

        try:
            self._before: Any = signal.signal(signal.SIGTERM, stop)
        except ValueError:  # not the main thread: whoever called decides
            self._before = None

    def __exit__(self, *_exc: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
