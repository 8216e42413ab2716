"""Boards on a terminal, drawn with rich; imported only when a board is shown."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from hmcbench.leaderboard import across, robust, rules_table, shifts
from hmcbench.leaderboard.board import Board, BoardCell, Column, Row
from hmcbench.leaderboard.boards import Boards
from hmcbench.leaderboard.render import text
from hmcbench.leaderboard.render.grid import DrawnTable, GridColumn, folded, grid
from hmcbench.leaderboard.summary import WINS_HEAD, WINS_HEADING, win_lines

REMARKS = 22  # characters of a line of remarks


def print_console(boards: Boards, console: Console) -> None:
    """Draw every board: the answer, quality, costs, published rows, failures, then details and notes.

    Texts are never markup. Intervals are below their values. Columns that do not fit are named.
    """
    for heading, board in zip(text.headings(boards), boards, strict=True):
        _print_board(heading, board, console)
    for comparison in boards.across:
        heading, lines = across.heading(comparison), across.lines(comparison)
        _print_plain(console, heading, across.HEAD, lines, names=2)
        console.print(Text(" ".join(across.words(comparison)), style="dim"))
        title, head = across.values_heading(comparison), across.values_head(comparison)
        _print_plain(console, title, head, across.values_lines(comparison))
    if boards:
        console.print(Text(text.LEGEND, style="dim"))


def _print_board(heading: str, board: Board, console: Console) -> None:
    console.print(Text(heading, style="bold"))
    if board.synthetic:
        console.print(Text(text.SYNTHETIC, style="yellow"))
    if board.question:
        console.print(Text(board.question, style="italic"))
    for sentence in board.answer:
        console.print(Text(sentence))
    console.print()
    _print_grid(console, _quality(board, console.width))
    for name, value in text.conclusions(board):
        console.print(Text(f"{name}: {value}"))
    for mark in board.hardware if board.cost_columns else ():
        console.print(Text(f"\n{text.cost_heading(board, mark)}", style="italic"))
        _print_grid(console, _costs(board, mark, console.width))
    if board.differences:
        heading, lines = text.difference_heading(board), text.difference_lines(board)
        _print_plain(console, heading, text.DIFFERENCE_HEAD, lines, names=2)
    if board.wins:
        _print_plain(console, WINS_HEADING, WINS_HEAD, win_lines(board.wins))
    for table in board.rules:
        title, head = rules_table.heading(board, table), rules_table.head(table)
        _print_plain(console, title, head, rules_table.lines(board, table))
    if board.shifts is not None:
        title, head = shifts.heading(board, board.shifts), shifts.head(board.shifts)
        _print_plain(console, title, head, shifts.lines(board, board.shifts))
        console.print(Text(" ".join(shifts.words(board.shifts))))
    if board.robust is not None:
        _print_plain(console, robust.HEADING, robust.head(board.robust), robust.lines(board.robust))
    for same_data in (True, False):
        _print_published(console, board, same_data)
    if verdicts := text.verdict_lines(board):
        console.print(Text(f"\n{text.VERDICT_HEADING}", style="italic"))
        for published, ours, verdict, measured, data, reasons in verdicts:
            why = "" if reasons == text.NOTHING else f" ({reasons})"
            values = "" if measured == text.NOTHING else f"; measured {measured}"
            console.print(Text(f"{published}, our {ours}, on {data}: {verdict}{why}{values}"))
    console.print()
    for cells, cause in text.failure_lines(board):
        console.print(Text(f"{cells}: {cause}", style="red"))
    for name, value in text.details(board):
        console.print(Text(f"{name}: {value}", style="yellow" if name == "note" else "dim"))
    console.print()


def _print_grid(console: Console, table: DrawnTable) -> None:
    for line in table.lines:
        console.print(line, no_wrap=True, overflow="ignore", crop=False)
    if table.hidden:
        count, more = len(table.hidden), shlex.quote(", ".join(table.hidden))
        verb = "column does" if count == 1 else "columns do"
        console.print(
            Text(
                f"{count} more {verb} not fit into {console.width} characters; a wider window shows"
                f" {'it' if count == 1 else 'them'}, or hmcbench leaderboard --columns {more}",
                style="yellow",
            )
        )


def _names(rows: Sequence[Row]) -> list[GridColumn]:
    return [
        GridColumn(["#"], [[Text(text.rank_text(row))] for row in rows]),
        GridColumn(["model"], [[Text(row.shown)] for row in rows], left=True),
    ]


def _quality(board: Board, width: int) -> DrawnTable:
    rows = board.rows
    columns = [_values(column, [row.cells.get(column.id) for row in rows]) for column in board.columns]
    remarks = [textwrap.wrap(text.remarks_text(board, row), REMARKS) for row in rows]
    styles = ["" if row.status == "ok" else "red" for row in rows]
    last = [[Text(line, style=style) for line in lines] for lines, style in zip(remarks, styles, strict=True)]
    more = [GridColumn(["remarks"], last, left=True)] if any(remarks) else []
    return grid([*_names(rows), *columns, *more], width, names=2)


def _costs(board: Board, mark: str, width: int) -> DrawnTable:
    rows = text.cost_rows(board, mark)
    columns = [_values(c, [row.costs[mark].get(c.id) for row in rows]) for c in board.cost_columns]
    return grid([*_names(rows), *columns], width, names=2)


def _values(column: Column, cells: Sequence[BoardCell | None]) -> GridColumn:
    return GridColumn(folded(text.title_text(column)), [_value(cell, column) for cell in cells], column.id)


def _value(cell: BoardCell | None, column: Column) -> list[Text]:
    """The value, and below it the interval without leading zeros, and without a blank where that is clear."""
    best = cell is not None and cell.best
    value = Text(text.value_text(cell, column), style="bold green" if best else "")
    interval = text.interval_text(cell, column)
    short = re.sub(r"(?<!\d)0\.", ".", interval)
    if not re.search(r"\d,\d", short):  # thousands
        short = short.replace(" ", "")
    return [value, Text(short, style="dim")] if interval else [value]


def _print_plain(
    console: Console, title: str, head: Sequence[str], lines: Sequence[Sequence[str]], names: int = 1
) -> None:
    """A small table; where it is too wide, a line of text per row."""
    columns = [
        GridColumn(folded(name), [[Text(line[i])] for line in lines], left=i < names)
        for i, name in enumerate(head)
    ]
    console.print(Text(f"\n{title}", style="italic"))
    table = grid(columns, console.width, names)
    if max(line.cell_len for line in table.lines) <= console.width:
        _print_grid(console, table)
        return
    for line in lines:
        rest = zip(head[names:], line[names:], strict=True)
        console.print(
            Text(f"{', '.join(line[:names])}: {', '.join(f'{name} {value}' for name, value in rest)}")
        )


def _print_published(console: Console, board: Board, same_data: bool) -> None:
    """The values of published rows, and below them their data, sources and notes."""
    head, lines = text.published_table(board, same_data)
    if not lines:
        return
    console.print(Text(f"\n{text.published_heading(same_data)}", style="italic"))
    names = head[1:-3]
    columns = [GridColumn(["model"], [[Text(line[0])] for line in lines], left=True)]
    columns += [
        GridColumn(folded(name), [[Text(line[i])] for line in lines], name)
        for i, name in enumerate(names, start=1)
    ]
    table = grid(columns, console.width, names=1)
    for drawn in table.lines:
        console.print(drawn, no_wrap=True, overflow="ignore", crop=False)
    if table.hidden:
        hidden = f"not shown in {console.width} characters: {', '.join(table.hidden)} (--format md has them)"
        console.print(Text(hidden, style="yellow"))
    for origin, models in text.origins(lines).items():
        console.print(Text(f"{', '.join(models)}: {origin}", style="dim"))
