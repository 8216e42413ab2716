"""The outcome of a cell, its result or the cause of its failure, becomes a record."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hmcbench.execute import worker
from hmcbench.execute.executors.base import Event
from hmcbench.records.record import (
    HISTORY,
    JSON,
    NPZ,
    SCHEMA,
    Record,
    commit_record,
    read_record,
    remove_second,
)
from hmcbench.records.shifts import FILE

LEAST_FREE = 100_000  # bytes; with less free, a missing result means a full disk


def record_outcome(event: Event, folder: Path, git: str | None) -> Record:
    """Write the record of a cell that has ended."""
    cell, part = event.job.cell, event.job.part
    result = result_of(event)
    if cell.kept and (result["status"] != "ok" or "metrics" not in result):
        return _with_shifts(event, folder, result)
    data: dict[str, Any] = {
        "schema": SCHEMA,
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
        (part / NPZ).unlink(missing_ok=True)
    (part / worker.RESULT).unlink(missing_ok=True)
    return _committed(event, folder, data)


def _committed(event: Event, folder: Path, data: Mapping[str, Any]) -> Record:
    """The record of a cell, from its folder; a power failure leaves it whole.

    Records of the same cell under other names, as its data were named otherwise, are removed.
    """
    record = commit_record(event.job.part, folder, data, durable=True)
    ending = f"--{record.short_key}"
    for name in os.listdir(folder):  # noqa: PTH208 (faster, where there are thousands)
        if name.endswith(ending) and name != record.path.name:
            remove_second(folder / name, record.path)
    shutil.rmtree(event.job.work, ignore_errors=True)
    return record


def _with_shifts(event: Event, folder: Path, result: Mapping[str, Any]) -> Record:
    """The earlier record of a cell with the shifts that were predicted with its kept model.

    Where that failed the record keeps what it had, with the reason.
    """
    cell, part = event.job.cell, event.job.part
    before = read_record(Path(cell.kept))
    if result["status"] == "ok":
        shifts = result["shifts"]
    else:
        (part / FILE).unlink(missing_ok=True)
        shifts = {**before.part("shifts"), "of": dict(before.part("shifts").get("of") or {})}
        problem = f"{result['cause']}: {result['message']}"
        for shift in cell.shifts:
            if "metrics" not in shifts["of"].get(shift.label, {}):
                shifts["of"][shift.label] = shift.stated() | {"problem": problem}
    for name in (worker.LOG, worker.RESULT, HISTORY):
        (part / name).unlink(missing_ok=True)
    for path in before.path.iterdir():
        if path.name != JSON and not (part / path.name).exists():
            if path.is_dir():
                shutil.copytree(path, part / path.name, copy_function=_linked)
            else:
                _linked(path, part / path.name)
    return _committed(event, folder, {**before.data, "shifts": shifts})


def _linked(source: Path | str, target: Path | str) -> None:
    """A second name for a file, or where the file system has none, a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def result_of(event: Event) -> dict[str, Any]:
    """The result that the worker wrote, or the cause of its failure."""
    if event.killed == "time-out":
        limit = event.job.cell.time_limit
        each = " for each of the cells fitted together" if event.job.cell.group else ""
        return _failed("time-out", f"ended after its limit of {limit:g} s{each} (--timeout S sets another)")
    if event.killed:
        return _failed(event.killed, _memory_text(event))
    result = _written_result(event.job.part / worker.RESULT)
    if result is not None:
        if result["cause"] == worker.DISK_FULL:  # not an error of the cell: no record
            raise OSError(errno.ENOSPC, result["message"])
        return result
    if shutil.disk_usage(event.job.part).free < LEAST_FREE:
        raise OSError(errno.ENOSPC, "No space left on device")
    if event.exit == -signal.SIGKILL:
        return _failed("out of memory", "killed by the system, most likely for want of memory")
    if event.exit is not None and event.exit < 0:
        return _failed("crash", f"ended by {signal.Signals(-event.exit).name}; its log.txt says where")
    return _failed("crash", f"ended with status {event.exit} and without a result; see its log.txt")


def _memory_text(event: Event) -> str:
    """Why a process was ended for its memory."""
    cell = event.job.cell
    if not event.limit_mb:
        return "ended by its node for want of memory"
    if cell.memory_mb:
        each = " for each of the cells fitted together" if cell.group else ""
        return f"used more memory than its limit of {cell.memory_mb:,} MB{each} (memory_mb of the profile)"
    return (
        f"the running cells used more than {event.limit_mb:,} MB, nine tenths of the machine's memory, and"
        " this one used most (fewer --jobs leave more for each)"
    )


def _written_result(file: Path) -> dict[str, Any] | None:
    """What the worker wrote; None where there is none, or half of one.

    Raises:
        OSError: the file cannot be read, also not a second time. That is no failure of the cell, which would
            keep it from being run again: the run ends, and the same command goes on.
    """
    for last in (False, True):
        try:
            result: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            return result
        except ValueError:
            return None
        except OSError as error:
            if last and error.errno != errno.ENOENT:
                raise
    return None


def _failed(cause: str, message: str) -> dict[str, Any]:
    return {"status": "failed", "cause": cause, "message": message}
