"""Integer weights on statistics are repeated samples: what the bootstrap rests on."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array, issparse

from hmcbench.interfaces import Task
from hmcbench.metrics import base
from hmcbench.metrics.builtin import SPECS
from hmcbench.metrics.computing import compute, sample_stats
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.ids import find_spec

NO_SUMS = {
    *("auprc_micro", "auprc_macro", "auprc_weighted", "auprc_pooled_clus"),
    *("auroc_macro", "fmax", "smin"),
}


def weighted(evaluation: Evaluation, name: str, weights: np.ndarray) -> float:
    pair = sample_stats(find_spec(SPECS, name), evaluation, name)
    assert pair is not None, name
    stats, reduce = pair
    assert stats.dtype == np.float64
    assert stats.shape[0] == len(evaluation)
    both = reduce(np.stack([weights, 2 * weights]) @ stats)
    assert both.shape == (2,)
    return float(both[0])


@given(data=st.data(), seed=st.integers(0, 2**32))
def test_weights_are_repetitions(data: st.DataObject, seed: int, problems: Any) -> None:
    problem = data.draw(problems(least=1))
    weights = np.random.default_rng(seed).integers(0, 4, len(problem.scores))
    evaluation = problem.evaluation()
    repeated = compute(SPECS, problem.evaluation(np.repeat(np.arange(len(weights)), weights)))
    rankings = re.compile(r"aurc|risk_at_90|level\d+_auprc")
    names = [n for n in compute(SPECS, evaluation) if n not in NO_SUMS and not rankings.search(n)]
    values = {name: weighted(evaluation, name, weights) for name in names}
    defined = {name: value for name, value in values.items() if not np.isnan(value)}
    assert {k: v for k, v in repeated.items() if k in names} == pytest.approx(defined, abs=1e-12)


@given(seed=st.integers(0, 2**32), samples=st.integers(1, 6), constant=st.booleans())
def test_weights_are_repetitions_in_regression(seed: int, samples: int, constant: bool) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.normal(300, 50, (samples, 2)).round(1)
    if constant:
        truth[:, 1] = 0.1
    task = Task("regression", targets=("a", "b"))
    predicted = truth + rng.normal(0, 5, (samples, 2))
    weights = rng.integers(0, 4, samples)
    rows = np.repeat(np.arange(samples), weights)
    evaluation = Evaluation.of_regression(task, truth, predicted)
    repeated = compute(SPECS, Evaluation.of_regression(task, truth[rows], predicted[rows]))
    assert not repeated.failures
    names = [n for n in compute(SPECS, evaluation) if "max_relative" not in n]
    values = {name: weighted(evaluation, name, weights) for name in names}
    defined = {name: value for name, value in values.items() if not np.isnan(value)}
    assert {k: v for k, v in repeated.items() if k in names} == pytest.approx(defined, rel=1e-6, abs=1e-9)


def test_statistics_of_very_many_classes_stay_sparse(monkeypatch: pytest.MonkeyPatch, problems: Any) -> None:
    evaluation = Evaluation.of_blocks(*_random_blocks())
    dense = sample_stats(find_spec(SPECS, "hf1_macro"), evaluation, "hf1_macro")
    monkeypatch.setattr(base, "DENSE_LIMIT", 0)
    sparse = sample_stats(find_spec(SPECS, "hf1_macro"), evaluation, "hf1_macro")
    assert dense is not None
    assert sparse is not None
    assert issparse(sparse[0])
    assert not issparse(dense[0])
    weights = np.random.default_rng(1).integers(0, 3, (5, len(evaluation)))
    np.testing.assert_allclose(sparse[1](weights @ sparse[0]), dense[1](weights @ dense[0]))
    assert compute(SPECS, evaluation)["hf1_macro"] == pytest.approx(float(dense[1](dense[0].sum(0))))


def _random_blocks() -> tuple[Task, csr_array, list[np.ndarray]]:
    from hmcbench.testing.helpers import tiny_hierarchy

    hierarchy, rng = tiny_hierarchy("dag"), np.random.default_rng(0)
    truth = hierarchy.close(csr_array(rng.random((40, hierarchy.n)) < 0.2))
    return Task("hmc", "multiple", "ragged", hierarchy), truth, [rng.random((40, hierarchy.n))]


@pytest.mark.parametrize("name", sorted(NO_SUMS))
def test_rankings_are_no_sums(name: str) -> None:
    from hmcbench.metrics.fixtures import four_scores

    assert sample_stats(find_spec(SPECS, name), four_scores(), name) is None


def test_stats_of_what_does_not_apply_are_none() -> None:
    from hmcbench.metrics.fixtures import four_scores, three_samples, two_alloys

    for name, evaluation in [
        ("mistake_severity", four_scores()),  # several paths
        ("hf1_micro_raw", three_samples()),  # no scores
        ("level9_accuracy", three_samples()),
        ("class_f1[nobody]", three_samples()),
        ("hf1_micro", two_alloys()),
        ("r2", three_samples()),
    ]:
        assert sample_stats(find_spec(SPECS, name), evaluation, name) is None
    assert sample_stats(find_spec(SPECS, "hf1_micro"), three_samples(), "hr_micro") is None


def test_r2_of_targets_a_million_deviations_from_zero() -> None:
    rng = np.random.default_rng(0)
    deviation = rng.standard_normal((200, 1))
    predicted = deviation + 0.3 * rng.standard_normal((200, 1))
    task, weights = Task("regression", targets=("a",)), rng.integers(0, 3, 200)
    near, far = (
        weighted(Evaluation.of_regression(task, deviation + shift, predicted + shift), "r2", weights)
        for shift in (0.0, 1e6)
    )
    assert far == pytest.approx(near, abs=1e-6)
