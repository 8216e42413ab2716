"""Boards as LaTeX with booktabs: a table per block; texts from files and plugins are escaped."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from hmcbench.leaderboard import across
from hmcbench.leaderboard.board import Board, BoardCell, Column
from hmcbench.leaderboard.boards import Boards
from hmcbench.leaderboard.render import text
from hmcbench.leaderboard.render.text import clean
from hmcbench.leaderboard.summary import WINS_HEAD, WINS_HEADING, win_lines

PREAMBLE = "% needs \\usepackage{booktabs}; written by hmcbench leaderboard --format latex"
CAPTION = (
    "Means over seeds with 95\\,\\% intervals; bold: the best of its column, and distinguishable from every "
    "other ranked row (all p below 0.05)."
)
_SPECIAL = {
    **{c: f"\\{c}" for c in "{}$&#%_"},
    "\\": "\\textbackslash{}",
    "^": "\\textasciicircum{}",
    "~": "\\textasciitilde{}",
    "<": "\\textless{}",
    ">": "\\textgreater{}",
    "|": "\\textbar{}",
    "`": "\\textasciigrave{}",
    '"': "''",
    "[": "{[}",  # behind \\ it would start an optional argument
    "]": "{]}",
    "-": "-{}",  # no ligatures: -- stays two hyphens
    "↑": "$\\uparrow$",
    "↓": "$\\downarrow$",
    "é": "\\'e",
}


def latex(value: str) -> str:
    """Text without any effect in LaTeX: no commands, comments or mathematics."""
    return "".join(_SPECIAL.get(c, c) for c in clean(value))


def to_latex(boards: Boards) -> str:
    """Quality, costs, differences and published rows of every board, each as a ``table``."""
    if not boards:
        return f"{PREAMBLE}\n% no records\n"
    metrics = [[comparison.metric] for comparison in boards.across]
    labels = _distinct([_label(c.suite, c.profile) for c in boards.across], metrics)
    parts = [p for label, c in zip(labels, boards.across, strict=True) for p in _across(c, label)]
    labels = _board_labels(boards)
    parts += [part for label, board in zip(labels, boards, strict=True) for part in _tables(board, label)]
    return "\n\n".join([PREAMBLE, *parts]) + "\n"


def _across(comparison: across.Across, label: str) -> list[str]:
    """Mean ranks, and the values that they are of."""
    ranks, values = (
        [[latex(part) for part in line] for line in lines(comparison)]
        for lines in (across.lines, across.values_lines)
    )
    caption = f"{latex(across.heading(comparison))}. {latex(' '.join(across.words(comparison)))}"
    head = across.values_head(comparison)
    shape = "l" + "r" * (len(head) - 1)
    return [
        _table(caption, f"{label}-across", across.HEAD, ranks, "rlrr"),
        _table(f"{latex(across.values_heading(comparison))}.", f"{label}-across-values", head, values, shape),
    ]


def _tables(board: Board, label: str) -> list[str]:
    name = f"{latex(board.title)}."
    made_up = " These samples are synthetic: they were generated, not measured." if board.synthetic else ""
    columns, costs = board.columns, board.cost_columns
    status = any(row.status != "ok" or row.cause for row in board.rows)
    head = ["#", "model", *map(text.title_text, columns), *(["status"] if status else [])]
    lines = [
        [latex(text.rank_text(row)), latex(text.model_text(row)), *_values(row.cells, columns)]
        + ([latex(text.status_text(row))] if status else [])
        for row in board.rows
    ]
    shape = "rl" + "r" * len(columns) + "l" * status
    parts = [_table(f"{name}{made_up} {CAPTION}", label, head, lines, shape)]
    for mark in board.hardware if costs else ():
        lines = [
            [latex(text.rank_text(row)), latex(text.model_text(row)), *_values(row.costs[mark], costs)]
            for row in text.cost_rows(board, mark)
        ]
        head = ["#", "model", *map(text.title_text, costs)]
        caption = f"{name} {latex(text.cost_heading(board, mark))}."
        parts.append(_table(caption, f"{label}-cost-{mark}", head, lines, "rl" + "r" * len(costs)))
    if board.differences:
        lines = [[latex(part) for part in line] for line in text.difference_lines(board)]
        caption = f"{name} {latex(text.difference_heading(board))}."
        parts.append(_table(caption, f"{label}-differences", text.DIFFERENCE_HEAD, lines, "llrrr"))
    if board.wins:
        lines = [[latex(part) for part in line] for line in win_lines(board.wins)]
        parts.append(_table(f"{name} {latex(WINS_HEADING)}.", f"{label}-wins", WINS_HEAD, lines, "lrr"))
    return parts + _published(board, label, True) + _published(board, label, False)


def _published(board: Board, label: str, same_data: bool) -> list[str]:
    """The table of published rows, with their notes in its caption; nothing without rows."""
    head, rows = text.published_table(board, same_data)
    if not rows:
        return []
    lines = [[latex(part) for part in row] for row in rows]
    notes = [f"{line[0]}: {line[-1]}" for line in lines if line[-1]]
    caption = " ".join([f"{latex(board.title)}. {latex(text.published_heading(same_data))}.", *notes])
    label = f"{label}-published-{'same' if same_data else 'other'}"
    shape = "l" + "r" * (len(head) - 4) + "p{0.15\\linewidth}" * 2
    return [_table(caption, label, head[:-1], [line[:-1] for line in lines], shape)]


def _values(cells: Mapping[str, BoardCell], columns: Sequence[Column]) -> list[str]:
    return [_value(cells.get(column.id), column) for column in columns]


def _value(cell: BoardCell | None, column: Column) -> str:
    value = _number(text.value_text(cell, column))
    if cell is not None and cell.best:
        value = f"\\textbf{{{value}}}"
    interval = text.interval_text(cell, column)
    return f"{value} {{\\scriptsize {_number(interval)}}}" if interval else value


def _number(value: str) -> str:
    """A number with a minus sign instead of a hyphen; ``--`` for no value."""
    return "--" if value == text.NOTHING else re.sub(r"-\{\}(?=\d)", "$-$", latex(value))


def _board_labels(boards: Sequence[Board]) -> list[str]:
    """The label of every board; those that would share one get the words that distinguish them."""
    names = [
        _label(board.suite, board.version, board.dataset, board.fingerprint[:8], board.profile)
        for board in boards
    ]
    return _distinct(names, text.words_among(names, boards))


def _distinct(labels: Sequence[str], words: Sequence[Sequence[str]]) -> list[str]:
    """Shared labels get their words, and a number where these are shared too."""
    longer = [
        "-".join([label, *map(_part, more)]) if labels.count(label) > 1 else label
        for label, more in zip(labels, words, strict=True)
    ]
    earlier = [longer[:i].count(label) for i, label in enumerate(longer)]
    return [f"{label}-{n + 1}" if n else label for label, n in zip(longer, earlier, strict=True)]


def _label(*parts: str) -> str:
    return "tab:" + "-".join(map(_part, parts))


def _part(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-") or "x"


def _table(caption: str, label: str, head: Sequence[str], lines: Sequence[Sequence[str]], shape: str) -> str:
    """A ``table``; the cells are LaTeX already, the head is not."""
    rows = [" & ".join(map(latex, head)), *(" & ".join(line) for line in lines)]
    drawn = [f"{row} \\\\" for row in rows]
    return "\n".join(
        [
            "\\begin{table}",
            "\\centering",
            "\\small",
            f"\\caption{{{caption}}}",
            f"\\label{{{label}}}",
            f"\\begin{{tabular}}{{{shape}}}",
            "\\toprule",
            drawn[0],
            "\\midrule",
            *drawn[1:],
            "\\bottomrule",
            "\\end{tabular}",
            "\\end{table}",
        ]
    )
