"""The page as text: tables as HTML, all else as data for the page's script."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from string import Template
from typing import Any
from urllib.parse import quote

from hmcbench.leaderboard import across, robust, rules_table, shifts
from hmcbench.leaderboard.board import Board, BoardCell, Column, RobustRow, RobustTable, Row
from hmcbench.leaderboard.boards import Boards
from hmcbench.leaderboard.render import text
from hmcbench.leaderboard.render.diagram import diagram
from hmcbench.leaderboard.render.text import clean
from hmcbench.leaderboard.summary import WINS_HEAD, WINS_HEADING, win_lines
from hmcbench.records.record import Record
from hmcbench.report.figures.thumbnails import MOST_IMAGES
from hmcbench.report.page.data import board_data, script_json
from hmcbench.report.page.details import cell_details
from hmcbench.report.page.overlays import with_shared_sources

MOST_CELLS = 200  # with details; a page with more is too large for browsers
MOST_OVERLAY_BYTES = 8_000_000  # of all pictures of label maps on a page
FIGURES = "figures"
_BREAK = re.compile(r"(?<=[\[,_=:/])(?=[^\s;])")


def page_of(boards: Boards, pictures: bool = False) -> str:
    """A self-contained page of boards, with details of cells from their records.

    Args:
        boards: what to show.
        pictures: whether samples of the user's own data are shown too, from the folder ``figures/`` beside
            ``records/``; those of synthetic data always are.
    """
    cells, places, more = _details(boards, pictures)
    sources = _shared_sources(cells)
    names = ", ".join(dict.fromkeys(board.suite for board in boards))
    title = clean(f"Leaderboard: {names}" if boards else "Leaderboard")
    data: dict[str, Any] = {"boards": [board_data(board, places) for board in boards], "cells": cells}
    data |= {"sources": sources} if sources else {}
    sections = enumerate(zip(text.headings(boards), boards, strict=True))
    body = "\n".join([*map(_across, boards.across), *(_board(h, board, i) for i, (h, board) in sections)])
    body = body or "<p>No records.</p>"
    left_out = f"<p class='note'>Details of {more} cells are left to their records.</p>" if more > 0 else ""
    legend = f'{left_out}\n<p class="note">{escape(text.LEGEND)}</p>'
    return _filled(title, f"{body}\n{legend}", data)


@dataclass(frozen=True)
class Card:
    """A board, or a suite of many, in an index.

    Attributes:
        heading: of the card, a link.
        address: the linked file, relative to the index.
        number: of the board, or the first one, in that file, from 0.
        question: what its suite asks; may be empty.
        lines: about it.
    """

    heading: str
    address: str
    number: int
    question: str
    lines: Sequence[str]


def index_page(title: str, cards: Sequence[Card]) -> str:
    """A page with a card per board."""
    body = "\n".join(map(_card, cards))
    return _filled(clean(title), f'<div class="cards">\n{body}\n</div>', {"boards": [], "cells": []})


def _card(card: Card) -> str:
    fragment = f"#board-{card.number}" if card.number else ""
    link = f'<a href="{escape(quote(card.address))}{fragment}">{escape(card.heading)}</a>'
    question = f'<p class="question">{escape(card.question)}</p>\n' if card.question else ""
    lines = "\n".join(f"<li>{escape(line)}</li>" for line in card.lines)
    return f'<article class="card"><h2>{link}</h2>\n{question}<ul>\n{lines}\n</ul></article>'


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


def _details(boards: Boards, pictures: bool) -> tuple[list[dict[str, Any]], dict[str, int], int]:
    """Details of the boards' cells, the place of each by key, and the number of cells left out."""
    by_key = {record.key: record for record in boards.records if record.ok}
    wanted = dict.fromkeys(key for board in boards for row in board.rows for key in row.keys if key in by_key)
    cells: list[dict[str, Any]] = []
    places: dict[str, int] = {}
    of_board = _images_per_cell(boards, by_key)
    for key in list(wanted)[:MOST_CELLS]:
        record = by_key[key]
        figures = record.path.parent.parent / FIGURES / record.path.name
        places[key] = len(cells)
        shown = pictures or record.data["dataset"].get("synthetic")
        images = of_board.get(key, 0) if shown else 0
        cells.append(cell_details(record, figures if shown else None, images))
    return cells, places, len(wanted) - len(cells)


def _images_per_cell(boards: Boards, by_key: Mapping[str, Record]) -> dict[str, int]:
    """Cell key -> the number of samples to show with their label maps.

    All rows of a board show the same images: the folds of its first seed share the number that a board may
    have.
    """
    numbers: dict[str, int] = {}
    for board in boards:
        records = [by_key[key] for row in board.rows for key in row.keys if key in by_key]
        records = [r for r in records if r.data["dataset"].get("unit") == "pixel"]
        seed = min((r.seed for r in records), default=0)
        folds = sorted({r.fold for r in records})[:MOST_IMAGES]
        of_first = [r for r in records if r.seed == seed and r.fold in folds]
        numbers |= {r.key: MOST_IMAGES // len(folds) for r in of_first}
    return numbers


def _shared_sources(cells: Sequence[dict[str, Any]]) -> list[str]:
    """The pictures of the cells' label maps; the cells then hold their numbers.

    Cells beyond the bytes that a page may have lose theirs, with a note: those of the last rows.
    """
    sources: dict[str, int] = {}
    size = 0
    for cell in cells:
        if "overlays" not in cell:
            continue
        more = dict(sources)
        images = with_shared_sources(cell["overlays"], more)
        added = sum(len(source) for source in list(more)[len(sources) :])
        if size + added > MOST_OVERLAY_BYTES:
            del cell["overlays"]
            cell["notes"].append("label maps are left out: the page would be too large")
            continue
        size += added
        sources, cell["overlays"] = more, images
    return list(sources)


# --------------------------------------------------------------------------- board


def _board(heading: str, board: Board, number: int) -> str:
    parts = [
        f'<section class="board" id="board-{number}" data-board="{number}">',
        f"<h2>{escape(heading)}</h2>",
    ]
    if board.synthetic:
        parts.append(f'<p class="warn">{text.SYNTHETIC}</p>')
    if board.question:
        parts.append(f'<p class="question">{escape(board.question)}</p>')
    parts.append("".join(f'<p class="answer">{escape(sentence)}</p>' for sentence in board.answer))
    parts.append('<div class="tools"></div>')
    parts.append(_measured([(row, row.cells) for row in board.rows], board.columns, board, more=True))
    parts.append(_pairs(text.conclusions(board)))
    parts.append('<div class="plot"></div>')
    for mark in board.hardware if board.cost_columns else ():
        rows = [(row, row.costs[mark]) for row in text.cost_rows(board, mark)]
        parts.append(_heading(text.cost_heading(board, mark)) + _measured(rows, board.cost_columns, board))
    if board.differences:
        lines = text.difference_lines(board)
        parts.append(_heading(text.difference_heading(board)) + _plain(text.DIFFERENCE_HEAD, lines))
    if board.wins:
        parts.append(_heading(WINS_HEADING) + _plain(WINS_HEAD, win_lines(board.wins)))
    for table in board.rules:
        title = _heading(rules_table.heading(board, table))
        parts.append(title + _plain(rules_table.head(table), rules_table.lines(board, table)))
    if board.shifts is not None:
        title = _heading(shifts.heading(board, board.shifts))
        parts.append(title + _plain(shifts.head(board.shifts), shifts.lines(board, board.shifts)))
        parts.append(f"<p>{escape(' '.join(shifts.words(board.shifts)))}</p>")
    if board.robust is not None:
        parts.append(_heading(robust.HEADING) + _robust(board.robust))
    parts += [_published(board, same) for same in (True, False)]
    if verdicts := text.verdict_lines(board):
        parts.append(_heading(text.VERDICT_HEADING) + _plain(text.VERDICT_HEAD, verdicts, "plain papers"))
    if failures := text.failure_lines(board):
        parts.append(_heading("Failed, missing, not applicable") + _pairs(failures))
    parts.append(f"<details><summary>{text.DETAILS}</summary>{_pairs(text.details(board))}</details>")
    return "\n".join(part for part in [*parts, "</section>"] if part)


def _across(result: across.Across) -> str:
    conclusions = escape(" ".join(across.words(result)))
    table = _plain(across.HEAD, across.lines(result))
    values = _plain(across.values_head(result), across.values_lines(result))
    values = _heading(across.values_heading(result)) + values
    drawn = f'<figure class="scroll">{svg}</figure>' if (svg := diagram(result)) else ""
    title = f"<h2>{escape(across.heading(result))}</h2>"
    return f"<section>{title}{table}{drawn}<p>{conclusions}</p>{values}</section>"


def _robust(table: RobustTable) -> str:
    """The table with a small plot per row: a bar per column, from the worst row (none) to the best (full)."""
    head = [*robust.head(table), "from worst to best"]
    body = []
    for row, line in zip(table.rows, robust.lines(table), strict=True):
        cells = "".join(f"<td>{escape(part)}</td>" for part in line)
        body.append(f"<tr>{cells}<td>{_bars(table, row)}</td></tr>")
    return _table([f"<th>{escape(name)}</th>" for name in head], body, "plain")


def _bars(table: RobustTable, row: RobustRow) -> str:
    standings = robust.standings(table, row)
    bars = []
    for i, (column, place) in enumerate(zip(table.columns, standings, strict=True)):
        height = 0 if place is None else 2 + round(18 * place)
        title = f"<title>{escape(column.title)}</title>"
        bars.append(
            f'<rect x="{14 * i + 1}" y="{22 - height}" width="10" height="{height}"'
            f' fill="currentColor">{title}</rect>'
        )
    width = 14 * len(table.columns)
    return f'<svg width="{width}" height="23" viewBox="0 0 {width} 23" role="img">{"".join(bars)}</svg>'


def _heading(title: str) -> str:
    return f"<h3>{escape(title)}</h3>"


def _pairs(lines: Sequence[tuple[str, str]]) -> str:
    inner = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in lines)
    return f"<dl>{inner}</dl>" if inner else ""


def _measured(
    rows: Sequence[tuple[Row, Mapping[str, BoardCell]]],
    columns: Sequence[Column],
    board: Board,
    more: bool = False,
) -> str:
    """A table of values; with ``more`` the main table, with remarks, and details to open."""
    head = ["<th>#</th>", '<th class="name">model</th>']
    head += [
        f'<th data-column="{escape(c.id)}" title="{escape(c.id)}">{_broken(text.title_text(c))}</th>'
        for c in columns
    ]
    remarks = [text.remarks_text(board, row) for row, _ in rows] if more else []
    head += ["<th>remarks</th>"] if any(remarks) else []
    body = []
    for i, (row, cells) in enumerate(rows):
        line = [f"<td>{escape(text.rank_text(row))}</td>"]
        line.append(f'<th scope="row" class="name"><span class="label">{escape(row.shown)}</span></th>')
        line += [_value(cells.get(column.id), column) for column in columns]
        if any(remarks):
            line.append(f'<td class="remarks">{escape(remarks[i])}</td>')
        place = next(i for i, other in enumerate(board.rows) if other is row)
        body.append(f'<tr class="{row.status}" data-row="{place}">{"".join(line)}</tr>')
    kind = "main" if more else "costs"
    return _table(head, body, kind)


def _broken(title: str) -> str:
    """A heading that may break behind its punctuation."""
    return _BREAK.sub("<wbr>", escape(title))


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
