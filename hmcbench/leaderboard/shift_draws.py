"""Bootstrap draws of a row under shifts: the same samples with and without them.

Where not all test samples see a shift, those that do are compared with themselves. A draw has a weight for
every test sample, whatever shifts it sees: a mean over shifts with samples of their own is surer than each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array, issparse

from hmcbench.errors import HmcbenchError
from hmcbench.interfaces import MetricSpec
from hmcbench.leaderboard.draws import DrawCache, Draws, code_facts
from hmcbench.leaderboard.inference import Basis
from hmcbench.leaderboard.intervals import SETTINGS
from hmcbench.leaderboard.samples import stats_over_folds
from hmcbench.leaderboard.statistics import Bootstrap
from hmcbench.metrics.base import summed
from hmcbench.metrics.computing import CALIBRATION, is_pooled
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import Record
from hmcbench.records.shifts import FILE, Shifted, ShiftPoint, before_shift, stored_shifts, under_shift

PLAIN, MEAN, DROP = "plain", "mean", "drop"
"""Columns of the draws: the metric without shifts, its mean over shifts and severities, the difference."""


def of_shift(column: str, shift: str) -> str:
    """The column of one shift: the same over its severities alone, on the samples that see it."""
    return f"{column} under {shift}"


class ShiftSteps(NamedTuple):
    """What must agree for a comparison of rows under a shift.

    Attributes:
        samples: how many test samples see it at most; None: all.
    """

    label: str
    version: str
    unit: str
    severities: tuple[float, ...]
    samples: int | None


def shift_draws(
    records: Sequence[Record],
    steps: Sequence[ShiftSteps],
    metric: str,
    spec: MetricSpec,
    cache: DrawCache | None,
) -> Draws | None:
    """The draws of a row that has all steps, or None where predictions or their truth are missing.

    Args:
        records: all folds of every seed.
        cache: where draws are kept, or None.

    Returns:
        Columns ``plain``, ``mean`` and ``drop``, and those of every shift (:func:`of_shift`): (B,) means over
        seeds; points: (S,) over the samples of all folds together.
    """
    facts = None if cache is None else _facts(records, steps, metric, spec)
    known = cache.get(facts) if cache is not None and facts is not None else None
    if known is None:
        known = _drawn(records, steps, metric, spec)
        if known is not None and cache is not None and facts is not None:
            cache.put(facts, known)
    return known


def _facts(
    records: Sequence[Record], steps: Sequence[ShiftSteps], metric: str, spec: MetricSpec
) -> dict[str, Any] | None:
    """All that the draws depend on; None where that is unknown."""
    try:
        code = code_facts([spec])
        files = [hashlib.sha256((r.path / FILE).read_bytes()).hexdigest() for r in records]
    except Exception:  # a plugin's module may raise anything
        return None
    digests = [record.predictions_digest() for record in records]
    if not all(digests):
        return None
    cells = zip(records, digests, files, strict=True)
    return {
        **code,
        **SETTINGS,
        "under shifts": [metric, spec.version, spec.better, [list(step) for step in steps]],
        "cells": [[*each, r.part("decision").get("thresholds"), *r.fold_seed] for r, *each in cells],
    }


def _drawn(
    records: Sequence[Record], steps: Sequence[ShiftSteps], metric: str, spec: MetricSpec
) -> Draws | None:
    sign = -1.0 if spec.better == "lower" else 1.0
    seeds = sorted({record.seed for record in records})
    points, draws = [], []
    bootstrap: Bootstrap | None = None
    seen: dict[str, np.ndarray] = {}
    for seed in seeds:
        folds = sorted((r for r in records if r.seed == seed), key=lambda record: record.fold)
        samples = _Samples.of(folds, steps)
        pairs = None if samples is None else samples.statistics(steps, metric, spec)
        if samples is None or pairs is None:
            return None
        bootstrap = bootstrap or samples.bootstrap()
        seen = seen or {step.label: samples.places(step) for step in steps}
        if is_pooled(spec):
            values = np.stack([bootstrap.of_counts(*pair) for pair in pairs])
        else:
            values = bootstrap.values(pairs)
        exact = np.array([float(reduce(summed(stats))) for stats, reduce in pairs])
        points.append(columns_of(exact, steps, sign))
        draws.append(columns_of(values, steps, sign))
    assert bootstrap is not None
    return Draws(
        {name: np.mean([of_seed[name] for of_seed in draws], axis=0) for name in draws[0]},
        {name: np.array([of_seed[name] for of_seed in points]) for name in draws[0]},
        _basis(bootstrap.unit, seen),
    )


def _basis(unit: np.ndarray, seen: Mapping[str, np.ndarray]) -> dict[str, Basis]:
    """The samples behind every column; ``seen``: label of a shift -> places of the samples that see it."""

    def of(places: np.ndarray) -> Basis:
        return Basis(len(np.unique(unit[places])), len(places))

    out = dict.fromkeys((PLAIN, MEAN, DROP), of(np.unique(np.concatenate(list(seen.values())))))
    for label, places in seen.items():
        out |= dict.fromkeys((of_shift(MEAN, label), of_shift(DROP, label)), of(places))
    return out


def columns_of(values: np.ndarray, steps: Sequence[ShiftSteps], sign: float) -> dict[str, np.ndarray]:
    """Columns (...) of values (M, ...): of every shift, without it and then at its severities.

    Args:
        sign: -1 where less is better.
    """
    plain, mean, start = [], [], 0
    for step in steps:
        end = start + 1 + len(step.severities)
        plain.append(values[start])
        mean.append(values[start + 1 : end].mean(axis=0))
        start = end
    columns = {PLAIN: np.mean(plain, axis=0), MEAN: np.mean(mean, axis=0)}
    columns[DROP] = sign * (columns[PLAIN] - columns[MEAN])
    for step, before, under in zip(steps, plain, mean, strict=True):
        columns[of_shift(MEAN, step.label)] = under
        columns[of_shift(DROP, step.label)] = sign * (before - under)
    return columns


@dataclass(frozen=True)
class _Samples:
    """The test samples of all folds of a seed, one fold after the other, and what was predicted for them."""

    records: Sequence[Record]
    predictions: Sequence[Predictions]
    points: Sequence[dict[ShiftPoint, Shifted]]

    @classmethod
    def of(cls, records: Sequence[Record], steps: Sequence[ShiftSteps]) -> _Samples | None:
        """None where predictions, their truth or a point is missing."""
        try:
            predictions = [record.predictions() for record in records]
            points = [stored_shifts(*pair) for pair in zip(records, predictions, strict=True)]
        except HmcbenchError:
            return None
        wanted = {ShiftPoint(step.label, severity) for step in steps for severity in step.severities}
        if any(p.truth is None for p in predictions) or any(wanted - of_fold.keys() for of_fold in points):
            return None  # not published
        return cls(records, predictions, points)

    def bootstrap(self) -> Bootstrap:
        tests = [predictions.of_side("test") for predictions in self.predictions]
        n = sum(map(len, tests))
        if any(test.groups is None for test in tests):
            return Bootstrap(n)
        return Bootstrap(n, [unit for test in tests for unit in test.units or ()])

    def places(self, step: ShiftSteps) -> np.ndarray:
        """Of the samples that see a shift, among all of them."""
        parts, before = [], 0
        for predictions, points in zip(self.predictions, self.points, strict=True):
            n = predictions.side.count("test")
            seen = points[ShiftPoint(step.label, step.severities[0])].seen
            parts.append(before + (np.arange(n) if seen is None else seen))
            before += n
        return np.concatenate(parts)

    def statistics(
        self, steps: Sequence[ShiftSteps], metric: str, spec: MetricSpec
    ) -> list[tuple[Any, Any]] | None:
        """The metric as statistics of all samples, and reduce: of every shift without it, then at all steps.

        None where the metric has no value.
        """
        pairs = []
        n = sum(predictions.side.count("test") for predictions in self.predictions)
        for step in steps:
            places = self.places(step)
            for severity in (0.0, *step.severities):
                pair = stats_over_folds(self._evaluations(step, severity), spec, metric)
                if pair is None:
                    return None
                pairs.append((_over_all(pair[0], places, n), pair[1]))
        return pairs

    def _evaluations(self, step: ShiftSteps, severity: float) -> list[Evaluation]:
        """Of every fold, the samples that see a shift, at a severity or (0) as they are."""
        out = []
        for record, predictions, points in zip(self.records, self.predictions, self.points, strict=True):
            shifted = points[ShiftPoint(step.label, severity or step.severities[0])]
            changed = under_shift(predictions, shifted) if severity else before_shift(predictions, shifted)
            apart = changed.of_side(CALIBRATION)
            out.append(Evaluation.of_predictions(changed.of_side("test"), record.thresholds, apart))
        return out


def _over_all(stats: Any, places: np.ndarray, n: int) -> Any:
    """Statistics (m, K) of some samples as those of all n: zeros of the others."""
    if len(places) == n:
        return stats
    if issparse(stats):
        ones = (np.ones(len(places), dtype=stats.dtype), (places, np.arange(len(places))))
        return csr_array(csr_array(ones, shape=(n, len(places))) @ stats)
    whole = np.zeros((n, stats.shape[1]), dtype=stats.dtype)
    whole[places] = stats
    return whole
