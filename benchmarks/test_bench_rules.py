"""Decision rules and thresholds on a DAG of the size of the Gene Ontology: 1,278 samples, 4,125 classes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from ratios import seconds
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow
from sklearn.metrics import precision_recall_curve

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Task
from hmcbench.metrics.decisions import fit_threshold
from hmcbench.metrics.rules import most_probable, ranked, repairs
from hmcbench.metrics.rules.isotonic import isotonic

SAMPLES, CLASSES = 1278, 4125
RULES: dict[str, tuple[Callable[..., Any], float]] = {  # with the limit in seconds, some five times the usual
    "max": (repairs.maximum, 1),
    "min": (repairs.minimum, 1),
    "product": (repairs.product, 2),
    "isotonic": (isotonic, 15),
    "map": (most_probable.most_probable, 5),
    "cssa": (partial(ranked.cssa, k=40), 20),
    "expected-hf1": (ranked.expected_f1, 20),
}


@pytest.fixture(scope="module")
def problem() -> tuple[Task, np.ndarray, np.ndarray]:
    """Task, truth and scores: the log odds of the prior, shifted by the truth, with noise."""
    rng = np.random.default_rng(0)
    edges = []
    for i in range(CLASSES):
        count = 1 + (rng.random() < 0.45) if i > 3 else 0
        above = {int(p) for p in rng.integers(max(0, i // 5 - 50), max(1, i * 3 // 5), count)}
        edges += [(f"c{p}", f"c{i}") for p in above] or [("", f"c{i}")]
    h = Hierarchy.from_edges(edges)
    truth = h.close(rng.random((SAMPLES, CLASSES)) < 0.002)
    prior = truth.mean(axis=0)
    odds = np.log(prior + 1e-4) - np.log(1 - prior + 1e-4) + 2 * truth + 0.3 * rng.normal(size=truth.shape)
    return (
        Task(paths="multiple", depth="ragged", hierarchy=h),
        truth,
        (1 / (1 + np.exp(-odds))).astype(np.float32),
    )


@pytest.mark.parametrize("name", RULES)
def test_a_rule(name: str, problem: tuple[Task, np.ndarray, np.ndarray], benchmark: Any) -> None:
    task, _, scores = problem
    rule, limit = RULES[name]
    benchmark.pedantic(rule, (scores, task), rounds=1, warmup_rounds=0)
    print(f"\n{name}: {benchmark.stats.stats.min:.2f} s")
    assert benchmark.stats.stats.min < limit


def test_the_most_probable_set(
    problem: tuple[Task, np.ndarray, np.ndarray], benchmark: Any, ratio: Callable[..., None]
) -> None:
    """Beside one minimum cut of the whole hierarchy per sample."""
    task, _, scores = problem
    h = task.hierarchy
    assert h is not None
    rows = scores[:20]
    parents, children = h.edge_index.T

    def whole() -> None:
        for row in rows.astype(float):
            odds = np.rint((np.log(row) - np.log1p(-row)) * 1e5)
            gains, losses = np.flatnonzero(odds > 0), np.flatnonzero(odds < 0)
            ends = np.concatenate([gains, np.full(len(losses), h.n + 1), parents])
            starts = np.concatenate([np.full(len(gains), h.n), losses, children])
            values = np.concatenate([odds[gains], -odds[losses], np.full(len(parents), 2**31 - 1)])
            graph = csr_array((values.astype(np.int32), (starts, ends)), shape=(h.n + 2, h.n + 2))
            maximum_flow(graph, h.n, h.n + 1)

    benchmark.pedantic(most_probable.most_probable, (rows, task), rounds=5, warmup_rounds=1)
    work = f"most probable closed set of {len(rows)} samples, {h.n:,} classes"
    ratio(work, "a minimum cut of everything", seconds(whole), benchmark.stats.stats.median, 2)


def test_thresholds_per_class(
    problem: tuple[Task, np.ndarray, np.ndarray], benchmark: Any, ratio: Callable[..., None]
) -> None:
    """Beside scikit-learn's curve of every class."""
    task, truth, scores = problem
    h = task.hierarchy
    assert h is not None
    coherent = h.cohere(scores)
    some = np.flatnonzero(truth.any(axis=0))[::20]

    def curves() -> None:
        for c in some:
            precision, recall, cuts = precision_recall_curve(truth[:, c], coherent[:, c])
            f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
            assert len(cuts) >= f1[:-1].argmax()

    benchmark.pedantic(fit_threshold, (scores, truth, h, "per_class"), rounds=3, warmup_rounds=1)
    theirs = seconds(curves) * CLASSES / len(some)
    ratio(f"thresholds of {CLASSES:,} classes", "scikit-learn", theirs, benchmark.stats.stats.median, 2)
