"""A part of what ``benchmarks/file_faults.py`` tries: file operations that fail."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "file_faults.py"


@pytest.mark.slow
@pytest.mark.parametrize("command", ["bring", "rescore"])
def test_a_file_operation_that_fails_loses_nothing(command: str) -> None:
    completed = subprocess.run(
        [sys.executable, str(SCRIPT), command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "FAULTS": "12"},
    )
    assert completed.returncode == 0, completed.stderr
    assert f"{command}: 12 faults, 0 not survived" in completed.stdout, completed.stdout
