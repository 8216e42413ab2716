"""Predictive clustering trees against slow versions of their definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hmcbench_hmc.models import trees
from hmcbench_hmc.models.trees import SIGNIFICANCES, Pct, PctForest, class_weights
from scipy import sparse
from scipy.stats import f as f_distribution

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Labelled, Run
from hmcbench.registry.registry import default_registry
from hmcbench.testing.helpers import fitted, inputs, labelled, tiny_dataset, tiny_hierarchy


def test_weights_are_means_over_parents() -> None:
    hierarchy = Hierarchy.from_edges([("a", "c"), ("c", "d"), ("b", "d"), ("", "a"), ("", "b")])
    weights = dict(zip(hierarchy.classes, class_weights(hierarchy), strict=True))
    assert weights == pytest.approx({"a": 0.75, "b": 0.75, "c": 0.75**2, "d": 0.75 * (0.75**2 + 0.75) / 2})


def best_split(rows: np.ndarray, truth: np.ndarray, weights: np.ndarray, leaf: int) -> float:
    """The least weighted sum of squared distances to the means of the two sides, over all splits."""

    def spread(part: np.ndarray) -> float:
        return float((weights * (part - part.mean(axis=0)) ** 2).sum())

    best = np.inf
    for column in rows.T:
        for value in np.unique(column)[:-1]:
            left = column <= value
            if leaf <= left.sum() <= len(rows) - leaf:
                best = min(best, spread(truth[left]) + spread(truth[~left]))
    return best


def test_the_first_split_is_the_best_one_under_the_weighted_distance() -> None:
    dataset = tiny_dataset(40, "dag", noise=3.0)
    model = Pct(leaf=5, significance=1.0)
    fitted(model, dataset, train=range(40), valid=[])
    rows, truth = np.asarray(dataset.views["table"]), np.asarray(dataset.targets, dtype=float)
    weights = class_weights(tiny_hierarchy("dag"))
    tree = model._tree.tree_
    left = rows[:, tree.feature[0]] <= tree.threshold[0]
    sides = [truth[left], truth[~left]]
    reached = sum(float((weights * (side - side.mean(axis=0)) ** 2).sum()) for side in sides)
    assert reached == pytest.approx(best_split(rows, truth, weights, 5), rel=1e-6)


def test_a_tree_predicts_means_of_true_vectors_and_prunes_by_the_f_test() -> None:
    dataset = tiny_dataset(80, "multiple", noise=3.0)
    truth = np.asarray(dataset.targets, dtype=float)
    leaves = []
    for level in SIGNIFICANCES:
        model = Pct(significance=level)
        fitted(model, dataset, train=range(60), valid=range(60, 80))
        leaf = model._end[model._tree.apply(np.asarray(dataset.views["table"])[:60])]
        values = model.predict(inputs(dataset, range(60))).values
        for node in np.unique(leaf):
            np.testing.assert_allclose(
                values[leaf == node], truth[:60][leaf == node].mean(axis=0)[None].repeat(sum(leaf == node), 0)
            )
        leaves.append(len(np.unique(leaf)))
    assert leaves == sorted(leaves) and leaves[0] < leaves[-1]


def test_a_split_without_significance_ends_the_tree() -> None:
    """With F(1, n - 2) computed by hand for the first split."""
    dataset = tiny_dataset(40, "multiple", noise=20.0)
    model = Pct(significance=1.0)
    fitted(model, dataset, train=range(40), valid=[])
    tree = model._tree.tree_
    spread = tree.impurity * tree.n_node_samples
    after = spread[tree.children_left[0]] + spread[tree.children_right[0]]
    p = f_distribution.sf(38 * (spread[0] - after) / after, 1, 38)
    for level, split in ((p * 0.99, False), (p * 1.01, True)):
        model._cut(level)
        assert (len(np.unique(model._end)) > 1) == split


def by_hand(model: PctForest, rows: np.ndarray, truth: np.ndarray, seeds: Any) -> np.ndarray:
    """The mean over trees of the mean true vectors of the bag in the leaf."""
    total = np.zeros((len(rows), truth.shape[1]))
    for tree, seed in zip(model._trees, seeds, strict=True):
        bag = np.random.default_rng(seed).integers(len(rows), size=len(rows))
        leaf, bagged = tree.apply(rows), tree.apply(rows[bag])
        for node in np.unique(leaf):
            total[leaf == node] += truth[bag[bagged == node]].mean(axis=0)
    return total / len(model._trees)


@pytest.mark.parametrize("projections", [0, 3])
def test_a_forest_predicts_means_of_true_vectors(projections: int) -> None:
    dataset = tiny_dataset(60, "dag", noise=2.0)
    model = PctForest(trees=8, projections=projections)
    fitted(model, dataset, train=range(60), valid=[], seed=5)
    rows, truth = np.asarray(dataset.views["table"]), np.asarray(dataset.targets, dtype=float)
    expected = by_hand(model, rows, truth, np.random.SeedSequence(5).spawn(8))
    values = model.predict(inputs(dataset)).values
    np.testing.assert_allclose(values, expected, atol=1e-6)
    parent, child = tiny_hierarchy("dag").edge_index.T
    assert (values[:, child] <= values[:, parent] + 1e-6).all()


def test_a_forest_on_all_classes_keeps_no_values_of_them() -> None:
    dataset = tiny_dataset(60, "dag", noise=2.0)
    for projections, kept in ((0, False), (3, True)):
        model = PctForest(trees=2, projections=projections)
        fitted(model, dataset, train=range(60), valid=[])
        assert [hasattr(tree.tree_, "value") for tree in model._trees] == [kept] * 2


def test_the_f_test_of_every_split_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    f_test = trees._f_test
    monkeypatch.setattr(trees, "_f_test", lambda *args: calls.append(len(args[0])) or f_test(*args))
    dataset = tiny_dataset(80, "multiple", noise=3.0)
    model = Pct()
    fitted(model, dataset, train=range(50), valid=range(50, 80))
    assert calls == [model._tree.tree_.node_count]


def test_threads_and_sparse_targets_change_nothing() -> None:
    dataset = tiny_dataset(60, "dag")
    train = labelled(dataset, range(60))
    crowd = Labelled(train.ids, train.views, sparse.csr_array(train.targets))
    values = []
    for samples, threads in ((train, 1), (crowd, 2)):
        model = PctForest(trees=8)
        model.fit(samples, samples, Run(dataset.task, threads=threads))
        values.append(model.predict(inputs(dataset)).values)
    np.testing.assert_array_equal(*values)


@pytest.mark.parametrize("model", [Pct(), PctForest(trees=5)])
def test_missing_values_are_taken(model: Any) -> None:
    dataset = tiny_dataset(60, "multiple")
    table = np.array(dataset.views["table"])
    table[::3, 1] = np.nan
    table[:, 2] = np.nan
    dataset.views["table"][:] = table  # type: ignore[index]
    fitted(model, dataset)
    assert np.isfinite(model.predict(inputs(dataset)).values).all()


def test_refit_keeps_the_significance() -> None:
    dataset = tiny_dataset(80, "multiple", noise=3.0)
    model = Pct()
    fitted(model, dataset, train=range(50), valid=range(50, 80))
    chosen = model.describe()["significance"]
    model.refit(labelled(dataset, range(80)), Run(dataset.task))
    assert model.describe()["significance"] == chosen in SIGNIFICANCES
    assert model._tree.tree_.n_node_samples[0] == 80


def test_the_profile_paper_is_the_published_forest() -> None:
    """Schietgat et al. 2010 bag 50 trees that try all features at a split."""
    params = default_registry().resolve("models", "pct-forest", "paper")[1]
    assert params == {"trees": 50, "projections": 0, "features": 1.0, "leaf": 5, "inputs": "table"}
