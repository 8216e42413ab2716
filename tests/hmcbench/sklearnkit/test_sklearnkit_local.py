"""Local classifiers: coherent where they should be, the same as hiclass's where that is right."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from hmcbench.errors import BadInput, HmcbenchError
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Dataset, Scores, Task
from hmcbench.sklearnkit import EstimatorModel
from hmcbench.sklearnkit.local import groups
from hmcbench.testing.helpers import (
    Kind,
    assert_batch_independent,
    fitted,
    inputs,
    same_scores,
    tiny_dataset,
    tiny_hierarchy,
)

LOCAL = ("level", "parent", "node")
KINDS: tuple[Kind, ...] = ("tree", "ragged", "multiple", "dag")
MAKERS: dict[str, tuple[Callable[..., Any], bool]] = {
    "logistic": (lambda task: LogisticRegression(), False),
    "forest": (lambda task: RandomForestClassifier(9), True),
}


def model(strategy: str, name: str = "logistic") -> EstimatorModel:
    make, together = MAKERS[name]
    return EstimatorModel(make, "table", together, strategy=strategy)


def hierarchy_of(dataset: Dataset) -> Hierarchy:
    assert dataset.task.hierarchy is not None
    return dataset.task.hierarchy


def coherent(hierarchy: Hierarchy, values: np.ndarray) -> bool:
    parent, child = hierarchy.edge_index.T
    return bool((values[:, child] <= values[:, parent] + 1e-12).all())


def descend(hierarchy: Hierarchy, values: np.ndarray) -> list[list[str]]:
    """Top down, the best child every time: what hiclass predicts."""
    paths = []
    for row in values:
        path, below = [], list(hierarchy.level_classes(1))
        while below:
            best = max(below, key=lambda column: row[column])
            path.append(hierarchy.classes[best])
            below = [hierarchy.index(c) for c in hierarchy.children(path[-1])]
        paths.append(path)
    return paths


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("strategy", LOCAL)
@pytest.mark.parametrize("name", MAKERS)
def test_every_strategy_learns_every_task(name: str, strategy: str, kind: Kind) -> None:
    dataset = tiny_dataset(90, kind, noise=0.3)
    hierarchy = hierarchy_of(dataset)
    scores = assert_batch_independent(fitted(model(strategy, name), dataset, seed=5), dataset)
    assert same_scores(scores, fitted(model(strategy, name), dataset, seed=5).predict(inputs(dataset)))
    assert scores.values.min() >= 0
    assert scores.values.max() <= 1 + 1e-9
    assert ((scores.values > 0.5) == dataset.targets)[60:].mean() > 0.8
    assert (scores.stop is not None) == (kind == "ragged")
    if strategy != "level":
        assert coherent(hierarchy, scores.values)
    if dataset.task.paths == "single":
        stop = scores.stop if scores.stop is not None else np.zeros((90, hierarchy.depth))
        for k in range(1, hierarchy.depth + 1):
            total = scores.values[:, hierarchy.level_classes(k)].sum(1) + stop[:, k - 1]
            np.testing.assert_allclose(total, 1, atol=1e-6)


HICLASS = {
    "level": "LocalClassifierPerLevel",
    "parent": "LocalClassifierPerParentNode",
    "node": "LocalClassifierPerNode",
}


@pytest.mark.parametrize("base", [LogisticRegression(), GaussianNB()])  # no ties, unlike trees
@pytest.mark.parametrize("strategy", LOCAL)
def test_decisions_are_those_of_hiclass(strategy: str, base: Any) -> None:
    hiclass = pytest.importorskip("hiclass")
    from sklearn.base import clone

    dataset = tiny_dataset(120, "tree", noise=3.0, seed=1)  # hard enough that both make mistakes
    hierarchy = hierarchy_of(dataset)
    places, _ = hierarchy.level_positions(dataset.targets)
    columns = [hierarchy.level_classes(k) for k in range(1, hierarchy.depth + 1)]
    names = np.array([[hierarchy.classes[c[i]] for c, i in zip(columns, row, strict=True)] for row in places])
    table = np.asarray(dataset.views["table"], dtype=np.float64)
    theirs = getattr(hiclass, HICLASS[strategy])(local_classifier=clone(base))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of scikit-learn, about how hiclass calls it
        theirs.fit(table[:80], names[:80])
        expected = [list(map(str, row)) for row in theirs.predict(table[80:])]
    ours = EstimatorModel(lambda task: clone(base), "table", strategy=strategy)
    dataset = replace(dataset, views={"table": table})
    model = fitted(ours, dataset, train=range(80), valid=[80])
    values = model.predict(inputs(dataset, range(80, 120))).values
    decisions = descend(hierarchy, values)
    assert decisions == expected
    assert decisions != [list(row) for row in names[80:]]


def test_a_parents_score_is_shared_out_among_its_children_and_stop() -> None:
    hierarchy = Hierarchy.from_edges([("", "a"), ("", "b"), ("a", "a1"), ("a", "a2")])
    labels = [["a1"], ["a1"], ["a2"], ["a"], ["b"], ["b"]] * 4
    x = [0.0, 0, 1, 2, 3, 3] * 4
    dataset = Dataset(
        ids=[str(i) for i in range(24)],
        views={"table": np.array(x, dtype=np.float32)[:, None]},
        targets=hierarchy.encode(labels).toarray(),
        task=Task(depth="ragged", hierarchy=hierarchy),
        fingerprint="",
    )
    for strategy in ("parent", "node"):
        tree = EstimatorModel(lambda task: DecisionTreeClassifier(), "table", strategy=strategy)
        scores = fitted(tree, dataset, train=range(24)).predict(inputs(dataset, range(6)))
        expected = {"a": [1, 1, 1, 1, 0, 0], "b": [0, 0, 0, 0, 1, 1], "a1": [1, 1, 0, 0, 0, 0]}
        for name, column in expected.items():
            np.testing.assert_allclose(scores.values[:, hierarchy.index(name)], column, err_msg=strategy)
        assert scores.stop is not None
        np.testing.assert_allclose(scores.stop[:, 1], [0, 0, 0, 1, 1, 1])


def test_with_two_parents_the_least_product_counts() -> None:
    dataset = tiny_dataset(80, "dag")
    hierarchy = hierarchy_of(dataset)
    assert not hierarchy.is_tree
    for strategy in ("parent", "node"):
        assert coherent(hierarchy, fitted(model(strategy), dataset).predict(inputs(dataset)).values)
    single = replace(dataset, task=replace(dataset.task, paths="single"))
    with pytest.raises(BadInput, match="several parents"):
        fitted(model("parent"), single)


def test_groups() -> None:
    hierarchy = tiny_hierarchy("ragged")
    per_level = groups(hierarchy, "level")
    assert [len(g.columns) for g in per_level] == hierarchy.level_sizes.tolist()
    per_parent = groups(hierarchy, "parent")
    assert [g.parent for g in per_parent][:1] == [-1]
    assert sorted(c for g in per_parent for c in g.columns) == list(range(hierarchy.n))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("strategy", LOCAL)
def test_odd_training_data(strategy: str, kind: Kind) -> None:
    dataset = tiny_dataset(60, kind)
    gone = hierarchy_of(dataset).n - 1
    train = np.flatnonzero(~dataset.targets[:, gone])
    scores = fitted(model(strategy), dataset, train=train, valid=[0]).predict(inputs(dataset))
    assert (scores.values[:, gone] == 0).all()
    from_row: Scores = fitted(model(strategy), dataset, train=[4], valid=[5]).predict(inputs(dataset))
    np.testing.assert_array_equal(from_row.values, np.repeat(dataset.targets[[4]], 60, axis=0))


def test_an_unknown_strategy_is_refused() -> None:
    with pytest.raises(HmcbenchError, match="did you mean 'parent'"):
        EstimatorModel(lambda task: GaussianNB(), strategy="parents")
