from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from hmcbench.errors import BadInput
from hmcbench.execute.executors.base import Job
from hmcbench.execute.executors.here import HereExecutor
from hmcbench.execute.reporter import Reporter
from hmcbench.execute.worker import DISK_FULL, RESULT, conclude, end, end_group, failure
from hmcbench.plan.cells import Cell


@pytest.mark.parametrize(
    ("error", "cause", "message"),
    [
        (MemoryError(), "out of memory", "MemoryError"),
        (FloatingPointError("3 of 5 are NaN"), "nan", "FloatingPointError: 3 of 5 are NaN"),
        (ValueError("a\nb"), "error", "ValueError: a b"),
        (BadInput("no such file"), "error", "no such file."),
        (SystemExit(3), "error", "SystemExit: 3"),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA"), "out of memory", "OutOfMemoryError: CUDA"),
    ],
)
def test_exceptions_become_causes(error: BaseException, cause: str, message: str) -> None:
    assert failure(error) == {"status": "failed", "cause": cause, "message": message}


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="there are no process groups")
@pytest.mark.parametrize("has_group", [False, True])
def test_a_process_ends_whether_or_not_it_has_made_its_group(has_group: bool) -> None:
    """A limit may be broken, or Ctrl-C typed, before a worker has come so far."""
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    process = subprocess.Popen(command, start_new_session=has_group)
    end_group(process.pid)
    end(process.pid)
    assert process.wait(timeout=60) == -signal.SIGKILL


def test_a_worker_whose_folder_is_gone_ends_without_a_word(tmp_path: Path) -> None:
    """Its runner was killed, and another run has removed the folder."""
    code = (
        "import multiprocessing, sys; from hmcbench.execute import worker;"
        "ends = [multiprocessing.Pipe() for _ in range(2)];"
        "worker.main([], [sys.argv[1]], [], 'cpu', {}, ends[0][1], ends[1][0])"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "gone")]
    completed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (completed.returncode, completed.stdout, completed.stderr) == (1, "", "")


class Silent:
    """Stands for the pipe to the runner."""

    def send(self, message: Mapping[str, Any]) -> None:
        assert message["ended"]


@pytest.mark.parametrize("value", [math.nan, object(), {1: {2}}])
def test_a_result_that_json_cannot_hold_fails_its_cell_alone(
    value: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conclude(Reporter(Silent(), tmp_path / "history.csv"), tmp_path, {"metrics": value})
    written = json.loads((tmp_path / RESULT).read_text())
    assert (written["status"], written["cause"]) == ("failed", "error")
    assert written["message"].startswith("the result of the cell is not JSON (")
    assert "Traceback" in capsys.readouterr().err


def test_bytes_of_a_file_name_that_are_no_text_can_be_told(tmp_path: Path) -> None:
    conclude(Reporter(Silent(), tmp_path / "history.csv"), tmp_path, BadInput("no file a\udcffb"))
    assert json.loads((tmp_path / RESULT).read_text())["message"] == "no file a?b."


def test_a_cell_of_a_group_whose_result_is_lost_has_a_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is raised while a result is written: that cell has not ended."""
    parts = [tmp_path / name for name in "ab"]
    for part in parts:
        part.mkdir()
    jobs = [Job(cast(Cell, None), part, part) for part in parts]
    results = ((i, {"metrics": {}}) for i in range(2))
    monkeypatch.setattr("hmcbench.execute.cell.run_cells", lambda *_: results)
    written: list[str] = []

    def lose_the_first(path: Path, text: bytes) -> None:
        written.append(path.parent.name)
        if len(written) == 1:
            raise OSError(28, "No space left on device")
        path.write_bytes(text)

    monkeypatch.setattr("hmcbench.execute.worker.write_atomic", lose_the_first)
    list(HereExecutor("cpu").start(jobs))
    assert written == ["a", "a", "b"]
    assert [json.loads((part / RESULT).read_text())["cause"] for part in parts] == [DISK_FULL] * 2


def test_a_model_that_replaced_the_streams_keeps_its_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        for name in ("stdout", "stderr"):
            patched.setattr(sys, name, None)
        conclude(Reporter(Silent(), tmp_path / "history.csv"), tmp_path, {"metrics": {}})
    assert json.loads((tmp_path / RESULT).read_text())["status"] == "ok"
