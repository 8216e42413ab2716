"""Models and metrics of third-party plugins in real cells: what they may not break."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from hmcbench.errors import BadInput
from hmcbench.execute import runner
from hmcbench.execute.executors import local
from hmcbench.plan.cells import Plan, make_plan
from hmcbench.plan.choices import Choices
from hmcbench.plan.suite import parse_suite
from hmcbench.records.record import Record
from hmcbench.registry.registry import default_registry
from hmcbench.testing.helpers import installed_plugin, tiny_suite

PLUGIN = """
import os, time
from hmcbench import MetricSpec, ModelSpec, hookimpl

@hookimpl
def hmcbench_models():
    return [ModelSpec(name="mover", version="1", summary="", factory="odd:Mover", views=("table",))]

@hookimpl
def hmcbench_metrics():
    about = {"version": "1", "summary": "", "decided": False}
    return [
        MetricSpec(name="leaver", factory="odd:leave", **about),
        MetricSpec(name="zero_scores", factory="odd:zero", **about),
        MetricSpec(name="sleeper", factory="odd:sleep", **about),
    ]

def leave(evaluation):
    raise SystemExit(3)

def zero(evaluation):
    evaluation.scores[:] = 0
    return 0.0

def sleep(evaluation):
    time.sleep(1.2)
    return 1.0

class Mover:
    def fit(self, train, valid, run):
        self.columns = run.task.hierarchy.n
        os.chdir("/")
        with open(os.path.join(run.folder, "checkpoint"), "w") as file:
            file.write("x")

    def predict(self, inputs):
        import numpy as np
        from hmcbench import Scores
        return Scores(np.full((len(inputs), self.columns), 0.25))
"""


def plan_of(model: str, metrics: str = "") -> Plan:
    text = tiny_suite("odd", [model]).replace("[protocol]", f"{metrics}\n[protocol]", 1)
    return make_plan(parse_suite(text, "odd.toml"), default_registry(), Choices())


def record_of(tmp_path: Path, model: str, metrics: str = "") -> Record:
    with installed_plugin(tmp_path / "plugin", "odd", PLUGIN):
        outcome = runner.execute(plan_of(model, metrics), Path("runs"), device="cpu")
    (record,) = outcome.done
    return record


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are written to a relative path."""
    monkeypatch.chdir(tmp_path)


def test_bad_metrics_neither_end_a_cell_nor_change_its_other_values_nor_count_as_its_time(
    tmp_path: Path,
) -> None:
    bad = record_of(tmp_path, "random")
    assert bad.ok and {"leaver", "zero_scores"}.isdisjoint(bad.data["metrics"]["test"])
    alone = runner.execute(plan_of("random"), tmp_path / "alone", device="cpu").done[0]
    values = {k: v for k, v in bad.data["metrics"]["test"].items() if k != "sleeper"}
    assert values == alone.data["metrics"]["test"] and values["violation_rate"] > 0
    assert bad.data["timing"]["metrics_s"]["sleeper"] >= 2.4  # on two partitions, or more
    assert bad.data["timing"]["total_s"] < bad.data["timing"]["score_s"]
    assert "sleeper" not in alone.data["timing"].get("metrics_s", {})


def test_a_suite_names_the_metrics_that_it_wants(tmp_path: Path) -> None:
    record = record_of(tmp_path, "prior", 'metrics = ["level{k}_accuracy", "exact_match"]')
    levels = {"level1_accuracy", "level2_accuracy", "level3_accuracy"}
    named = set(record.data["metrics"]["test"])
    assert {"hf1_samples", "exact_match"} < named <= {"hf1_samples", "exact_match", *levels}
    every = {cell.key for cell in plan_of("prior").cells}
    assert every == {cell.key for cell in plan_of("prior", 'metrics = ["exact_match"]').cells}
    with pytest.raises(BadInput, match="exact_matsch"):
        plan_of("prior", 'metrics = ["exact_matsch"]')


def test_a_model_that_changes_the_working_directory_does_no_harm(tmp_path: Path) -> None:
    record = record_of(tmp_path, "mover")
    assert (record.ok, record.data["message"]) == (True, "")
    assert (tmp_path / record.path / "predictions.npz").exists()


def test_the_time_of_metrics_does_not_count_towards_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    unused: Any = None
    running = local._Running([], [], "cpu", unused, unused, unused, started=90.0)
    assert running.seconds() == 10
    running.enter("score")
    now = 150.0
    assert running.seconds() == 10
    running.enter("save")
    now = 151.0
    assert running.seconds() == 11
    running.enter("score")
    now = 151.0 + local.SCORING_S
    assert running.seconds() == 61  # an endless phase of scoring ends all the same
