"""A runner that is killed leaves no process, whatever the code of a model does at that moment."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil
import pytest

from hmcbench.testing import installed_plugin

SOON_S = 10.0  # they are gone in a fraction of a second; a loaded machine may take its time
PLUGIN = """
from hmcbench import DatasetSpec, ModelSpec, Param, hookimpl

@hookimpl
def hmcbench_datasets():
    return [DatasetSpec(name="tiny", version="1", summary="", factory="stubborn:dataset", views=("table",))]

@hookimpl
def hmcbench_models():
    return [ModelSpec(name="stubborn", factory="stubborn:Stubborn", version="1", summary="",
                      views=("table",), params={"log": Param("")})]

def dataset():
    from hmcbench.testing import tiny_dataset
    return tiny_dataset(60, "tree")

class Stubborn:
    def __init__(self, log): self.log = log
    def fit(self, train, valid, run):
        import ctypes, os, pathlib, subprocess
        child = subprocess.Popen(["sleep", "600"])
        pathlib.Path(self.log + ".part").write_text(f"{os.getpid()} {child.pid}")
        os.rename(self.log + ".part", self.log)
        ctypes.PyDLL(None).sleep(600)  # holds the interpreter: no thread of this process runs
"""
SUITE = """
[suite]
name = "stubborn"
version = 1
datasets = ["tiny"]
primary = "hf1_samples"
[protocol]
kind = "holdout"
test = 0.3
[profiles.quick]
models = ["stubborn[log={log}]"]
threads = 1
time_limit = 600
"""
COMMAND = "from hmcbench.cli import main; main()"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no process groups")


@pytest.fixture(scope="module", autouse=True)
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with installed_plugin(tmp_path_factory.mktemp("plugin"), "stubborn", PLUGIN) as folder:
        yield folder


def alive(process: psutil.Process) -> bool:
    """Not gone, and no zombie that waits for the system to notice."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def left(processes: Iterable[psutil.Process], within: float = SOON_S) -> list[psutil.Process]:
    """Those that are still there after a time, killed now so that a test that fails leaves none."""
    processes, until = list(processes), time.monotonic() + within
    while any(alive(p) for p in processes) and time.monotonic() < until:
        time.sleep(0.05)
    there = [p for p in processes if alive(p)]
    for process in there:
        process.kill()
    return there


def test_a_killed_runner_leaves_no_process_even_where_a_model_holds_the_interpreter(tmp_path: Path) -> None:
    log, suite = tmp_path / "pids", tmp_path / "stubborn.toml"
    suite.write_text(SUITE.format(log=log))
    options = ["run", "--suite", str(suite), "--out", str(tmp_path / "runs"), "--device", "cpu", "--quiet"]
    runner = subprocess.Popen([sys.executable, "-c", COMMAND, *options])
    until = time.monotonic() + 60
    while not log.exists():
        assert runner.poll() is None, "it ended"
        assert time.monotonic() < until, "the cell does not start"
        time.sleep(0.02)
    cell = {psutil.Process(int(pid)) for pid in log.read_text().split()}  # the worker and its child
    every = set(psutil.Process(runner.pid).children(recursive=True))  # the fork server and its like, too
    assert cell <= every
    runner.kill()
    runner.wait()
    assert not left(every)


TOLD = """
import subprocess, sys
from hmcbench.executors.orphans import Watcher
watcher = Watcher()
sleeping = [subprocess.Popen(["sleep", "600"], start_new_session=True) for _ in range(3)]
watcher.tell([p.pid for p in sleeping])
watcher.tell([p.pid for p in sleeping[1:]])
print(*(p.pid for p in sleeping), flush=True)
if sys.argv[1] == "close":
    watcher.close()
sys.stdin.read()
"""


@pytest.mark.parametrize("how", ["close", "hold"])
def test_a_watcher_kills_what_it_was_last_told_of_unless_it_is_closed(how: str) -> None:
    command = [sys.executable, "-c", TOLD, how]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as teller:
        assert teller.stdout is not None
        sleeping = [psutil.Process(int(pid)) for pid in teller.stdout.readline().split()]
        assert all(alive(p) for p in sleeping)
        teller.kill()
    kept = sleeping if how == "close" else sleeping[:1]
    assert not left(set(sleeping) - set(kept))
    assert left(kept, within=0.5) == kept
