"""plan -> executor -> records. Resumes, turns every ending into a record, writes the leaderboard.

What is on disk is the only memory: a cell with a record is done, one without is run. Nothing here
knows how a cell is executed (executors/) or what happens inside one (cell.py).
"""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from hmcbench import records, resources, worker
from hmcbench.cache import write_atomic
from hmcbench.errors import BadInput
from hmcbench.executors.local import Event, Job, LocalExecutor
from hmcbench.plan import Cell, Plan

Rerun = Literal["missing", "failed", "all"]
Observer = Callable[[Event, "records.Record | None"], None]


@dataclass
class Outcome:
    """What a run did.

    Attributes:
        folder: ``out/<suite>``.
        done: records that stand now, of cells of this plan, in plan order.
        ran: how many of them this run made.
        interrupted: whether it was stopped before the end.
    """

    folder: Path
    done: list[records.Record] = field(default_factory=list)
    ran: int = 0
    interrupted: bool = False

    @property
    def failed(self) -> list[records.Record]:
        return [r for r in self.done if not r.ok]


def pending(plan: Plan, out: Path, rerun: Rerun) -> list[Cell]:
    """Cells of the plan that are still to be run."""
    standing = {r.key: r for r in existing(plan, out)}
    if rerun == "all":
        return list(plan.cells)
    return [c for c in plan.cells if c.key not in standing or (rerun == "failed" and not standing[c.key].ok)]


def existing(plan: Plan, out: Path) -> list[records.Record]:
    """Records of this plan's cells that are on disk, in plan order."""
    folder = records.records_dir(out, plan.suite.name)
    if not folder.is_dir():
        return []
    found = {path.name.rpartition("--")[2]: path for path in folder.iterdir() if records.is_record(path)}
    by_key = [(c, found.get(c.key[:16])) for c in plan.cells]
    return [records.read(path) for _, path in by_key if path is not None]


def execute(
    plan: Plan,
    out: Path,
    *,
    device: str = "auto",
    jobs: int = 1,
    rerun: Rerun = "missing",
    observer: Observer = lambda _event, _record: None,
) -> Outcome:
    """Run what is pending and return what stands. Ctrl-C or SIGTERM ends it in good order."""
    folder = records.records_dir(out, plan.suite.name)
    todo = pending(plan, out, rerun)
    places = slots(device, jobs, todo)
    make_folder(folder)
    records.sweep(folder)
    save_suite(plan, folder.parent)
    outcome = Outcome(folder.parent)
    if todo:
        git = resources.git_revision()
        preload = dict.fromkeys(name for cell in todo for name in cell.preload)
        executor = LocalExecutor(places, tuple(preload), max(c.threads for c in todo))
        events = executor.run(_jobs(grouped(todo), folder))
        try:
            with _terminate_as_interrupt():
                for event in events:
                    record = None
                    if event.kind == "ended":
                        record = finish(event, folder, git)
                        outcome.ran += 1
                    observer(event, record)
        except KeyboardInterrupt:
            outcome.interrupted = True
        finally:
            events.close()
    records.sweep_own(folder)
    outcome.done = existing(plan, out)
    return outcome


def make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".part-probe-0"
        probe.mkdir(exist_ok=True)
        probe.rmdir()
    except OSError as error:
        raise BadInput(
            f"{folder} cannot be written to ({error.strerror})", hint="--out DIR names another folder"
        ) from None


def slots(device: str, jobs: int, cells: Sequence[Cell]) -> list[str]:
    """The device of each slot: ``jobs`` on a CPU, one per GPU otherwise."""
    if device == "cpu":
        return ["cpu"] * jobs
    gpus = resources.cuda_devices()
    if device == "auto":
        wanted = gpus if any(c.accelerated for c in cells) else []
        return [f"cuda:{gpu}" for gpu in wanted] or ["auto"] * jobs
    index = device.partition(":")[2] or "0"
    if not index.isdigit() or int(index) >= len(gpus):
        have = ", ".join(f"cuda:{i}" for i in range(len(gpus))) or "no GPU is visible"
        raise BadInput(f"device {device!r} is not here", allowed=f"allowed: auto, cpu; found: {have}")
    return [f"cuda:{gpus[int(index)]}"]


def grouped(cells: Sequence[Cell]) -> list[list[Cell]]:
    """Cells that are fitted together, in the place of the first of them; every other cell by itself."""
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(cell.group or cell.key, []).append(cell)
    return list(groups.values())


def _jobs(groups: Sequence[Sequence[Cell]], folder: Path) -> Iterator[list[Job]]:
    """Jobs in plan order; a cell's folders are made when its turn comes."""
    for cells in groups:
        jobs = []
        for cell in cells:
            work = folder.parent / "work" / cell.key[:16]
            work.mkdir(parents=True, exist_ok=True)
            jobs.append(Job(cell, records.begin(folder, cell.key), work))
        yield jobs


def finish(event: Event, folder: Path, git: str | None) -> records.Record:
    """Turn an ended cell into its record."""
    cell, part = event.job.cell, event.job.part
    result = read_result(event)
    data: dict[str, Any] = {
        "schema": records.SCHEMA,
        "key": cell.key,
        **cell.record,
        "metrics": {},
        "timing": {"total_s": round(event.seconds, 3)},
        "git": git,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        **result,
    }
    if data["status"] == "ok":
        (part / worker.LOG).unlink(missing_ok=True)
    else:
        (part / records.NPZ).unlink(missing_ok=True)
    (part / worker.RESULT).unlink(missing_ok=True)
    record = records.commit(part, folder, data)
    shutil.rmtree(event.job.work, ignore_errors=True)
    return record


def read_result(event: Event) -> dict[str, Any]:
    """The worker's own result, or the cause of its death."""
    if event.killed == "time-out":
        limit = event.job.cell.time_limit
        each = " for each of the cells fitted together" if event.job.cell.group else ""
        return _failed("time-out", f"ended after its limit of {limit:g} s{each} (--timeout S sets another)")
    if event.killed:
        return _failed(event.killed, "the cell used more memory than its limit")
    try:
        result: dict[str, Any] = json.loads((event.job.part / worker.RESULT).read_text(encoding="utf-8"))
        return result
    except (OSError, ValueError):
        pass
    if event.exit == -signal.SIGKILL:
        return _failed("out of memory", "killed by the system, most likely for want of memory")
    if event.exit is not None and event.exit < 0:
        return _failed("crash", f"ended by {signal.Signals(-event.exit).name}; its log.txt says where")
    return _failed("crash", f"ended with status {event.exit} and without a result; see its log.txt")


def _failed(cause: str, message: str) -> dict[str, Any]:
    return {"status": "failed", "cause": cause, "message": message}


def save_suite(plan: Plan, folder: Path) -> None:
    """``suite.json``: what a leaderboard of these records needs, so that it needs no plugin."""
    cells = [
        {
            "key": c.key,
            "dataset": c.dataset,
            "model": c.label,
            "fold": c.fold,
            "seed": c.seed,
            "profile": c.profile,
        }
        for c in plan.cells
    ]
    pairs = [{"dataset": p.dataset, "model": p.model, "reason": p.reason} for p in plan.not_applicable]
    info = plan.suite.info() | {"profile": plan.profile, "cells": cells, "not_applicable": pairs}
    write_atomic(folder / records.SUITE, json.dumps(info, indent=1, sort_keys=True, default=list) + "\n")


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
