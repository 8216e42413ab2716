"""The most probable closed set, and path, against all of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Task
from hmcbench.metrics.rules.most_probable import most_probable


def log_odds(scores: np.ndarray) -> np.ndarray:
    inside = np.clip(scores.astype(float), 1e-12, 1 - 1e-12)
    return np.asarray(np.log(inside / (1 - inside)))


def test_no_closed_set_is_more_probable(cases: list[Any]) -> None:
    for case in cases:
        decided = most_probable(case.scores, case.task)
        assert case.hierarchy.is_closed(decided)
        odds = log_odds(case.scores)
        np.testing.assert_allclose(
            (odds * decided).sum(axis=1), (odds @ case.closed.T).max(axis=1), atol=1e-6
        )


def test_of_equal_sets_the_smallest(cases: list[Any]) -> None:
    """A score of .5 is no reason to add a class."""
    for case in cases:
        half = np.full_like(case.scores, 0.5)
        assert not most_probable(half, case.task).any()


def test_a_child_may_pull_in_a_parent_that_alone_is_below_the_threshold() -> None:
    for edges in ([("", "a"), ("a", "b")], [("", "a"), ("", "c"), ("a", "b"), ("c", "b")]):
        h = Hierarchy.from_edges(edges)
        task = Task(paths="multiple", depth="ragged", hierarchy=h)
        scores = np.where(np.array(h.classes) == "b", 0.9, 0.4)[
            None
        ]  # log odds 2.2 against -.4 for each parent
        assert most_probable(scores, task).all()
        assert not most_probable(np.where(scores > 0.5, 0.55, 0.4), task).any()  # .2 against -.4


def test_a_single_path_is_the_best_admissible_one(cases: list[Any]) -> None:
    for case in cases:
        h = case.hierarchy
        paths = {
            tuple(row) for row in h.ancestors.toarray() if row.sum() == h.levels[np.flatnonzero(row)[-1]]
        }
        decided = most_probable(case.scores, replace(case.task, paths="single"))
        assert all(tuple(row) in paths for row in decided)
        odds = log_odds(case.scores)
        best = (odds @ np.array(sorted(paths)).T).max(axis=1)
        np.testing.assert_allclose((odds * decided).sum(axis=1), best, atol=1e-9)


def test_full_depth_ends_at_a_leaf() -> None:
    h = Hierarchy.from_edges([("", "a"), ("", "b"), ("a", "c"), ("b", "d")])
    scores = np.array([[0.9, 0.2, 0.1, 0.4]])
    for depth, expected in (("ragged", ["a"]), ("full", ["a", "c"])):
        task: Any = Task(paths="single", depth=depth, hierarchy=h)  # type: ignore[arg-type]
        decided = most_probable(scores, task)
        assert [h.classes[j] for j in np.flatnonzero(decided[0])] == expected


def test_no_sample() -> None:
    for edges in ([("", "a"), ("a", "b")], [("", "a"), ("", "c"), ("a", "b"), ("c", "b")]):
        h = Hierarchy.from_edges(edges)
        assert most_probable(np.zeros((0, h.n)), Task(paths="multiple", hierarchy=h)).shape == (0, h.n)
