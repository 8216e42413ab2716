"""Metrics against scikit-learn and, where it is right, hiclass."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    log_loss,
    mean_absolute_error,
    mean_absolute_percentage_error,
    precision_recall_fscore_support,
    r2_score,
    root_mean_squared_error,
)

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Task
from hmcbench.metrics.builtin import SPECS
from hmcbench.metrics.computing import compute
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.rankings import class_average_precision


def random_evaluation(seed: int, score_levels: int = 1000) -> Evaluation:
    """300 samples of a DAG of 12 classes, one without a positive; no sample or prediction is empty."""
    rng = np.random.default_rng(seed)
    edges = [("", f"t{i}") for i in range(4)]
    edges += [(f"t{p}", f"m{i}") for i in range(5) for p in rng.choice(4, 2, replace=False)]
    edges += [(f"m{i}", f"l{i}") for i in range(3)]
    hierarchy = Hierarchy.from_edges(edges)
    truth = rng.random((300, hierarchy.n)) < 0.15
    scores = (
        np.clip(truth * 0.3 + rng.random(truth.shape) * 0.8, 0, 1) * score_levels
    ).round() / score_levels
    truth[:, -1] = False
    truth[:, 0] |= ~truth.any(axis=1)
    scores[:, 1] = np.where((scores >= 0.5).any(axis=1), scores[:, 1], 0.9)
    task = Task("hmc", "multiple", "ragged", hierarchy)
    return Evaluation.of(task, hierarchy.close(truth), scores)


@pytest.mark.parametrize("seed", range(3))
def test_sets_are_those_of_scikit_learn(seed: int) -> None:
    e = random_evaluation(seed)
    computed = compute(SPECS, e)
    for average, suffix in (("micro", "micro"), ("samples", "samples")):
        p, r, f, _ = precision_recall_fscore_support(e.truth, e.closed, average=average, zero_division=0)
        assert (computed[f"hp_{suffix}"], computed[f"hr_{suffix}"]) == pytest.approx((p, r))
        # "samples" of scikit-learn is the mean of F, not the F of the means
        assert computed["hf1_micro" if average == "micro" else "hf1_samples_mean"] == pytest.approx(f)
    p, r, f, support = precision_recall_fscore_support(e.truth, e.closed, average=None, zero_division=0)
    present = support > 0
    assert not present.all()
    assert computed["hf1_macro"] == pytest.approx(f[present].mean())
    for k in (1, 2, 3):
        level = e.hierarchy.level_classes(k)
        level = level[present[level]]
        for values, name in ((p, "precision"), (r, "recall"), (f, "f1")):
            assert computed[f"level{k}_{name}_macro"] == pytest.approx(
                values[level].mean() if len(level) else 0
            )
    for i, name in enumerate(e.hierarchy.classes):
        assert computed[f"class_f1[{name}]"] == pytest.approx(f[i])
        assert computed[f"class_support[{name}]"] == support[i]


@pytest.mark.parametrize("score_levels", [1, 2, 5, 1000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_average_precision_is_that_of_scikit_learn(score_levels: int, dtype: Any) -> None:
    e = random_evaluation(7, score_levels)
    e = Evaluation.of(e.task, e.truth, e.scores.astype(dtype))
    values = compute(SPECS, e)
    present = e.truth.any(axis=0)
    truth, scores = e.truth[:, present], e.scores[:, present]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns about classes without positives
        assert values["auprc_micro"] == pytest.approx(
            average_precision_score(e.truth, e.scores, average="micro")
        )
    for average in ("macro", "weighted"):
        expected = average_precision_score(truth, scores, average=average)
        assert values[f"auprc_{average}"] == pytest.approx(expected, rel=1e-12)
    each = class_average_precision(e)
    assert np.isnan(each[~present]).all()
    np.testing.assert_allclose(
        each[present], average_precision_score(truth, scores, average=None), rtol=1e-12
    )


@given(seed=st.integers(0, 2**32), samples=st.integers(1, 30), grid=st.integers(1, 6))
def test_average_precision_with_ties(seed: int, samples: int, grid: int) -> None:
    rng = np.random.default_rng(seed)
    hierarchy = Hierarchy.from_edges([("", "a")])
    truth, scores = rng.random((samples, 1)) < 0.4, rng.integers(0, grid, (samples, 1)) / 6
    truth[0] = True
    e = Evaluation.of(Task("hmc", "multiple", "ragged", hierarchy), truth, scores)
    expected = average_precision_score(truth[:, 0], scores[:, 0])
    values = compute(SPECS, e)
    for average in ("micro", "macro", "weighted"):
        assert values[f"auprc_{average}"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_probabilities_are_those_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    hierarchy = Hierarchy.from_edges([("", "a"), ("", "b"), ("", "c")])
    true, scores = rng.integers(0, 3, 200), rng.dirichlet([2.0] * 3, 200)
    e = Evaluation.of(Task("hmc", "single", "full", hierarchy), np.eye(3, dtype=bool)[true], scores)
    values = compute(SPECS, e)
    assert values["level1_log_loss"] == pytest.approx(log_loss(true, scores))
    assert values["level1_brier"] == pytest.approx(
        brier_score_loss(true, scores, labels=[0, 1, 2], scale_by_half=False)
    )


def _prefixes(path: str) -> list[str]:
    """One id per level, empty below the end of the path, as hiclass has it."""
    parts = path.split("/")
    return ["/".join(parts[: k + 1]) if k < len(parts) else "" for k in range(3)]


@pytest.mark.parametrize("seed", range(3))
def test_hierarchical_scores_are_those_of_hiclass(seed: int) -> None:
    """On what hiclass computes right: one path, names that differ between levels, nothing empty."""
    metrics = pytest.importorskip("hiclass.metrics")
    rng = np.random.default_rng(seed)
    hierarchy = Hierarchy.from_paths(
        [(f"a{i}", f"b{j}", f"c{k}") for i in range(3) for j in range(2) for k in range(2)]
    )
    ends = rng.choice(hierarchy.classes, (2, 80))  # paths of any depth
    true, said = ([_prefixes(c) for c in side] for side in ends.tolist())
    truth, decided = (hierarchy.encode([[c] for c in side]) for side in ends.tolist())
    values = compute(SPECS, Evaluation.of_sets(hierarchy, truth, decided, "single"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where a sample has no hit at all
        for name, average, ours in [
            ("precision", "micro", "hp_micro"),
            ("recall", "micro", "hr_micro"),
            ("f1", "micro", "hf1_micro"),
            ("precision", "macro", "hp_samples"),
            ("recall", "macro", "hr_samples"),
            ("f1", "macro", "hf1_samples_mean"),
        ]:
            assert values[ours] == pytest.approx(getattr(metrics, name)(true, said, average=average)), ours


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_regression_is_that_of_scikit_learn(offset: float) -> None:
    rng = np.random.default_rng(3)
    truth = rng.normal(offset + 10, 2, (50, 3))
    said = truth + rng.normal(0, 0.5, truth.shape)
    values = compute(
        SPECS, Evaluation.of_regression(Task("regression", targets=("a", "b", "c")), truth, said)
    )
    assert not values.failures
    for name, function in {
        "r2": r2_score,
        "rmse": root_mean_squared_error,
        "mae": mean_absolute_error,
        "mape": mean_absolute_percentage_error,
    }.items():
        each = function(truth, said, multioutput="raw_values")
        assert values[name] == pytest.approx(each.mean(), rel=1e-9)
        assert [values[f"target_{name}[{t}]"] for t in "abc"] == pytest.approx(each.tolist(), rel=1e-9)
