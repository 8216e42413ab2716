from __future__ import annotations

import numpy as np
import pytest

from hmcbench.leaderboard.max_t import critical_value, not_told_apart


def draws_of(means: np.ndarray, seed: int = 0, draws: int = 999) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((len(means), draws))
    table: np.ndarray = means[:, None] + 0.01 * noise
    return table


def test_the_critical_value_of_two_rows_is_that_of_one_difference() -> None:
    deviations = draws_of(np.zeros(2), draws=20_000)
    assert critical_value(deviations) == pytest.approx(1.96, abs=0.03)


def test_the_critical_value_of_ten_rows_is_that_of_the_studentised_range() -> None:
    # q(.95; 10 means, infinite degrees of freedom) = 4.474, over the root of 2
    assert critical_value(draws_of(np.zeros(10), draws=20_000)) == pytest.approx(4.474 / 2**0.5, abs=0.05)


def test_rows_that_are_equal_or_near_are_not_told_apart() -> None:
    means = np.array([0.9, 0.89, 0.5, 0.9])
    draws = draws_of(means)
    draws[3] = draws[0]
    assert not_told_apart(0, means, draws) == [1, 3]
    assert not_told_apart(2, means, draws) == []


def test_one_row_and_too_few_draws() -> None:
    assert not_told_apart(0, np.array([0.9]), draws_of(np.array([0.9]))) == []
    assert critical_value(draws_of(np.zeros(3), draws=10)) == float("inf")
