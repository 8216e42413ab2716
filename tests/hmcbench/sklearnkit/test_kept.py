"""Estimators that are kept: all solvers come back, and nothing that is not trusted is written or loaded."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from hmcbench.errors import BadInput, Unavailable
from hmcbench.interfaces import Run
from hmcbench.sklearnkit import EstimatorModel, kept
from hmcbench.testing.helpers import Kind, inputs, tiny_dataset
from hmcbench.testing.helpers import fitted as fit

skops = pytest.importorskip("skops.io", reason="needs the extra keep")


class Constant(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Not on any list."""

    def fit(self, rows: np.ndarray, targets: np.ndarray) -> Constant:
        self.classes_ = np.unique(targets)
        return self

    def predict_proba(self, rows: np.ndarray) -> np.ndarray:
        return np.full((len(rows), len(self.classes_)), 1 / len(self.classes_))


def fitted(model: EstimatorModel, dataset: Any) -> EstimatorModel:
    fit(model, dataset, train=range(50), valid=range(50, 60))
    return model


@pytest.mark.parametrize("strategy", ["flat", "level", "parent", "node"])
@pytest.mark.parametrize("kind", ["tree", "ragged", "multiple", "regression"])
def test_a_model_comes_back_bit_for_bit(kind: Kind, strategy: str, tmp_path: Path) -> None:
    dataset = tiny_dataset(60, kind)

    def make() -> EstimatorModel:
        tree = DecisionTreeRegressor if kind == "regression" else DecisionTreeClassifier
        return EstimatorModel(lambda _task: tree(max_depth=3), strategy=strategy)

    model, loaded = fitted(make(), dataset), make()
    model.save(tmp_path)
    loaded.load(tmp_path, Run(dataset.task))
    before, after = model.predict(inputs(dataset)), loaded.predict(inputs(dataset))
    np.testing.assert_array_equal(before.values, after.values)
    assert (before.stop is None) == (after.stop is None)
    if before.stop is not None and after.stop is not None:
        np.testing.assert_array_equal(before.stop, after.stop)
    assert loaded.describe() == model.describe()


def test_types_that_are_not_trusted_are_refused_by_name(tmp_path: Path) -> None:
    dataset = tiny_dataset(60)
    model = fitted(EstimatorModel(lambda _task: make_pipeline(StandardScaler(), Constant())), dataset)
    with pytest.raises(BadInput, match=r"not trusted: .*Constant"):
        model.save(tmp_path)
    assert not list(tmp_path.iterdir())
    own = EstimatorModel(lambda _task: Constant(), own_types=(Constant,))
    fitted(own, dataset).save(tmp_path)
    other = EstimatorModel(lambda _task: Constant())
    with pytest.raises(BadInput, match=r"not trusted: .*Constant"):
        other.load(tmp_path, Run(dataset.task))


def test_a_file_that_names_a_function_is_refused(tmp_path: Path) -> None:
    import os

    skops.dump({"format": 1, "x": FunctionTransformer(os.system)}, tmp_path / kept.FILE)
    with pytest.raises(BadInput, match=r"not trusted: .*system"):
        kept.load(tmp_path)


def test_too_large_a_model_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = fitted(EstimatorModel(lambda _task: LogisticRegression()), tiny_dataset(60))
    monkeypatch.setattr(kept, "LARGEST", 100)
    with pytest.raises(BadInput, match="its numbers take 0 MB"):
        model.save(tmp_path)
    assert not list(tmp_path.iterdir())


def test_bytes_are_counted_once_and_through_trees() -> None:
    array = np.zeros(1000)
    assert kept.count_bytes({"a": array, "b": [array, {"c": array}]}) == 8000
    tree = DecisionTreeClassifier().fit(np.arange(8)[:, None], np.arange(8) % 2)
    assert kept.count_bytes(tree) > 64 * tree.tree_.node_count


@pytest.mark.parametrize("content", [None, b"torn", b""])
def test_damaged_files(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / kept.FILE).write_bytes(content)
    with pytest.raises(BadInput, match="cannot be read"):
        EstimatorModel(lambda _task: LogisticRegression()).load(tmp_path, Run(tiny_dataset(6).task))


def test_content_of_another_model_or_format(tmp_path: Path) -> None:
    kept.save({"views": ["table"], "width": 1, "facts": {}, "parts": [{"solver": {}}]}, tmp_path)
    with pytest.raises(BadInput, match="cannot be read"):
        EstimatorModel(lambda _task: LogisticRegression()).load(tmp_path, Run(tiny_dataset(6).task))
    skops.dump({"format": 9}, tmp_path / kept.FILE)
    with pytest.raises(BadInput, match="format 9"):
        kept.load(tmp_path)


def test_without_skops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "skops.io", None)
    with pytest.raises(Unavailable, match="skops"):
        kept.save({}, tmp_path)


def test_the_documentation_states_the_list() -> None:
    text = (Path(__file__).parents[3] / "docs" / "use.md").read_text(encoding="utf-8")
    (stated,) = re.findall(r"<!-- trusted -->\n```\n(.*?)\n```", text, re.DOTALL)
    assert tuple(stated.splitlines()) == kept.TRUSTED
