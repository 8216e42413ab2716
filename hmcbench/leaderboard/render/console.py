"""Boards on a terminal, drawn with rich; imported only when a board is shown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hmcbench.leaderboard import across
from hmcbench.leaderboard.board import Board, BoardCell, Column
from hmcbench.leaderboard.boards import Boards
from hmcbench.leaderboard.render import text
from hmcbench.leaderboard.summary import WINS_HEAD, WINS_HEADING, win_lines


def print_console(boards: Boards, console: Console) -> None:
    """Draw every board: quality, costs, published rows, failures, notes.

    Texts are never markup. Intervals are below their values, so that eight columns fit into 120 characters.
    """
    for board in boards:
        console.print(Text(board.title, style="bold"))
        for name, value in board.facts:
            console.print(Text(f"  {name}: {value}", style="yellow" if "synthetic" in value else "dim"))
        console.print(_quality(board))
        for mark in board.hardware if board.cost_columns else ():
            console.print(_costs(board, mark))
        if board.differences:
            heading, lines = text.difference_heading(board), text.difference_lines(board)
            console.print(_plain(heading, text.DIFFERENCE_HEAD, lines, left=("model", "metric")))
        if board.wins:
            console.print(_plain(WINS_HEADING, WINS_HEAD, win_lines(board.wins), left=("model",)))
        for same_data in (True, False):
            head, lines = text.published_table(board, same_data)
            if lines:
                left = ("model", "data", "source", "note")
                console.print(_plain(text.published_heading(same_data), head, lines, left))
        if verdicts := text.verdict_lines(board):
            console.print(_plain(text.VERDICT_HEADING, text.VERDICT_HEAD, verdicts, left=text.VERDICT_HEAD))
        for cells, cause in text.failure_lines(board):
            console.print(Text(f"  {cells}: {cause}", style="red"))
        for note in board.notes:
            console.print(Text(f"  note: {note}", style="yellow"))
        console.print()
    for comparison in boards.across:
        heading, lines = across.heading(comparison), across.lines(comparison)
        console.print(_plain(heading, across.HEAD, lines, left=("model",)))
        console.print(Text(f"  {' '.join(across.words(comparison))}", style="dim"))
    if boards:
        console.print(Text(text.LEGEND, style="dim"))


def _folded(title: str, width: int = 12) -> str:
    """A title in lines of at most ``width`` characters where ``_`` and spaces allow it."""
    lines = [""]
    for part in re.split(r"(?<=[_ ])", title):
        if lines[-1] and len((lines[-1] + part).rstrip()) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.rstrip() for line in lines)


def _new_table(title: str, head: Sequence[str], left: Sequence[str]) -> Table:
    shown = Text(title) if title else None
    table = Table(
        title=shown, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True
    )
    for name in head:
        justify: Literal["left", "right"] = "left" if name in left else "right"
        table.add_column(Text(_folded(name)), justify=justify, overflow="fold")
    return table


def _quality(board: Board) -> Table:
    head = ["#", "model", *(text.title_text(c) for c in board.columns), "cells", "status"]
    table = _new_table("", head, left=("model", "cells", "status"))
    for row in board.rows:
        values = [_value(row.cells.get(c.id), c) for c in board.columns]
        status = Text(text.status_text(row), style="" if row.status == "ok" else "red")
        rank = Text(text.rank_text(row))
        table.add_row(rank, Text(text.model_text(row)), *values, Text(row.runs), status)
    return table


def _costs(board: Board, mark: str) -> Table:
    head = ["#", "model", *(text.title_text(c) for c in board.cost_columns)]
    table = _new_table(text.cost_heading(board, mark), head, left=("model",))
    for row in text.cost_rows(board, mark):
        values = [_value(row.costs[mark].get(c.id), c) for c in board.cost_columns]
        rank = Text(text.rank_text(row))
        table.add_row(rank, Text(text.model_text(row)), *values)
    return table


def _plain(title: str, head: Sequence[str], lines: Sequence[Sequence[str]], left: Sequence[str]) -> Table:
    table = _new_table(title, head, left=left)
    for line in lines:
        table.add_row(*map(Text, line))
    return table


def _value(cell: BoardCell | None, column: Column) -> Text:
    value = Text(text.value_text(cell, column), style="bold green" if cell is not None and cell.best else "")
    interval = text.interval_text(cell, column)
    short = re.sub(r"(?<!\d)0\.", ".", interval).replace(" ", "")
    return value.append(f"\n{short}", style="not bold dim") if interval else value
