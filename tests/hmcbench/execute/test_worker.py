from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hmcbench.errors import BadInput
from hmcbench.execute.worker import end, end_group, failure


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
