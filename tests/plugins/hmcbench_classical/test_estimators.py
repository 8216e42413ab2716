"""Gradient descent on more features than its usual step can bear."""

from __future__ import annotations

import numpy as np
import pytest
from hmcbench_classical.estimators import Descent
from sklearn.linear_model import SGDRegressor


@pytest.mark.parametrize("features", [2, 400])
def test_it_learns_whatever_the_number_of_features(features: int) -> None:
    rng = np.random.default_rng(0)
    common = rng.normal(size=(90, 1))
    rows = common + 0.3 * rng.normal(size=(90, features))
    targets = common[:, 0]
    model = Descent(learning_rate="adaptive", max_iter=3000, random_state=0).fit(rows[:60], targets[:60])
    assert 1 - np.square(model.predict(rows[60:]) - targets[60:]).sum() / np.square(targets[60:]).sum() > 0.9


def test_the_library_alone_diverges_there() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 1)) + 0.3 * rng.normal(size=(60, 400))
    usual = SGDRegressor(learning_rate="adaptive", max_iter=50, random_state=0).fit(rows, rows[:, 0])
    assert np.abs(usual.predict(rows)).max() > 1e6


def test_rows_of_nothing_but_zeros() -> None:
    model = Descent(learning_rate="adaptive", random_state=0).fit(np.zeros((5, 3)), np.ones(5))
    assert np.isfinite(model.predict(np.zeros((2, 3)))).all()
