"""A real Ray cluster of three nodes on this machine: drivers and nodes are killed, no record is lost."""

from __future__ import annotations

import json
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from hmcbench.errors import BadInput
from hmcbench.execute.executors.ray import connect
from hmcbench.records.record import HISTORY, read_all
from hmcbench.testing.helpers import installed_plugin, tiny_suite

pytest.importorskip("ray", reason="needs the extra ray")
pytestmark = [pytest.mark.alone, pytest.mark.slow]

CELLS = 40
PLUGIN = """
from hmcbench import ModelSpec, Param, hookimpl

@hookimpl
def hmcbench_models():
    one = dict(version="1", summary="", views=("table",))
    return [ModelSpec(name=n, factory=f"on_ray:{n.title()}", **one) for n in ("good", "crash", "raises")] + [
        ModelSpec(name="stubborn", factory="on_ray:Stubborn", params={"log": Param("")}, **one)]

class Good:
    def fit(self, train, valid, run):
        import time
        for i in range(4):
            run.report(i + 1, 4, loss=1.0 / (i + 1))
            time.sleep(0.2)
    def predict(self, inputs):
        import numpy as np
        from hmcbench import Scores
        return Scores(np.full((len(inputs), 7), 0.4))

class Crash(Good):
    def fit(self, train, valid, run):
        import os
        os._exit(7)

class Raises(Good):
    def fit(self, train, valid, run):
        raise RuntimeError("no such luck")
"""
COMMAND = "from hmcbench.cli import main; main()"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, stubborn: str) -> Iterator[Any]:
    with (
        installed_plugin(tmp_path_factory.mktemp("plugin"), "on_ray", PLUGIN + stubborn),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        from ray.cluster_utils import Cluster

        nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        nodes.add_node(num_cpus=1)
        patch.setenv("RAY_ADDRESS", nodes.address)
        yield nodes
        nodes.shutdown()


def start(out: Path, models: Sequence[str] = ("good",), seeds: int = CELLS) -> subprocess.Popen[str]:
    suite = out / "on-ray.toml"
    suite.write_text(tiny_suite("on-ray", models))
    options = ["--suite", str(suite), "--out", str(out), "--seeds", str(seeds), "--executor", "ray", "--json"]
    command = [sys.executable, "-c", COMMAND, "run", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def standing(folder: Path, stamps: dict[str, str]) -> int:
    """Check that what stands is whole, is there once, and is what stood before; how many there are."""
    records = read_all(folder) if folder.is_dir() else []
    assert all(record.ok and len(record.predictions()) for record in records), "torn"
    assert not records or max(Counter(record.key for record in records).values()) == 1, "twice"
    now = {record.key: record.data["created"] + record.path.name for record in records}
    assert stamps.items() <= now.items(), "lost, or made again"
    stamps.update(now)
    return len(records)


def test_drivers_and_nodes_are_killed_and_no_record_is_lost_made_twice_or_torn(
    cluster: Any, tmp_path: Path
) -> None:
    folder, stamps, rng = tmp_path / "on-ray" / "records", dict[str, str](), random.Random(6)
    for _ in range(12):  # drivers, from their start to the middle of their work
        driver = start(tmp_path)
        time.sleep(rng.uniform(0.5, 4.0))
        driver.send_signal(signal.SIGKILL)
        driver.communicate()
        assert standing(folder, stamps) < CELLS, "the run was over before it was killed"
    driver = start(tmp_path)
    for _ in range(3):  # nodes, while one driver goes on
        node = cluster.add_node(num_cpus=1)
        before = standing(folder, stamps)
        until = time.monotonic() + 60
        while standing(folder, stamps) < min(before + 2, CELLS) and driver.poll() is None:
            assert time.monotonic() < until, "nothing goes on"
            time.sleep(rng.uniform(0.1, 0.4))
        cluster.remove_node(node, allow_graceful=False)
    out, err = driver.communicate(timeout=120)
    assert len(json.loads(out)["records"]) == CELLS
    assert "(raylet)" in err, "Ray says that nodes died, and not amidst the JSON"
    assert standing(folder, stamps) == CELLS
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
    assert not list((tmp_path / "on-ray" / "locks").iterdir())


def test_records_are_as_those_of_this_machine_and_failures_have_their_cause(
    cluster: Any, tmp_path: Path
) -> None:
    driver = start(tmp_path, ["good", "crash", "raises"], 1)
    out, _ = driver.communicate(timeout=120)
    assert len(json.loads(out)["records"]) == 3
    records = {r.data["model"]["label"]: r for r in read_all(tmp_path)}
    assert records["good"].ok
    assert (records["good"].path / HISTORY).read_text().splitlines()[0] == "step,loss"
    assert records["good"].data["timing"]["fit_s"] >= 0.8
    assert records["crash"].data["cause"] == "crash"
    assert "status 7" in records["crash"].data["message"]
    assert records["raises"].data["message"] == "RuntimeError: no such luck"
    assert "no such luck" in (records["raises"].path / "log.txt").read_text()
    assert not list((tmp_path / "on-ray" / "locks").iterdir())


def test_a_driver_that_is_killed_leaves_no_process_on_the_nodes(
    cluster: Any, tmp_path: Path, left: Callable[[Iterable[int], float], list[int]]
) -> None:
    log = tmp_path / "pids"
    driver = start(tmp_path, [f"stubborn[log={log}]"], 1)
    until = time.monotonic() + 120
    while not log.exists():
        assert driver.poll() is None, "it ended"
        assert time.monotonic() < until, "the cell does not start"
        time.sleep(0.05)
    driver.kill()
    driver.communicate()
    assert not left([int(pid) for pid in log.read_text().split()], 30.0)


def test_a_cluster_that_is_not_there_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(BadInput, match=r"cannot be reached.*refused"):
            connect()
