"""Isotonic repair against the conditions of its optimum, and against scikit-learn on chains."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.isotonic import IsotonicRegression

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Task
from hmcbench.metrics.rules.isotonic import isotonic


def test_the_optimum_of_trees_and_dags(cases: list[Any]) -> None:
    """x is the projection of s on a cone if x is in it, (s - x) x = 0, and (s - x) k <= 0 for its rays k.

    The rays are the closed sets.
    """
    for case in cases:
        repaired = isotonic(case.scores, case.task).astype(float)
        parents, children = case.hierarchy.edge_index.T
        assert (repaired[:, parents] >= repaired[:, children]).all()
        rest = case.scores - repaired
        assert np.abs((rest * repaired).sum(axis=1)).max() < case.accuracy
        assert (rest @ case.closed.T).max() < case.accuracy


def test_chains_are_isotonic_regressions() -> None:
    chain = Hierarchy.from_edges([("", "a0"), *((f"a{i}", f"a{i + 1}") for i in range(30))])
    scores = np.random.default_rng(0).random((20, chain.n))
    repaired = isotonic(scores, Task(hierarchy=chain))
    regression = IsotonicRegression(increasing=False)
    expected = [regression.fit_transform(np.arange(chain.n), row) for row in scores]
    np.testing.assert_allclose(repaired, expected, atol=1e-9)


def test_a_child_joins_its_parent_only_where_it_is_above_the_block() -> None:
    """Pooled in the order of the file, the block would be (0 + .5 + 1) / 3 and hold b."""
    tree = Hierarchy.from_edges([("", "a"), ("a", "b"), ("a", "c")])
    assert isotonic(np.array([[0.0, 0.5, 1.0]]), Task(hierarchy=tree)).tolist() == [[0.5, 0.5, 0.5]]
    assert isotonic(np.array([[0.0, 0.25, 1.0]]), Task(hierarchy=tree)).tolist() == [[0.5, 0.25, 0.5]]


def test_coherent_scores_stay_as_they_are(cases: list[Any]) -> None:
    for case in cases:
        coherent = case.hierarchy.cohere(case.scores)
        assert (isotonic(coherent, case.task) == coherent).all()


def test_many_samples_are_each_repaired_alone(cases: list[Any]) -> None:
    case = max(cases, key=lambda case: case.hierarchy.n)
    scores = np.random.default_rng(1).random((600, case.hierarchy.n))
    repaired = isotonic(scores, case.task)
    for i in (0, 63, 64, 599):
        np.testing.assert_allclose(repaired[[i]], isotonic(scores[[i]], case.task), atol=case.accuracy)
