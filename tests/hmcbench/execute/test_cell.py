"""What a model is shown, and what is kept of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hmcbench.errors import BadInput, PluginError
from hmcbench.execute import cell as cells
from hmcbench.execute import speed
from hmcbench.execute.resources import MEMORY_THREAD
from hmcbench.interfaces import Dataset, DatasetSpec, FeaturizerSpec, ModelSpec, Param, Scores
from hmcbench.interfaces.hookspecs import hookimpl
from hmcbench.plan.cells import Cell, make_plan
from hmcbench.plan.choices import Choices
from hmcbench.plan.suite import parse_suite
from hmcbench.registry.registry import Registry
from hmcbench.testing.helpers import temporary_plugin, tiny_dataset

SEEN: list[Any] = []


class Spy:
    """Keeps what it is given."""

    def fit(self, train: Any, valid: Any, run: Any) -> None:
        SEEN.extend([train, valid, run])
        self.columns = train.targets.shape[1]

    def predict(self, inputs: Any) -> Scores:
        SEEN.append(inputs)
        return Scores(np.full((len(inputs), self.columns), 0.25))

    def describe(self) -> dict[str, Any]:
        return {"parameters": np.int64(7), "note": Path("x")}


class Recorder:
    def phase(self, name: str) -> None:
        SEEN.append(name)

    def __call__(self, step: int, total: int, **values: float) -> None:
        raise AssertionError

    def write(self) -> None:
        pass


SUITE = """
[suite]
name = "spied"
version = 1
datasets = ["tiny"]
primary = "hf1_samples"
[profiles.quick]
models = ["spy"]
"""


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    SEEN.clear()
    data = DatasetSpec(name="tiny", version="1", summary="", factory=tiny_dataset, views=("table",))
    spy = ModelSpec(name="spy", version="1", summary="", factory=Spy, views=("table",))
    plugin = SimpleNamespace(
        __name__="spied",
        hmcbench_datasets=hookimpl(lambda: [data]),
        hmcbench_models=hookimpl(lambda: [spy]),
    )
    with temporary_plugin(plugin) as own_registry:
        monkeypatch.setattr(cells, "default_registry", lambda: own_registry)
        yield own_registry


def run_alone(cell: Cell, part: Path) -> dict[str, Any]:
    recorder: Any = Recorder()
    ((_, result),) = cells.run_cells([cell], [part], [str(part)], "cpu", [recorder])
    assert isinstance(result, dict), result
    return result


@pytest.mark.parametrize("path", ["", "data"])
def test_a_path_is_absolute_in_a_cell_and_no_path_stays_none(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model may change the working directory; an empty path means that no data were given."""
    paths: list[str] = []

    def read(path: str) -> Dataset:
        paths.append(path)
        return tiny_dataset()

    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    params = {"path": Param("", cosmetic=True)}
    data = DatasetSpec(
        name="tiny", version="1", summary="", factory=read, views=("table",), params=params, path_param="path"
    )
    spy = ModelSpec(name="spy", version="1", summary="", factory=Spy, views=("table",))
    plugin = SimpleNamespace(
        __name__="reads-paths",
        hmcbench_datasets=hookimpl(lambda: [data]),
        hmcbench_models=hookimpl(lambda: [spy]),
    )
    with temporary_plugin(plugin) as registry:
        monkeypatch.setattr(cells, "default_registry", lambda: registry)
        plan = make_plan(parse_suite(SUITE, "s"), registry, Choices(data={"tiny": path} if path else {}))
        run_alone(plan.cells[0], tmp_path)
    assert paths[-1] == (str(tmp_path / "data") if path else "")


def test_test_targets_never_reach_a_model(registry: Registry, tmp_path: Path) -> None:
    plan = make_plan(parse_suite(SUITE, "s"), registry, Choices())
    (cell,) = plan.cells
    result = run_alone(cell, tmp_path)
    train, valid = (x for x in SEEN if hasattr(x, "targets"))
    counts = cell.record["split"]["counts"]
    assert (len(train), len(valid)) == (counts["train"], counts["validation"])
    assert train.targets.shape[0] == len(train)
    inputs = [x for x in SEEN if hasattr(x, "views") and not hasattr(x, "targets")]
    shown = {i for x in inputs for i in x.ids}
    assert shown.isdisjoint(train.ids)
    assert not {i for x in (train, valid) for i in x.ids} & (shown - set(valid.ids))
    assert [x for x in SEEN if isinstance(x, str)] == [
        *("load", "featurize", "fit", "predict", "measure", "score", "save")
    ]
    assert result["model"]["parameters"] == 7
    assert result["model"]["note"] == "x"


class Paused:
    """A featurizer that takes its time."""

    def transform(self, rows: Any) -> np.ndarray:
        time.sleep(0.2)
        return np.asarray(rows)


def test_the_features_of_a_cell_cost_the_same_whichever_cell_paid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second cell finds the view in the cache; its own time is shorter, its cost is not."""
    monkeypatch.setenv("HMCBENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(speed, "CALLS_S", 0.1)
    paused = FeaturizerSpec(name="paused", version="1", summary="", factory=Paused, source="table")
    spy = ModelSpec(name="spy", version="1", summary="", factory=Spy, views=("paused",))
    data = DatasetSpec(name="tiny", version="1", summary="", factory=tiny_dataset, views=("table",))
    plugin = SimpleNamespace(
        __name__="paused",
        hmcbench_datasets=hookimpl(lambda: [data]),
        hmcbench_featurizers=hookimpl(lambda: [paused]),
        hmcbench_models=hookimpl(lambda: [spy]),
    )
    with temporary_plugin(plugin) as registry:
        monkeypatch.setattr(cells, "default_registry", lambda: registry)
        plan = make_plan(parse_suite(SUITE, "s"), registry, Choices(seeds=2))
        first, second = (run_alone(cell, tmp_path)["timing"] for cell in plan.cells)
    assert (first["views_cached"], second["views_cached"]) == (False, True)
    assert first["featurize_s"] == second["featurize_s"] > 0.2
    assert first["featurize_cpu_s"] == second["featurize_cpu_s"]
    assert second["total_s"] > second["featurize_s"]
    assert second["elapsed_s"] - second["measure_s"] < first["featurize_s"]
    assert second["throughput_per_s"] < 1000, "a new sample needs the features"


def test_what_a_search_cost_stands_among_the_costs(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cell,) = make_plan(parse_suite(SUITE, "s"), registry, Choices()).cells
    facts = {"search_s": np.float64(1.5), "search_candidates": 12, "chosen": "C=1"}
    assert not {"search_s", "search_candidates"} & set(run_alone(cell, tmp_path)["timing"])
    monkeypatch.setattr(Spy, "describe", lambda _: facts)
    result = run_alone(cell, tmp_path)
    assert (result["timing"]["search_s"], result["timing"]["search_candidates"]) == (1.5, 12)
    assert result["model"]["chosen"] == "C=1"
    assert not {"search_s", "search_candidates"} & set(result["model"])


def test_the_time_before_a_kill_counts(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cell,) = make_plan(parse_suite(SUITE, "s"), registry, Choices()).cells
    monkeypatch.setattr(Spy, "describe", lambda _: {"earlier_fit_s": 1000.0})
    result = run_alone(cell, tmp_path)
    assert result["timing"]["earlier_fit_s"] == 1000
    assert 1000 < result["timing"]["fit_s"] < result["timing"]["total_s"] < 1100
    assert "earlier_fit_s" not in result["model"]
    for wrong in ("1 h", float("nan"), True):
        monkeypatch.setattr(Spy, "describe", lambda _, wrong=wrong: {"earlier_fit_s": wrong})
        with pytest.raises(AssertionError, match=r"PluginError.* as earlier_fit_s, not a number"):
            run_alone(cell, tmp_path)


class Keeper(Spy):
    """Can be saved, into a folder of a disk that may be full."""

    full = False

    def save(self, folder: Path) -> None:
        (folder / "weights").write_bytes(b"12345")
        if self.full:
            raise OSError(28, "No space left on device")


def test_what_a_model_saves_is_kept_and_recorded(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = parse_suite(SUITE, "s")
    (yes,), (no,) = (make_plan(suite, registry, Choices(keep_weights=keep)).cells for keep in (True, False))
    assert yes.key == no.key

    def kept(cell: Any, name: str) -> tuple[Any, bool]:
        part = tmp_path / name
        part.mkdir()
        return run_alone(cell, part)["weights"], (part / "model").exists()

    assert kept(yes, "cannot") == (None, False)  # Spy has no save
    registry.get("models", "spy").factory = Keeper
    assert kept(no, "told not to") == (None, False)
    weights, there = kept(yes, "kept")
    assert there and weights["bytes"] == 5 and len(weights["sha256"]) == 64
    monkeypatch.setattr(Keeper, "full", True)
    weights, there = kept(yes, "full disk")
    assert not there and weights["sha256"] is None and "No space" in weights["problem"]


def test_seeds_reach_python_and_numpy() -> None:
    import random

    def draw() -> tuple[float, float]:
        cells.seed_everything(5)
        return random.random(), float(np.random.random())  # noqa: NPY002

    assert draw() == draw()


@pytest.mark.parametrize("part", ["fingerprint", "hierarchy"])
def test_other_data_of_the_same_samples_are_noticed(registry: Registry, tmp_path: Path, part: str) -> None:
    """Between the plan and the worker somebody may have written other labels or columns."""
    (cell,) = make_plan(parse_suite(SUITE, "s"), registry, Choices()).cells
    planned = {**cell.record["dataset"], part: "of other data"}
    recorder: Any = Recorder()
    changed = replace(cell, record={**cell.record, "dataset": planned})
    ((_, error),) = cells.run_cells([changed], [tmp_path], [str(tmp_path)], "cpu", [recorder])
    assert isinstance(error, BadInput) and "the data of tiny changed" in str(error)
    assert not any(thread.name == MEMORY_THREAD for thread in threading.enumerate())


def test_what_a_model_says_is_not_who_it_is(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cell,) = make_plan(parse_suite(SUITE, "s"), registry, Choices()).cells
    facts = {"params": [1], "label": "best", "members": 3, "version": "9", "parameters": 5}
    monkeypatch.setattr(Spy, "describe", lambda _: facts)
    said = run_alone(cell, tmp_path)["model"]
    planned = cell.record["model"]
    assert {name: said[name] for name in planned if name != "parameters"} == {
        name: value for name, value in planned.items() if name != "parameters"
    }
    assert said["parameters"] == 5 and "members" not in said
    assert (said["described_label"], said["described_members"]) == ("best", 3)


def test_facts_are_such_as_json_holds() -> None:
    facts = {
        "nan": float("nan"),
        "inside": {1: np.float64("inf"), "array": np.arange(2), "set": {3}},
        "pair": (np.int64(1), [np.nan, True, None]),
        "number": np.float32(0.5),
        "large": [2**63 - 1, -(2**1100)],
        "path": Path("x"),
    }
    assert cells.plain(facts) == {
        "nan": None,
        "inside": {"1": None, "array": [0, 1], "set": "{3}"},
        "pair": [1, [None, True, None]],
        "number": 0.5,
        "large": [2**63 - 1, "a whole number of 1,101 bits"],
        "path": "x",
    }


def test_what_is_no_table_is_no_fact() -> None:
    assert cells.facts_of(SimpleNamespace(describe=lambda: None)) == {}
    with pytest.raises(PluginError, match=r"describe\(\) returned a value of type list, not a mapping"):
        cells.facts_of(SimpleNamespace(describe=lambda: [1]))
