"""The robust table of a board: what one score leaves out, side by side and never added into one number.

Quality; the risk where nine tenths of the information are given; the mean under shift; how well unknown
classes are noticed; quality with the smallest share of the training data; cost. What other boards of the
suite measured (``[protocol] unknown``, ``train_share``) is taken from them, for the same data and profile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from hmcbench.leaderboard.board import Board, BoardCell, Column, RobustRow, RobustTable
from hmcbench.leaderboard.grouping import RowRecords, place_of
from hmcbench.leaderboard.inference import Estimate
from hmcbench.leaderboard.render.text import clean, interval_text, title_text, value_text
from hmcbench.records.record import Record

RISK = Column("risk_at_90", "risk at 90 % coverage", "lower", "score")
ROBUST = ("risk_at_90", "unknown_auroc", "far_auroc")
"""Metrics of the view that need not be columns of the board."""
SHIFTED = "mean_under_shift"
UNKNOWN = Column("unknown_auroc", "unknown_auroc", "higher", "score")
FAR = Column("far_auroc", "far_auroc", "higher", "score")
LITTLE = "little_data"
_VARIED = {"split", "unknown", "train_share", "label_noise", "noise_to"}


class BoardRecords(NamedTuple):
    """A board, its rows and all its records.

    Attributes:
        estimates: ids of metrics -> label of a row -> metric -> estimate.
    """

    board: Board
    rows: Sequence[RowRecords]
    records: Sequence[Record]
    estimates: Callable[[Sequence[str]], Mapping[str, Mapping[str, Estimate]]]


def robust_table(group: BoardRecords, others: Sequence[BoardRecords]) -> RobustTable | None:
    """The robust table of a board; None where nothing was predicted under shifts.

    Args:
        group: without unknown classes, smaller shares or wrong labels.
        others: further boards of the suite.
    """
    board, records = group.board, group.records
    if board.shifts is None or _varied(records):
        return None
    alike = [other for other in others if _rest(other.records) == _rest(records)]
    table = RobustTable([board.primary_column], [RobustRow(row.model, {}) for row in board.rows if row.cells])
    for row in table.rows:
        measured = next(r for r in board.rows if r.model == row.model and r.cells)
        if board.primary in measured.cells:
            row.cells[board.primary] = replace(measured.cells[board.primary], best=False)
    _add(table, RISK, {label: _cell(estimate) for label, estimate in _estimates(group, RISK.id).items()})
    _add_shifts(table, board)
    _add(table, UNKNOWN, _of_unknown(alike))
    _add(table, FAR, {label: _cell(estimate) for label, estimate in _estimates(group, FAR.id).items()})
    _add_least_share(table, board, alike)
    _add_cost(table, board)
    return table


def _varied(records: Sequence[Record]) -> bool:
    ok = next(record for record in records if record.ok)
    return any(ok.part("split").get(name) for name in ("unknown", "train_share", "label_noise"))


def _rest(records: Sequence[Record]) -> tuple[str, ...]:
    """What boards of the same data and split agree in."""
    place = place_of(next((record for record in records if record.ok), records[0]))
    return tuple(value for name, value in place.items() if name not in _VARIED)


def _add(table: RobustTable, column: Column, cells: dict[str, BoardCell | None]) -> None:
    """Add a column where any row has a value."""
    known = {model: cell for model, cell in cells.items() if cell is not None and cell.mean is not None}
    if any(row.model in known for row in table.rows):
        table.columns.append(column)
        for row in table.rows:
            if row.model in known:
                row.cells[column.id] = known[row.model]


def _estimates(group: BoardRecords, metric: str) -> dict[str, Estimate]:
    """Label of a row -> estimate of a metric that need not be a column of the board."""
    estimates = group.estimates([metric])
    return {clean(label): values[metric] for label, values in estimates.items() if metric in values}


def _cell(estimate: Estimate) -> BoardCell:
    low, high = estimate.interval() or (None, None)
    return BoardCell(estimate.mean, low, high)


def _add_shifts(table: RobustTable, board: Board) -> None:
    assert board.shifts is not None
    column = next((c for c in board.columns if c.id == board.shifts.metric), board.primary_column)
    title = "mean under shift" if column.id == board.primary else f"{column.title}, mean under shift"
    cells = {row.model: row.mean for row in board.shifts.rows}
    _add(table, replace(column, id=SHIFTED, title=title), dict(cells))


def _of_unknown(boards: Sequence[BoardRecords]) -> dict[str, BoardCell | None]:
    """Mean over the boards in which a class was never shown.

    Its interval is the mean of theirs, which is not narrower than its own, whatever samples they share.
    """
    of_row: dict[str, list[Estimate]] = {}
    for board in boards:
        if any(record.ok and record.part("split").get("unknown") for record in board.records):
            for label, estimate in _estimates(board, UNKNOWN.id).items():
                of_row.setdefault(label, []).append(estimate)
    return {label: _mean(estimates) for label, estimates in of_row.items()}


def _mean(estimates: Sequence[Estimate]) -> BoardCell:
    ends = [estimate.interval() if estimate.over_samples else None for estimate in estimates]
    mean = float(np.mean([estimate.mean for estimate in estimates]))
    known = [pair for pair in ends if pair is not None]
    if len(known) < len(ends):
        return BoardCell(mean)
    low, high = np.mean(known, axis=0)
    return BoardCell(mean, float(low), float(high))


def _add_least_share(table: RobustTable, board: Board, alike: Sequence[BoardRecords]) -> None:
    """The primary metric on the board with the smallest share of the training samples."""
    shares = {}
    for other in alike:
        split = next((record.part("split") for record in other.records if record.ok), {})
        if split.get("train_share") and not split.get("unknown") and not split.get("label_noise"):
            shares[float(split["train_share"][0])] = other.board
    if shares:
        least = min(shares)
        column = board.primary_column
        title = f"{column.title} with {100 * least:.3g} % of the data"
        cells = {row.model: row.cells.get(board.primary) for row in shares[least].rows if row.cells}
        _add(table, replace(column, id=LITTLE, title=title), dict(cells))


def _add_cost(table: RobustTable, board: Board) -> None:
    """Seconds of a whole cell, on the hardware with the most cells."""
    column = next((c for c in board.cost_columns if c.id == "total_s"), None)
    mark = next(iter(board.hardware), "")
    if column is not None and mark:
        cells = {row.model: row.costs.get(mark, {}).get(column.id) for row in board.rows}
        plain = {model: None if cell is None else replace(cell, best=False) for model, cell in cells.items()}
        _add(table, column, plain)


# --------------------------------------------------------------------------- text

HEADING = "Robust table: what one score leaves out"


def head(table: RobustTable) -> list[str]:
    return ["model", *map(title_text, table.columns)]


def lines(table: RobustTable) -> list[list[str]]:
    """The cells of a table as text."""
    return [
        [
            row.model,
            *(
                f"{value_text(row.cells.get(c.id), c)} {interval_text(row.cells.get(c.id), c)}".strip()
                for c in table.columns
            ),
        ]
        for row in table.rows
    ]


def standings(table: RobustTable, row: RobustRow) -> list[float | None]:
    """Of every column, where a row stands between the worst (0) and the best (1); None without a value."""
    out: list[float | None] = []
    for column in table.columns:
        sign = -1.0 if column.better == "lower" else 1.0
        cells = [r.cells[column.id] for r in table.rows if column.id in r.cells]
        values = [sign * cell.mean for cell in cells if cell.mean is not None]
        own = row.cells.get(column.id)
        if own is None or own.mean is None:
            out.append(None)
        else:
            low, high = min(values), max(values)
            out.append(1.0 if high == low else (sign * own.mean - low) / (high - low))
    return out
