"""Rankings as functions of counts at shared thresholds, beside a bootstrap that repeats the samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from hmcbench.interfaces import MetricSpec, Task
from hmcbench.metrics import pooled
from hmcbench.metrics.base import PooledMetric
from hmcbench.metrics.builtin import SPECS
from hmcbench.metrics.computing import compute, is_pooled, pooled_counts
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.fixtures import four_scores, three_samples, two_alloys
from hmcbench.metrics.ids import find_spec
from hmcbench.testing.helpers import tiny_hierarchy

AVERAGES = {"auprc_micro": "micro", "auprc_macro": "macro", "auprc_weighted": "weighted"}
OTHERS = ("auroc_macro", "level1_auprc_micro", "level2_auprc_micro")


def drawn(evaluation: Evaluation, name: str, weights: np.ndarray) -> np.ndarray:
    counts = pooled_counts(find_spec(SPECS, name), evaluation, name)
    assert counts is not None, name
    stats, reduce = counts
    assert stats.shape[0] == len(evaluation)
    return reduce(weights @ stats)


@given(data=st.data(), seed=st.integers(0, 2**32))
@pytest.mark.parametrize("name", [*AVERAGES, *OTHERS])
def test_weights_are_repetitions(name: str, data: st.DataObject, seed: int, problems: Any) -> None:
    """Ties, classes and samples without a positive, classes that are absent from a draw."""
    problem = data.draw(problems(least=1))
    if name.startswith("level2") and problem.evaluation().levels < 2:
        assert pooled_counts(find_spec(SPECS, name), problem.evaluation(), name) is None
        return
    weights = np.random.default_rng(seed).integers(0, 4, (3, len(problem.scores)))
    for row, value in zip(weights, drawn(problem.evaluation(), name, weights), strict=True):
        repeated = problem.evaluation(np.repeat(np.arange(len(row)), row))
        assert compute(SPECS, repeated).get(name, np.nan) == pytest.approx(value, abs=1e-12, nan_ok=True)


def random_evaluation(samples: int, classes: int = 7, steps: int = 10**9) -> Evaluation:
    hierarchy, rng = tiny_hierarchy("multiple"), np.random.default_rng(samples)
    truth = rng.random((samples, hierarchy.n)) < rng.uniform(0.02, 0.5, hierarchy.n)
    truth[:, classes:] = False
    scores = rng.integers(0, steps, truth.shape) / steps + 0.4 * truth
    return Evaluation.of(Task(paths="multiple", hierarchy=hierarchy), truth, scores)


def slow_bootstrap(evaluation: Evaluation, name: str, weights: np.ndarray) -> np.ndarray:
    """scikit-learn's value of every draw, of its samples one by one."""
    values = []
    for row in weights:
        rows = np.repeat(np.arange(len(row)), row)
        truth, scores = evaluation.truth[rows], evaluation.scores[rows]
        there = truth.any(axis=0)  # scikit-learn counts a class without positives as 0, with a warning
        if name == "auprc_micro":
            there[:] = True
        values.append(average_precision_score(truth[:, there], scores[:, there], average=AVERAGES[name]))
    return np.array(values)


def weights_of(evaluation: Evaluation, draws: int) -> np.ndarray:
    n = len(evaluation)
    return np.random.default_rng(1).multinomial(n, np.full(n, 1 / n), size=draws)


@pytest.mark.parametrize("name", AVERAGES)
@pytest.mark.parametrize("steps", [4, 10**9])
def test_no_more_positives_than_thresholds_are_exact(name: str, steps: int) -> None:
    evaluation = random_evaluation(300, steps=steps)
    weights = weights_of(evaluation, 40)
    areas = drawn(evaluation, name, weights)
    np.testing.assert_allclose(areas, slow_bootstrap(evaluation, name, weights), rtol=1e-12)


@pytest.mark.parametrize("name", AVERAGES)
def test_more_positives_share_thresholds_and_hardly_move_a_draw(name: str) -> None:
    evaluation = random_evaluation(9000)
    weights = weights_of(evaluation, 40)
    areas, slow = drawn(evaluation, name, weights), slow_bootstrap(evaluation, name, weights)
    assert np.unique(evaluation.scores[evaluation.truth]).size > 4 * pooled.MOST_EXACT
    assert not np.allclose(areas, slow, atol=1e-9)
    assert np.abs(areas - slow).max() < 0.1 * slow.std()
    assert abs((areas - slow).mean()) < 0.01 * slow.std()
    value = float(drawn(evaluation, name, np.ones(len(evaluation))))
    assert value == pytest.approx(compute(SPECS, evaluation, [name])[name], abs=1e-12)


def test_areas_under_roc_curves_at_shared_thresholds_too() -> None:
    evaluation = random_evaluation(9000)
    weights = weights_of(evaluation, 20)
    areas = drawn(evaluation, "auroc_macro", weights)
    slow = []
    for row in weights:
        rows = np.repeat(np.arange(len(row)), row)
        truth, scores = evaluation.truth[rows], evaluation.scores[rows]
        there = truth.any(axis=0)
        slow.append(roc_auc_score(truth[:, there], scores[:, there], average="macro"))
    assert evaluation.class_counts[:, 2].max() > pooled.MOST_EXACT  # some classes are not exact
    assert np.abs(areas - slow).max() < 0.02 * np.std(slow)


@pytest.mark.parametrize("samples", [2, 3, 5, 300])
def test_blocks_of_samples_give_one_table(samples: int, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluation = random_evaluation(samples)
    whole = pooled.pair_counts(evaluation.scores, evaluation.truth).toarray()
    monkeypatch.setattr(pooled, "_PAIRS", 14)
    np.testing.assert_array_equal(pooled.pair_counts(evaluation.scores, evaluation.truth).toarray(), whole)
    assert whole[:, whole.shape[1] // 2 :].sum() == evaluation.truth.sum()


def test_no_more_pairs_are_sorted_at_once_than_memory_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, places = [], pooled._places

    def noted(scores: np.ndarray, at: np.ndarray) -> np.ndarray:
        sizes.append(len(scores))
        return places(scores, at)

    monkeypatch.setattr(pooled, "_places", noted)
    monkeypatch.setattr(pooled, "_PAIRS", 100)
    evaluation = random_evaluation(300)
    pooled.pair_counts(evaluation.scores, evaluation.truth)
    assert sum(sizes) == evaluation.scores.size
    assert max(sizes) <= 100


@pytest.mark.parametrize("starts", [[0], [0, 1, 2, 40], [0, 16, 17, 99]])
@pytest.mark.parametrize("shape", [(100,), (1, 100), (3, 100)])
@pytest.mark.parametrize("kind", [np.uint16, np.float64])
def test_sums_so_far_begin_anew_at_every_start(starts: list[int], shape: tuple[int, ...], kind: type) -> None:
    counts = np.random.default_rng(0).integers(0, 600, shape).astype(kind)
    sums = pooled.cumulated(counts, np.array(starts))
    parts = [part.cumsum(axis=-1) for part in np.split(counts.astype(int), starts[1:], axis=-1)]
    np.testing.assert_array_equal(sums, np.concatenate(parts, axis=-1))
    assert sums.dtype == kind


def test_a_pair_counts_at_the_highest_threshold_that_it_reaches() -> None:
    scores = np.array([[0.9, 0.2], [0.5, 0.1], [0.7, 0.5]])
    truth = np.array([[True, False], [False, False], [False, True]])
    table = pooled.pair_counts(scores, truth, np.array([0.7, 0.5, 0.2])).toarray()
    assert table.tolist() == [[0, 0, 1, 1, 0, 0], [0, 1, 0, 0, 0, 0], [1, 0, 0, 0, 1, 0]]


def test_every_class_with_a_positive_has_thresholds_of_its_own() -> None:
    scores = np.array([[0.9, 0.8, 0.2], [0.5, 0.8, 0.6], [0.7, 0.8, 0.5]])
    truth = np.array([[True, False, False], [False, False, False], [True, False, True]])
    table, starts = pooled.class_counts(scores, truth)  # .9 and .7 of the first class, .5 of the last
    assert table.toarray().tolist() == [[0, 0, 0, 1, 0, 0], [0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 1, 1]]
    assert starts.tolist() == [0, 2]


def test_thresholds_are_all_scores_or_some_with_the_ends() -> None:
    few, many = np.arange(pooled.MOST_EXACT) / 7, np.arange(pooled.MOST_EXACT + 1) / 7
    assert len(pooled.thresholds(np.repeat(few, 3))) == pooled.MOST_EXACT
    thresholds = pooled.thresholds(many)
    assert (len(thresholds), thresholds[0], thresholds[-1]) == (pooled.GRID, many[-1], 0.0)
    assert (np.diff(thresholds) < 0).all()
    # the numbers of published boards
    assert [len(pooled.thresholds(np.arange(float(n)))) for n in (2048, 2049)] == [2048, 512]


@pytest.mark.parametrize("name", AVERAGES)
@pytest.mark.parametrize("rows", [slice(0, 0), slice(3, 4)])  # no sample, and one without a label
def test_without_positives_it_is_undefined(name: str, rows: slice) -> None:
    whole = four_scores()
    evaluation = Evaluation.of(whole.task, whole.truth[rows], whole.scores[rows])
    assert np.isnan(drawn(evaluation, name, np.ones((2, len(evaluation))))).tolist() == [True, True]


def broken(_: Evaluation) -> Any:
    raise RuntimeError("no")


def test_what_is_not_pooled_or_fails_has_no_counts() -> None:
    def spec(factory: Callable[..., Any] | str, **more: Any) -> MetricSpec:
        return MetricSpec(name="odd", version="1", summary="", factory=factory, **more)

    assert not is_pooled(find_spec(SPECS, "hf1_micro"))
    assert not is_pooled(find_spec(SPECS, "level{k}_accuracy"))
    assert pooled_counts(find_spec(SPECS, "level3_auprc_micro"), four_scores(), "level3_auprc_micro") is None
    assert not is_pooled(spec("nowhere.at_all:metric"))
    right = find_spec(SPECS, "auprc_micro")
    assert is_pooled(right)
    assert pooled_counts(right, three_samples()) is None  # no scores
    assert pooled_counts(right, two_alloys()) is None
    assert pooled_counts(spec(PooledMetric(lambda e: 0.5, broken)), four_scores()) is None
    short = PooledMetric(lambda e: 0.5, lambda e: (np.ones((1, 1)), lambda sums: sums[..., 0]))
    assert pooled_counts(spec(short), four_scores()) is None
    assert pooled_counts(spec(right.factory, paths=("single",)), four_scores()) is None
