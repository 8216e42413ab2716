"""The helpers for tests, where a mistake in them would hide mistakes elsewhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hmcbench import hookimpl
from hmcbench.interfaces import Inputs, Labelled, ModelSpec, Run, Scores
from hmcbench.plan.suite import parse_suite
from hmcbench.registry.registry import default_registry
from hmcbench.testing.helpers import (
    Kind,
    assert_batch_independent,
    fitted,
    inputs,
    installed_plugin,
    labelled,
    shared_data,
    temporary_plugin,
    tiny_dataset,
    tiny_hierarchy,
    tiny_suite,
)

KINDS: tuple[Kind, ...] = ("tree", "ragged", "multiple", "dag")
PLUGIN = """
from hmcbench import ModelSpec, hookimpl

@hookimpl
def hmcbench_models():
    return [ModelSpec(name="new-model", version="1", summary="...", factory="third_party:Model")]
"""


@pytest.mark.parametrize("kind", KINDS)
def test_tiny_datasets_have_the_declared_shape(kind: Kind) -> None:
    dataset = tiny_dataset(60, kind)
    hierarchy = dataset.task.hierarchy
    assert hierarchy == tiny_hierarchy(kind)
    assert hierarchy is not None
    assert hierarchy.label_shape(dataset.targets) == (dataset.task.paths, dataset.task.depth)
    assert hierarchy.is_tree == (kind != "dag")
    assert hierarchy.is_closed(dataset.targets)
    assert dataset.targets.any(axis=0).all()
    assert dataset.fingerprint == tiny_dataset(60, kind).fingerprint
    assert len({tiny_dataset(60, k, seed=s).fingerprint for k in KINDS for s in (0, 1)}) == 8


def test_sides_of_a_dataset() -> None:
    dataset = tiny_dataset(10, groups=[str(i // 2) for i in range(10)])
    side = labelled(dataset, [4, 7])
    assert (list(side.ids), side.groups) == ([dataset.ids[4], dataset.ids[7]], ["2", "3"])
    np.testing.assert_array_equal(side.targets, dataset.targets[[4, 7]])
    np.testing.assert_array_equal(np.asarray(side.views["table"]), dataset.views["table"][[4, 7]])
    assert not hasattr(inputs(dataset), "targets")
    assert len(inputs(dataset)) == 10


class Ranking:
    """Depends on its batch on purpose."""

    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        self.n = train.targets.shape[1]

    def predict(self, inputs: Inputs) -> Scores:
        return Scores(np.tile(np.arange(len(inputs))[:, None] / len(inputs), self.n))


def test_batch_dependence_is_noticed() -> None:
    dataset = tiny_dataset(12)
    with pytest.raises(AssertionError, match="values"):
        assert_batch_independent(fitted(Ranking(), dataset), dataset)


def test_a_temporary_plugin_stands_beside_our_own() -> None:
    spec = ModelSpec(name="ranking", version="1", summary="...", factory=Ranking)
    plugin = SimpleNamespace(__name__="mine", hmcbench_models=hookimpl(lambda: [spec]))
    with temporary_plugin(plugin) as registry:
        assert registry.get("models", "ranking") is spec
        assert registry.owner("models", "ranking").name == "mine"
        assert registry.get("models", "prior")
    assert "ranking" not in {s.name for s in default_registry().specs("models")}


def test_an_installed_plugin_is_seen_here_and_by_child_processes(tmp_path: Path) -> None:
    program = "from hmcbench.registry.registry import default_registry as d; d().get('models', 'new-model')"
    with installed_plugin(tmp_path, "third_party", PLUGIN):
        assert default_registry().owner("models", "new-model").distribution == "third_party"
        subprocess.run([sys.executable, "-c", program], check=True)
    assert "new-model" not in {s.name for s in default_registry().specs("models")}
    assert str(tmp_path) not in sys.path


def test_shared_data_is_skipped_with_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HMCBENCH_SHARED", str(tmp_path))
    (tmp_path / "here").mkdir()
    assert shared_data("here") == tmp_path / "here"
    with pytest.raises(pytest.skip.Exception, match="elsewhere is not at"):
        shared_data("elsewhere")


def test_the_tiny_suite_says_what_it_was_told() -> None:
    suite = parse_suite(
        tiny_suite("mine", ["forest", "knn[neighbours=3]"], time_limit=7, seeds=2), "mine.toml"
    )
    assert (suite.name, [str(d) for d in suite.datasets]) == ("mine", ["toy-tree"])
    profile = suite.profiles["quick"]
    assert (profile.time_limit, profile.seeds, profile.threads) == (7, 2, 1)
