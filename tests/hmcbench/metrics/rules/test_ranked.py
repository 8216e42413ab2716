"""CSSA and the largest expected hF1 against all closed sets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Task
from hmcbench.metrics.rules.isotonic import isotonic
from hmcbench.metrics.rules.ranked import cssa, expected_f1, fit_cssa

TREE = Hierarchy.from_edges([("", "a"), ("", "b"), ("a", "a1"), ("a", "a2"), ("b", "b1")])
MULTIPLE = Task(paths="multiple", depth="ragged", hierarchy=TREE)


def expected(sets: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(N, K): the ratio of expectations of every set; 0 where nothing is expected."""
    sizes = sets.sum(axis=1) + scores.sum(axis=1)[:, None]
    return np.asarray(2 * (scores @ sets.T) / np.where(sizes > 0, sizes, 1))


def test_no_closed_set_has_a_larger_expected_f1(cases: list[Any]) -> None:
    for case in cases:
        scores = case.scores.astype(float)
        decided = expected_f1(scores, case.task)
        assert case.hierarchy.is_closed(decided)
        values = np.diag(expected(decided, scores))
        assert (values > expected(case.closed, scores).max(axis=1) - case.accuracy).all()


def test_cssa_has_k_classes_and_the_largest_sum_wherever_k_cuts_no_block(cases: list[Any]) -> None:
    compared = 0
    for case in cases[::2]:
        n, scores = case.hierarchy.n, case.scores.astype(float)
        heights = -np.sort(-isotonic(scores, case.task), axis=1)
        for k in range(1, n + 1):
            decided = cssa(scores, case.task, k=k)
            assert case.hierarchy.is_closed(decided)
            assert (decided.sum(axis=1) == k).all()
            best = (scores @ case.closed[case.closed.sum(axis=1) == k].T).max(axis=1)
            sums = (scores * decided).sum(axis=1)
            whole = (
                heights[:, k - 1] > heights[:, k] + 3 * case.accuracy if k < n else np.full(len(sums), True)
            )
            assert (sums[whole] > best[whole] - 3 * case.accuracy).all()
            compared += np.count_nonzero(whole)
    assert compared > 1000


def test_k_is_the_best_number_of_validation() -> None:
    truth = TREE.encode([["a1"], ["b1"], ["a2"]])
    scores = truth.toarray() * 0.8 + 0.1
    assert fit_cssa(scores, truth, MULTIPLE, k=0) == {"k": 2}
    assert fit_cssa(scores, truth, MULTIPLE, k=4) == {"k": 4}
    assert fit_cssa(scores[:0], truth[:0], MULTIPLE, k=0) == {"k": 1}
    assert (cssa(scores, MULTIPLE, k=2) == truth.toarray()).all()


def test_an_expected_f1_of_nothing_is_the_empty_set() -> None:
    assert not expected_f1(np.zeros((2, 5)), MULTIPLE).any()


@pytest.mark.parametrize("rule", [expected_f1, lambda scores, task: cssa(scores, task, k=2)])
def test_no_sample(rule: Any) -> None:
    assert rule(np.zeros((0, 5)), MULTIPLE).shape == (0, 5)


def test_a_single_path_stays_one() -> None:
    scores = np.array([[0.6, 0.5, 0.3, 0.3, 0.5]])
    full = expected_f1(scores, replace(MULTIPLE, paths="single", depth="full"))
    assert TREE.decode(full) == ("b1",)
    ragged = expected_f1(scores, replace(MULTIPLE, paths="single"))
    # a: 1.2 / 3.2 = .375; b b1: 2 / 4.2 = .476
    assert TREE.decode(ragged) == ("b1",)


def test_classes_that_are_not_scored_do_not_choose() -> None:
    """Two roots that all samples have, as in the Gene Ontology, with two leaves each."""
    tree = Hierarchy.from_edges([("", "p"), ("", "q"), ("p", "p1"), ("p", "p2"), ("q", "q1"), ("q", "q2")])
    task = Task(paths="multiple", depth="ragged", hierarchy=tree)
    truth = tree.encode([["p1", "q"], ["p", "q1"], ["p", "q"], ["p", "q"]])
    scores = np.tile([0.99, 0.98, 0.3, 0.0, 0.28, 0.0], (4, 1))
    # of all: 2 8 / (8 + 10) at 2, 2 9 / (12 + 10) at 3; of the leaves: 2 1 / (4 + 2) at 3, 2 2 / (8 + 2) at 4
    # of all: 2 1.97 / (2 + 2.55) with the roots; of the leaves: 2 .3 / (1 + .58) with p1, 2 .58 / (2 + .58)
    for unscored, best in (((), "p|q"), (("p", "q"), "p1|q1")):
        some = replace(task, unscored=unscored)
        classes = tree.encode([best.split("|")]).toarray()[0]
        assert fit_cssa(scores, truth, some, k=0) == {"k": classes.sum()}
        assert (expected_f1(scores, some) == classes).all()
