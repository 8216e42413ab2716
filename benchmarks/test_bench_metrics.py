"""The six set metrics beside hiclass: 20,000 samples, 125 classes, each tool from its own arrays.

Only the ratio is asserted: both are timed on the same machine, in the same minute.
"""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
import pytest

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
    said = np.where(rng.random(SAMPLES) < 0.5, true, rng.choice(h.leaves, SAMPLES))
    table = np.array([list(next(h.paths(h.classes[c]))) for c in h.leaves], dtype=object)
    row = np.searchsorted(h.leaves, [true, said])
    return table[row[0]], table[row[1]]


def test_six_set_metrics(benchmark: Any) -> None:
    theirs = pytest.importorskip("hiclass.metrics")
    h = hierarchy()
    assert h.n == 125
    true_ids, said_ids = paths(h)

    start = time.perf_counter()
    truth, said = (h.encode(ids[:, -1:].tolist()).toarray() for ids in (true_ids, said_ids))
    conversion = time.perf_counter() - start

    def ours() -> dict[str, float]:
        evaluation = Evaluation.of_sets(h, truth, said)  # closes both sides
        return {name: metric(evaluation) for name, metric in OURS.items()}

    found = benchmark.pedantic(ours, rounds=15, warmup_rounds=2)

    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns about every sample without a hit
        expected = {
            name: getattr(theirs, function)(true_ids, said_ids, average=average)
            for name, (function, average) in THEIRS.items()
        }
    seconds = time.perf_counter() - start

    assert found == pytest.approx(expected)
    ratio = seconds / benchmark.stats.stats.median
    benchmark.extra_info.update(
        hiclass_seconds=round(seconds, 2), conversion_seconds=round(conversion, 3), ratio=round(ratio)
    )
    assert ratio >= 100, f"only {ratio:.0f} times faster than hiclass ({seconds:.1f} s)"
