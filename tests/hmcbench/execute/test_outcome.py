"""The outcome of a cell: its result, or the cause of its failure."""

from __future__ import annotations

import errno
import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hmcbench.execute.executors.base import Event, Job
from hmcbench.execute.outcome import record_outcome, result_of
from hmcbench.execute.worker import DISK_FULL, LOG, RESULT
from hmcbench.plan.cells import Cell, make_plan
from hmcbench.plan.choices import Choices
from hmcbench.plan.suite import load_suite
from hmcbench.records.record import NPZ, read_all
from hmcbench.registry.registry import default_registry

OK = {"status": "ok", "cause": None, "message": "", "metrics": {"test": {"hf1_samples": 0.5}}}


@pytest.fixture(scope="module")
def cell() -> Cell:
    registry = default_registry()
    choices = Choices(datasets=("toy-tree",), models=("prior",))
    return make_plan(load_suite(registry, "smoke"), registry, choices).cells[0]


@pytest.fixture
def job(tmp_path: Path, cell: Cell) -> Job:
    """A cell that has left a log and predictions."""
    part, work = tmp_path / "part-1", tmp_path / "work"
    for folder in (part, work, tmp_path / "records"):
        folder.mkdir()
    (part / LOG).write_text("started")
    (part / NPZ).write_bytes(b"scores")
    return Job(cell, part, work)


def write_result(job: Job, **values: Any) -> None:
    (job.part / RESULT).write_text(json.dumps({**OK, **values}))


def test_a_good_result_becomes_the_record(tmp_path: Path, job: Job) -> None:
    write_result(job)
    record = record_outcome(Event("ended", job, exit=0, seconds=2.0), tmp_path / "records", "abc")
    assert (record.ok, record.data["git"], record.metrics("test")) == (True, "abc", {"hf1_samples": 0.5})
    assert record.data["timing"] == {"total_s": 2.0}
    assert {path.name for path in record.path.iterdir()} == {"record.json", NPZ}
    assert [stored.data for stored in read_all(tmp_path / "records")] == [record.data]
    assert not job.work.exists() and not job.part.exists()


def test_a_failure_keeps_the_log_and_no_predictions(tmp_path: Path, job: Job) -> None:
    record = record_outcome(Event("ended", job, exit=1), tmp_path / "records", None)
    assert (record.ok, record.cause) == (False, "crash")
    assert {path.name for path in record.path.iterdir()} == {"record.json", LOG}


@pytest.mark.parametrize(
    ("ended", "cause", "message"),
    [
        ({"killed": "time-out"}, "time-out", "--timeout S sets another"),
        ({"killed": "out of memory"}, "out of memory", "ended by its node for want of memory"),
        ({"killed": "out of memory", "limit_mb": 9000}, "out of memory", "used more than 9,000 MB, nine"),
        ({"exit": -signal.SIGKILL}, "out of memory", "killed by the system"),
        ({"exit": -signal.SIGSEGV}, "crash", "ended by SIGSEGV"),
        ({"exit": 3}, "crash", "ended with status 3 and without a result"),
    ],
)
def test_a_process_without_a_result_has_a_cause(
    job: Job, ended: dict[str, Any], cause: str, message: str
) -> None:
    result = result_of(Event("ended", job, **ended))
    assert (result["status"], result["cause"]) == ("failed", cause)
    assert message in result["message"]


def test_a_limit_counts_more_than_a_result(job: Job) -> None:
    write_result(job)
    assert result_of(Event("ended", job, exit=0, killed="time-out"))["cause"] == "time-out"


def test_a_full_disk_is_an_error_of_the_run(job: Job) -> None:
    write_result(job, status="failed", cause=DISK_FULL, message="No space left on device")
    with pytest.raises(OSError, match="No space left"):
        result_of(Event("ended", job, exit=0))


@pytest.mark.parametrize("code", [errno.EIO, errno.EACCES, errno.EINTR, errno.ENOENT])
def test_a_result_that_cannot_be_read_once_is_read_again(
    job: Job, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_result(job)
    monkeypatch.setattr(Path, "read_text", failing(code, times=1))
    assert result_of(Event("ended", job, exit=0)) == OK


def test_a_result_that_cannot_be_read_is_no_failure_of_the_cell(
    tmp_path: Path, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_result(job)
    with monkeypatch.context() as patched, pytest.raises(OSError, match="Input/output error"):
        patched.setattr(Path, "read_text", failing(errno.EIO, times=9))
        record_outcome(Event("ended", job, exit=0), tmp_path / "records", None)
    assert not read_all(tmp_path / "records")


def failing(code: int, times: int) -> Any:
    """``Path.read_text`` that fails so many times with an error of the system."""
    left, read = [code] * times, Path.read_text

    def read_text(path: Path, *args: Any, **kwargs: Any) -> str:
        if left:
            raise OSError(left.pop(), os.strerror(code), str(path))
        return read(path, *args, **kwargs)

    return read_text


def test_a_cell_has_one_record_also_when_its_data_are_named_otherwise(tmp_path: Path, job: Job) -> None:
    """``--skip-bad`` is in the name of the data and not in the key."""
    folder = tmp_path / "records"
    cell = job.cell
    named = replace(
        cell, record={**cell.record, "dataset": {**cell.record["dataset"], "reference": "toy-tree[noise=1]"}}
    )
    first = record_outcome(Event("ended", replace(job, cell=named), exit=1), folder, None)
    for path in (job.part, job.work):
        path.mkdir()
    write_result(job)
    (other := folder / "toy-tree--prior--f0-s1--0123456789abcdef").mkdir()
    record = record_outcome(Event("ended", job, exit=0), folder, None)
    assert (record.key, record.path.name == first.path.name) == (first.key, False)
    assert sorted(folder.iterdir()) == sorted([other, record.path])


def test_a_record_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power failure leaves the old record or the new one, never a name with empty files."""
    synced: set[int] = set()
    checked: list[Path] = []
    sync = os.fsync

    def fsync(file: int) -> None:
        synced.add(os.fstat(file).st_ino)
        sync(file)

    def rename(path: Path, target: Path) -> Path:
        if path == job.part:
            held = [path, *path.rglob("*")]
            assert {file.stat().st_ino for file in held} <= synced, "not all of it is on the disk"
            checked.append(path)
        return moved(path, target)

    moved = Path.rename
    write_result(job)
    (job.part / "model").mkdir()
    (job.part / "model" / "weights").write_bytes(b"1234")
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "rename", rename)
    record = record_outcome(Event("ended", job, exit=0), tmp_path / "records", None)
    assert (record.path / "model" / "weights").read_bytes() == b"1234" and checked
