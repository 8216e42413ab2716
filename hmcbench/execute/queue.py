"""Which cells to run next, while other runs may work on the same folder.

The run that holds the lock of a cell runs it. A cell that another run holds is put back until its record
appears or its lock is free; so several runs of one plan end together, and no cell runs twice.
"""

from __future__ import annotations

import math
import shutil
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hmcbench.execute.durations import Budget
from hmcbench.execute.executors.base import Job
from hmcbench.execute.locks import Locks
from hmcbench.plan.cells import Cell
from hmcbench.records.record import (
    JSON,
    Record,
    begin_record,
    folder_name,
    read_record,
    record_folders,
    short_key,
    sweep_cell,
)

POLL_S = 1.0
Stamp = tuple[int, int]


def grouped(cells: Sequence[Cell]) -> list[list[Cell]]:
    """Cells that are fitted together, at the position of the first; every other cell alone."""
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(cell.group or cell.key, []).append(cell)
    return list(groups.values())


def most_memory_first(cells: Sequence[Cell], records: Iterable[Record]) -> list[Cell]:
    """Cells sorted by the memory that cells of their model and data took, most first.

    Cells without such a record come first, in their order.
    """
    took: dict[tuple[str, str], float] = {}
    for record in records:
        memory = record.part("memory")
        peak = (
            memory.get("peak_private_mb") or memory.get("peak_anon_mb") or 0.0
        )  # the latter: of older records
        took[record.pair] = max(took.get(record.pair, 0.0), float(peak))
    return sorted(cells, key=lambda cell: -took.get(cell.pair, math.inf))


def stamp(record: Path) -> Stamp | None:
    """Differs between a record and a later one of the same cell; None where there is no record.

    Some file systems give files no number, and count time in steps of two seconds: there the content tells.
    """
    try:
        status = (record / JSON).stat()
        number = status.st_ino or zlib.crc32((record / JSON).read_bytes())
    except OSError:
        return None
    return number, status.st_mtime_ns


@dataclass(frozen=True)
class RecordScan:
    """The records of the cells of a plan at one moment.

    Attributes:
        records: key -> record, in plan order; cells without a record are left out.
        stamps: key -> stamp of that record, taken before it was read.
        folders: short key -> folder, of all records in the folder, also those of other plans.
    """

    records: Mapping[str, Record]
    stamps: Mapping[str, Stamp]
    folders: Mapping[str, Path]


def scan(cells: Sequence[Cell], folder: Path, before: RecordScan | None = None) -> RecordScan:
    """Read the records of cells, except those that have not changed since ``before``."""
    folders = record_folders(folder)
    known = before or RecordScan({}, {}, {})
    by_key: dict[str, Record] = {}
    stamps: dict[str, Stamp] = {}
    for key in (cell.key for cell in cells):
        path = folders.get(short_key(key))
        current = stamp(path) if path is not None else None
        if path is None or current is None:
            continue
        unchanged = known.stamps.get(key) == current
        by_key[key] = known.records[key] if unchanged else read_record(path)
        stamps[key] = current
    return RecordScan(by_key, stamps, folders)


def sweep_work(cells: Sequence[Cell], folder: Path, locks: Locks) -> None:
    """Remove the work folders of cells with a record: their run was killed before it did so."""
    work = folder.parent / "work"
    names = {path.name for path in work.iterdir()} if work.is_dir() else set()
    for key in (cell.key for cell in cells if short_key(cell.key) in names):
        if locks.claim(key):  # else another run makes a new record of it
            shutil.rmtree(work / short_key(key), ignore_errors=True)
            locks.release(key)


class CellQueue:
    """The jobs of this run.

    Args:
        cells: the cells to run, in order.
        folder: of the records.
        locks: of this run.
        before: key -> stamp of the record of a cell that is to be run again.
        elsewhere: called for every cell that another run finishes meanwhile.
        budget: cells that do not fit into it are left out.
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        folder: Path,
        locks: Locks,
        before: Mapping[str, Stamp],
        elsewhere: Callable[[Cell, Record], None],
        budget: Budget | None = None,
    ) -> None:
        self._waiting = grouped(cells)
        self._folder, self._locks, self._before, self._elsewhere = folder, locks, before, elsewhere
        self._budget = budget

    def jobs(self) -> Iterator[list[Job]]:
        """Groups of jobs to start; an empty group means that there is none at the moment."""
        while self._waiting:
            groups, self._waiting = self._waiting, []
            for cells in groups:
                self._check_waiting()
                if self._budget is not None and not self._budget.fits(cells):
                    continue  # a faster one may fit
                jobs = self._claim(cells)
                if jobs:
                    yield jobs
            until = time.monotonic() + POLL_S
            while self._waiting:
                yield []
                if time.monotonic() >= until:
                    break

    def _check_waiting(self) -> None:
        """Report waiting cells that other runs have finished."""
        left = ([cell for cell in cells if not self._made_elsewhere(cell)] for cells in self._waiting)
        self._waiting = [cells for cells in left if cells]

    def _claim(self, cells: Sequence[Cell]) -> list[Job]:
        """Jobs for the cells whose lock is free; creates their folders."""
        jobs, held = [], []
        for cell in cells:
            if self._made_elsewhere(cell):
                continue
            if not self._locks.claim(cell.key):
                held.append(cell)
            elif self._made_elsewhere(cell):  # by the run that has just released the lock
                self._locks.release(cell.key)
            else:
                sweep_cell(self._folder, cell.key)
                work = self._folder.parent / "work" / short_key(cell.key)
                work.mkdir(parents=True, exist_ok=True)
                jobs.append(Job(cell, begin_record(self._folder, cell.key, self._locks.owner), work))
        if held:
            self._waiting.append(held)
        return jobs

    def _record_of(self, cell: Cell) -> Path | None:
        """The record of a cell that was made since this run began; None without one."""
        path = self._folder / folder_name({**cell.record, "key": cell.key})
        now = stamp(path)
        return None if now is None or now == self._before.get(cell.key) else path

    def _made_elsewhere(self, cell: Cell) -> bool:
        path = self._record_of(cell)
        if path is None:
            return False
        self._elsewhere(cell, read_record(path))
        return True

    def may_commit(self, job: Job) -> bool:
        """Whether the result of a job may become the record; if not, it is removed and the cell put back.

        Where a file system does not keep ``O_EXCL``, two runs may have believed that they hold the lock: the
        last one that wrote it does, unless the other has made the record, or removed its folder.
        """
        cell = job.cell
        if self._locks.holds(cell.key) and job.part.is_dir() and self._record_of(cell) is None:
            return True
        self._locks.release(cell.key)
        shutil.rmtree(job.part, ignore_errors=True)
        self._waiting.append([job.cell])
        return False

    def release(self, job: Job) -> None:
        self._locks.release(job.cell.key)
