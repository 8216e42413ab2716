"""Cells that are fitted together: one process, one record each, whatever becomes of the others."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from hmcbench.execute import queue, runner
from hmcbench.plan.cells import Plan, make_plan
from hmcbench.plan.choices import Choices
from hmcbench.plan.suite import parse_suite
from hmcbench.records.record import HISTORY, NPZ, record_folders
from hmcbench.registry.registry import default_registry
from hmcbench.testing.helpers import installed_plugin, tiny_suite

PLUGIN = """
import os, time
from hmcbench import ModelSpec, Param, Scores, hookimpl

@hookimpl
def hmcbench_models():
    one = dict(version="1", summary="", views=("table",), factory="jointly:Drawn",
               params={"fault": Param(""), "pause": Param(0.0)})
    together = dict(fit_many="jointly:fit_many", **one)
    return [ModelSpec(name="joint", **together), ModelSpec(name="single", **one),
            ModelSpec(name="joint-without-fault", joint="jointly:no_fault", **together)]

def no_fault(fault, pause):
    return not fault

def fit_many(fits):
    faults = {f.model.fault for f in fits}
    if "crash" in faults:
        os._exit(7)
    if "hang" in faults:
        time.sleep(600)
    if "raise" in faults:
        raise RuntimeError("all of them")
    outcomes = []
    for fit in fits:
        fit.model.fit(fit.train, fit.valid, fit.run)
        bad = fit.model.fault == "one" and fit.run.seed == 1
        outcomes.append(FloatingPointError("this one") if bad else None)
    return outcomes

class Drawn:
    def __init__(self, fault, pause):
        self.fault, self.pause = fault, pause
    def fit(self, train, valid, run):
        import numpy as np
        self.run = run
        self.share = np.random.default_rng([run.seed, len(train)]).random(train.targets.shape[1])
        run.report(1, 1, loss=run.seed)
    def predict(self, inputs):
        import numpy as np
        if self.fault == "late" and self.run.seed == 2:
            os._exit(8)
        if len(inputs) > 1:
            time.sleep(self.pause)
        scores = np.tile(self.share, (len(inputs), 1))
        if self.fault == "nan" and self.run.seed == 1:
            scores[0, 0] = np.nan
        return Scores(scores)
    def describe(self):
        return {"process": os.getpid()}
"""


COMMAND = """
import sys
from pathlib import Path
from hmcbench.execute import runner
from hmcbench.plan.choices import Choices
from hmcbench.plan.cells import make_plan
from hmcbench.registry.registry import default_registry
from hmcbench.plan.suite import parse_suite

if __name__ == "__main__":
    plan = make_plan(parse_suite(Path(sys.argv[1]).read_text(), "s"), default_registry(), Choices())
    runner.execute(plan, Path(sys.argv[2]), device="cpu")
"""


@pytest.fixture(scope="module", autouse=True)
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with installed_plugin(tmp_path_factory.mktemp("plugin"), "jointly", PLUGIN) as folder:
        yield folder


def text(*models: str, limit: float = 60) -> str:
    return tiny_suite("together", models, seeds=4, time_limit=limit)


def plan_of(*models: str, limit: float = 60, **choices: Any) -> Plan:
    return make_plan(parse_suite(text(*models, limit=limit), "s"), default_registry(), Choices(**choices))


def test_a_group_leaves_the_records_that_its_cells_leave_alone(tmp_path: Path) -> None:
    together = runner.execute(plan_of("joint"), tmp_path / "a", device="cpu").done
    assert len(together) == 4
    assert all(r.ok for r in together), [r.data["message"] for r in together]
    assert len({r.data["model"]["process"] for r in together}) == 1
    assert all(r.data["timing"]["shared"] for r in together)
    assert [(r.path / HISTORY).read_text() for r in together] == [
        f"step,loss\n1,{seed}.0\n" for seed in range(4)
    ]
    (alone,) = runner.execute(plan_of("joint", seeds=1), tmp_path / "b", device="cpu").done
    assert not alone.data["timing"]["shared"]
    assert alone.key == together[0].key
    assert (alone.path / NPZ).read_bytes() == (together[0].path / NPZ).read_bytes()


def test_groups_are_of_one_dataset_and_model_and_stand_where_their_first_cell_does() -> None:
    plan = plan_of("single", "joint", "joint[pause=0.1]")
    groups = queue.grouped(plan.cells)
    assert [len(g) for g in groups] == [1, 1, 1, 1, 8]
    assert {c.model for c in groups[-1]} == {"joint"}
    assert sorted(c.key for g in groups for c in g) == sorted(c.key for c in plan.cells)


def test_a_model_says_with_which_parameters_it_is_fitted_together() -> None:
    plan = plan_of("joint-without-fault", "joint-without-fault[fault=one]")
    assert [len(g) for g in queue.grouped(plan.cells)] == [4, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("fault", "causes"),
    [
        ("nan", [None, "nan", None, None]),
        ("one", [None, "nan", None, None]),
        ("raise", ["error"] * 4),
        ("crash", ["crash"] * 4),
        ("late", [None, None, "crash", "crash"]),
        ("hang", ["time-out"] * 4),
    ],
)
def test_every_cell_gets_its_record_with_its_cause(
    tmp_path: Path, fault: str, causes: list[str | None]
) -> None:
    plan = plan_of(f"joint[fault={fault}]", limit=1 if fault == "hang" else 60)
    records = runner.execute(plan, tmp_path, device="cpu").done
    assert [r.data["cause"] for r in records] == causes
    assert all((r.path / "log.txt").is_file() for r in records if not r.ok)
    assert not any((r.path / NPZ).exists() for r in records if not r.ok)
    if fault == "hang":
        assert "1 s for each of the cells fitted together" in records[0].data["message"]


def test_only_what_is_missing_runs_again(tmp_path: Path) -> None:
    plan = plan_of("joint")
    first = runner.execute(plan, tmp_path, device="cpu")
    shutil.rmtree(first.done[1].path)
    shutil.rmtree(first.done[3].path)
    again = runner.execute(plan, tmp_path, device="cpu")
    assert again.ran == 2
    assert [r.key for r in again.done] == [r.key for r in first.done]
    processes = [r.data["model"]["process"] for r in again.done]
    assert processes[0] == processes[2]
    assert processes[1] == processes[3] != processes[0]


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="SIGKILL")
def test_a_kill_loses_only_the_cells_that_had_not_ended(tmp_path: Path) -> None:
    script, suite, out = tmp_path / "go.py", tmp_path / "s.toml", tmp_path / "runs"
    script.write_text(COMMAND)
    suite.write_text(text("joint[pause=0.4]"))
    process = subprocess.Popen([sys.executable, str(script), str(suite), str(out)])
    folder = out / "together" / "records"
    until = time.monotonic() + 60
    while not record_folders(folder):
        assert time.monotonic() < until, "no record appeared"
        time.sleep(0.02)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.wait()
    _, alive = psutil.wait_procs(workers, timeout=2.0)
    assert not [p for p in alive if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    standing = len(record_folders(folder))
    assert 0 < standing < 4
    outcome = runner.execute(plan_of("joint[pause=0.4]"), out, device="cpu")
    assert outcome.ran == 4 - standing
    assert len(outcome.done) == 4
    assert all(r.ok for r in outcome.done)
