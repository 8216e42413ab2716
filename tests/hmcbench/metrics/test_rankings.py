"""Rankings of samples and labels against scikit-learn and slow versions."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import (
    average_precision_score,
    coverage_error,
    label_ranking_average_precision_score,
    label_ranking_loss,
    ndcg_score,
    roc_auc_score,
)

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Task
from hmcbench.metrics import cafa, decisions, label_rankings, pooled_clus, rankings
from hmcbench.metrics.builtin import SPECS
from hmcbench.metrics.computing import compute, pooled_counts
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.fixtures import four_scores
from hmcbench.metrics.ids import find_spec

EDGES = [("", f"t{i}") for i in range(3)]
EDGES += [(f"t{p}", f"m{i}") for i, parents in enumerate(["01", "1", "2", "02"]) for p in parents]
EDGES += [("m0", "l0"), ("m0", "l1"), ("m3", "l2"), ("m1", "l2")]
DAG = Hierarchy.from_edges(EDGES)


def random_evaluation(seed: int, steps: int, n: int = 60, rows: Any = slice(None)) -> Evaluation:
    rng = np.random.default_rng(seed)
    truth = DAG.close(rng.random((n, DAG.n)) < rng.uniform(0.0, 0.3, DAG.n))
    truth[0], truth[1] = False, True
    truth[:, DAG.index("l1")] = False  # a class without a positive
    scores = (rng.integers(0, steps, truth.shape) / steps + 0.3 * truth * rng.random(truth.shape)) / 1.3
    training = np.stack([rng.integers(0, 30, DAG.n), rng.integers(30, 60, DAG.n)], axis=1)
    task = Task("hmc", "multiple", "ragged", DAG)
    scores = np.round(scores * steps) / steps if steps < 100 else scores
    return Evaluation.of(task, truth[rows], scores[rows], training=training)


CASES = pytest.mark.parametrize(("seed", "steps"), [(0, 4), (1, 10), (2, 10**9), (3, 10**9)])


@CASES
def test_labels_of_each_sample_as_scikit_learn(seed: int, steps: int) -> None:
    e = random_evaluation(seed, steps)
    truth = np.asarray(e.truth).astype(int)
    expected = {
        "lrap": label_ranking_average_precision_score(truth, e.scores),
        "coverage_error": coverage_error(truth, e.scores),
        "ranking_loss": label_ranking_loss(truth, e.scores),
        "ndcg_at_5": ndcg_score(truth, e.scores, k=5),
    }
    for name, value in expected.items():
        assert getattr(label_rankings, name)(e) == pytest.approx(value, abs=1e-12), name


@CASES
def test_the_best_labels_with_ties_at_the_cut(seed: int, steps: int) -> None:
    """The mean over many random orders of equal scores."""
    e, rng = random_evaluation(seed, steps, n=8), np.random.default_rng(0)
    for k in (1, 3, 5):
        hits = []
        for _ in range(600 if steps < 100 else 1):
            order = np.lexsort((rng.random(e.scores.shape), -e.scores), axis=1)[:, :k]
            hits.append(np.take_along_axis(np.asarray(e.truth), order, axis=1).mean())
        precision = getattr(label_rankings, f"precision_at_{k}")(e)
        assert precision == pytest.approx(np.mean(hits), abs=0.04 if steps < 100 else 1e-12)


@CASES
def test_areas_under_roc_curves(seed: int, steps: int) -> None:
    e = random_evaluation(seed, steps)
    truth = np.asarray(e.truth)
    varying = truth.any(axis=0) & ~truth.all(axis=0)
    expected = roc_auc_score(truth[:, varying], e.scores[:, varying], average="macro")
    assert rankings.auroc_macro(e) == pytest.approx(expected, abs=1e-12)


@CASES
def test_levels(seed: int, steps: int) -> None:
    e = random_evaluation(seed, steps)
    for k in range(1, DAG.depth + 1):
        columns = DAG.level_classes(k)
        expected = average_precision_score(
            np.asarray(e.truth)[:, columns], e.scores[:, columns], average="micro"
        )
        assert rankings.level_auprc_micro(e, k) == pytest.approx(expected, abs=1e-12)


def slow_clus(e: Evaluation) -> float:
    """Point by point: a point per distinct score, and one per true positive between two points."""
    truth = np.asarray(e.truth)
    present = truth.any(axis=0)
    pairs = sorted(zip(e.scores[:, present].ravel(), truth[:, present].ravel(), strict=True), reverse=True)
    positives = sum(true for _, true in pairs)
    curve: list[tuple[float, float]] = []
    before = (0, 0)
    tp = fp = 0
    for i, (score, true) in enumerate(pairs):
        tp, fp = tp + bool(true), fp + (not true)
        if i + 1 < len(pairs) and pairs[i + 1][0] == score:
            continue
        if not curve:
            curve.append((0.0, tp / (tp + fp)))
        else:
            for k in range(before[0] + 1, tp):
                false = before[1] + (fp - before[1]) / (tp - before[0]) * (k - before[0])
                curve.append((k / positives, k / (k + false)))
        curve.append((tp / positives, tp / (tp + fp)))
        before = (tp, fp)
    return sum((b[1] + a[1]) / 2 * (b[0] - a[0]) for a, b in pairwise(curve))


@CASES
def test_the_pooled_area_of_clus(seed: int, steps: int) -> None:
    e = random_evaluation(seed, steps)
    assert pooled_clus.auprc_pooled_clus(e) == pytest.approx(slow_clus(e), abs=1e-9)


def test_the_areas_agree_on_continuous_scores_and_part_on_coarse_ones() -> None:
    fine, coarse = random_evaluation(2, 10**9, n=3000), random_evaluation(2, 4, n=3000)
    present = np.asarray(fine.truth).any(axis=0)  # Clus leaves the other class out
    stepwise = [
        average_precision_score(np.asarray(e.truth)[:, present], e.scores[:, present], average="micro")
        for e in (fine, coarse)
    ]
    difference = [pooled_clus.auprc_pooled_clus(e) - s for e, s in zip((fine, coarse), stepwise, strict=True)]
    assert abs(difference[0]) < 1e-3 < 5e-3 < difference[1]


def slow_cafa(e: Evaluation) -> tuple[float, float]:
    """Every distinct score as a threshold; sample by sample."""
    scores, truth = DAG.cohere(e.scores), np.asarray(e.truth)
    assert e.information is not None
    best, least = 0.0, math.inf
    for t in [*np.unique(scores), 2.0]:
        said = scores >= t
        precision = [(s & y).sum() / s.sum() for s, y in zip(said, truth, strict=True) if s.any()]
        recall = [(s & y).sum() / y.sum() for s, y in zip(said, truth, strict=True) if y.any()]
        p, r = np.mean(precision) if precision else 0.0, np.mean(recall)
        best = max(best, 2 * p * r / (p + r) if p + r else 0.0)
        ru = np.mean([(e.information * (y & ~s)).sum() for s, y in zip(said, truth, strict=True)])
        mi = np.mean([(e.information * (s & ~y)).sum() for s, y in zip(said, truth, strict=True)])
        least = min(least, math.hypot(ru, mi))
    return best, least


@CASES
def test_the_best_thresholds_of_cafa(seed: int, steps: int) -> None:
    e = random_evaluation(seed, steps)
    assert (cafa.fmax(e), cafa.smin(e)) == pytest.approx(slow_cafa(e), abs=1e-12)


def test_rankings_make_no_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a ranking reads scores alone")

    monkeypatch.setattr(decisions, "coherent", refuse)
    assert set(compute(SPECS, four_scores(), ["auprc_macro", "auprc_weighted"])) == {
        "auprc_macro",
        "auprc_weighted",
    }


def test_smin_needs_training_frequencies() -> None:
    e = random_evaluation(0, 4)
    without = Evaluation.of(e.task, e.truth, e.scores)
    assert "training frequencies" in compute(SPECS, without, ["smin"]).left_out["smin"]


@pytest.mark.parametrize("name", ["auprc_pooled_clus", "fmax", "smin"])
@CASES
def test_weights_are_repetitions(name: str, seed: int, steps: int) -> None:
    e = random_evaluation(seed, steps, n=30)
    counts = pooled_counts(find_spec(SPECS, name), e)
    assert counts is not None
    stats, reduce = counts
    weights = np.random.default_rng(1).integers(0, 4, (5, 30))
    weights[:, 1] = 1  # so that no class loses its last positive: what then drops out is fixed by the sample
    metric: Callable[[Evaluation], float] = {
        "auprc_pooled_clus": pooled_clus.auprc_pooled_clus,
        "fmax": cafa.fmax,
        "smin": cafa.smin,
    }[name]
    for row, value in zip(weights, reduce(weights @ stats), strict=True):
        repeated = random_evaluation(seed, steps, n=30, rows=np.repeat(np.arange(30), row))
        assert metric(repeated) == pytest.approx(value, abs=1e-9)
