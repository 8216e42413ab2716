"""Uncertainty of several passes, against hand-worked values and the slow definition."""

from __future__ import annotations

import numpy as np
import pytest

from hmcbench import Scores, Task
from hmcbench.apply.uncertainty import uncertainties
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.metrics.decisions import path_shares
from hmcbench.metrics.ends import PathConfidence

TREE = Hierarchy.from_edges([("", "a"), ("", "b"), ("a", "c"), ("a", "d"), ("b", "e"), ("b", "f")])


def mixed(*passes: np.ndarray) -> Scores:
    return Scores(np.mean(passes, axis=0), passes=[Scores(values) for values in passes])


def test_sure_passes_that_disagree_are_epistemic() -> None:
    c, f = np.array([[1.0, 0, 1, 0, 0, 0]]), np.array([[0.0, 1, 0, 0, 0, 1]])
    total, epistemic = uncertainties(mixed(c, f), Task(hierarchy=TREE))  # type: ignore[misc]
    assert total == pytest.approx(0.5) and epistemic == pytest.approx(0.5)  # log 2 of log 4
    total, epistemic = uncertainties(mixed(c, c), Task(hierarchy=TREE))  # type: ignore[misc]
    assert total == pytest.approx(0) and epistemic == pytest.approx(0)


def test_unsure_passes_that_agree_are_not() -> None:
    flat = np.array([[0.5, 0.5, 0.25, 0.25, 0.25, 0.25]])
    total, epistemic = uncertainties(mixed(flat, flat), Task(hierarchy=TREE))  # type: ignore[misc]
    assert total == pytest.approx(1) and epistemic == pytest.approx(0, abs=1e-9)


def test_random_passes_follow_the_definition() -> None:
    rng = np.random.default_rng(0)
    passes = [rng.random((20, 6)) for _ in range(5)]
    total, epistemic = uncertainties(mixed(*passes), Task(hierarchy=TREE))  # type: ignore[misc]
    for i in range(20):
        shares = [PathConfidence.of(p[[i]], None, Task(hierarchy=TREE)).shares[0] for p in passes]
        entropy = [-sum(q * np.log(q) for q in part if q > 0) for part in [np.mean(shares, axis=0), *shares]]
        assert total[i] == pytest.approx(entropy[0] / np.log(4))
        assert epistemic[i] == pytest.approx((entropy[0] - np.mean(entropy[1:])) / np.log(4))
    assert (epistemic >= 0).all() and (epistemic <= total).all() and (total <= 1).all()


def test_the_empty_path_is_an_end_where_stop_gives_it_a_share() -> None:
    task = Task(depth="ragged", hierarchy=TREE)

    def passes(*stops: list[float]) -> Scores:
        """Passes that are sure of c where they do not stop."""
        values = np.array([[1.0, 0, 1, 0, 0, 0]])
        each = [Scores(values * (1 - stop[0]), np.array([stop])) for stop in stops]
        return Scores(np.mean([p.values for p in each], axis=0), passes=each)

    most = np.log(len(TREE.classes) + 1)
    total, epistemic = uncertainties(passes([1.0, 1.0], [0.0, 0.0]), task)  # type: ignore[misc]
    assert total == pytest.approx(np.log(2) / most) and epistemic == pytest.approx(np.log(2) / most)
    rng = np.random.default_rng(0)
    random = [Scores(rng.random((50, 6)), rng.random((50, 2))) for _ in range(3)]
    mean = Scores(np.mean([p.values for p in random], axis=0), passes=random)
    total, epistemic = uncertainties(mean, task)  # type: ignore[misc]
    assert (total <= 1 + 1e-12).all() and (epistemic <= total).all()
    for i in range(50):
        shares = [path_shares(p.values[[i]], p.stop[[i]], task)[1][0] for p in random]  # type: ignore[index]
        assert np.sum(shares, axis=1) == pytest.approx(1)
        entropy = [-sum(q * np.log(q) for q in part if q > 0) for part in [np.mean(shares, axis=0), *shares]]
        assert total[i] == pytest.approx(entropy[0] / most)


def test_one_pass_and_regression_have_none() -> None:
    single = np.full((2, 6), 0.5)
    assert uncertainties(Scores(single), Task(hierarchy=TREE)) is None
    assert uncertainties(mixed(single, single), Task("regression", targets=("t",))) is None
