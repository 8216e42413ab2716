"""A model that no thread of its own process can stop, and whether processes are gone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import psutil
import pytest

STUBBORN = """
class Stubborn:
    def __init__(self, log): self.log = log
    def fit(self, train, valid, run):
        import ctypes, os, pathlib, subprocess
        child = subprocess.Popen(["sleep", "600"])
        pathlib.Path(self.log + ".part").write_text(f"{os.getpid()} {child.pid}")
        os.rename(self.log + ".part", self.log)
        ctypes.PyDLL(None).sleep(600)  # holds the interpreter: no thread of this process runs
"""


@pytest.fixture(scope="session")
def stubborn() -> str:
    """The source of the class; ``log`` names a file that gets the number of its process and a child's."""
    return STUBBORN


def alive(process: psutil.Process) -> bool:
    """Not gone, and no zombie that waits for the system to notice."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def left() -> Callable[[Iterable[int], float], list[int]]:
    """``left(pids, within)``: those that still run after a time; killed, so that no test leaves any."""

    def look(pids: Iterable[int], within: float) -> list[int]:
        until = time.monotonic() + within
        processes = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
        while any(alive(p) for p in processes) and time.monotonic() < until:
            time.sleep(0.05)
        there = [p for p in processes if alive(p)]
        for process in there:
            process.kill()
        return [p.pid for p in there]

    return look
