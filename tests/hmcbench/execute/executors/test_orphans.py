"""A runner that is killed leaves no process, whatever the code of a model does at that moment."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import psutil
import pytest

from hmcbench.testing.helpers import installed_plugin, tiny_suite

SOON_S = 10.0  # they are gone in a fraction of a second; a loaded machine may take its time
PLUGIN = """
from hmcbench import ModelSpec, Param, hookimpl

@hookimpl
def hmcbench_models():
    return [ModelSpec(name="stubborn", factory="stubborn:Stubborn", version="1", summary="",
                      views=("table",), params={"log": Param("")})]
"""
Left = Callable[[Iterable[int], float], list[int]]
COMMAND = "from hmcbench.cli import main; main()"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no process groups")


@pytest.fixture(scope="module", autouse=True)
def plugin(tmp_path_factory: pytest.TempPathFactory, stubborn: str) -> Iterator[Path]:
    with installed_plugin(tmp_path_factory.mktemp("plugin"), "stubborn", PLUGIN + stubborn) as folder:
        yield folder


def test_a_killed_runner_leaves_no_process_even_where_a_model_holds_the_interpreter(
    tmp_path: Path, left: Left
) -> None:
    log, suite = tmp_path / "pids", tmp_path / "stubborn.toml"
    suite.write_text(tiny_suite("stubborn", [f"stubborn[log={log}]"], time_limit=600))
    options = ["run", "--suite", str(suite), "--out", str(tmp_path / "runs"), "--device", "cpu", "--quiet"]
    runner = subprocess.Popen([sys.executable, "-c", COMMAND, *options])
    until = time.monotonic() + 60
    while not log.exists():
        assert runner.poll() is None, "it ended"
        assert time.monotonic() < until, "the cell does not start"
        time.sleep(0.02)
    cell = {int(pid) for pid in log.read_text().split()}  # the worker and its child
    every = {p.pid for p in psutil.Process(runner.pid).children(recursive=True)}  # the fork server, too
    assert cell <= every
    runner.kill()
    runner.wait()
    assert not left(every, SOON_S)


TOLD = """
import subprocess, sys
from hmcbench.execute.executors.orphans import Watcher
watcher = Watcher()
sleeping = [subprocess.Popen(["sleep", "600"], start_new_session=True) for _ in range(3)]
watcher.update([p.pid for p in sleeping])
watcher.update([p.pid for p in sleeping[1:]])
if sys.argv[1] == "close":
    watcher.close()
print(*(p.pid for p in sleeping), flush=True)  # last: it is killed as soon as this is read
sys.stdin.read()
"""


@pytest.mark.parametrize("how", ["close", "hold"])
def test_a_watcher_kills_what_it_was_last_told_of_unless_it_is_closed(how: str, left: Left) -> None:
    command = [sys.executable, "-c", TOLD, how]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as teller:
        assert teller.stdout is not None
        sleeping = [int(pid) for pid in teller.stdout.readline().split()]
        teller.kill()
    kept = sleeping if how == "close" else sleeping[:1]
    assert not left(set(sleeping) - set(kept), SOON_S)
    assert left(kept, 0.5) == kept
