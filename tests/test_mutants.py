"""``benchmarks/mutants.py`` tells what tests notice from what not; its list and its table are of today."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "benchmarks" / "mutants.py"
CODE = """
LEAST = 3

def clamp(value, least=0):
    if value < least or not value:
        return least
    return value

def sums(values):
    total = 0
    while values:
        total += values[0]
        values = values[1:]
    return total
"""
TESTS = """
from plugins.limits import LEAST, clamp, sums

def test_clamp():
    assert [clamp(2), clamp(-1), clamp(1, LEAST)] == [2, 0, 3]

def test_sums():
    assert sums([4, 1]) >= 5
"""
LISTED = """
[[equivalent]]
module = "plugins/limits.py"
where = "clamp"
line = "if value < least or not value:"
change = "value < least  ->  value <= least"
reason = "of equal numbers either may be returned"
"""


def try_all(folder: Path, listed: str) -> subprocess.CompletedProcess[str]:
    files = {
        "plugins/limits.py": CODE,
        "tests/plugins/test_limits.py": TESTS,
        "benchmarks/equivalent_mutants.toml": listed,
        "pyproject.toml": "[tool.pytest.ini_options]\naddopts = ['--import-mode=importlib']\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    command = [sys.executable, str(SCRIPT), "--root", str(folder), "--count", "0"]
    return subprocess.run(
        [*command, "--json", str(folder / "kept.json"), "plugins/limits.py"],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_what_tests_notice_and_what_not(tmp_path: Path) -> None:
    """Changes in functions and outside; no test says that an empty sum is 0."""
    ended = try_all(tmp_path, LISTED)
    assert ended.returncode == 0, ended.stderr
    (kept,) = json.loads((tmp_path / "kept.json").read_text())
    assert [(mutant["where"], mutant["change"]) for mutant in kept.pop("left")] == [("sums", "0  ->  1")]
    assert kept == {
        "module": "plugins/limits.py",
        "possible": 8,
        "tried": 8,
        "noticed": 6,
        "stopped": 0,
        "equivalent": 1,
    }
    assert "| all | 8 | 8 | 6 | 0 | 1 | 1 |" in ended.stdout


def test_the_list_of_equivalent_changes_must_be_of_today(tmp_path: Path) -> None:
    ended = try_all(tmp_path, LISTED.replace("<=", ">"))
    assert ended.returncode != 0
    assert "equivalent_mutants.toml: unknown, listed twice or without a reason" in ended.stderr


def test_the_list_of_this_repository_is_of_today_and_the_page_has_the_table_of_the_kept_run() -> None:
    command = [sys.executable, str(SCRIPT), "--table", str(ROOT / "docs" / "mutants.json")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed in (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    share = float(printed.rpartition("Noticed: ")[2].partition("%")[0])
    assert share >= 95
