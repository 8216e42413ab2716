"""Quality against cost: which models no other beats in both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hmcbench.leaderboard.board import Board, Column, Row

COSTS = ("total_s", "fit_s")  # what is set against quality: the first that a board has


@dataclass(frozen=True)
class Trade:
    """One board's models on one hardware, by the means of one quality and one cost.

    Attributes:
        quality, cost: the two columns.
        mark: of the hardware.
        rows: ranked rows that have both, with (quality, cost), in the order of the board.
        front: positions in ``rows`` of the Pareto front, the cheapest first.
    """

    quality: Column
    cost: Column
    mark: str
    rows: Sequence[tuple[Row, float, float]]
    front: Sequence[int]


def front(points: Sequence[tuple[float, float]], better: str, cheaper: str) -> list[int]:
    """Positions of the points that no other is at least as good as in both and better than in one.

    Args:
        points: (quality, cost).
        better: ``higher`` or ``lower``, of quality.
        cheaper: the same of cost.

    Returns:
        The cheapest first; equal points are all on the front.

    >>> front([(0.9, 10), (0.8, 1), (0.7, 5), (0.9, 12)], "higher", "lower")
    [1, 0]
    """
    q, c = (1 if better == "higher" else -1), (1 if cheaper == "higher" else -1)
    signed = [(q * quality, c * cost) for quality, cost in points]
    kept = [
        i
        for i, (a, b) in enumerate(signed)
        if not any(x >= a and y >= b and (x > a or y > b) for x, y in signed)
    ]
    return sorted(kept, key=lambda i: (-signed[i][1], -signed[i][0]))


def trades(board: Board) -> list[Trade]:
    """The primary quality against the first known cost, apart for every hardware.

    Nothing where the primary metric or the cost has no direction.
    """
    quality = next((c for c in board.columns if c.id == board.primary), None)
    cost = next((c for name in COSTS for c in board.cost_columns if c.id == name), None)
    if quality is None or cost is None or not quality.better or not cost.better:
        return []
    out = []
    for mark in board.hardware:
        rows = []
        for row in board.rows:
            cells = row.cells.get(quality.id), row.costs.get(mark, {}).get(cost.id)
            if row.rank is None or any(cell is None or cell.mean is None for cell in cells):
                continue
            a, b = (cell.mean for cell in cells if cell is not None)
            rows.append((row, float(a or 0.0), float(b or 0.0)))
        if len(rows) > 1:
            found = front([(a, b) for _, a, b in rows], quality.better, cost.better)
            out.append(Trade(quality, cost, mark, rows, found))
    return out


def facts(board: Board) -> list[tuple[str, str]]:
    """``("Pareto front", "hf1_samples against whole cell (s): prior, forest, hffnet-2d")``."""
    lines = []
    for trade in trades(board):
        where = f" on hardware {trade.mark}" if len(board.hardware) > 1 else ""
        names = ", ".join(trade.rows[i][0].model for i in trade.front)
        lines.append(("Pareto front", f"{trade.quality.title} against {trade.cost.title}{where}: {names}"))
    return lines
