"""The table of ratios: what benchmarks record, and the page that is made from the record."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ratios import Ratios

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
BENCHMARKS = """
def test_fast(ratio):
    ratio("sorting", "a loop", 6.0, 2.0, 2.5)

def test_slow(ratio):
    ratio("reading", "json", 1.0, 2.0, 1.25)
"""


def test_the_page_follows_from_its_record() -> None:
    page = runpy.run_path(str(DOCS / "make_performance.py"))["text"]()
    assert (DOCS / "performance.md").read_text(encoding="utf-8") == page


def test_the_page_says_whether_the_machine_was_idle() -> None:
    load_text = runpy.run_path(str(DOCS / "make_performance.py"))["load_text"]
    assert load_text(1.25).endswith("the machine was not idle.")
    assert "idle" not in load_text(0.1)


def test_a_ratio_below_the_one_asked_for_fails_and_stays_in_the_table() -> None:
    ratios = Ratios()
    ratios.compare("w", "p", 8.0, 2.0, 5.0, slack=0.7)
    with pytest.raises(AssertionError, match=r"8 s of p are 4 times the 2 s of hmcbench, 5 times is asked"):
        ratios.compare("w", "p", 8.0, 2.0, 5.0)
    assert [row.value for row in ratios.rows] == [4.0, 4.0]


def test_a_run_ends_with_the_table_and_writes_its_record(tmp_path: Path) -> None:
    shutil.copy(ROOT / "benchmarks" / "conftest.py", tmp_path)
    (tmp_path / "test_speed.py").write_text(BENCHMARKS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--ratios", "r.json", "."]
    path = os.pathsep.join([str(ROOT / "benchmarks"), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path}
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert run.returncode == 1, run.stderr  # one benchmark is too slow
    table = run.stdout.rpartition("their time divided by ours")[2].splitlines()
    assert table[1].split()[:3] == ["work", "peer", "theirs"]
    assert table[3].split()[:7] == ["sorting", "a", "loop", "6", "2", "3", "2.5"]
    assert table[4].split()[:6] == ["reading", "json", "1", "2", "0.5", "1.25"]
    rows = json.loads((tmp_path / "r.json").read_text())["rows"]
    assert [row["ours"] for row in rows] == [2.0, 2.0]
    assert all("cores" in row["processor"] for row in rows)
    assert Ratios.load_file(tmp_path / "r.json").table("github").count("\n") == 3
