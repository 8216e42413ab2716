"""Stored predictions of one board's cells as statistics per sample, and bootstrap draws of them.

Rows are brought into one order of samples, fixed by the first cell that is read, so that draw b
takes the same samples for every model: differences between models are paired.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.sparse import issparse, vstack

from hmcbench.errors import HmcbenchError
from hmcbench.interfaces import MetricSpec
from hmcbench.leaderboard.statistics import Bootstrap
from hmcbench.metrics.base import summed
from hmcbench.metrics.computing import is_pooled, pooled_counts, sample_stats
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import FoldSeed, Record

StatsReduce = tuple[Any, Any]  # (stats (N, K), reduce)


class NoTruth(HmcbenchError):
    """Predictions whose truth was not published."""


@dataclass
class Draws:
    """Of one row.

    Attributes:
        values: (side, metric) -> (S, B).
        pooled: metric -> (S,), the metric over the test samples of all folds together.
    """

    values: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)
    pooled: dict[str, np.ndarray] = field(default_factory=dict)


class Samples:
    """The samples of one board: k folds of ``test``, and further sides that every fold predicts."""

    def __init__(
        self, folds: Sequence[int], sides: Sequence[str], specs: Mapping[str, MetricSpec], primary: str
    ) -> None:
        self.folds, self.sides, self.specs, self.primary = list(folds), list(sides), specs, primary
        self._ranked = {name for name, spec in specs.items() if name == spec.name and is_pooled(spec)}
        self._orders: dict[tuple[str, int], list[str]] = {}
        self._bootstraps: dict[str, Bootstrap] = {}

    def draws(self, cells: Mapping[FoldSeed, Record], seeds: Sequence[int]) -> Draws:
        """Draws for a row that has every fold for these seeds.

        Raises NoTruth where truth is lacking; HmcbenchError where predictions are lacking, damaged, or of
        other samples.
        """
        per_seed = [self._of_seed([cells[FoldSeed(fold, seed)] for fold in self.folds]) for seed in seeds]
        shared = set.intersection(*(set(values) for values, _ in per_seed))
        return Draws(
            {key: np.stack([values[key] for values, _ in per_seed]) for key in sorted(shared)},
            {key: np.array([pooled[key] for _, pooled in per_seed]) for key in sorted(per_seed[0][1])},
        )

    def _of_seed(
        self, records: Sequence[Record]
    ) -> tuple[dict[tuple[str, str], np.ndarray], dict[str, float]]:
        """Draws (B,) by (side, metric), and pooled values, of one seed."""
        loaded = [record.predictions() for record in records]
        if any(predictions.truth is None for predictions in loaded):
            raise NoTruth("no truth is stored with the predictions")
        if not self._bootstraps:
            self._fix(loaded)
        test = self._evaluations("test", loaded, records)
        points: dict[str, float] = {}
        values: dict[tuple[str, str], np.ndarray] = {}
        for name, (draws, point) in self._pooled(test).items():
            values["test", name], points[name] = draws, point
        for side in self.sides:
            found = self._mean_over_folds(side, self._evaluations(side, loaded, records))
            if found is not None:
                values[side, self.primary] = found
        return values, points

    def _fix(self, loaded: Sequence[Predictions]) -> None:
        """Fix the order of samples, and draw weights for it."""
        test = [predictions.of_side("test") for predictions in loaded]
        for fold, some in zip(self.folds, test, strict=True):
            self._orders["test", fold] = list(some.ids)
        self._bootstraps["test"] = _bootstrap(test)
        for side in self.sides:
            some = loaded[0].of_side(side)
            self._orders.update({(side, fold): list(some.ids) for fold in self.folds})
            self._bootstraps[side] = _bootstrap([some])

    def _evaluations(
        self, side: str, loaded: Sequence[Predictions], records: Sequence[Record]
    ) -> list[Evaluation]:
        """One side of every fold."""
        parts = zip(self._aligned(side, loaded), records, strict=True)
        return [Evaluation.of_predictions(part, record.thresholds) for part, record in parts]

    def _aligned(self, side: str, loaded: Sequence[Predictions]) -> list[Predictions]:
        """One side of every fold, in the board's order of samples."""
        out = []
        for fold, predictions in zip(self.folds, loaded, strict=True):
            some = predictions.of_side(side)
            where = {name: i for i, name in enumerate(some.ids)}
            order = self._orders[side, fold]
            if len(where) != len(order) or any(name not in where for name in order):
                raise HmcbenchError(f"its {side} samples are not those of the other rows")
            out.append(some.take(np.array([where[name] for name in order], dtype=np.int64)))
        return out

    def _pooled(self, folds: Sequence[Evaluation]) -> dict[str, tuple[np.ndarray, float]]:
        """Metric id -> draws (B,) and value over the test samples of all folds together.

        Metrics that are neither sums over samples nor rankings are left out, as are those that fail.
        """
        if not all(map(len, folds)):
            return {}
        bootstrap = self._bootstraps["test"]
        sums = _pool([self._sums(evaluation, self.specs) for evaluation in folds])
        draws = bootstrap.values(list(sums.values()))
        out = {name: (row, _value(sums[name])) for name, row in zip(sums, draws, strict=True)}
        together = _together(folds) if self._ranked else folds[0]
        for name in self._ranked:
            counts = pooled_counts(self.specs[name], together)
            if counts is not None:
                out[name] = bootstrap.of_counts(*counts), _value(counts)
        return out

    def _mean_over_folds(self, side: str, folds: Sequence[Evaluation]) -> np.ndarray | None:
        """Draws (B,) of the primary metric on a further side, which every fold predicts."""
        if self.primary not in self.specs or not all(map(len, folds)):
            return None
        bootstrap, spec = self._bootstraps[side], self.specs[self.primary]
        if self.primary in self._ranked:
            counts = [pooled_counts(spec, evaluation) for evaluation in folds]
            draws = [bootstrap.of_counts(*pair) for pair in counts if pair is not None]
        else:
            pairs = [sample_stats(spec, evaluation, self.primary) for evaluation in folds]
            draws = list(bootstrap.values([pair for pair in pairs if pair is not None]))
        return np.mean(draws, axis=0) if len(draws) == len(folds) else None

    def _sums(self, evaluation: Evaluation, names: Iterable[str]) -> dict[str, StatsReduce]:
        """Metric id -> statistics of the samples of one fold."""
        pairs = {name: sample_stats(self.specs[name], evaluation, name) for name in names}
        return {name: pair for name, pair in pairs.items() if pair is not None}


def _together(folds: Sequence[Evaluation]) -> Evaluation:
    """Scores and truth of the samples of all folds; rankings read nothing else."""
    first = folds[0]
    if len(folds) == 1:
        return first
    truth, scores = (_stacked(parts) for parts in ([e.truth for e in folds], [e.scores for e in folds]))
    stop = None if first.stop is None else np.concatenate([e.stop for e in folds if e.stop is not None])
    return Evaluation.of(first.task, truth, scores, stop)


def _bootstrap(parts: Sequence[Predictions]) -> Bootstrap:
    n = sum(len(part) for part in parts)
    if any(part.groups is None for part in parts):
        return Bootstrap(n)
    return Bootstrap(n, [group for part in parts for group in part.groups or ()])


def _pool(tables: Sequence[dict[str, StatsReduce]]) -> dict[str, StatsReduce]:
    """One table over the samples of all folds; metrics that some fold lacks are left out."""
    if len(tables) == 1:
        return tables[0]
    names = [name for name in tables[0] if all(name in table for table in tables)]
    return {name: (_stacked([t[name][0] for t in tables]), tables[0][name][1]) for name in names}


def _stacked(parts: Sequence[Any]) -> Any:
    if any(issparse(part) for part in parts):
        return vstack(parts, format="csr")
    return np.concatenate(parts)


def _value(pair: StatsReduce) -> float:
    """The metric itself."""
    stats, reduce = pair
    return float(reduce(summed(stats)))
