"""The runner on real processes: every way to fail is a record with a cause, and the rest goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import forkserver
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import pytest

from hmcbench.errors import BadInput
from hmcbench.execute import runner
from hmcbench.plan.cells import Plan, make_plan
from hmcbench.plan.choices import Choices
from hmcbench.plan.suite import parse_suite
from hmcbench.records.record import HISTORY, NPZ, record_folders
from hmcbench.registry.registry import default_registry
from hmcbench.testing.helpers import installed_plugin, tiny_suite

PLUGIN = """
from hmcbench import ModelSpec, Param, hookimpl

@hookimpl
def hmcbench_models():
    one = dict(version="1", summary="for tests", views=("table",), params={"pause": Param(0.0)})
    names = "good crash segfault hang memory memoryerror nan raises shape silent".split()
    return [ModelSpec(name=n, factory=f"faulty:{n.title()}", **one) for n in names] + [
        ModelSpec(name="needs-image", factory="faulty:Good", version="1", summary="", views=("image",)),
        ModelSpec(name="preloaded", factory="faulty:Preloaded", requires=("sklearn",), **one),
        ModelSpec(name="needs-library", factory="faulty:Good", version="1", summary="",
                  requires=("no_such_library",)),
    ]

class Good:
    def __init__(self, pause=0.0): self.pause = pause
    def fit(self, train, valid, run):
        import numpy as np, time
        assert not hasattr(run, "targets")
        targets = train.targets.toarray() if hasattr(train.targets, "toarray") else train.targets
        self.mean = np.asarray(targets, float).mean(0)
        self.seed = np.random.default_rng(run.seed).random()
        for i in range(4):
            run.report(i + 1, 4, loss=1.0 / (i + 1))
            time.sleep(self.pause)
    def predict(self, inputs):
        import numpy as np
        from hmcbench import Scores
        assert not hasattr(inputs, "targets")
        table = np.asarray(inputs.views["table"])
        return Scores(np.clip(self.mean[None, :] * (0.9 + 0.1 * self.seed) + 0 * table[:, :1], 0, 1))

class Preloaded(Good):
    def fit(self, train, valid, run):
        import sys
        assert "sklearn" in sys.modules, "the fork server should have imported it"
        super().fit(train, valid, run)

class Crash(Good):
    def fit(self, train, valid, run):
        import os
        os._exit(7)

class Segfault(Good):
    def fit(self, train, valid, run):
        import os, signal
        os.kill(os.getpid(), signal.SIGSEGV)

class Hang(Good):
    def fit(self, train, valid, run):
        import pathlib, subprocess, sys
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        pathlib.Path(run.folder, "child").write_text(str(child.pid))
        pathlib.Path(run.folder).parents[1].joinpath("child").write_text(str(child.pid))
        while True: pass

class Memory(Good):
    def fit(self, train, valid, run):
        import numpy as np, time
        kept = []
        while True:
            kept.append(np.ones(4_000_000)); time.sleep(0.02)

class Memoryerror(Good):
    def fit(self, train, valid, run):
        raise MemoryError

class Nan(Good):
    def predict(self, inputs):
        scores = super().predict(inputs)
        scores.values[0, 0] = float("nan")
        return scores

class Raises(Good):
    def fit(self, train, valid, run):
        raise RuntimeError("no such luck\\nsecond line")

class Shape(Good):
    def predict(self, inputs):
        from hmcbench import Scores
        return Scores(super().predict(inputs).values[:, :1])

class Silent(Good):
    def predict(self, inputs):
        return None
"""


@pytest.fixture(scope="module", autouse=True)
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with installed_plugin(tmp_path_factory.mktemp("plugin"), "faulty", PLUGIN) as folder:
        yield folder


def plan_of(*models: str, limit: float = 60, **choices: Any) -> Plan:
    text = tiny_suite("faults", models, time_limit=limit, memory_mb=600)
    return make_plan(parse_suite(text, "faults.toml"), default_registry(), Choices(**choices))


def test_every_failure_is_a_record_with_its_cause_and_the_rest_goes_on(tmp_path: Path) -> None:
    plan = plan_of(
        "crash",
        "segfault",
        "hang",
        "memory",
        "memoryerror",
        "nan",
        "raises",
        "shape",
        "silent",
        "good",
        limit=6,
    )
    outcome = runner.execute(plan, tmp_path, device="cpu", jobs=2)
    causes = {r.data["model"]["label"]: (r.data["cause"], r.data["message"]) for r in outcome.done}
    assert {name: cause for name, (cause, _) in causes.items()} == {
        "crash": "crash",
        "segfault": "crash",
        "hang": "time-out",
        "memory": "out of memory",
        "memoryerror": "out of memory",
        "nan": "nan",
        "raises": "error",
        "shape": "error",
        "silent": "error",
        "good": None,
    }
    assert "SIGSEGV" in causes["segfault"][1]
    assert "status 7" in causes["crash"][1]
    assert causes["raises"][1] == "RuntimeError: no such luck second line"
    assert "expected" in causes["shape"][1]
    assert len(outcome.failed) == 9
    child = int((tmp_path / "faults" / "child").read_text())
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE
    for record in outcome.failed:
        assert not (record.path / NPZ).exists()
    log = next(r for r in outcome.failed if r.data["model"]["label"] == "raises").path / "log.txt"
    assert "no such luck" in log.read_text()


def test_a_good_record_is_complete(tmp_path: Path) -> None:
    outcome = runner.execute(plan_of("good"), tmp_path, device="cpu")
    (record,) = outcome.done
    data = record.data
    assert data["status"] == "ok"
    assert set(data["metrics"]) == {"test", "validation"}
    phases = ("load_s", "featurize_s", "fit_s", "predict_s", "score_s", "total_s")
    for name in (*phases, "latency_p50_ms", "latency_p95_ms", "throughput_per_s"):
        assert data["timing"][name] >= 0, name
    assert data["timing"]["latency_calls"] == 60
    assert data["timing"]["elapsed_s"] >= data["timing"]["total_s"]  # the total leaves out measuring
    assert data["memory"]["peak_rss_mb"] >= data["memory"]["peak_private_mb"] > 0
    assert data["hardware"]["fingerprint"]
    assert data["versions"]["numpy"]
    assert (record.path / HISTORY).read_text().splitlines()[0] == "step,loss"
    predictions = record.predictions()
    assert sorted(set(predictions.side)) == ["test", "validation"]
    assert len(predictions) == data["split"]["counts"]["test"] + data["split"]["counts"]["validation"]


def test_the_same_command_again_runs_nothing_and_failures_run_on_request(tmp_path: Path) -> None:
    plan = plan_of("good", "raises")
    first = runner.execute(plan, tmp_path, device="cpu")
    assert first.ran == 2
    assert runner.execute(plan, tmp_path, device="cpu").ran == 0
    assert runner.execute(plan, tmp_path, device="cpu", rerun="failed").ran == 1
    assert runner.execute(plan, tmp_path, device="cpu", rerun="all").ran == 2
    assert len(list((tmp_path / "faults" / "records").iterdir())) == 2


def test_same_seed_gives_identical_prediction_files_and_another_seed_does_not(tmp_path: Path) -> None:
    def predictions(out: Path) -> list[bytes]:
        records = runner.execute(plan_of("good", seeds=2), out, device="cpu").done
        return [(r.path / NPZ).read_bytes() for r in records]

    first, second = predictions(tmp_path / "a"), predictions(tmp_path / "b")
    assert first == second
    assert first[0] != first[1]


@pytest.mark.alone
def test_after_the_first_a_cell_starts_quickly(tmp_path: Path) -> None:
    """From the start of a process to its first phase it pays for no import: the fork server has them.

    The fork server preloads what the first plan of a process needs, and no more later: one that earlier
    tests have started is ended, so that this plan is its first.
    """
    forkserver._forkserver._stop()  # type: ignore[attr-defined]  # as the standard library's own tests do
    starts: dict[str, float] = {}
    delays: list[float] = []

    def observe(event: Any, _record: Any) -> None:
        if event.kind == "started":
            starts[event.job.cell.key] = time.monotonic()
        elif event.message.get("phase") == "load":
            delays.append(time.monotonic() - starts[event.job.cell.key])

    outcome = runner.execute(plan_of("preloaded", seeds=8), tmp_path, device="cpu", observer=observe)
    assert not outcome.failed
    assert len(delays) == 8
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", "import sklearn"], check=True)
    imported = time.monotonic() - began
    print(f"start of a cell {median(delays):.3f} s (asked for: 0.3), import of scikit-learn {imported:.2f} s")
    assert median(delays) <= 0.3 * imported


COMMAND = """
import signal, sys
from pathlib import Path
from hmcbench.execute import runner
from hmcbench.plan.choices import Choices
from hmcbench.plan.cells import make_plan
from hmcbench.registry.registry import default_registry
from hmcbench.plan.suite import parse_suite
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    text = Path(sys.argv[1]).read_text()
    plan = make_plan(parse_suite(text, "faults.toml"), default_registry(), Choices(seeds=30))
    answer = lambda: print("answered")
    outcome = runner.execute(plan, Path(sys.argv[2]), device="cpu", jobs=2, on_interrupt=answer)
    print(len(outcome.done), outcome.interrupted)
"""


def start(tmp_path: Path) -> subprocess.Popen[str]:
    script, suite = tmp_path / "go.py", tmp_path / "faults.toml"
    script.write_text(COMMAND)
    suite.write_text(tiny_suite("faults", ["good[pause=0.08]"], memory_mb=600))
    return subprocess.Popen(
        [sys.executable, str(script), str(suite), str(tmp_path / "runs")], stdout=subprocess.PIPE, text=True
    )


def count(folder: Path) -> int:
    return len(record_folders(folder))


def wait_for(folder: Path, number: int) -> None:
    until = time.monotonic() + 60
    while count(folder) < number:
        assert time.monotonic() < until, "no record appeared"
        time.sleep(0.02)


def test_interrupt_ends_in_good_order_and_says_what_is_left(tmp_path: Path) -> None:
    process = start(tmp_path)
    folder = tmp_path / "runs" / "faults" / "records"
    wait_for(folder, 1)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    answered, ended, interrupted = out.split()
    assert (answered, interrupted) == ("answered", "True")
    assert 0 < int(ended) < 30
    assert not [p for p in folder.iterdir() if p.name.startswith(".")]


def test_suite_json_holds_what_a_leaderboard_needs(tmp_path: Path) -> None:
    plan = plan_of("good", "needs-image")
    outcome = runner.execute(plan, tmp_path, device="cpu")
    info = json.loads((outcome.folder / "suite.json").read_text())
    assert [c["model"] for c in info["cells"]] == ["good"]
    assert info["not_applicable"][0]["model"] == "needs-image"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_one_clear_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(Exception, match="cannot be written to"):
        runner.execute(plan_of("good"), tmp_path, device="cpu")


def test_slots_follow_the_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """One cell per GPU where models can use one; as many as asked for on the CPU."""
    (cell,) = plan_of("good").cells
    fast = replace(cell, accelerated=True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,7")
    assert runner.slots("auto", 4, [fast]) == ["cuda:3", "cuda:7"]
    assert runner.slots("auto", 4, [cell]) == ["auto"] * 4
    assert runner.slots("cuda:1", 4, [fast]) == ["cuda:7"]
    assert runner.slots("cpu", 3, [fast]) == ["cpu"] * 3
    assert runner.slots("auto", 4, [fast], per_gpu=2) == ["cuda:3", "cuda:7", "cuda:3", "cuda:7"]
    assert runner.slots("cuda:0", 1, [fast], per_gpu=2) == ["cuda:3", "cuda:3"]
    with pytest.raises(BadInput, match="cuda:0, cuda:1"):
        runner.slots("cuda:2", 1, [fast])


def test_the_name_of_a_record_is_on_the_disk_before_the_next_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a power failure could take a cell that was said to have ended."""
    folders: list[tuple[Path, int]] = []
    monkeypatch.setattr(
        runner, "sync_names", lambda folder: folders.append((folder, len(list(folder.glob("*--*")))))
    )
    runner.execute(plan_of("good", seeds=2), tmp_path, device="cpu")
    records = tmp_path / "faults" / "records"
    assert folders == [(records, 1), (records, 2)]
