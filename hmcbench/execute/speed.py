"""How fast a model predicts new samples: from rows of the dataset's views, features included.

The features of the samples of a cell come from the cache; those of a new sample do not. So each timed sample
runs through the featurizers as ``hmcbench predict`` runs them. Reading a file counts; drawing a synthetic
image, which no new sample needs, does not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from hmcbench.data import featurize
from hmcbench.data.views import Rows
from hmcbench.execute import resources
from hmcbench.interfaces import Dataset, Image, Inputs

WARM_UP, CALLS = 3, 60
CALLS_S = 5.0  # for the timed calls, and again for those of the warm-up
FEATURES_S = 1.0  # for the features of many samples, with reading what they are made of
PIECE = 16  # samples that one thread featurizes at a time
LEAST_CALLS = {50: 6, 95: 60}
"""Percentile -> calls that it needs to be reported: with so many, it lies between the fastest and the slowest
of them with a probability of at least 0.95."""


class DrawnImage:
    """A synthetic image that is drawn once, before the clock starts."""

    def __init__(self, image: Image) -> None:
        self._pixels = image.load()

    def load(self, min_side: int | None = None) -> np.ndarray:
        return self._pixels


@dataclass(frozen=True, eq=False)
class TimedSamples:
    """The samples of a dataset as if they were new: nothing comes from the cache.

    Attributes:
        rows: view -> N rows; those of views that need no featurizer are read.
    """

    dataset: Dataset
    plans: Sequence[featurize.ViewPlan]
    rows: Mapping[str, Any]
    transforms: Sequence[Callable[[Any], np.ndarray]]

    @staticmethod
    def of(dataset: Dataset, plans: Sequence[featurize.ViewPlan], rows: Mapping[str, Any]) -> TimedSamples:
        return TimedSamples(dataset, plans, rows, [featurize.transformer(plan) for plan in plans])

    def sources(self, rows: np.ndarray) -> dict[str, Any]:
        """What featurizers read of the rows: view of the dataset -> n rows."""
        sources = {p.source: Rows(self.dataset.views[p.source], rows)[:] for p in self.plans if p.steps}
        if self.dataset.synthetic:
            for name, values in sources.items():
                if isinstance(values, list):  # an array stays one: featurizers compute with it
                    sources[name] = [DrawnImage(x) if hasattr(x, "load") else x for x in values]
        return sources

    def inputs(self, rows: np.ndarray, sources: Mapping[str, Any]) -> Inputs:
        """What a model reads of the rows, with features computed now."""
        views = {
            plan.name: Rows(transform(sources[plan.source]))
            if plan.steps
            else Rows(self.rows[plan.name], rows)
            for plan, transform in zip(self.plans, self.transforms, strict=True)
        }
        return Inputs([self.dataset.ids[i] for i in rows], views)

    def feature_seconds(self, rows: np.ndarray, threads: int) -> float:
        """Seconds per sample for the features of many samples; 0 where the model needs none."""
        if not any(plan.steps for plan in self.plans):
            return 0.0
        self.inputs(rows[:1], self.sources(rows[:1]))  # warm-up
        pieces = [rows[i : i + PIECE] for i in range(0, len(rows), PIECE)]
        samples, seconds, until = 0, 0.0, time.perf_counter() + FEATURES_S
        with ThreadPoolExecutor(max(1, threads)) as pool:
            while pieces and (not samples or time.perf_counter() < until):
                parallel, pieces = pieces[: max(1, threads)], pieces[max(1, threads) :]
                sources = [self.sources(piece) for piece in parallel]
                start = time.perf_counter()
                samples += sum(map(len, pool.map(self.inputs, parallel, sources)))
                seconds += time.perf_counter() - start
        return seconds / samples


def measure(
    model: Any, samples: TimedSamples, rows: np.ndarray, predict_s: float, device: str, threads: int
) -> dict[str, float]:
    """Throughput and latency on new samples.

    Args:
        rows: of the test partition.
        predict_s: seconds that the model took to predict these rows from cached views.

    Returns:
        ``throughput_per_s``: samples per second when many are predicted together; ``latency_calls``: timed
        calls with one sample each, features included; ``latency_p50_ms`` and ``latency_p95_ms`` of these, and
        ``predict_p50_ms``, of the model alone, each only if there were enough calls.
    """
    seconds = samples.feature_seconds(rows, threads) + max(predict_s, 1e-6) / len(rows)
    _call_each(model, samples, rows, device, WARM_UP)
    times = _call_each(model, samples, rows, device, CALLS)
    timing: dict[str, float] = {"throughput_per_s": round(1 / seconds, 2), "latency_calls": len(times)}
    for name, column, percent in (("latency_p50", 0, 50), ("latency_p95", 0, 95), ("predict_p50", 1, 50)):
        if len(times) >= LEAST_CALLS[percent]:
            timing[f"{name}_ms"] = round(1000 * float(np.percentile(times[:, column], percent)), 3)
    return timing


def _call_each(model: Any, samples: TimedSamples, rows: np.ndarray, device: str, calls: int) -> np.ndarray:
    """Seconds (n, 2) of calls with one sample: with its features, and of the model alone; n <= calls."""
    times: list[tuple[float, float]] = []
    until = time.perf_counter() + CALLS_S
    for i in range(calls):
        row = rows[i % len(rows) :][:1]
        source = samples.sources(row)
        resources.synchronise(device)
        start = time.perf_counter()
        inputs = samples.inputs(row, source)
        featurized = time.perf_counter()
        model.predict(inputs)
        resources.synchronise(device)
        end = time.perf_counter()
        times.append((end - start, end - featurized))
        if end > until:
            break
    return np.array(times)
