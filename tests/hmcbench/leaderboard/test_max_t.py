from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri

from hmcbench.leaderboard.max_t import critical_value, told_apart


def noise(rows: int, draws: int = 20_000) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((rows, draws))


def test_the_critical_value_of_two_rows_is_that_of_one_difference() -> None:
    assert critical_value(noise(2)) == pytest.approx(1.96, abs=0.03)


def test_the_critical_value_of_ten_rows_is_that_of_the_studentised_range() -> None:
    # q(.95; 10 means, infinite degrees of freedom) = 4.474, over the root of 2
    assert critical_value(noise(10)) == pytest.approx(4.474 / 2**0.5, abs=0.05)


def test_equal_rows_and_too_few_draws() -> None:
    twice = np.repeat(noise(1), 2, axis=0)
    assert critical_value(twice) == 0.0
    assert critical_value(noise(3, 10)) == float("inf")


def test_without_draws_bonferroni_counts_all_pairs() -> None:
    bound = float(-ndtri(0.025 / 6))
    scores = np.array([bound - 0.01, bound + 0.01, 99.0])
    assert told_apart(scores, None, 4).tolist() == [False, True, True]
    assert told_apart(scores, noise(4, 10), 4).tolist() == [False, True, True]
    assert told_apart(scores, noise(4), 4).tolist() == [True, True, True]
