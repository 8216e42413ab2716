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
from hmcbench.leaderboard.rankings import MICRO, MOST_PAIRS, micro_reduce, micro_stats
from hmcbench.leaderboard.statistics import Bootstrap
from hmcbench.metrics.computing import sample_stats
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import FoldSeed, Record

Pair = tuple[Any, Any]  # (stats (N, K), reduce)


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
        values: dict[tuple[str, str], np.ndarray] = {}
        parts = self._aligned("test", loaded)
        pooled = _pool([self._table(*pair, self.specs) for pair in zip(parts, records, strict=True)])
        pooled |= _rankings(parts, self.specs)
        if pooled:
            drawn = self._bootstraps["test"].values(list(pooled.values()))
            values = {("test", name): row for name, row in zip(pooled, drawn, strict=True)}
        for side in self.sides:
            parts = self._aligned(side, loaded)
            tables = [
                self._table(part, record, [self.primary]) | _rankings([part], [self.primary])
                for part, record in zip(parts, records, strict=True)
            ]
            if all(self.primary in table for table in tables):
                pairs = [table[self.primary] for table in tables]
                values[side, self.primary] = self._bootstraps[side].values(pairs).mean(axis=0)
        points = {name: float(reduce(_total(stats))) for name, (stats, reduce) in pooled.items()}
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

    def _table(self, part: Predictions, record: Record, names: Iterable[str]) -> dict[str, Pair]:
        """Metric id -> statistics; metrics that are no sums over samples are left out."""
        found: dict[str, Pair] = {}
        if not len(part):
            return found
        evaluation = Evaluation.of_predictions(part, record.thresholds)
        for name in names:
            try:
                pair = sample_stats(self.specs[name], evaluation, name)
            except Exception:  # a plugin's metric may raise anything; it goes without an interval
                continue
            if pair is not None:
                found[name] = pair
        return found


def _rankings(parts: Sequence[Predictions], names: Iterable[str]) -> dict[str, Pair]:
    """The ranking metric among the names, over the samples of all parts together."""
    pairs = sum(part.scores.size for part in parts)
    if MICRO not in names or not 0 < pairs <= MOST_PAIRS or parts[0].task.kind != "hmc":
        return {}
    truth = _stacked([part.truth for part in parts])
    return {MICRO: (micro_stats(np.concatenate([part.scores for part in parts]), truth), micro_reduce)}


def _bootstrap(parts: Sequence[Predictions]) -> Bootstrap:
    n = sum(len(part) for part in parts)
    if any(part.groups is None for part in parts):
        return Bootstrap(n)
    return Bootstrap(n, [group for part in parts for group in part.groups or ()])


def _pool(tables: Sequence[dict[str, Pair]]) -> dict[str, Pair]:
    """One table over the samples of all folds; metrics that some fold lacks are left out."""
    if len(tables) == 1:
        return tables[0]
    names = [name for name in tables[0] if all(name in table for table in tables)]
    return {name: (_stacked([t[name][0] for t in tables]), tables[0][name][1]) for name in names}


def _stacked(parts: Sequence[Any]) -> Any:
    if any(issparse(part) for part in parts):
        return vstack(parts, format="csr")
    return np.concatenate(parts)


def _total(stats: Any) -> np.ndarray:
    return np.asarray(stats.sum(axis=0), dtype=np.float64).ravel()
