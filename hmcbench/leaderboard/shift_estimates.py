"""One metric of every row without and under shifts, with its uncertainty.

Values are without decision rules, means over cells; the same severities of all rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hmcbench.interfaces import MetricSpec
from hmcbench.leaderboard.board import Style
from hmcbench.leaderboard.columns import metric_column, metric_spec
from hmcbench.leaderboard.draws import DrawCache
from hmcbench.leaderboard.grouping import RowRecords
from hmcbench.leaderboard.inference import Estimate
from hmcbench.leaderboard.intervals import Intervals
from hmcbench.leaderboard.shift_draws import DROP, ShiftSteps, columns_of, shift_draws
from hmcbench.records.record import FoldSeed, Record
from hmcbench.records.shifts import shift_blocks


@dataclass(frozen=True)
class ShiftEstimates:
    """The rows of a board under shifts.

    Attributes:
        metric: the first column of the board that has values under shifts.
        better: which values of it are better.
        style: how its values are shown.
        steps: of every shift that some row has.
        records: label of a row -> its records.
        rows: label -> column of :func:`hmcbench.leaderboard.shift_draws.columns_of` -> estimate; of the rows
            that have all shifts.
    """

    metric: str
    better: str
    style: Style
    steps: Sequence[ShiftSteps]
    records: Mapping[str, Sequence[Record]]
    rows: Mapping[str, Mapping[str, Estimate]]


def kept_as(column: str) -> str:
    """The name of a column among the kept intervals of a row."""
    return f"shifts: {column}"


def shift_estimates(
    rows: Sequence[RowRecords],
    names: Sequence[str],
    specs: Sequence[MetricSpec],
    complete: Callable[[RowRecords], Sequence[Record]],
    cache: DrawCache | None = None,
    intervals: Intervals | None = None,
) -> ShiftEstimates | None:
    """Estimates of a board; None where no record has predictions under shifts.

    Args:
        rows: of the board, without rules.
        names: ids of its columns.
        complete: the records of a row that count.
        cache: of draws.
        intervals: for rows whose truth was not published.
    """
    of_row = {row.label: list(complete(row)) for row in rows}
    of_row = {label: records for label, records in of_row.items() if records}
    metric = next((name for name in names if any(steps_of(r, name) for r in of_row.values())), "")
    if not metric:
        return None
    spec = metric_spec(specs, metric)
    steps = list(dict.fromkeys(s for records in of_row.values() for s in steps_of(records, metric)))
    whole = {}
    for label, records in of_row.items():
        have = steps_of(records, metric)
        if all(shift in have for shift in steps):
            whole[label] = _estimates(records, steps, metric, spec, cache, intervals or Intervals())
    better = spec.better if spec is not None else "higher"
    style = metric_column(metric, metric, spec).style
    return ShiftEstimates(metric, better, style, steps, of_row, whole)


def steps_of(records: Sequence[Record], metric: str) -> list[ShiftSteps]:
    """The shifts with values of a metric that all records have at the same severities."""
    of_records = []
    for record in records:
        blocks = shift_blocks(record).items()
        of_records.append(
            [
                ShiftSteps(
                    label,
                    str(block["version"]),
                    str(block["unit"]),
                    tuple(map(float, block["severities"])),
                    block.get("samples"),
                )
                for label, block in blocks
                if all(metric in values for values in block["metrics"])
            ]
        )
    shared = [steps for steps in of_records[0] if all(steps in other for other in of_records)]
    return sorted(shared, key=lambda steps: (steps[:4], steps.samples or 0))


def without(record: Record, shift: str, metric: str) -> float | None:
    """The metric of a cell without a shift, on the samples that see it."""
    block = shift_blocks(record).get(shift) or {}
    value = block.get("before", record.metrics("test")).get(metric)
    return float(value) if isinstance(value, (int, float)) else None


def _estimates(
    records: Sequence[Record],
    steps: Sequence[ShiftSteps],
    metric: str,
    spec: MetricSpec | None,
    cache: DrawCache | None,
    intervals: Intervals,
) -> dict[str, Estimate]:
    """Of a row that has all shifts."""
    seeds = sorted({record.seed for record in records})
    folds = sorted({record.fold for record in records})
    cells = {record.fold_seed: record for record in records}
    table = np.array(
        [[_values(cells[FoldSeed(fold, seed)], steps, metric) for fold in folds] for seed in seeds]
    )  # (S, J, M)
    repeated = len(folds) > 1 and records[0].part("split").get("kind") == "holdout"
    drawn = None if repeated or spec is None else shift_draws(records, steps, metric, spec, cache)
    kept = None if repeated or drawn is not None else intervals.of(records)
    deterministic = all(record.deterministic for record in records)
    bounds = (None, None) if spec is None else (spec.low, spec.high)
    sign = -1.0 if spec is not None and spec.better == "lower" else 1.0
    out = {}
    for name, cells_of in columns_of(np.moveaxis(table, -1, 0), steps, sign).items():
        estimate = Estimate(
            cells_of.mean(axis=1),
            None if drawn is None else drawn.columns[name],
            cells_of.mean(axis=0) if repeated else None,
            ratio=_ratio(records),
            cells=cells_of,
            basis=None if drawn is None else drawn.basis[name],
            deterministic=deterministic,
            bounds=(None, None) if name.startswith(DROP) else bounds,
        )
        if drawn is not None and len(folds) > 1:
            estimate = replace(estimate, seeds=drawn.points[name])
        if kept is not None and kept_as(name) in kept.columns:
            seeds_kept = np.array(kept.values.get(kept_as(name), estimate.seeds), dtype=float)
            estimate = replace(estimate, seeds=seeds_kept, kept=kept.columns[kept_as(name)])
        out[name] = estimate
    return out


def _values(record: Record, steps: Sequence[ShiftSteps], metric: str) -> list[float]:
    """The metric of a cell: of every shift, without it and then at its severities."""
    blocks, values = shift_blocks(record), []
    for shift in steps:
        before = without(record, shift.label, metric)
        values.append(np.nan if before is None else before)
        values += [float(metrics[metric]) for metrics in blocks[shift.label]["metrics"]]
    return values


def _ratio(records: Sequence[Record]) -> float:
    ratios = [r.counts["test"] / r.counts["train"] for r in records if r.counts.get("train")]
    return float(np.mean(ratios)) if ratios else 1.0
