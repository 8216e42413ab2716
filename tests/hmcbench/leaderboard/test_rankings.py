from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from hmcbench.interfaces import Task
from hmcbench.leaderboard.rankings import micro_reduce, micro_stats
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.rankings import auprc_micro
from hmcbench.testing.helpers import tiny_hierarchy


@pytest.mark.parametrize("steps", [4, 1_000_000])
def test_sums_give_the_metric_under_any_weights(steps: int) -> None:
    hierarchy = tiny_hierarchy("multiple")
    rng = np.random.default_rng(steps)
    scores = rng.integers(0, steps, (40, hierarchy.n)) / steps
    truth = rng.random((40, hierarchy.n)) < 0.3
    weights = rng.integers(0, 3, (20, 40))
    stats = micro_stats(scores, csr_array(truth))
    fast = micro_reduce(weights.astype(float) @ stats)
    task = Task(paths="multiple", hierarchy=hierarchy)
    slow = [
        auprc_micro(Evaluation.of(task, np.repeat(truth, w, axis=0), np.repeat(scores, w, axis=0)))
        for w in weights
    ]
    np.testing.assert_allclose(fast, slow)


def test_very_many_scores_share_a_place_and_hardly_move_the_area() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random((4000, 5)) < 0.4
    scores = rng.random((4000, 5)) + 0.3 * truth
    task = Task(paths="multiple", hierarchy=tiny_hierarchy("multiple"))
    wide = np.zeros((4000, 7))
    wide[:, :5] = scores
    exact = auprc_micro(Evaluation.of(task, np.pad(truth, ((0, 0), (0, 2))), wide))
    stats = micro_stats(wide, np.pad(truth, ((0, 0), (0, 2))))
    assert stats.shape == (4000, 4096)
    assert abs(float(micro_reduce(np.ones(4000) @ stats)) - exact) < 1e-3


def test_without_positives_it_is_undefined() -> None:
    stats = micro_stats(np.zeros((3, 2)), np.zeros((3, 2), dtype=bool))
    assert np.isnan(micro_reduce(np.ones(3) @ stats))
