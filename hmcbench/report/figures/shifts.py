"""How models break: a metric over the severity of every shift, a line per model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from hmcbench.leaderboard.board import Board, ShiftsTable
from hmcbench.records.record import slug
from hmcbench.report.figures.names import board_traits, told_apart
from hmcbench.report.figures.style import OKABE_ITO, figure, plain, save, styled

COLUMNS = 4  # panels beside each other
MOST_LINES = len(OKABE_ITO)


def shifts_figure(board: Board, table: ShiftsTable) -> Figure:
    """A panel per shift: severity 0 (the samples that see it, as they are) and its severities, evenly spaced.

    The first seven models, by their mean under shift.
    """
    columns = min(COLUMNS, len(table.shifts))
    rows = math.ceil(len(table.shifts) / columns)
    with styled():
        fig, axes = figure(2.3 * columns + 1.6, 2.0 * rows + 0.6, rows, columns)
        models = table.rows[:MOST_LINES]
        for i, shift in enumerate(table.shifts):
            ax = axes[i // columns, i % columns]
            ticks = ["0", *(f"{severity:g}" for severity in table.severities[i])]
            for row, colour in zip(models, OKABE_ITO, strict=False):
                values = [row.before[i], *row.values[i]]
                points = [(x, value) for x, value in enumerate(values) if value is not None]
                style = ":" if row.unread[i] else "o-"
                label = plain(row.model[:60]) if i == 0 else None
                x, y = zip(*points, strict=True) if points else ((), ())
                ax.plot(x, y, style, color=colour, linewidth=1.2, markersize=3, label=label)
            ax.set_xticks(range(len(ticks)), ticks, fontsize=6)
            ax.set_xlabel(plain(table.units[i]), fontsize=7)
            ax.set_title(plain(shift), fontsize=8)
            ax.grid(alpha=0.3)
            if i % columns == 0:
                ax.set_ylabel(plain(table.metric))
        for i in range(len(table.shifts), rows * columns):
            axes[i // columns, i % columns].set_axis_off()
        more = len(table.rows) - len(models)
        left_out = f"\n{more} further models are not drawn" if more > 0 else ""
        fig.suptitle(plain(board.heading) + left_out, fontsize=9)
        fig.legend(loc="outside right center", fontsize=7)
    return fig


def draw_shifts(boards: Sequence[Board], folder: Path) -> list[Path]:
    """A figure for every board with predictions under shifts, into ``folder``, which is made."""
    drawn = [(board, board.shifts) for board in boards if board.shifts is not None]
    if drawn:
        folder.mkdir(parents=True, exist_ok=True)
    names = told_apart([_name(board) for board, _ in drawn], [board_traits(board) for board, _ in drawn])
    return [
        save(shifts_figure(board, table), folder / f"{name}.png")
        for name, (board, table) in zip(names, drawn, strict=True)
    ]


def _name(board: Board) -> str:
    split = board.split[0][:8] if board.split else ""
    return f"shifts-{'-'.join(map(slug, (board.data, board.profile, board.fingerprint[:8], split)))}"
