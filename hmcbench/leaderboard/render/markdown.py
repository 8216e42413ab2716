"""Boards as Markdown, for README files; texts from files and plugins are escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tabulate import tabulate

from hmcbench.leaderboard import across, robust, rules_table, shifts
from hmcbench.leaderboard.board import Board, BoardCell, Column, Row
from hmcbench.leaderboard.boards import Boards
from hmcbench.leaderboard.render import text
from hmcbench.leaderboard.render.text import markdown as esc
from hmcbench.leaderboard.summary import WINS_HEAD, WINS_HEADING, win_lines


def to_markdown(boards: Boards) -> str:
    """What holds across datasets, and a section per board: facts, quality, costs, published rows, notes."""
    if not boards:
        return "# Leaderboard\n\nNo records.\n"
    names = list(dict.fromkeys(board.suite for board in boards))
    titles = text.headings(boards)
    sections = (_section(heading, board) for heading, board in zip(titles, boards, strict=True))
    parts = [f"# Leaderboard: {esc(', '.join(names))}", *map(_across, boards.across), *sections]
    return "\n\n".join([*parts, f"---\n\n{text.LEGEND}"]) + "\n"


def _section(heading: str, board: Board) -> str:
    parts = [f"## {esc(heading)}", *answer_parts(board), _quality(board), _pairs(text.conclusions(board))]
    parts += [_costs(board, mark) for mark in board.hardware if board.cost_columns]
    if board.differences:
        table = _plain(text.DIFFERENCE_HEAD, text.difference_lines(board), right=(2, 3, 4))
        parts.append(f"### {esc(text.difference_heading(board))}\n\n{table}")
    if board.wins:
        parts.append(f"### {WINS_HEADING}\n\n{_plain(WINS_HEAD, win_lines(board.wins), right=(1, 2))}")
    for rules in board.rules:
        head, lines = rules_table.head(rules), rules_table.lines(board, rules)
        table = _plain([*map(esc, head)], lines, right=range(1, len(head) - 1))
        parts.append(f"### {esc(rules_table.heading(board, rules))}\n\n{table}")
    if board.shifts is not None:
        head, lines = shifts.head(board.shifts), shifts.lines(board, board.shifts)
        table = _plain([*map(esc, head)], lines, right=range(1, len(head)))
        order = " ".join(map(esc, shifts.words(board.shifts)))
        parts.append(f"### {esc(shifts.heading(board, board.shifts))}\n\n{table}\n\n{order}".rstrip())
    if board.robust is not None:
        head, lines = robust.head(board.robust), robust.lines(board.robust)
        table = _plain([*map(esc, head)], lines, right=range(1, len(head)))
        parts.append(f"### {robust.HEADING}\n\n{table}")
    for same_data in (True, False):
        head, lines = text.published_table(board, same_data)
        if lines:
            table = _plain([*map(esc, head)], lines, right=range(1, len(head) - 3))
            parts.append(f"### {text.published_heading(same_data)}\n\n{table}")
    if verdicts := text.verdict_lines(board):
        parts.append(f"### {text.VERDICT_HEADING}\n\n{_plain(text.VERDICT_HEAD, verdicts, right=())}")
    if failures := text.failure_lines(board):
        parts.append(f"### Failed, missing, not applicable\n\n{_pairs(failures)}")
    parts.append(
        f"<details>\n<summary>{text.DETAILS}</summary>\n\n{_pairs(text.details(board))}\n\n</details>"
    )
    return "\n\n".join(filter(None, parts))


def answer_parts(board: Board) -> list[str]:
    """Paragraphs before the table: whether samples are synthetic, the question, the answer."""
    parts = [f"**{text.SYNTHETIC}**"] if board.synthetic else []
    parts += [f"*{esc(board.question)}*"] if board.question else []
    return [*parts, " ".join(map(esc, board.answer))] if board.answer else parts


def _pairs(lines: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"- {esc(name)}: {esc(value)}" for name, value in lines)


def _across(comparison: across.Across) -> str:
    ranks = _plain(across.HEAD, across.lines(comparison), right=(0, 2, 3))
    head = across.values_head(comparison)
    values = _plain([*map(esc, head)], across.values_lines(comparison), right=range(1, len(head)))
    parts = [f"## {esc(across.heading(comparison))}", ranks, esc(" ".join(across.words(comparison)))]
    return "\n\n".join([*parts, f"### {esc(across.values_heading(comparison))}", values])


def _quality(board: Board) -> str:
    head = ["#", "model", *(esc(text.title_text(c)) for c in board.columns)]
    right = (0, *range(2, len(head)))
    remarks = [esc(text.remarks_text(board, row)) for row in board.rows]
    lines = [[*_start(row), *_values(row.cells, board.columns)] for row in board.rows]
    if any(remarks):
        head.append("remarks")
        lines = [[*line, remark] for line, remark in zip(lines, remarks, strict=True)]
    return _table(head, lines, right)


def _costs(board: Board, mark: str) -> str:
    head = ["#", "model", *(esc(text.title_text(c)) for c in board.cost_columns)]
    lines = [
        [*_start(row), *_values(row.costs[mark], board.cost_columns)] for row in text.cost_rows(board, mark)
    ]
    table = _table(head, lines, right=(0, *range(2, len(head))))
    return f"### {esc(text.cost_heading(board, mark))}\n\n{table}"


def _start(row: Row) -> list[str]:
    return [text.rank_text(row), esc(row.shown)]


def _values(cells: Mapping[str, BoardCell], columns: Sequence[Column]) -> list[str]:
    return [value(cells.get(column.id), column) for column in columns]


def value(cell: BoardCell | None, column: Column) -> str:
    """Value and interval; the best value is bold."""
    shown = text.value_text(cell, column)
    if cell is not None and cell.best:
        shown = f"**{shown}**"
    return f"{shown} {text.interval_text(cell, column)}".strip()


def _plain(head: Sequence[str], lines: Sequence[Sequence[str]], right: Sequence[int]) -> str:
    return _table(head, [[esc(part) for part in line] for line in lines], right)


def _table(head: Sequence[str], lines: Sequence[Sequence[str]], right: Sequence[int]) -> str:
    align = ["right" if i in right else "left" for i in range(len(head))]
    if not lines:  # tabulate refuses alignments for a table without rows
        align = []
    drawn: str = tabulate(lines, headers=head, tablefmt="pipe", disable_numparse=True, colalign=align or None)
    return drawn
