"""How rows break: one metric under shifts, the drop it costs, and where the order of rows changes.

Values are without decision rules, means over cells; the same severities of all rows. A row's *mean under
shift* is the mean over shifts of its means over severities.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from hmcbench.errors import HmcbenchError
from hmcbench.interfaces import MetricSpec
from hmcbench.leaderboard.board import Board, BoardCell, Column, ShiftRow, ShiftsTable
from hmcbench.leaderboard.columns import metric_column, metric_spec
from hmcbench.leaderboard.grouping import RowRecords
from hmcbench.leaderboard.inference import Basis, Estimate, contrast
from hmcbench.leaderboard.render.text import clean, interval_text, value_text
from hmcbench.leaderboard.samples import stats_over_folds
from hmcbench.leaderboard.statistics import LEVEL, Bootstrap
from hmcbench.metrics.base import summed
from hmcbench.metrics.computing import CALIBRATION, is_pooled
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import FoldSeed, Record
from hmcbench.records.shifts import ShiftPoint, shift_blocks, stored_shifts, under_shift

MOST_CHANGES = 4
"""So many changes of order are told."""

ShiftSteps = tuple[str, str, str, tuple[float, ...]]
"""Label, version and unit of a shift, and its severities: what must agree for a comparison."""


@dataclass(frozen=True)
class _Broken:
    """A row: its metric without a shift, its mean under shift and the drop."""

    plain: Estimate
    mean: Estimate
    drop: Estimate


def shifts_table(
    rows: Sequence[RowRecords],
    names: Sequence[str],
    specs: Sequence[MetricSpec],
    complete: Callable[[RowRecords], Sequence[Record]],
) -> ShiftsTable | None:
    """The table of a board; None where no record has predictions under shifts.

    Args:
        rows: of the board, without rules.
        names: ids of its columns; the first that has values under shifts is shown.
        complete: the records of a row that count.
    """
    of_row = {row.label: list(complete(row)) for row in rows}
    of_row = {label: records for label, records in of_row.items() if records}
    metric = next((name for name in names if any(_steps(r, name) for r in of_row.values())), "")
    if not metric:
        return None
    spec = metric_spec(specs, metric)
    steps = list(dict.fromkeys(s for records in of_row.values() for s in _steps(records, metric)))
    broken = {label: _broken(records, steps, metric, spec) for label, records in of_row.items()}
    lines = []
    for label, records in of_row.items():
        values = [_curve(records, shift, metric) for shift in steps]
        if any(v is not None for curve in values for v in curve):
            unread = [all(_unread(record, name) for record in records) for name, *_ in steps]
            lines.append(_line(label, records, metric, broken[label], values, unread))
    better = spec.better if spec is not None else "higher"
    sign = -1.0 if better == "lower" else 1.0
    whole = {label: row for label, row in broken.items() if row is not None}
    lines.sort(key=lambda line: (line.mean.mean is None, -sign * (line.mean.mean or 0.0), line.model))
    return ShiftsTable(
        metric,
        [clean(label) for label, *_ in steps],
        [clean(unit) for _, _, unit, _ in steps],
        [list(severities) for *_, severities in steps],
        lines,
        [clean(text) for text in _changes(whole, sign)],
    )


def _steps(records: Sequence[Record], metric: str) -> list[ShiftSteps]:
    """The shifts with values of a metric that all records have at the same severities."""
    found = []
    for record in records:
        blocks = shift_blocks(record).items()
        found.append(
            [
                (label, str(block["version"]), str(block["unit"]), tuple(map(float, block["severities"])))
                for label, block in blocks
                if all(metric in values for values in block["metrics"])
            ]
        )
    return sorted(steps for steps in found[0] if all(steps in other for other in found))


def _curve(records: Sequence[Record], shift: ShiftSteps, metric: str) -> list[float | None]:
    """The mean over cells at every severity; None where a cell has no value."""
    label, *_, severities = shift
    if shift not in _steps(records, metric):
        return [None] * len(severities)
    table = np.array([[m[metric] for m in shift_blocks(record)[label]["metrics"]] for record in records])
    return [float(value) for value in table.mean(axis=0)]


def _line(
    label: str,
    records: Sequence[Record],
    metric: str,
    broken: _Broken | None,
    values: list[list[float | None]],
    unread: list[bool],
) -> ShiftRow:
    cells = [_cell(part) for part in (broken.mean, broken.drop)] if broken else [BoardCell(None)] * 2
    known = [record.metrics("test").get(metric) for record in records]
    plain = _cell(broken.plain).mean if broken else None
    if plain is None and all(isinstance(value, (int, float)) for value in known):
        plain = float(np.mean(np.array(known, dtype=float)))
    return ShiftRow(clean(label), plain, cells[0], cells[1], values, unread)


def _unread(record: Record, shift: str) -> bool:
    return bool((shift_blocks(record).get(shift) or {}).get("unread"))


def _cell(estimate: Estimate) -> BoardCell:
    low, high = estimate.interval() or (None, None)
    return BoardCell(estimate.mean, low, high)


# --------------------------------------------------------------------------- estimates


def _broken(
    records: Sequence[Record], steps: Sequence[ShiftSteps], metric: str, spec: MetricSpec | None
) -> _Broken | None:
    """Estimates of a row that has all shifts; None of any other."""
    have = _steps(records, metric)
    if not all(shift in have for shift in steps):
        return None
    seeds = sorted({record.seed for record in records})
    folds = sorted({record.fold for record in records})
    cells = {record.fold_seed: record for record in records}
    table = np.array(
        [[_values(cells[FoldSeed(fold, seed)], steps, metric) for fold in folds] for seed in seeds]
    )
    repeated = len(folds) > 1 and records[0].part("split").get("kind") == "holdout"
    drawn = None if repeated or spec is None else _drawn(records, seeds, steps, metric, spec)
    sign = -1.0 if spec is not None and spec.better == "lower" else 1.0
    deterministic = all(record.deterministic for record in records)
    bounds = (None, None) if spec is None else (spec.low, spec.high)

    def estimate(cells_of: np.ndarray, place: int) -> Estimate:
        points = cells_of.mean(axis=1)
        if drawn is not None and len(folds) > 1:
            points = drawn.points[place]
        return Estimate(
            points,
            None if drawn is None else drawn.draws[place],
            cells_of.mean(axis=0) if repeated else None,
            ratio=_ratio(records),
            cells=cells_of,
            basis=None if drawn is None else drawn.basis,
            deterministic=deterministic,
            bounds=bounds if place < 2 else (None, None),
        )

    plain, mean = table[..., 0], table[..., 1]
    return _Broken(estimate(plain, 0), estimate(mean, 1), estimate(sign * (plain - mean), 2))


def _values(record: Record, steps: Sequence[ShiftSteps], metric: str) -> tuple[float, float]:
    """The metric of a cell without a shift, and its mean under shift."""
    blocks = shift_blocks(record)
    means = [np.mean([values[metric] for values in blocks[label]["metrics"]]) for label, *_ in steps]
    return float(record.metrics("test").get(metric, np.nan)), float(np.mean(means))


def _ratio(records: Sequence[Record]) -> float:
    ratios = [r.counts["test"] / r.counts["train"] for r in records if r.counts.get("train")]
    return float(np.mean(ratios)) if ratios else 1.0


@dataclass(frozen=True)
class _Drawn:
    """Of the plain metric, the mean under shift and the drop: (S,) points and (B,) draws each."""

    points: list[np.ndarray]
    draws: list[np.ndarray]
    basis: Basis


def _drawn(
    records: Sequence[Record],
    seeds: Sequence[int],
    steps: Sequence[ShiftSteps],
    metric: str,
    spec: MetricSpec,
) -> _Drawn | None:
    """Bootstrap draws of the same samples with and without shifts; None where predictions are missing."""
    sign = -1.0 if spec.better == "lower" else 1.0
    points, draws, bootstrap = [], [], None
    for seed in seeds:
        folds = sorted((r for r in records if r.seed == seed), key=lambda record: record.fold)
        try:
            loaded = [(record, record.predictions()) for record in folds]
            stored = [stored_shifts(record, predictions) for record, predictions in loaded]
        except HmcbenchError:
            return None
        wanted = {ShiftPoint(label, severity) for label, *_, s in steps for severity in s}
        if any(p.truth is None for _, p in loaded) or any(wanted - set(points_of) for points_of in stored):
            return None  # not published
        pairs = []
        for evaluations in _evaluations(loaded, stored, steps):
            pair = stats_over_folds(evaluations, spec, metric)
            if pair is None:
                return None
            pairs.append(pair)
        bootstrap = bootstrap or _bootstrap([predictions for _, predictions in loaded])
        if is_pooled(spec):
            values = np.stack([bootstrap.of_counts(*pair) for pair in pairs])
        else:
            values = bootstrap.values(pairs)
        exact = np.array([float(reduce(summed(stats))) for stats, reduce in pairs])
        weights = np.concatenate([np.full(len(s), 1 / (len(s) * len(steps))) for *_, s in steps])
        both = [(part[0], weights @ part[1:]) for part in (exact, values)]
        points.append([both[0][0], both[0][1], sign * (both[0][0] - both[0][1])])
        draws.append([both[1][0], both[1][1], sign * (both[1][0] - both[1][1])])
    assert bootstrap is not None
    unit = bootstrap.unit
    means = [np.mean([of_seed[i] for of_seed in draws], axis=0) for i in range(3)]
    per_seed = [np.array([of_seed[i] for of_seed in points]) for i in range(3)]
    return _Drawn(per_seed, means, Basis(len(np.unique(unit)), len(unit)))


def _evaluations(
    loaded: Sequence[tuple[Record, Predictions]],
    stored: Sequence[Mapping[ShiftPoint, Any]],
    steps: Sequence[ShiftSteps],
) -> Iterator[list[Evaluation]]:
    """The test samples of every fold: as they are, then at every point."""
    yield [_evaluation(record, predictions) for record, predictions in loaded]
    for label, *_, severities in steps:
        for severity in severities:
            yield [
                _evaluation(record, under_shift(predictions, of_record[ShiftPoint(label, severity)]))
                for (record, predictions), of_record in zip(loaded, stored, strict=True)
            ]


def _evaluation(record: Record, predictions: Predictions) -> Evaluation:
    apart = predictions.of_side(CALIBRATION)
    return Evaluation.of_predictions(predictions.of_side("test"), record.thresholds, apart)


def _bootstrap(folds: Sequence[Predictions]) -> Bootstrap:
    tests = [predictions.of_side("test") for predictions in folds]
    n = sum(map(len, tests))
    if any(test.groups is None for test in tests):
        return Bootstrap(n)
    return Bootstrap(n, [group for test in tests for group in test.groups or ()])


# --------------------------------------------------------------------------- text


def _changes(rows: Mapping[str, _Broken], sign: float) -> list[str]:
    """Where the order of two rows changes, the clearest first."""
    found = []
    for a, b in combinations(rows, 2):
        before, after = contrast(rows[a].plain, rows[b].plain), contrast(rows[a].mean, rows[b].mean)
        if sign * before.difference < 0:
            a, b = b, a
            before, after = contrast(rows[a].plain, rows[b].plain), contrast(rows[a].mean, rows[b].mean)
        if sign * before.difference > 0 > sign * after.difference:
            clear = [c.p is not None and c.p < 1 - LEVEL for c in (before, after)]
            silent = rows[a].plain.silent or rows[b].plain.silent
            told = _told(clear, silent)
            text = f"{a} is ahead of {b} without a shift ({before.difference:+.3f}) and behind under shifts"
            found.append((-sum(clear), after.p or 1.0, f"{text} ({after.difference:+.3f}); {told}."))
    found.sort()
    more = len(found) - MOST_CHANGES
    texts = [text for *_, text in found[:MOST_CHANGES]]
    if not found and len(rows) > 1:
        texts = [f"The order of the {len(rows)} rows with all shifts is the same under them."]
    return [*texts, f"So do {more} further pairs change places."] if more > 0 else texts


def _told(clear: Sequence[bool], silent: bool) -> str:
    which = ("both differences are", "only the first is", "only the second is", "neither difference is")
    place = 0 if all(clear) else 1 if clear[0] else 2 if clear[1] else 3
    more = "" if not silent else ", of models that were trained once"
    return f"{which[place]} clear on these samples{more}"


UNREAD = "In parentheses: the shift changes nothing that the model reads."
HEAD = ("model", "without", "mean under shift", "drop")


def heading(board: Board, table: ShiftsTable) -> str:
    """``hf1_samples under shifts, means over severities``."""
    return f"{_column(board, table).title} under shifts, means over severities"


def head(table: ShiftsTable) -> list[str]:
    return [*HEAD, *table.shifts]


def words(table: ShiftsTable) -> list[str]:
    """The sentences below a table."""
    return [*table.order, *([UNREAD] if any(any(row.unread) for row in table.rows) else [])]


def lines(board: Board, table: ShiftsTable) -> list[list[str]]:
    """The cells of a table as text."""
    column = _column(board, table)
    drop = Column("", "", "", "drop" if column.style == "score" else column.style)
    out = []
    for row in table.rows:
        whole = [
            f"{value_text(cell, kind)} {interval_text(cell, kind)}".strip()
            for cell, kind in ((BoardCell(row.plain), column), (row.mean, column), (row.drop, drop))
        ]
        means = [value_text(BoardCell(_mean(curve)), column) for curve in row.values]
        shown = [f"({text})" if unread else text for text, unread in zip(means, row.unread, strict=True)]
        out.append([row.model, *whole, *shown])
    return out


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def _column(board: Board, table: ShiftsTable) -> Column:
    shown = (column for column in board.columns if column.id == table.metric)
    return next(shown, metric_column(table.metric, table.metric, None))
