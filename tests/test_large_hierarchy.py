"""The script that takes a large hierarchy from its files to the page, with few classes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "large_hierarchy.py"


@pytest.mark.parametrize(("most", "status"), [("4", 0), ("0.01", 1)])
def test_all_commands_end_well_and_the_bound_on_memory_counts(most: str, status: int) -> None:
    pytest.importorskip("torch", reason="needs the extra vision")
    sizes = ["--classes", "60", "--samples", "150", "--most-gib", most]
    command = [sys.executable, SCRIPT, *sizes]
    completed = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert completed.returncode == status, completed.stdout + completed.stderr
    assert completed.stdout.count("status 0") == 4
