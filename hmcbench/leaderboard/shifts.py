"""How rows break: one metric under shifts, the drop it costs, and where the order of rows changes.

Values are without decision rules, means over cells; the same severities of all rows. A row's *mean under
shift* is the mean over shifts of its means over severities.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from hmcbench.interfaces import MetricSpec
from hmcbench.leaderboard.board import Board, BoardCell, Column, ShiftRow, ShiftsTable
from hmcbench.leaderboard.columns import metric_column, metric_spec
from hmcbench.leaderboard.draws import DrawCache
from hmcbench.leaderboard.grouping import RowRecords
from hmcbench.leaderboard.inference import Estimate, contrast
from hmcbench.leaderboard.render.text import clean, interval_text, value_text
from hmcbench.leaderboard.shift_draws import (
    DROP,
    MEAN,
    PLAIN,
    ShiftSteps,
    columns_of,
    of_shift,
    shift_draws,
)
from hmcbench.leaderboard.statistics import LEVEL
from hmcbench.records.record import FoldSeed, Record
from hmcbench.records.shifts import shift_blocks

MOST_CHANGES = 4
"""So many changes of order are told."""


@dataclass(frozen=True)
class _Broken:
    """A row: its metric without a shift, its mean under shift and the drop; mean and drop of every shift."""

    plain: Estimate
    mean: Estimate
    drop: Estimate
    of_shifts: Sequence[tuple[Estimate, Estimate]]


def shifts_table(
    rows: Sequence[RowRecords],
    names: Sequence[str],
    specs: Sequence[MetricSpec],
    complete: Callable[[RowRecords], Sequence[Record]],
    cache: DrawCache | None = None,
) -> ShiftsTable | None:
    """The table of a board; None where no record has predictions under shifts.

    Args:
        rows: of the board, without rules.
        names: ids of its columns; the first that has values under shifts is shown.
        complete: the records of a row that count.
        cache: of draws.
    """
    of_row = {row.label: list(complete(row)) for row in rows}
    of_row = {label: records for label, records in of_row.items() if records}
    metric = next((name for name in names if any(_steps(r, name) for r in of_row.values())), "")
    if not metric:
        return None
    spec = metric_spec(specs, metric)
    steps = list(dict.fromkeys(s for records in of_row.values() for s in _steps(records, metric)))
    broken = {label: _broken(records, steps, metric, spec, cache) for label, records in of_row.items()}
    lines = []
    for label, records in of_row.items():
        values = [_curve(records, shift, metric) for shift in steps]
        if any(v is not None for curve in values for v in curve):
            before = [_before(records, shift, metric) for shift in steps]
            unread = [all(_unread(record, shift.label) for record in records) for shift in steps]
            lines.append(_line(label, records, metric, broken[label], values, before, unread))
    better = spec.better if spec is not None else "higher"
    sign = -1.0 if better == "lower" else 1.0
    whole = {label: row for label, row in broken.items() if row is not None}
    lines.sort(key=lambda line: (line.mean.mean is None, -sign * (line.mean.mean or 0.0), line.model))
    return ShiftsTable(
        metric,
        [clean(shift.label) for shift in steps],
        [clean(shift.unit) for shift in steps],
        [list(shift.severities) for shift in steps],
        [shift.samples if _some_see(shift, of_row.values()) else None for shift in steps],
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
    shared = [steps for steps in found[0] if all(steps in other for other in found)]
    return sorted(shared, key=lambda steps: (steps[:4], steps.samples or 0))


def _curve(records: Sequence[Record], shift: ShiftSteps, metric: str) -> list[float | None]:
    """The mean over cells at every severity; None where a cell has no value."""
    if shift not in _steps(records, metric):
        return [None] * len(shift.severities)
    table = np.array([[m[metric] for m in shift_blocks(r)[shift.label]["metrics"]] for r in records])
    return [float(value) for value in table.mean(axis=0)]


def _before(records: Sequence[Record], shift: ShiftSteps, metric: str) -> float | None:
    """The mean over cells of the metric without the shift, on the samples that see it."""
    values = [_without(record, shift.label, metric) for record in records]
    return None if any(value is None for value in values) else float(np.mean(np.array(values, dtype=float)))


def _without(record: Record, shift: str, metric: str) -> float | None:
    block = shift_blocks(record).get(shift) or {}
    value = block.get("before", record.metrics("test")).get(metric)
    return float(value) if isinstance(value, (int, float)) else None


def _some_see(shift: ShiftSteps, rows: Iterable[Sequence[Record]]) -> bool:
    """Whether not all test samples see a shift in some record."""
    blocks = [shift_blocks(record).get(shift.label, {}) for records in rows for record in records]
    return any("before" in block for block in blocks)


def _line(
    label: str,
    records: Sequence[Record],
    metric: str,
    broken: _Broken | None,
    values: list[list[float | None]],
    before: list[float | None],
    unread: list[bool],
) -> ShiftRow:
    if broken is None:
        means, drops = [BoardCell(_mean(curve)) for curve in values], [BoardCell(None)] * len(values)
        return ShiftRow(
            clean(label),
            _mean(before),
            BoardCell(None),
            BoardCell(None),
            values,
            before,
            means,
            drops,
            unread,
        )
    plain, mean, drop = (_cell(part) for part in (broken.plain, broken.mean, broken.drop))
    means, drops = ([_cell(pair[i]) for pair in broken.of_shifts] for i in (0, 1))
    return ShiftRow(clean(label), plain.mean, mean, drop, values, before, means, drops, unread)


def _unread(record: Record, shift: str) -> bool:
    return bool((shift_blocks(record).get(shift) or {}).get("unread"))


def _cell(estimate: Estimate) -> BoardCell:
    low, high = estimate.interval() or (None, None)
    return BoardCell(estimate.mean, low, high)


# --------------------------------------------------------------------------- estimates


def _broken(
    records: Sequence[Record],
    steps: Sequence[ShiftSteps],
    metric: str,
    spec: MetricSpec | None,
    cache: DrawCache | None,
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
    )  # (S, J, M)
    repeated = len(folds) > 1 and records[0].part("split").get("kind") == "holdout"
    drawn = None if repeated or spec is None else shift_draws(records, steps, metric, spec, cache)
    sign = -1.0 if spec is not None and spec.better == "lower" else 1.0
    deterministic = all(record.deterministic for record in records)
    bounds = (None, None) if spec is None else (spec.low, spec.high)

    recorded = columns_of(np.moveaxis(table, -1, 0), steps, sign)

    def estimate(name: str) -> Estimate:
        cells_of = recorded[name]
        points = cells_of.mean(axis=1)
        if drawn is not None and len(folds) > 1:
            points = drawn.points[name]
        return Estimate(
            points,
            None if drawn is None else drawn.columns[name],
            cells_of.mean(axis=0) if repeated else None,
            ratio=_ratio(records),
            cells=cells_of,
            basis=None if drawn is None else drawn.basis[name],
            deterministic=deterministic,
            bounds=(None, None) if name.startswith(DROP) else bounds,
        )

    pairs = [(estimate(of_shift(MEAN, s.label)), estimate(of_shift(DROP, s.label))) for s in steps]
    return _Broken(estimate(PLAIN), estimate(MEAN), estimate(DROP), pairs)


def _values(record: Record, steps: Sequence[ShiftSteps], metric: str) -> list[float]:
    """The metric of a cell: of every shift, without it and then at its severities."""
    blocks, values = shift_blocks(record), []
    for shift in steps:
        before = _without(record, shift.label, metric)
        values.append(np.nan if before is None else before)
        values += [float(metrics[metric]) for metrics in blocks[shift.label]["metrics"]]
    return values


def _ratio(records: Sequence[Record]) -> float:
    ratios = [r.counts["test"] / r.counts["train"] for r in records if r.counts.get("train")]
    return float(np.mean(ratios)) if ratios else 1.0


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
    unread = [UNREAD] if any(any(row.unread) for row in table.rows) else []
    return [*table.order, *_drawn_for(table), *unread]


def _drawn_for(table: ShiftsTable) -> list[str]:
    """How many samples see the shifts, where not all do."""
    numbers = sorted({samples for samples in table.samples if samples is not None})
    if not numbers:
        return []
    which = "Every shift" if None not in table.samples else "Some shifts"
    many = " or ".join(map(str, numbers))
    verb = "is" if None not in table.samples else "are"
    return [f'{which} {verb} seen by {many} test samples, drawn for it; "without" is of the same samples.']


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
