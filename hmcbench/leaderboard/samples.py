"""Stored predictions of one board's cells as statistics per sample, and bootstrap draws of them.

All rows have the same order of samples, fixed by the first cell that is read, so that draw b
takes the same samples for every model: differences between models are paired.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import issparse, vstack
from threadpoolctl import threadpool_limits

from hmcbench.errors import HmcbenchError
from hmcbench.interfaces import MetricSpec
from hmcbench.leaderboard.columns import DROP, SHIFT
from hmcbench.leaderboard.draws import Draws
from hmcbench.leaderboard.inference import Basis
from hmcbench.leaderboard.statistics import Bootstrap, StatsReduce
from hmcbench.metrics.base import summed
from hmcbench.metrics.computing import BESIDE, is_pooled, pooled_counts, sample_stats
from hmcbench.metrics.evaluation import Apart, Evaluation
from hmcbench.records.predictions import Predictions, PredictionsReader
from hmcbench.records.record import FoldSeed, NotPublished, Record

MOST_THREADS = 4
GROUP = 32  # seeds whose statistics share a product: it reads the weights from memory once for all
_PAIRS = 2**20  # (sample, class) pairs of a group: more make a table that is slower than several


class NoTruth(HmcbenchError):
    """Predictions whose truth was not published."""


@dataclass(frozen=True)
class _Aligned:
    """The places of a board's samples in predictions with these ids, sides and truth, kept for reuse.

    Attributes:
        rows: in the board's order; a slice where that is the order of the predictions.
        truth: of these rows, dense; of pixels: label maps.
    """

    ids: Sequence[str]
    sides: Sequence[str]
    stored: Any
    rows: slice | np.ndarray
    truth: Any

    def fits(self, predictions: Predictions) -> bool:
        """Whether predictions share the same objects, as those of one reader do."""
        known = predictions.ids is self.ids and predictions.side is self.sides
        return known and predictions.truth is self.stored


class Samples:
    """The samples of one board: k folds of ``test``, and further sides that every fold predicts."""

    def __init__(
        self, folds: Sequence[int], sides: Sequence[str], specs: Mapping[str, MetricSpec], primary: str
    ) -> None:
        self.folds, self.sides, self.specs, self.primary = list(folds), list(sides), specs, primary
        own = ((name, spec) for name, spec in specs.items() if name == spec.name or spec.over == "levels")
        self._ranked = [name for name, spec in own if is_pooled(spec)]
        self._orders: dict[tuple[str, int], list[str]] = {}
        self._bootstraps: dict[str, Bootstrap] = {}
        self._aligned: dict[tuple[str, int], _Aligned] = {}
        self._reader = PredictionsReader()
        self._first: list[Record] = []
        self._pairs = 1  # of a seed

    def first(self, records: Sequence[Record]) -> list[Record]:
        """The cells that fix the order of samples: all folds of the first seed of the first row.

        They are of ``records`` unless an earlier row has fixed the order.
        """
        if not self._first:
            seed = min(record.seed for record in records)
            of_folds = {record.fold: record for record in records if record.seed == seed}
            return [of_folds[fold] for fold in self.folds]
        return self._first

    def fix(self, records: Sequence[Record]) -> None:
        """Let a row whose draws are already known fix the order of samples."""
        self._first = self.first(records)

    def draws(self, records: Sequence[Record]) -> Draws:
        """Draws for a row that has every fold for each of its seeds.

        Raises NoTruth where truth is missing; HmcbenchError where predictions are missing, damaged, or of
        other samples.
        """
        cells = {record.fold_seed: record for record in records}
        numbers = sorted({cell.seed for cell in cells})
        seeds = self._of_seeds([[cells[FoldSeed(fold, seed)] for fold in self.folds] for seed in numbers])
        shared = sorted(set.intersection(*(set(seed.columns) for seed in seeds)))
        values = {name: np.stack([seed.columns[name] for seed in seeds]) for name in shared}
        spec = self.specs.get(self.primary)
        sign = -1.0 if spec is not None and spec.better == "lower" else 1.0
        for side in self.sides:
            shifted = f"{self.primary}{SHIFT}{side}"
            if {shifted, self.primary} <= values.keys():
                values[shifted + DROP] = sign * (values[self.primary] - values[shifted])
                parts = [seed.basis[name] for seed in seeds for name in (self.primary, shifted)]
                seeds[0].basis[shifted + DROP] = Basis(min(part.units for part in parts), parts[0].support)
        with_points = [name for name in shared if all(name in seed.points for seed in seeds)]
        return Draws(
            {name: draws.mean(axis=0) for name, draws in values.items()},
            {name: np.array([seed.points[name] for seed in seeds]) for name in with_points},
            {name: _least([seed.basis[name] for seed in seeds if name in seed.basis]) for name in values},
            all(seed.constant for seed in seeds),
        )

    def _of_seeds(self, seeds: Sequence[Sequence[Record]]) -> list[Draws]:
        """Draws of every seed, given as its folds; points are single numbers.

        Seeds are drawn in groups, as their statistics then share a matrix product, and the groups in threads.
        Metrics of plugins stay in this thread: nothing says that they may run in several.
        """
        first = self._of_group(seeds[:1])  # which may fix the order of samples
        threads = min(MOST_THREADS, os.cpu_count() or 1)
        most = max(1, min(GROUP, _PAIRS // self._pairs))
        rounds = -(-len(seeds[1:]) // (threads * most))
        size = max(1, -(-len(seeds[1:]) // max(1, threads * rounds)))  # of all groups about the same
        groups = [seeds[i : i + size] for i in range(1, len(seeds), size)]
        own = all(str(spec.factory).startswith("hmcbench.") for spec in self.specs.values())
        if threads < 2 or len(groups) < 2 or not own:
            return [*first, *itertools.chain(*map(self._of_group, groups))]
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as pool:
            return [*first, *itertools.chain(*pool.map(self._of_group, groups))]

    def _of_group(self, seeds: Sequence[Sequence[Record]]) -> list[Draws]:
        loaded = [self._load(records) for records in seeds]
        tests = [self._evaluations("test", *seed) for seed in loaded]
        stats = [
            _pool([self._sums(evaluation, self.specs) for evaluation in _parts(folds)]) for folds in tests
        ]
        draws = self._bootstraps["test"].of_models([list(pairs.values()) for pairs in stats])
        columns = [dict(zip(pairs, values, strict=True)) for pairs, values in zip(stats, draws, strict=True)]
        return [self._of_seed(*parts) for parts in zip(loaded, tests, stats, columns, strict=True)]

    def _load(self, records: Sequence[Record]) -> tuple[list[Predictions], Sequence[Record]]:
        """The predictions of the folds of one seed."""
        try:
            folds = [record.predictions(self._reader) for record in records]
        except NotPublished as error:
            raise NoTruth(str(error)) from None
        if any(predictions.truth is None for predictions in folds):
            raise NoTruth("no truth is stored with the predictions")
        if not self._bootstraps:
            self._fix(records, folds)
        return folds, records

    def _of_seed(
        self,
        loaded: tuple[Sequence[Predictions], Sequence[Record]],
        tests: Sequence[Evaluation],
        stats: dict[str, StatsReduce],
        columns: dict[str, np.ndarray],
    ) -> Draws:
        """The draws of sums over samples, ``columns``, with those of rankings and of further sides.

        Over several folds with the values, ``points``. Metrics that fail are left out.
        """
        ranked = self._ranked if tests[0].has_scores else ()
        together = _together(tests) if ranked else tests[0]
        for name in ranked:
            counts = pooled_counts(self.specs[name], together, name) if len(together) else None
            if counts is not None:
                stats[name], columns[name] = counts, self._bootstraps["test"].of_counts(*counts)
        for side in self.sides:
            draws = self._mean_over_folds(side, self._evaluations(side, *loaded))
            if draws is not None:
                columns[f"{self.primary}{SHIFT}{side}"] = draws
        several = stats.items() if len(tests) > 1 else ()
        points = {name: np.asarray(reduce(summed(part))) for name, (part, reduce) in several}
        unit = self._bootstraps["test"].unit
        basis = {name: _basis(*stats[name], unit) if name in stats else _whole(unit) for name in columns}
        for side in self.sides:
            basis[f"{self.primary}{SHIFT}{side}"] = _whole(self._bootstraps[side].unit)
        return Draws(columns, points, basis, all(_constant(evaluation) for evaluation in tests))

    def _fix(self, records: Sequence[Record], loaded: Sequence[Predictions]) -> None:
        """Fix the order of samples, and draw weights for it."""
        self._first = self.first(records)
        if records[0] is not self._first[0]:
            loaded = [record.predictions(self._reader) for record in self._first]
        test = [predictions.of_side("test") for predictions in loaded]
        for fold, part in zip(self.folds, test, strict=True):
            self._orders["test", fold] = list(part.ids)
        self._bootstraps["test"] = _bootstrap(test)
        self._pairs = max(1, sum(part.scores.size for part in test))
        for side in self.sides:
            part = loaded[0].of_side(side)
            self._orders.update({(side, fold): list(part.ids) for fold in self.folds})
            self._bootstraps[side] = _bootstrap([part], side)

    # ------------------------------------------------------------------ samples in one order

    def _evaluations(
        self, side: str, loaded: Sequence[Predictions], records: Sequence[Record]
    ) -> list[Evaluation]:
        """A test set of every fold, in the board's order of samples."""
        out = []
        for fold, predictions, record in zip(self.folds, loaded, records, strict=True):
            known = self._aligned.get((side, fold))
            if known is None or not known.fits(predictions):
                known = self._aligned[side, fold] = _align(predictions, side, self._orders[side, fold])
            if predictions.maps is not None:
                out.append(Evaluation.of_maps(predictions.task, known.truth, predictions.maps[known.rows]))
                continue
            stop = None if predictions.stop is None else predictions.stop[known.rows]
            scores = predictions.scores[known.rows]
            decided = None if predictions.decisions is None else predictions.decisions[known.rows]
            ruled = None if predictions.ruled is None else predictions.ruled[known.rows]
            apart = self._apart(predictions, record, self._orders[side, fold], known.rows)
            out.append(
                Evaluation.of(
                    predictions.task,
                    known.truth,
                    scores,
                    stop,
                    record.thresholds,
                    decided=decided,
                    training=predictions.training,
                    ruled=ruled,
                    only_sets=predictions.only_sets,
                    apart=apart,
                )
            )
        return out

    def _apart(
        self, predictions: Predictions, record: Record, ids: Sequence[str], rows: slice | np.ndarray
    ) -> Apart | None:
        """What a few metrics need of a test set, where the record has it."""
        parts = (predictions.unknown, predictions.novelty)
        unknown, novelty = (None if part is None else part[rows] for part in parts)
        there = [name in predictions.side for name in BESIDE]
        if unknown is None and not any(there):  # novelty alone tells nothing
            return None
        beside = [
            Evaluation.of_predictions(predictions.of_side(name), record.thresholds) if known else None
            for name, known in zip(BESIDE, there, strict=True)
        ]
        return Apart(ids, beside[0], predictions.alpha, unknown, beside[1], novelty)

    # ------------------------------------------------------------------ draws

    def _mean_over_folds(self, side: str, folds: Sequence[Evaluation]) -> np.ndarray | None:
        """Draws (B,) of the primary metric on a further test set, which every fold predicts."""
        if self.primary not in self.specs or not all(map(len, folds)):
            return None
        bootstrap, spec = self._bootstraps[side], self.specs[self.primary]
        if self.primary in self._ranked:
            counts = [pooled_counts(spec, evaluation, self.primary) for evaluation in folds]
            draws = [bootstrap.of_counts(*pair) for pair in counts if pair is not None]
        else:
            pairs = [sample_stats(spec, evaluation, self.primary) for evaluation in folds]
            draws = list(bootstrap.values([pair for pair in pairs if pair is not None]))
        return np.mean(draws, axis=0) if len(draws) == len(folds) else None

    def _sums(self, evaluation: Evaluation, names: Iterable[str]) -> dict[str, StatsReduce]:
        """Metric id -> statistics of the samples of one fold."""
        pairs = {name: sample_stats(self.specs[name], evaluation, name) for name in names if len(evaluation)}
        return {name: pair for name, pair in pairs.items() if pair is not None}


def stats_over_folds(folds: Sequence[Evaluation], spec: MetricSpec, name: str) -> StatsReduce | None:
    """Statistics of one metric over the samples of all folds of a seed; None where it has none."""
    if is_pooled(spec):
        together = _together(folds)
        return pooled_counts(spec, together, name) if together.has_scores else None
    pairs = [sample_stats(spec, evaluation, name) for evaluation in _parts(folds)]
    tables = [{name: pair} for pair in pairs if pair is not None]
    return _pool(tables)[name] if len(tables) == len(pairs) else None


def _align(predictions: Predictions, side: str, order: Sequence[str]) -> _Aligned:
    """Find the samples of a test set in the board's order; raises HmcbenchError for other samples."""
    sided = enumerate(zip(predictions.ids, predictions.side, strict=True))
    where = {name: i for i, (name, its_side) in sided if its_side == side}
    if len(where) != len(order) or any(name not in where for name in order):
        raise HmcbenchError(f"its {side} samples are not those of the other rows")
    places = [where[name] for name in order]
    first = places[0] if places else 0
    in_order = places == list(range(first, first + len(places)))
    rows = slice(first, first + len(places)) if in_order else np.array(places)
    truth = predictions.truth[rows]
    if predictions.maps is not None:
        return _Aligned(predictions.ids, predictions.side, predictions.truth, rows, truth)
    dense = truth.toarray() if issparse(truth) else truth.copy()
    dense.setflags(write=False)  # rows share it
    return _Aligned(predictions.ids, predictions.side, predictions.truth, rows, dense)


def _together(folds: Sequence[Evaluation]) -> Evaluation:
    """Scores and truth of the samples of all folds, which is all that rankings need."""
    first = folds[0]
    if len(folds) == 1:
        return first
    truth, scores = (_stacked(parts) for parts in ([e.truth for e in folds], [e.scores for e in folds]))
    stop = None if first.stop is None else np.concatenate([e.stop for e in folds if e.stop is not None])
    unknown = [e.apart.unknown for e in folds if e.apart.unknown is not None]
    novelty = [e.apart.novelty for e in folds if e.apart.novelty is not None]
    apart = None
    if len(unknown) == len(folds):
        together = np.concatenate(novelty) if len(novelty) == len(folds) else None
        apart = Apart(unknown=np.concatenate(unknown), novelty=together)
    return Evaluation.of(first.task, truth, scores, stop, apart=apart)


def _parts(folds: Sequence[Evaluation]) -> Sequence[Evaluation]:
    """Every fold, as each has its own thresholds; of a regression, all folds at once."""
    return [_together(folds)] if folds[0].task.kind == "regression" else folds


def _bootstrap(parts: Sequence[Predictions], further: str = "") -> Bootstrap:
    """Of the samples of all folds, or of a ``further`` test set: that differs from others in its draws."""
    n = sum(len(part) for part in parts)
    if any(part.groups is None for part in parts):
        return Bootstrap(n, name=further)
    return Bootstrap(n, [unit for part in parts for unit in part.units or ()], name=further)


def _constant(evaluation: Evaluation) -> bool:
    """Whether all samples have the same scores; without scores: the same sets, of pixels: the same label."""
    if evaluation.pairs is not None:
        return len(np.unique(evaluation.pairs.pairs[:, 1])) == 1
    scores: np.ndarray = evaluation.scores if evaluation.has_scores else evaluation.closed
    return len(scores) > 1 and bool((scores == scores[:1]).all())


def _whole(unit: np.ndarray) -> Basis:
    """All samples count."""
    return Basis(_n_units(unit), len(unit))


def _n_units(unit: np.ndarray) -> int:
    """How many units there are; ``unique`` would take ten times as long, once for every metric."""
    return int(np.count_nonzero(np.bincount(unit)))


def _basis(stats: Any, reduce: Any, unit: np.ndarray) -> Basis:
    """The samples behind a metric; only those of which a mean is taken, where it is one."""
    if not isinstance(stats, np.ndarray) or stats.shape[1] != 2:
        return _whole(unit)
    above, below = stats.T
    total = summed(stats)
    value = float(reduce(total))
    if not math.isclose(value * total[1], total[0], rel_tol=1e-5, abs_tol=1e-8) or total[1] == 0:
        return _whole(unit)
    counted = below != 0
    share = bool((below == 1).all() and ((above == 0) | (above == 1)).all())
    return Basis(_n_units(unit[counted]), int(counted.sum()), int(share))


def _least(parts: Sequence[Basis]) -> Basis:
    """The basis of a mean over seeds; a share only where it is one for every seed."""
    return Basis(*(min(values) for values in zip(*parts, strict=True)))


def _pool(tables: Sequence[dict[str, StatsReduce]]) -> dict[str, StatsReduce]:
    """One table over the samples of all folds, with the metrics that all folds have."""
    if len(tables) == 1:
        return tables[0]
    names = [name for name in tables[0] if all(name in table for table in tables)]
    return {name: (_stacked([t[name][0] for t in tables]), tables[0][name][1]) for name in names}


def _stacked(parts: Sequence[Any]) -> Any:
    if any(issparse(part) for part in parts):
        return vstack(parts, format="csr")
    return np.concatenate(parts)
