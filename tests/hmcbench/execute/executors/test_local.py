"""Limits on memory and shares of time; tests of the runner start real processes."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from hmcbench.execute import resources, worker
from hmcbench.execute.executors import local
from hmcbench.execute.executors.base import THREAD_VARIABLES, Job
from hmcbench.execute.executors.local import LocalExecutor, _Running
from hmcbench.execute.outcome import result_of

FIRST, SECOND, THIRD = "first", "second", "third"  # no process ids: nothing here may be killed
USED = {FIRST: 300, SECOND: 500, THIRD: 150}  # megabytes


def running(pid: str, memory_mb: int = 0, cells: int = 1) -> _Running:
    cell = SimpleNamespace(time_limit=60.0, memory_mb=memory_mb, group="g" if cells > 1 else "")
    jobs: Any = [Job(cell, None, None) for _ in range(cells)]  # type: ignore[arg-type]
    ended = lambda: None  # noqa: E731
    process = SimpleNamespace(
        pid=pid, join=ended, close=ended, is_alive=lambda: False, exitcode=-9, sentinel=None
    )
    pipe: Any = SimpleNamespace(closed=True)
    return _Running(jobs, [*jobs], "cpu", process, pipe, pipe, time.monotonic())


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    pids: list[str] = []
    monkeypatch.setattr(resources, "total_memory", lambda: 1000 * 10**6)
    monkeypatch.setattr(resources, "tree_memory", lambda pid: USED[pid] * 10**6)
    monkeypatch.setattr(worker, "end", pids.append)
    monkeypatch.setattr(worker, "end_group", lambda _pid: None)
    for name in THREAD_VARIABLES:
        monkeypatch.setenv(name, "1")
    monkeypatch.setattr(local, "Watcher", lambda: SimpleNamespace(update=list, close=lambda: None))
    return pids


def enforced(*processes: _Running) -> LocalExecutor:
    executor = LocalExecutor(["cpu"], (), 1)
    executor._running = list(processes)
    for process in processes:
        executor._enforce(process)
    executor._enforce_together()
    return executor


def test_one_cell_may_use_what_others_leave(killed: list[str]) -> None:
    """One of the two used more than half of nine tenths of the machine, both together less than that."""
    enforced(running(FIRST), running(SECOND))
    assert killed == []


def test_where_all_together_fill_the_machine_the_largest_ends(killed: list[str]) -> None:
    largest = running(SECOND)
    executor = enforced(running(FIRST), largest, running(THIRD))
    executor._enforce_together()
    assert killed == [SECOND], "the others fit without it"
    (event,) = executor._end(largest)
    message = result_of(event)["message"]
    assert "the running cells used more than 900 MB, nine tenths of the machine's memory" in message


def test_a_limit_of_its_own_is_told(killed: list[str]) -> None:
    small, large = running(FIRST, memory_mb=200, cells=2), running(SECOND, memory_mb=400)
    executor = enforced(small, large)
    assert killed == [SECOND], "300 MB of twice 200"
    (event,) = executor._end(large)
    text = "used more memory than its limit of 400 MB (memory_mb of the profile)"
    assert result_of(event)["message"] == text


def test_cells_that_are_fitted_together_have_equal_shares_of_the_time(killed: list[str]) -> None:
    process = running(FIRST, cells=4)
    process.started -= 100
    events = list(enforced(process)._end(process))
    assert len(events) == 4
    assert all(24 < event.seconds < 30 for event in events)
