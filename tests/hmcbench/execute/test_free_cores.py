"""Cells on a machine that other programs use."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import hmcbench
from hmcbench.execute import free_cores, resources
from hmcbench.execute.free_cores import busy_cores, on_free_cores
from hmcbench.execute.runner import together
from hmcbench.records.record import read_record, records_dir
from hmcbench.testing.helpers import tiny_suite


@dataclass(frozen=True)
class Cell:
    """What is read of a cell."""

    threads: int


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """``busy(0.9)``: other programs use so much of this machine's two cores."""
    monkeypatch.setattr(resources, "cores", lambda: 2)
    return lambda cores: monkeypatch.setattr(free_cores, "busy_cores", lambda: cores)


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A suite whose one cell takes two threads."""
    path = tmp_path / "busy.toml"
    path.write_text(tiny_suite("busy", ["prior"], threads=2))
    return path


def threads_of(folder: Path) -> set[int]:
    records = [read_record(path) for path in records_dir(folder, "busy").iterdir()]
    return {record.data["hardware"]["threads"] for record in records}


def test_a_run_on_busy_cores_takes_fewer_threads_and_says_so(
    cli: Callable[..., Any], busy: Callable[[float], None], suite: Path, tmp_path: Path
) -> None:
    busy(0.9)
    ended = cli("run", "--suite", suite, "--out", tmp_path / "a")
    assert ended.status == 0, ended.err
    line = "1 of 2 cores are busy with other programs: 1 thread a cell instead of 2 (--threads 2 insists)"
    assert line in ended.out
    assert threads_of(tmp_path / "a") == {1}
    ended = cli("run", "--suite", suite, "--threads", 2, "--out", tmp_path / "b")
    assert "are busy" not in ended.out and threads_of(tmp_path / "b") == {2}
    (first,), (second,) = (records_dir(tmp_path / x, "busy").iterdir() for x in "ab")
    assert read_record(first).key == read_record(second).key


def test_python_takes_fewer_too(busy: Callable[[float], None], suite: Path, tmp_path: Path) -> None:
    busy(2.0)
    hmcbench.run(suite, out=tmp_path, in_process=True)
    assert threads_of(tmp_path) == {1}


@pytest.mark.parametrize(("threads", "cores", "left"), [((2, 1), 0.2, [2, 1]), ((4, 2), 1.0, [1, 1])])
def test_as_many_threads_as_cores_are_free(
    threads: tuple[int, ...], cores: float, left: list[int], busy: Callable[[float], None]
) -> None:
    busy(cores)
    cells: Any = [Cell(n) for n in threads]
    assert [cell.threads for cell in on_free_cores(cells, cells)[0]] == left


@pytest.mark.parametrize(
    ("cores", "jobs", "most", "left", "line"),
    [
        (0.0, 2, 2, 1, "2 cells at a time on 2 cores: 1 thread a cell instead of 2 (--threads 2 insists)"),
        (0.0, 2, 1, 1, ""),
        (0.0, 1, 2, 2, ""),
        (0.0, 5, 2, 1, "5 cells at a time on 2 cores: 1 thread a cell instead of 2 (--threads 2 insists)"),
        (0.0, 1, 8, 2, "2 cores: 2 threads a cell instead of 8 (--threads 8 insists)"),
    ],
)
def test_cells_at_the_same_time_share_the_cores(
    cores: float, jobs: int, most: int, left: int, line: str, busy: Callable[[float], None]
) -> None:
    busy(cores)
    cells: Any = [Cell(most)]
    (cell,), note = on_free_cores(cells, cells, jobs)
    assert (cell.threads, note) == (left, line)


def test_so_many_cells_are_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "cuda_devices", lambda: [])
    cell: Any = [ACell(accelerated=True)]
    assert (
        together("auto", 3, cell * 5) == 3 and together("cpu", 3, cell) == 1 and together("cpu", 3, []) == 1
    )
    monkeypatch.setattr(resources, "cuda_devices", lambda: ["0"])
    assert together("auto", 3, cell * 5) == 1 and together("auto", 3, cell * 5, per_gpu=2) == 2


@dataclass(frozen=True)
class ACell:
    """What is read of a cell."""

    accelerated: bool


def test_costs_of_cells_at_the_same_time_are_apart(
    cli: Callable[..., Any], busy: Callable[[float], None], tmp_path: Path
) -> None:
    busy(0.0)
    suite = tmp_path / "beside.toml"
    suite.write_text(tiny_suite("beside", ["prior", "random"], threads=2))
    ended = cli("run", "--suite", suite, "--jobs", 2, "--out", tmp_path)
    assert ended.status == 0, ended.err
    assert "2 cells at a time on 2 cores: 1 thread a cell" in ended.out
    assert "2 cells at a time (fingerprint" in ended.out
    cli("run", "--suite", suite, "--rerun", "all", "--out", tmp_path / "b")
    paths = [*records_dir(tmp_path, "beside").iterdir(), *records_dir(tmp_path / "b", "beside").iterdir()]
    hardware = [read_record(path).data["hardware"] for path in paths]
    assert [facts.get("at_a_time") for facts in hardware] == [2, 2, None, None]
    assert len({facts["fingerprint"] for facts in hardware}) == 2


def test_nothing_is_measured_for_single_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(free_cores, "busy_cores", lambda: pytest.fail("measured"))
    cells: Any = [Cell(1), Cell(2)]
    assert on_free_cores(cells, cells[:1]) == (cells, "")


def test_the_work_of_another_process_is_seen() -> None:
    idle = min(busy_cores(0.1) for _ in range(3))
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        assert max(busy_cores(0.3) for _ in range(5)) > 0.3 or idle > 0.5  # or all cores were taken before
    finally:
        other.kill()
        other.wait()
