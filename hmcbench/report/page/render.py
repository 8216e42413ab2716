"""The page as text: tables as HTML, all else as data for the page's script."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any
from urllib.parse import quote

from hmcbench.leaderboard import across
from hmcbench.leaderboard.board import Board, BoardCell, Column, Row
from hmcbench.leaderboard.boards import Boards
from hmcbench.leaderboard.render import text
from hmcbench.leaderboard.render.diagram import diagram
from hmcbench.leaderboard.render.text import clean
from hmcbench.leaderboard.summary import WINS_HEAD, WINS_HEADING, win_lines
from hmcbench.report.page.data import board_data, script_json
from hmcbench.report.page.details import cell_details

MOST_CELLS = 200  # with details; a page with more is too large for browsers
FIGURES = "figures"
_BREAK = re.compile(r"(?<=[\[,_=:/])(?=[^\s;])")


def page_of(boards: Boards) -> str:
    """A self-contained page of boards, with details of cells from their records.

    Pictures come from the folder ``figures/`` beside ``records/``.
    """
    cells, places, more = _details(boards)
    names = ", ".join(dict.fromkeys(board.suite for board in boards))
    title = clean(f"Leaderboard: {names}" if boards else "Leaderboard")
    data = {"boards": [board_data(board, places) for board in boards], "cells": cells}
    body = "\n".join(_board(board, i) for i, board in enumerate(boards)) or "<p>No records.</p>"
    body += "".join(map(_across, boards.across))
    left_out = f"<p class='note'>Details of {more} cells are left to their records.</p>" if more > 0 else ""
    legend = f'{left_out}\n<p class="note">{escape(text.LEGEND)}</p>'
    return _filled(title, f"{body}\n{legend}", data)


def index_page(title: str, head: Sequence[str], lines: Sequence[Sequence[Any]]) -> str:
    """A page with a table; a cell ``(text, address)`` is a link to a file beside the page."""

    def cell(part: Any) -> str:
        if isinstance(part, tuple):
            return f'<td><a href="{escape(quote(part[1]))}">{escape(part[0])}</a></td>'
        return f"<td>{escape(part)}</td>"

    body = ["<tr>" + "".join(map(cell, line)) + "</tr>" for line in lines]
    table = _table([f"<th>{escape(name)}</th>" for name in head], body, "plain")
    return _filled(clean(title), table, {"boards": [], "cells": []})


def _filled(title: str, body: str, data: Any) -> str:
    style, script = _asset("page.css"), _asset("page.js")
    return Template(_asset("page.html")).substitute(
        title=escape(title),
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
        body=body,
        data=script_json(data),
    )


def _asset(name: str) -> str:
    return files("hmcbench.report.page").joinpath(name).read_text(encoding="utf-8").strip()


def _hash(content: str) -> str:
    """The hash of a script or style for the page's policy, which allows nothing else."""
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def _details(boards: Boards) -> tuple[list[dict[str, Any]], dict[str, int], int]:
    """Details of the boards' cells, the place of each by key, and the number of cells left out."""
    by_key = {record.key: record for record in boards.records if record.ok}
    wanted = dict.fromkeys(key for board in boards for row in board.rows for key in row.keys if key in by_key)
    cells: list[dict[str, Any]] = []
    places: dict[str, int] = {}
    for key in list(wanted)[:MOST_CELLS]:
        path = by_key[key].path
        places[key] = len(cells)
        cells.append(cell_details(by_key[key], path.parent.parent / FIGURES / path.name))
    return cells, places, len(wanted) - len(cells)


# --------------------------------------------------------------------------- board


def _board(board: Board, number: int) -> str:
    parts = [f'<section class="board" data-board="{number}">', f"<h2>{escape(board.title)}</h2>"]
    if board.synthetic:
        parts.append('<p class="warn">These samples are synthetic: they were generated, not measured.</p>')
    parts.append(_pairs(board.facts))
    parts.append('<div class="tools"></div>')
    parts.append(_measured([(row, row.cells) for row in board.rows], board.columns, board, more=True))
    parts.append('<div class="plot"></div>')
    for mark in board.hardware if board.cost_columns else ():
        rows = [(row, row.costs[mark]) for row in text.cost_rows(board, mark)]
        parts.append(_heading(text.cost_heading(board, mark)) + _measured(rows, board.cost_columns, board))
    if board.differences:
        lines = text.difference_lines(board)
        parts.append(_heading(text.difference_heading(board)) + _plain(text.DIFFERENCE_HEAD, lines))
    if board.wins:
        parts.append(_heading(WINS_HEADING) + _plain(WINS_HEAD, win_lines(board.wins)))
    parts += [_published(board, same) for same in (True, False)]
    if verdicts := text.verdict_lines(board):
        parts.append(_heading(text.VERDICT_HEADING) + _plain(text.VERDICT_HEAD, verdicts, "plain papers"))
    if failures := text.failure_lines(board):
        parts.append(_heading("Failed, missing, not applicable") + _pairs(failures))
    if board.notes:
        notes = "".join(f"<li>{escape(note)}</li>" for note in board.notes)
        parts.append(_heading("Notes") + f"<ul>{notes}</ul>")
    return "\n".join(part for part in [*parts, "</section>"] if part)


def _across(result: across.Across) -> str:
    conclusions = escape(" ".join(across.words(result)))
    table = _plain(across.HEAD, across.lines(result))
    drawn = f'<figure class="scroll">{svg}</figure>' if (svg := diagram(result)) else ""
    return f"<section><h2>{escape(across.heading(result))}</h2>{table}{drawn}<p>{conclusions}</p></section>"


def _heading(title: str) -> str:
    return f"<h3>{escape(title)}</h3>"


def _pairs(lines: Sequence[tuple[str, str]]) -> str:
    inner = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in lines)
    return f"<dl>{inner}</dl>"


def _measured(
    rows: Sequence[tuple[Row, Mapping[str, BoardCell]]],
    columns: Sequence[Column],
    board: Board,
    more: bool = False,
) -> str:
    """A table of values; with ``more`` the main table, with cells, status, and details to open."""
    head = ["<th>#</th>", '<th class="name">model</th>']
    head += [f'<th data-column="{escape(c.id)}">{escape(text.title_text(c))}</th>' for c in columns]
    head += ["<th>cells</th>", "<th>status</th>"] if more else []
    body = []
    for row, cells in rows:
        line = [f"<td>{escape(text.rank_text(row))}</td>"]
        line.append(f'<th scope="row" class="name">{_model(row.model)}{_marks(row)}</th>')
        line += [_value(cells.get(column.id), column) for column in columns]
        if more:
            line += [f"<td>{escape(row.runs)}</td>", f"<td>{escape(text.status_text(row))}</td>"]
        place = next(i for i, other in enumerate(board.rows) if other is row)
        body.append(f'<tr class="{row.status}" data-row="{place}">{"".join(line)}</tr>')
    kind = "main" if more else "costs"
    return _table(head, body, kind)


def _model(label: str) -> str:
    """A label that may break behind its punctuation."""
    return f'<span class="label">{_BREAK.sub("<wbr>", escape(label))}</span>'


def _marks(row: Row) -> str:
    return "".join(f' <span class="mark">{escape(mark)}</span>' for mark in row.marks)


def _value(cell: BoardCell | None, column: Column) -> str:
    value, interval = escape(text.value_text(cell, column)), escape(text.interval_text(cell, column))
    if cell is not None and cell.best:
        value = f"<b>{value}</b>"
    return f"<td>{value}" + (f" <small>{interval}</small></td>" if interval else "</td>")


def _plain(head: Sequence[str], lines: Sequence[Sequence[str]], kind: str = "plain") -> str:
    body = ["<tr>" + "".join(f"<td>{escape(part)}</td>" for part in line) + "</tr>" for line in lines]
    return _table([f"<th>{escape(name)}</th>" for name in head], body, kind)


def _published(board: Board, same_data: bool) -> str:
    head, lines = text.published_table(board, same_data)
    return _heading(text.published_heading(same_data)) + _plain(head, lines, "plain papers") if lines else ""


def _table(head: Sequence[str], body: Sequence[str], kind: str) -> str:
    rows = "\n".join(body)
    return (
        f'<div class="scroll" tabindex="0"><table class="{kind}">\n<thead><tr>{"".join(head)}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody></table></div>"
    )
