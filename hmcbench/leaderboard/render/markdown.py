"""Boards as Markdown, for README files: everything that came from elsewhere is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tabulate import tabulate

from hmcbench.leaderboard import across
from hmcbench.leaderboard.board import Board, BoardCell, Column, Row
from hmcbench.leaderboard.boards import Boards
from hmcbench.leaderboard.render import text
from hmcbench.leaderboard.render.text import markdown as esc
from hmcbench.leaderboard.summary import WINS_HEAD, WINS_HEADING, win_lines


def to_markdown(boards: Boards) -> str:
    """One section per board: heading, facts, quality, costs, published rows, notes."""
    if not boards:
        return "# Leaderboard\n\nNo records.\n"
    names = list(dict.fromkeys(board.suite for board in boards))
    parts = [f"# Leaderboard: {esc(', '.join(names))}", *(_section(board) for board in boards)]
    parts += [_across(one) for one in boards.across]
    return "\n\n".join([*parts, f"---\n\n{text.LEGEND}"]) + "\n"


def _section(board: Board) -> str:
    parts = [f"## {esc(board.title)}"]
    if board.synthetic:
        parts.append("**These samples are synthetic: they were generated, not measured.**")
    parts.append("\n".join(f"- {esc(name)}: {esc(value)}" for name, value in board.facts))
    parts.append(_quality(board))
    parts += [_costs(board, mark) for mark in board.hardware if board.cost_columns]
    if board.differences:
        lines = [[esc(part) for part in line] for line in text.difference_lines(board)]
        table = _table(text.DIFFERENCE_HEAD, lines, right=(2, 3, 4))
        parts.append(f"### {esc(text.difference_heading(board))}\n\n{table}")
    if board.wins:
        table = _table(
            WINS_HEAD, [[esc(part) for part in line] for line in win_lines(board.wins)], right=(1, 2)
        )
        parts.append(f"### {WINS_HEADING}\n\n{table}")
    parts += [block for same in (True, False) if (block := _published(board, same))]
    if verdicts := text.verdict_lines(board):
        table = _table(text.VERDICT_HEAD, [[esc(part) for part in line] for line in verdicts], right=())
        parts.append(f"### {text.VERDICT_HEADING}\n\n{table}")
    failures = [f"- {esc(who)}: {esc(why)}" for who, why in text.failure_lines(board)]
    if failures:
        parts.append("### Failed, missing, not applicable\n\n" + "\n".join(failures))
    if board.notes:
        parts.append("### Notes\n\n" + "\n".join(f"- {esc(note)}" for note in board.notes))
    return "\n\n".join(parts)


def _across(one: across.Across) -> str:
    table = _table(across.HEAD, [[esc(part) for part in line] for line in across.lines(one)], right=(0, 2, 3))
    return f"## {esc(across.heading(one))}\n\n{table}\n\n{esc(' '.join(across.words(one)))}"


def _quality(board: Board) -> str:
    head = ["#", "model", *(esc(text.title_text(c)) for c in board.columns), "cells", "status"]
    lines = [
        [*_start(row), *_values(row.cells, board.columns), esc(row.runs), esc(text.status_text(row))]
        for row in board.rows
    ]
    return _table(head, lines, right=(0, *range(2, len(head) - 2)))


def _costs(board: Board, mark: str) -> str:
    head = ["#", "model", *(esc(text.title_text(c)) for c in board.cost_columns)]
    lines = [
        [*_start(row), *_values(row.costs[mark], board.cost_columns)] for row in text.cost_rows(board, mark)
    ]
    table = _table(head, lines, right=(0, *range(2, len(head))))
    return f"### {esc(text.cost_heading(board, mark))}\n\n{table}"


def _published(board: Board, same_data: bool) -> str:
    rows = [row for row in board.published if row.same_data == same_data]
    if not rows:
        return ""
    names = list(dict.fromkeys(name for row in rows for name in row.metrics))
    head = ["model", *map(esc, names), "data", "source", "note"]
    lines = [
        [esc(row.model), *text.published_values(row, names), esc(row.data), esc(row.source), esc(row.note)]
        for row in rows
    ]
    heading = text.published_heading(same_data)
    return f"### {heading}\n\n" + _table(head, lines, right=range(1, len(names) + 1))


def _start(row: Row) -> list[str]:
    return [text.rank_text(row), esc(text.model_text(row))]


def _values(cells: Mapping[str, BoardCell], columns: Sequence[Column]) -> list[str]:
    return [_value(cells.get(column.id), column) for column in columns]


def _value(cell: BoardCell | None, column: Column) -> str:
    value = text.value_text(cell, column)
    if cell is not None and cell.best:
        value = f"**{value}**"
    interval = text.interval_text(cell, column)
    return f"{value} {interval}".strip()


def _table(head: Sequence[str], lines: Sequence[Sequence[str]], right: Sequence[int]) -> str:
    align = ["right" if i in right else "left" for i in range(len(head))]
    if not lines:  # tabulate refuses alignments for a table without rows
        align = []
    drawn: str = tabulate(lines, headers=head, tablefmt="pipe", disable_numparse=True, colalign=align or None)
    return drawn
