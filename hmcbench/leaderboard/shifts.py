"""How rows break: one metric under shifts, the drop it costs, and where the order of rows changes.

Values are without decision rules, means over cells; the same severities of all rows. A row's *mean under
shift* is the mean over shifts of its means over severities.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from hmcbench.leaderboard import order
from hmcbench.leaderboard.board import Board, BoardCell, Column, ShiftRow, ShiftsTable, drop_style
from hmcbench.leaderboard.columns import metric_column
from hmcbench.leaderboard.inference import Estimate
from hmcbench.leaderboard.render.text import clean, interval_text, value_text
from hmcbench.leaderboard.shift_draws import DROP, MEAN, PLAIN, ShiftSteps, of_shift
from hmcbench.leaderboard.shift_estimates import ShiftEstimates, steps_of, without
from hmcbench.records.record import Record
from hmcbench.records.shifts import shift_blocks


def shifts_table(estimates: ShiftEstimates) -> ShiftsTable:
    """The table of a board."""
    steps, metric = estimates.steps, estimates.metric
    lines = []
    for label, records in estimates.records.items():
        values = [_curve(records, shift, metric) for shift in steps]
        if any(v is not None for curve in values for v in curve):
            lines.append(_line(label, records, estimates, values))
    sign = -1.0 if estimates.better == "lower" else 1.0
    lines.sort(key=lambda line: (line.mean.mean is None, -sign * (line.mean.mean or 0.0), line.model))
    pairs = {label: (row[PLAIN], row[MEAN]) for label, row in estimates.rows.items()}
    changes = order.changes(pairs, sign)
    told = order.sentences(changes, len(pairs), "without a shift", "under shifts", estimates.style)
    return ShiftsTable(
        metric,
        [clean(shift.label) for shift in steps],
        [clean(shift.unit) for shift in steps],
        [list(shift.severities) for shift in steps],
        [shift.samples if _some_see(shift, estimates.records.values()) else None for shift in steps],
        lines,
        list(map(clean, told)),
    )


def _curve(records: Sequence[Record], shift: ShiftSteps, metric: str) -> list[float | None]:
    """The mean over cells at every severity; None where a cell has no value."""
    if shift not in steps_of(records, metric):
        return [None] * len(shift.severities)
    table = np.array([[m[metric] for m in shift_blocks(r)[shift.label]["metrics"]] for r in records])
    return [float(value) for value in table.mean(axis=0)]


def _before(records: Sequence[Record], shift: ShiftSteps, metric: str) -> float | None:
    """The mean over cells of the metric without the shift, on the samples that see it."""
    values = [without(record, shift.label, metric) for record in records]
    return None if any(value is None for value in values) else float(np.mean(np.array(values, dtype=float)))


def _some_see(shift: ShiftSteps, rows: Iterable[Sequence[Record]]) -> bool:
    """Whether not all test samples see a shift in some record."""
    blocks = [shift_blocks(record).get(shift.label, {}) for records in rows for record in records]
    return any("before" in block for block in blocks)


def _line(
    label: str,
    records: Sequence[Record],
    estimates: ShiftEstimates,
    values: list[list[float | None]],
) -> ShiftRow:
    """A row; without means over shifts where it lacks one."""
    steps, none = estimates.steps, BoardCell(None)
    before = [_before(records, shift, estimates.metric) for shift in steps]
    unread = [all(_unread(record, shift.label) for record in records) for shift in steps]
    row = estimates.rows.get(label)
    if row is None:
        means, drops = [BoardCell(_mean(curve)) for curve in values], [none] * len(values)
        return ShiftRow(clean(label), _mean(before), none, none, values, before, means, drops, unread)
    plain, mean, drop = (_cell(row[name]) for name in (PLAIN, MEAN, DROP))
    means, drops = ([_cell(row[of_shift(name, shift.label)]) for shift in steps] for name in (MEAN, DROP))
    return ShiftRow(clean(label), plain.mean, mean, drop, values, before, means, drops, unread)


def _unread(record: Record, shift: str) -> bool:
    return bool((shift_blocks(record).get(shift) or {}).get("unread"))


def _cell(estimate: Estimate) -> BoardCell:
    low, high = estimate.interval() or (None, None)
    return BoardCell(estimate.mean, low, high)


# --------------------------------------------------------------------------- text


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
    drop = Column("", "", "", drop_style(column.style))
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
