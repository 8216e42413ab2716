"""Cells that predict shifts: with what was fitted, with what was kept, or by running again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hmcbench import Scores, ShiftInputs, ShiftSpec, hookimpl
from hmcbench.execute import cell as cells
from hmcbench.execute import shifts as executed
from hmcbench.execute.outcome import record_outcome
from hmcbench.execute.runner import RunOutcome, execute, existing, pending
from hmcbench.interfaces import MetricSpec, ModelSpec
from hmcbench.leaderboard.build import build
from hmcbench.metrics.builtin import SPECS
from hmcbench.metrics.computing import compute_sides
from hmcbench.plan.cells import Plan, make_plan
from hmcbench.plan.choices import Choices
from hmcbench.plan.suite import parse_suite
from hmcbench.records import shifts as stored
from hmcbench.records.record import NPZ, Record, read_all, read_record
from hmcbench.records.weights import MODEL_FOLDER
from hmcbench.registry.registry import Registry
from hmcbench.testing.helpers import temporary_plugin

SUITE = """
[suite]
name = "shifted"
version = 1
datasets = ["toy-tree[noise=2]"]
primary = "hf1_samples"
columns = ["hf1_samples", "mine"]
[protocol]
test = 0.3
[profiles.quick]
models = ["means"]
"""
FITS: list[int] = []


class Means:
    """The nearest mean of a class; may be kept."""

    def fit(self, train: Any, valid: Any, run: Any) -> None:
        FITS.append(len(train))
        table, truth = np.asarray(train.views["table"]), train.dense_targets
        self.means = np.stack([table[truth[:, c]].mean(axis=0) for c in range(truth.shape[1])])

    def predict(self, inputs: Any) -> Scores:
        table = np.asarray(inputs.views["table"])
        if not np.isfinite(table).all():
            raise ValueError("missing values")
        distance = ((table[:, None] - self.means) ** 2).sum(axis=2)
        return Scores(np.exp(-distance / distance.mean(axis=1, keepdims=True)))

    def save(self, folder: Path) -> None:
        np.save(folder / "means.npy", self.means)

    def load(self, folder: Path, run: Any) -> None:
        self.means = np.load(folder / "means.npy")


def add(inputs: ShiftInputs, severity: float) -> np.ndarray:
    return np.asarray(inputs.rows) + severity


def some(inputs: ShiftInputs, severity: float) -> np.ndarray:
    """Seen by four test samples."""
    return add(inputs, severity)


def of_many(evaluation: Any) -> float:
    if len(evaluation) <= 4:
        raise RuntimeError("too few")
    return 1.0


def breaks(inputs: ShiftInputs, severity: float) -> np.ndarray:
    raise RuntimeError("no such\ninstrument")


def shift(name: str, factory: Any, **more: Any) -> ShiftSpec:
    usual = {"version": "1", "summary": "one line", "views": ("table",), "severities": (1.0, 3.0)}
    return ShiftSpec(name=name, factory=factory, unit="m", **usual, **more)


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    FITS.clear()
    means = ModelSpec(name="means", version="1", summary="means", factory=Means, views=("table",))
    mine = MetricSpec(name="mine", version="1", summary="fails on few samples", factory=of_many)
    plugin = SimpleNamespace(
        __name__="means",
        hmcbench_models=hookimpl(lambda: [means]),
        hmcbench_metrics=hookimpl(lambda: [mine]),
        hmcbench_shifts=hookimpl(
            lambda: [shift("add", add), shift("some", some, samples=4), shift("breaks", breaks)]
        ),
    )
    with temporary_plugin(plugin) as own_registry:
        for module in (cells, executed):
            monkeypatch.setattr(module, "default_registry", lambda: own_registry)
        yield own_registry


@pytest.fixture
def run(registry: Registry, tmp_path: Path) -> Callable[..., Record]:
    """``run("add")``: the record of the one cell, whose shifts are asked for."""

    def call(*names: str, weights: bool = True) -> Record:
        outcome: RunOutcome = execute(plan(registry, *names, weights=weights), tmp_path, executor="here")
        (record,) = outcome.done
        assert record.ok, record.message
        return record

    return call


def plan(registry: Registry, *names: str, weights: bool = True) -> Plan:
    choices = Choices(shifts=names, keep_weights=weights)
    return make_plan(parse_suite(SUITE, "file"), registry, choices)


def points(record: Record) -> dict[stored.ShiftPoint, stored.Shifted]:
    return stored.stored_shifts(record, record.predictions())


def test_a_cell_predicts_what_its_model_says_of_shifted_inputs(run: Any, registry: Registry) -> None:
    record = run("add")
    part = record.part("shifts")
    assert set(points(record)) == {("add", 1.0), ("add", 3.0)}
    block = part["of"]["add"]
    assert (block["version"], block["unit"], block["severities"]) == ("1", "m", [1.0, 3.0])
    plain = record.metrics("test")["hf1_samples"]
    first, second = (values["hf1_samples"] for values in block["metrics"])
    assert plain > min(first, second)
    assert part["bytes"] == (record.path / stored.FILE).stat().st_size
    assert "unread" not in block and record.part("timing")["shifts_s"] > 0
    # the slow way: the model on rows that are shifted by hand
    (cell,) = plan(registry).cells
    dataset, split = cells.load(registry, cell)
    model = Means()
    model.load(record.path / MODEL_FOLDER, None)
    table = np.asarray(dataset.views["table"])[split.sides["test"]]
    slow = model.predict(SimpleNamespace(views={"table": table + 3.0})).values
    assert np.allclose(points(record)["add", 3.0].scores, slow, atol=1e-3)


def test_the_key_and_everything_else_of_a_record_are_the_same_without(run: Any, tmp_path: Path) -> None:
    plain, shifted = run(), None
    shutil.rmtree(tmp_path / "shifted")
    shifted = run("add")
    assert plain.key == shifted.key and "shifts" not in plain.data
    assert plain.data["metrics"] == shifted.data["metrics"]


def test_missing_shifts_are_predicted_with_the_kept_model(run: Any, tmp_path: Path) -> None:
    before = run()
    content = {path.name: path.read_bytes() for path in before.path.iterdir() if path.is_file()}
    record = run("add")
    assert len(FITS) == 1, "fitted once"
    assert set(points(record)) == {("add", 1.0), ("add", 3.0)}
    for name, value in content.items():
        if name != "record.json":
            assert (record.path / name).read_bytes() == value
    assert {k: v for k, v in record.data.items() if k != "shifts"} == dict(before.data)
    assert (record.path / MODEL_FOLDER / "means.npy").is_file()
    assert [r.path for r in read_all(tmp_path)] == [record.path]


def test_nothing_is_done_twice_and_earlier_shifts_stay(run: Any, registry: Registry, tmp_path: Path) -> None:
    run("add")
    todo = plan(registry, "add")
    assert pending(todo, existing(todo, tmp_path).records, "missing") == []
    record = run("noise")
    assert {point.shift for point in points(record)} == {"add", "noise"} and len(FITS) == 1
    todo = plan(registry)
    assert pending(todo, existing(todo, tmp_path).records, "missing") == []


def test_a_rerun_keeps_shifts_unless_none_are_asked_for(run: Any, registry: Registry, tmp_path: Path) -> None:
    before = points(run("add"))
    outcome = execute(plan(registry), tmp_path, executor="here", rerun="all")
    assert len(FITS) == 2 and outcome.ran == 1
    assert points(outcome.done[0]).keys() == before.keys()
    outcome = execute(plan(registry, "none"), tmp_path, executor="here", rerun="all")
    assert len(FITS) == 3 and not outcome.done[0].part("shifts")


def test_other_severities_and_versions_are_missing(run: Any, registry: Registry) -> None:
    record = run("add")
    (cell,) = plan(registry, "add").cells
    assert not executed.lacks_shifts(cell, record)
    for change in ({"version": "2"}, {"severities": [1.0]}):
        other = json.loads(json.dumps(record.data))
        other["shifts"]["of"]["add"] |= change
        assert executed.lacks_shifts(cell, Record(record.path, other))


def test_a_shift_may_be_seen_by_some_test_samples(run: Any, registry: Registry) -> None:
    record = run("some", "add")
    block = record.part("shifts")["of"]["some"]
    assert block["samples"] == 4 and "before" not in record.part("shifts")["of"]["add"]
    shifted = points(record)["some", 3.0]
    assert len(shifted) == 4 and len(points(record)["add", 3.0]) > 4
    seen = record.predictions().of_side("test").take(shifted.seen)
    assert block["before"] == dict(
        compute_sides(SPECS, seen, record.thresholds, list(block["before"]))["test"]
    )
    # the slow way: the model on rows that are shifted by hand
    (cell,) = plan(registry).cells
    dataset, split = cells.load(registry, cell)
    model = Means()
    model.load(record.path / MODEL_FOLDER, None)
    table = np.asarray(dataset.views["table"])[split.sides["test"]][shifted.seen]
    assert [dataset.ids[i] for i in split.sides["test"][shifted.seen]] == seen.ids
    slow = model.predict(SimpleNamespace(views={"table": table + 3.0})).values
    assert np.allclose(shifted.scores, slow, atol=1e-3)
    (cell,) = plan(registry, "some").cells
    assert not executed.lacks_shifts(cell, record)
    other = replace(cell, shifts=(replace(cell.shifts[0], samples=5),))
    assert executed.lacks_shifts(other, record)


def test_without_weights_the_cell_is_run_again(run: Any) -> None:
    run(weights=False)
    record = run("add", weights=False)
    assert len(FITS) == 2 and len(points(record)) == 2


def test_a_model_that_predicts_something_else_is_fitted_again(run: Any) -> None:
    record = run()
    means = np.load(record.path / MODEL_FOLDER / "means.npy")
    np.save(record.path / MODEL_FOLDER / "means.npy", means[::-1])
    with pytest.warns(UserWarning, match="does not predict as in its record"):
        record = run("add")
    assert len(FITS) == 2 and len(points(record)) == 2
    assert np.array_equal(np.load(record.path / MODEL_FOLDER / "means.npy"), means)


def test_a_shift_that_fails_costs_its_own_numbers_only(run: Any, registry: Registry, tmp_path: Path) -> None:
    record = run("breaks", "add")
    assert record.part("shifts")["of"]["breaks"]["problem"] == "RuntimeError: no such instrument"
    assert len(points(record)) == 2 and record.metrics("test")
    todo = plan(registry, "breaks", "add")
    assert pending(todo, existing(todo, tmp_path).records, "missing") == [], "a failure is not repeated"


def test_a_metric_that_fails_under_a_shift_alone_is_told_by_the_record_and_the_board(run: Any) -> None:
    record = run("some", "add")
    (failed, whole) = (record.part("shifts")["of"][name] for name in ("some", "add"))
    reason = {"mine": "RuntimeError: too few"}
    assert failed["metric_failures"] == {"0": reason, "1": reason, "3": reason}
    assert not any("mine" in values for values in (failed["before"], *failed["metrics"]))
    assert "metric_failures" not in whole and all("mine" in values for values in whole["metrics"])
    assert not record.part("metric_failures") and read_record(record.path).data == record.data
    (board,) = build([record])
    assert "metric mine under shift some failed in 1 of 1 cells: RuntimeError: too few" in board.notes
    assert board.shifts is not None and board.shifts.metric == "hf1_samples"


def test_a_killed_process_leaves_the_record_as_it_was(run: Any, registry: Registry, tmp_path: Path) -> None:
    before = run()
    todo = plan(registry, "add")
    (cell,) = pending(todo, existing(todo, tmp_path).records, "missing")
    assert cell.kept == str(before.path)
    part, work = before.path.parent / ".part-x", tmp_path / "work"
    part.mkdir()
    work.mkdir()
    (part / stored.FILE).write_bytes(b"half")
    job = SimpleNamespace(cell=cell, part=part, work=work)
    event: Any = SimpleNamespace(job=job, killed="time-out", exit=None, seconds=1.0)
    record = record_outcome(event, before.path.parent, None)
    assert record.ok and record.metrics("test") == before.metrics("test")
    assert (record.path / NPZ).is_file() and not (record.path / stored.FILE).exists()
    assert "time-out" in record.part("shifts")["of"]["add"]["problem"]


def test_missing_values_are_filled_for_models_that_take_none(run: Any) -> None:
    assert len(points(run("missing-values"))) == 5
