"""scikit-learn estimators as models: scores of every kind of task, seeds, threads, odd training data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeRegressor

from hmcbench.errors import PluginError
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Dataset, Scores, Task
from hmcbench.sklearnkit import EstimatorModel
from hmcbench.testing.helpers import Kind, assert_batch_independent, fitted, inputs, same_scores, tiny_dataset

KINDS: tuple[Kind, ...] = ("tree", "ragged", "multiple", "dag")
MAKERS: dict[str, Callable[[], EstimatorModel]] = {
    "forest": lambda: EstimatorModel(lambda task: RandomForestClassifier(9), "table", multi_output=True),
    "one per class": lambda: EstimatorModel(lambda task: ExtraTreesClassifier(5), "table"),
    "pipeline": lambda: EstimatorModel(
        lambda task: make_pipeline(StandardScaler(), LogisticRegression()), "table"
    ),
    "neighbours": lambda: EstimatorModel(lambda task: KNeighborsClassifier(3), "table", multi_output=True),
}


def coherent(hierarchy: Hierarchy, values: np.ndarray) -> bool:
    parent, child = hierarchy.edge_index.T
    return bool((values[:, child] <= values[:, parent] + 1e-12).all())


def level_sums(hierarchy: Hierarchy, scores: Scores) -> np.ndarray:
    """(L, N): what the classes of each level and its ``stop`` add up to."""
    stop = scores.stop if scores.stop is not None else np.zeros((len(scores.values), hierarchy.depth))
    levels = range(1, hierarchy.depth + 1)
    return np.array([scores.values[:, hierarchy.level_classes(k)].sum(1) + stop[:, k - 1] for k in levels])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", MAKERS)
def test_every_task_learns_repeats_and_sees_one_sample_at_a_time(name: str, kind: Kind) -> None:
    dataset = tiny_dataset(90, kind, noise=0.3)
    hierarchy = dataset.task.hierarchy
    assert hierarchy is not None
    scores = assert_batch_independent(fitted(MAKERS[name](), dataset, seed=5, threads=2), dataset)
    again = fitted(MAKERS[name](), dataset, seed=5, threads=2).predict(inputs(dataset))
    assert same_scores(scores, again)
    assert scores.values.shape == dataset.targets.shape
    assert scores.values.min() >= 0
    assert scores.values.max() <= 1 + 1e-6
    assert (scores.stop is not None) == (kind == "ragged")
    if dataset.task.paths == "single":
        assert coherent(hierarchy, scores.values)
        np.testing.assert_allclose(level_sums(hierarchy, scores), 1, atol=1e-6)
    unseen = slice(60, None)
    right = (scores.values[unseen] > 0.5) == dataset.targets[unseen]
    assert right.mean() > 0.85


@pytest.mark.parametrize("kind", KINDS)
def test_sparse_targets_are_the_same(kind: Kind) -> None:
    dataset = tiny_dataset(60, kind)
    thin = replace(dataset, targets=sparse.csr_array(dataset.targets))
    for name in ("forest", "one per class"):
        first, second = (fitted(MAKERS[name](), d).predict(inputs(d)) for d in (dataset, thin))
        assert same_scores(first, second)


def test_the_seed_reaches_parts_and_a_fixed_one_is_respected() -> None:
    dataset = tiny_dataset(60)

    def scores(seed: int, fixed: int | None = None) -> Scores:
        forest = RandomForestClassifier(3, random_state=fixed)
        model = EstimatorModel(lambda task: make_pipeline(StandardScaler(), forest), "table")
        return fitted(model, dataset, seed=seed).predict(inputs(dataset))

    assert same_scores(scores(1), scores(1))
    assert not same_scores(scores(1), scores(2))
    assert same_scores(scores(1, fixed=7), scores(2, fixed=7))


def test_threads_are_the_runs_for_fit_and_one_for_predict() -> None:
    used: list[int] = []

    class Spy(KNeighborsClassifier):  # type: ignore[misc]  # scikit-learn has no types
        def fit(self, rows: Any, targets: Any) -> Any:
            used.append(self.n_jobs)
            return super().fit(rows, targets)

        def predict_proba(self, rows: Any) -> Any:
            used.append(self.n_jobs)
            return super().predict_proba(rows)

    dataset = tiny_dataset(20)
    model = fitted(EstimatorModel(lambda task: Spy(n_jobs=-1), "table"), dataset, threads=3)
    model.predict(inputs(dataset))
    assert used == [3, 1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", MAKERS)
def test_classes_missing_from_training_score_nothing(name: str, kind: Kind) -> None:
    dataset = tiny_dataset(60, kind)
    hierarchy = dataset.task.hierarchy
    assert hierarchy is not None
    gone = hierarchy.n - 1
    train = np.flatnonzero(~dataset.targets[:, gone])
    scores = fitted(MAKERS[name](), dataset, train=train, valid=[0]).predict(inputs(dataset))
    assert (scores.values[:, gone] == 0).all()
    assert np.isfinite(scores.values).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["forest", "one per class", "pipeline"])
def test_one_training_sample_is_repeated_for_all(name: str, kind: Kind) -> None:
    dataset = tiny_dataset(12, kind)
    scores = assert_batch_independent(fitted(MAKERS[name](), dataset, train=[4], valid=[5]), dataset)
    np.testing.assert_array_equal(scores.values, np.repeat(dataset.targets[[4]], 12, axis=0))


def test_one_class_that_varies_among_constant_ones() -> None:
    hierarchy = Hierarchy.from_edges([("", "a"), ("", "b"), ("", "c")])
    targets = np.array([[True, False, i % 2 == 0] for i in range(20)])
    table = targets[:, 2:].astype(np.float32)
    dataset = Dataset(
        ids=[str(i) for i in range(20)],
        views={"table": table},
        targets=targets,
        task=Task(paths="multiple", hierarchy=hierarchy),
        fingerprint="",
    )
    for name in ("forest", "one per class", "neighbours"):
        scores = fitted(MAKERS[name](), dataset).predict(inputs(dataset))
        np.testing.assert_allclose(scores.values, targets, atol=0.4)
        assert (scores.values[:, :2] == [1, 0]).all()


def test_samples_without_any_class_end_at_once() -> None:
    dataset = tiny_dataset(60, "ragged")
    targets = dataset.targets.copy()
    table = dataset.views["table"].copy()
    targets[::4], table[::4] = False, 20.0
    dataset = replace(dataset, targets=targets, views={"table": table})
    scores = fitted(MAKERS["neighbours"](), dataset).predict(inputs(dataset))
    assert scores.stop is not None
    assert (scores.stop[::4] == 1).all()
    assert (scores.values[::4] == 0).all()


def test_leaves_at_several_levels_stop_even_where_depth_is_full() -> None:
    hierarchy = Hierarchy.from_edges([("", "a"), ("", "b"), ("b", "c")])
    labels = [["a"] if i % 2 else ["c"] for i in range(20)]
    dataset = Dataset(
        ids=[str(i) for i in range(20)],
        views={"table": np.array([[i % 2] for i in range(20)], dtype=np.float32)},
        targets=hierarchy.encode(labels),
        task=Task(hierarchy=hierarchy),
        fingerprint="",
    )
    scores = fitted(MAKERS["neighbours"](), dataset).predict(inputs(dataset, [0, 1]))
    assert scores.stop is not None
    np.testing.assert_array_equal(scores.values, [[0, 1, 1], [1, 0, 0]])
    np.testing.assert_array_equal(scores.stop, [[0, 0], [0, 1]])


REGRESSORS: dict[str, Callable[[], EstimatorModel]] = {
    "one per target": lambda: EstimatorModel(lambda task: Ridge(1e-6), "table"),
    "together": lambda: EstimatorModel(lambda task: Ridge(1e-6), "table", multi_output=True),
    "neighbours": lambda: EstimatorModel(lambda task: KNeighborsRegressor(2), "table", multi_output=True),
    "tree": lambda: EstimatorModel(lambda task: DecisionTreeRegressor(), "table"),
}


@pytest.mark.parametrize("name", REGRESSORS)
@pytest.mark.parametrize("targets", [1, 2])
def test_regression(name: str, targets: int) -> None:
    dataset = tiny_dataset(60, "regression", noise=0.1)
    task = Task(kind="regression", targets=dataset.task.targets[:targets])
    dataset = replace(dataset, task=task, targets=dataset.targets[:, :targets])
    scores = assert_batch_independent(fitted(REGRESSORS[name](), dataset), dataset)
    assert scores.values.shape == (60, targets)
    assert scores.stop is None
    if "t" in name[:1]:
        assert same_scores(scores, fitted(REGRESSORS[name](), dataset).predict(inputs(dataset)))
    if name in ("one per target", "together"):
        assert np.abs(scores.values - dataset.targets).max() < 0.3


def test_views_of_any_shape_are_flattened() -> None:
    dataset = tiny_dataset(40)
    blocks = replace(dataset, views={"table": dataset.views["table"].reshape(40, 2, 4)})
    first, second = (fitted(MAKERS["forest"](), d).predict(inputs(d)) for d in (dataset, blocks))
    assert same_scores(first, second)


def test_a_classifier_without_probabilities_is_refused_and_a_model_names_its_estimator() -> None:
    dataset = tiny_dataset(20)
    with pytest.raises(PluginError, match="LinearSVC has no predict_proba"):
        fitted(EstimatorModel(lambda task: LinearSVC(), "table"), dataset)
    model: Any = fitted(MAKERS["forest"](), dataset)
    assert model.describe() == {"estimator": "RandomForestClassifier"}
