"""Values of a row with their uncertainty, from its records and stored predictions.

One split: the metric of every seed, and a bootstrap over the test samples. k-fold: every sample
is tested once, so the samples of all folds are pooled. Repeated holdout: one value per repeat,
with the Nadeau-Bengio correction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hmcbench.errors import HmcbenchError
from hmcbench.interfaces import MetricSpec
from hmcbench.leaderboard.columns import DROP, SHIFT, cost, metric_spec, split_side
from hmcbench.leaderboard.draws import DrawCache, Draws, code_facts
from hmcbench.leaderboard.grouping import RowRecords
from hmcbench.leaderboard.inference import Basis, Estimate
from hmcbench.leaderboard.intervals import SETTINGS, Intervals, KeptRow
from hmcbench.leaderboard.samples import NoTruth, Samples
from hmcbench.records.record import Record


@dataclass
class _Measured:
    """A metric of one row: per seed (S,), per repeat (J,), per training (S, J)."""

    seeds: np.ndarray
    repeats: np.ndarray | None
    cells: np.ndarray

    def minus(self, other: _Measured, sign: float) -> _Measured:
        repeats = None
        if self.repeats is not None and other.repeats is not None:
            repeats = sign * (self.repeats - other.repeats)
        return _Measured(sign * (self.seeds - other.seeds), repeats, sign * (self.cells - other.cells))

    def estimate(self, draws: np.ndarray | None, basis: Basis | None) -> Estimate | None:
        """None where no seed has a value; without draws where a seed has none."""
        known = np.isfinite(self.seeds)
        if not known.any():
            return None
        whole = draws if known.all() else None
        return Estimate(self.seeds[known], whole, self.repeats, cells=self.cells[known], basis=basis)


class Estimator:
    """Estimates for the rows of one board.

    Attributes:
        folds: all folds of the board; a row that has no seed with all of them is partial.
        problems: why intervals could not be computed, a line each.
        dates: of the kept intervals that are shown because the truth is missing.

    Without ``sampled`` nothing is drawn: estimates have the spread of the training alone.
    """

    def __init__(
        self,
        rows: Sequence[RowRecords],
        names: Sequence[str],
        sides: Sequence[str],
        specs: Sequence[MetricSpec],
        intervals: Intervals | None = None,
        cache: DrawCache | None = None,
        *,
        sampled: bool = True,
    ) -> None:
        records = [record for row in rows for record in row.ok]
        self.names, self.sides = list(names), list(sides)
        self.folds = sorted({record.fold for record in records})
        self.repeated = len(self.folds) > 1 and records[0].data["split"].get("kind") == "holdout"
        self.problems: list[str] = []
        self.dates: set[str] = set()
        self._intervals = intervals or Intervals()
        self.specs = {name: spec for name in names if (spec := metric_spec(specs, name)) is not None}
        self._samples = Samples(self.folds, self.sides, self.specs, self.names[0])
        self._cache = cache
        self._sampled = sampled
        self._digests: dict[Path, str] = {}

    def complete(self, row: RowRecords) -> list[Record]:
        """The row's records of the seeds that have every fold of the board."""
        folds_of: dict[int, set[int]] = {}
        for record in row.ok:
            folds_of.setdefault(record.seed, set()).add(record.fold)
        return [r for r in row.ok if folds_of[r.seed] == set(self.folds)]

    def row(self, row: RowRecords) -> dict[str, Estimate]:
        """Column id -> estimate; columns without any value are left out."""
        complete = self.complete(row)
        drawn = complete and self._sampled and not self.repeated
        draws, kept = self._draws(row.label, complete) if drawn else (Draws(), None)
        records = complete or row.ok
        measured = {name: self._measured(records, "test", name, draws) for name in self.names}
        primary = self.names[0]
        spec = self.specs.get(primary)
        sign = -1.0 if spec is not None and spec.better == "lower" else 1.0
        for side in self.sides:
            on_side = self._measured(records, side, primary, draws)
            measured[f"{primary}{SHIFT}{side}"] = on_side
            measured[f"{primary}{SHIFT}{side}{DROP}"] = measured[primary].minus(on_side, sign)
        ratio, deterministic = _test_share(records), all(record.deterministic for record in records)
        out = {}
        for key, m in measured.items():
            estimate = m.estimate(draws.columns.get(key), draws.basis.get(key))
            if estimate is not None:
                estimate = _with(kept, key, estimate)
                bounds = self._bounds(key)
                constant = draws.constant or (estimate.kept is not None and estimate.kept.constant)
                estimate = replace(estimate, ratio=ratio, deterministic=deterministic)
                out[key] = replace(estimate, bounds=bounds, constant=constant)
        return out

    def _bounds(self, column: str) -> tuple[float | None, float | None]:
        """Of the metric of a column; a drop has none."""
        metric, side = split_side(column)
        spec = self.specs.get(metric)
        return (None, None) if spec is None or side.endswith(DROP) else (spec.low, spec.high)

    def _draws(self, label: str, records: Sequence[Record]) -> tuple[Draws, KeptRow | None]:
        """Draws where the truth is stored; else the intervals kept for these records, if any."""
        try:
            return self._known_draws(records), None
        except NoTruth as error:
            rule = str(records[0].part("applied_rule").get("rule", ""))
            kept, reason = self._intervals.of(records, rule), str(error)
            if kept is not None:
                self.dates.add(kept.made)
                return Draws(), kept
            if self._intervals.knows(records):
                reason = reason.rstrip(".") + ", and the intervals kept are of other records."
        except HmcbenchError as error:
            reason = str(error)
        self.problems.append(f"{label}: no interval over samples: {reason}")
        return Draws(), None

    def _known_draws(self, records: Sequence[Record]) -> Draws:
        """Draws from the cache, else drawn now and stored there."""
        facts = self._facts(records) if self._cache is not None else None
        if self._cache is None or facts is None:
            return self._samples.draws(records)
        draws = self._cache.get(facts)
        if draws is None:
            draws = self._samples.draws(records)
            self._cache.put(facts, draws)
        else:
            self._samples.fix(records)
        return draws

    def _facts(self, records: Sequence[Record]) -> dict[str, Any] | None:
        """All that the draws of a row depend on; None where that is unknown."""
        first = self._samples.first(records)
        for record in (*first, *records):
            if record.path not in self._digests:
                self._digests[record.path] = record.predictions_digest()
        if self._code is None or not all(self._digests[record.path] for record in (*first, *records)):
            return None
        metrics = [[name, spec.version, spec.better] for name, spec in self.specs.items()]
        return {
            **self._code,
            **SETTINGS,
            "columns": [self.names[0], self.sides, metrics],
            "first": [[self._digests[r.path], r.fold] for r in first],
            "cells": [
                [self._digests[r.path], r.part("decision").get("thresholds"), *r.fold_seed] for r in records
            ],
        }

    @cached_property
    def _code(self) -> dict[str, Any] | None:
        try:
            return code_facts(self.specs.values())
        except Exception:  # a plugin's module may raise anything
            return None

    def notes(self) -> list[str]:
        """Notes for readers of the intervals."""
        if not self.dates:
            return list(self.problems)
        dates = " and ".join(sorted(self.dates))
        return [*self.problems, f"intervals over samples were kept when the truth was at hand ({dates})"]

    def _measured(self, records: Sequence[Record], side: str, name: str, draws: Draws) -> _Measured:
        table = _values(records, side, name)
        seeds = _row_means(table)
        if side == "test" and name in draws.points:
            seeds = draws.points[name]
        repeats = table.mean(axis=0) if self.repeated and np.isfinite(table).all() else None
        return _Measured(seeds, repeats, table)


def _with(kept: KeptRow | None, name: str, estimate: Estimate) -> Estimate:
    """An estimate with the kept interval of its column."""
    if kept is None or name not in kept.columns:
        return estimate
    seeds = np.array(kept.values.get(name, estimate.seeds), dtype=float)
    return replace(estimate, seeds=seeds, kept=kept.columns[name])


def _values(records: Sequence[Record], side: str, name: str) -> np.ndarray:
    """The recorded metric, (S, J) by seed and fold; NaN where there is none."""
    seeds = {seed: i for i, seed in enumerate(sorted({r.seed for r in records}))}
    folds = {fold: j for j, fold in enumerate(sorted({r.fold for r in records}))}
    table = np.full((len(seeds), len(folds)), np.nan)
    for record in records:
        value = record.metrics(side).get(name)
        if isinstance(value, (int, float)):
            table[seeds[record.seed], folds[record.fold]] = value
    return table


def _row_means(table: np.ndarray) -> np.ndarray:
    """Mean of the known values of every row; NaN where there is none."""
    known = np.isfinite(table)
    count = known.sum(axis=1)
    total = np.where(known, table, 0.0).sum(axis=1)
    means: np.ndarray = np.divide(total, count, out=np.full(len(table), np.nan), where=count > 0)
    return means


def _test_share(records: Sequence[Record]) -> float:
    """Test / training size, mean over records; 1 (wide) where the counts are not recorded."""
    counts = [r.counts for r in records]
    ratios = [c["test"] / c["train"] for c in counts if c.get("train") and c.get("test")]
    return float(np.mean(ratios)) if ratios else 1.0


def cost_estimates(records: Sequence[Record], names: Sequence[str]) -> Mapping[str, Estimate]:
    """Column id -> estimate over records that share one hardware fingerprint."""
    values_of = {name: [v for r in records if (v := cost(r, name)) is not None] for name in names}
    estimates = {name: np.array(values) for name, values in values_of.items() if values}
    return {name: Estimate(values, bounds=(0.0, None)) for name, values in estimates.items()}
