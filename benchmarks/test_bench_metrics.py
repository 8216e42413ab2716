"""The six set metrics beside hiclass: 20,000 samples, 125 classes, each tool from its own arrays."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ratios import seconds

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.metrics import sets
from hmcbench.metrics.evaluation import Evaluation

SAMPLES = 20_000
OURS = {
    "hp_micro": sets.hp_micro,
    "hr_micro": sets.hr_micro,
    "hf1_micro": sets.hf1_micro,
    "hp_samples": sets.hp_samples,
    "hr_samples": sets.hr_samples,
    "hf1_samples_mean": sets.hf1_samples_mean,
}
THEIRS = {
    "hp_micro": ("precision", "micro"),
    "hr_micro": ("recall", "micro"),
    "hf1_micro": ("f1", "micro"),
    "hp_samples": ("precision", "macro"),
    "hr_samples": ("recall", "macro"),
    "hf1_samples_mean": ("f1", "macro"),
}


def hierarchy() -> Hierarchy:
    """5 + 20 + 100 classes on three levels."""
    return Hierarchy.from_paths(
        [(f"{i}", f"{j}", f"{k}") for i in range(5) for j in range(4) for k in range(5)]
    )


def paths(h: Hierarchy) -> tuple[np.ndarray, np.ndarray]:
    """True and predicted ids (N, 3), the native arrays of hiclass; about half of the ends are right."""
    rng = np.random.default_rng(0)
    true = rng.choice(h.leaves, SAMPLES)
    predicted = np.where(rng.random(SAMPLES) < 0.5, true, rng.choice(h.leaves, SAMPLES))
    table = np.array([list(next(h.paths(h.classes[c]))) for c in h.leaves], dtype=object)
    row = np.searchsorted(h.leaves, [true, predicted])
    return table[row[0]], table[row[1]]


def test_six_set_metrics(benchmark: Any, ratio: Callable[..., None]) -> None:
    hiclass = pytest.importorskip("hiclass.metrics")
    h = hierarchy()
    assert h.n == 125
    true_ids, predicted_ids = paths(h)
    truth, predicted = (h.encode(ids[:, -1:].tolist()).toarray() for ids in (true_ids, predicted_ids))
    expected: dict[str, float] = {}

    def ours() -> dict[str, float]:
        evaluation = Evaluation.of_sets(h, truth, predicted)  # closes both
        return {name: metric(evaluation) for name, metric in OURS.items()}

    def theirs() -> None:
        for name, (function, average) in THEIRS.items():
            expected[name] = getattr(hiclass, function)(true_ids, predicted_ids, average=average)

    values = benchmark.pedantic(ours, rounds=15, warmup_rounds=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # hiclass warns about every sample without a hit
        theirs_s = seconds(theirs)
    assert values == pytest.approx(expected)
    work = f"six set metrics of {SAMPLES:,} samples, {h.n} classes"
    ratio(work, "hiclass", theirs_s, benchmark.stats.stats.median, 100)
