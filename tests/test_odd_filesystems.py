"""A part of what ``benchmarks/odd_filesystems.py`` and ``benchmarks/kills.py`` try."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import file_shim
import kills
import odd_filesystems
import pytest

from hmcbench.testing.helpers import installed_plugin

CODE = """
import datetime, fcntl, os, sys, time
from pathlib import Path
import file_shim
file_shim.install(sys.argv[1], sys.argv[2])
folder = Path(sys.argv[2])
(folder / "Name").write_text("1")
status = (folder / "Name").stat()
said = [f"case {(folder / 'nAME').exists()}", f"numbered {status.st_ino > 0}"]
os.utime(folder / "Name", ns=(0, 5))
said.append(f"fine {(folder / 'Name').stat().st_mtime_ns % 10 == 5}")
try:
    fcntl.flock(os.open(folder / "Name", os.O_RDONLY), fcntl.LOCK_EX)
    said.append("locks True")
except OSError:
    said.append("locks False")
times = [time.time() for _ in range(200)]
said.append(f"clock {max(times) - min(times) < 1000}")
dates = [datetime.datetime.now().year for _ in range(400)]
said.append(f"date {len(set(dates)) == 1}")
print(*said, sep=", ")
"""
NORMAL = {"case": False, "numbered": True, "fine": True, "locks": True, "clock": True, "date": True}


@pytest.mark.parametrize(
    ("kind", "other"),
    [
        ("no-locks", {"locks": False}),
        ("two-seconds", {"numbered": False, "fine": False}),
        ("no-case", {"case": True}),
        ("jumping-clock", {"clock": False, "date": False}),
        ("all", {name: not value for name, value in NORMAL.items()}),
    ],
)
def test_the_functions_on_files_are_those_of_another_file_system(
    tmp_path: Path, kind: str, other: dict[str, bool]
) -> None:
    path = os.pathsep.join([str(Path(file_shim.__file__).parent), *sys.path])
    command = [sys.executable, "-c", CODE, kind, str(tmp_path)]
    completed = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": path}
    )
    expected = {**NORMAL, **other}
    assert completed.stdout.strip() == ", ".join(f"{name} {value}" for name, value in expected.items())


@pytest.mark.alone
@pytest.mark.slow
def test_commands_share_a_folder_of_a_file_system_that_keeps_no_promise() -> None:
    tally, _ = odd_filesystems.tried("all", 0, 0)
    assert not tally.problems, tally.problems
    assert tally.ends["run"] == 4


@pytest.mark.alone
@pytest.mark.slow
def test_commands_of_four_kinds_are_killed_and_nothing_is_lost_torn_or_left(tmp_path: Path) -> None:
    with installed_plugin(tmp_path / "plugin", "mortal", kills.PLUGIN):
        tally, _ = kills.killed(tmp_path, 12, 0, mixes=[("run", "bring", "rescore", "publish")])
    assert not tally.problems, tally.problems
    assert tally.kills.total() >= 12
    assert min(tally.ends[command] for command in kills.TIMES) >= 1
