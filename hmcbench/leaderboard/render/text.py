"""How boards print numbers, and how texts from files and plugins are made safe."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from hmcbench.leaderboard.board import Board, BoardCell, Column, Difference, Row, Style

DETAILS = "Data, split, models and notes"
SYNTHETIC = "These samples are synthetic: they were generated, not measured."
CONCLUSIONS = (
    "chosen on validation",
    "Pareto front",
    "agreement of raters",
)  # facts that stand below the table, the others in details
ARROWS = {"higher": " ↑", "lower": " ↓", "": ""}
NOTHING = "-"
LEGEND = (
    "Values are means over seeds with a 95 % interval in brackets: a bootstrap over test samples (or "
    "groups), widened for the spread of seeds or folds. Bold marks the best value of a column, and only "
    "where it is distinguishable from that of every other ranked row (all p below 0.05), never after one "
    "training. Ranks follow the mean of the first column; rows whose first column is not bold may well be "
    "equals. Costs compare only within one hardware. Published numbers are never ranked."
)


def clean(text: Any) -> str:
    """One line without control, format or bidirectional characters; None is empty."""
    if text is None:
        return ""
    kept = (" " if c.isspace() else c for c in str(text) if c.isspace() or unicodedata.category(c)[0] != "C")
    return " ".join("".join(kept).split())


def number(value: float, style: str) -> str:
    """``0.946``, ``+0.031``, ``12.3``, ``-12.3``, ``23,512,134``; ``style``: see :data:`Style`."""
    if style == "score":
        return f"{value:.3f}"
    if style == "drop":
        return f"{value:+.3f}"
    if style == "number drop":
        return signed(value, "number")
    if style == "count" or abs(value) >= 999.5:  # three digits of 999.5 are 1e+03
        return f"{value:,.0f}"
    return f"{value:.3g}"


def signed(value: float, style: str) -> str:
    """A difference: ``+0.031``, ``-12.3``."""
    if style == "score":
        return number(value, "drop")
    return f"{'-' if value < 0 else '+'}{number(abs(value), style)}"


def value_text(cell: BoardCell | None, column: Column) -> str:
    return NOTHING if cell is None or cell.mean is None else number(cell.mean, column.style)


def interval_text(cell: BoardCell | None, column: Column) -> str:
    """``[0.917, 0.972]``, or nothing."""
    if cell is None or cell.low is None or cell.high is None:
        return ""
    return f"[{number(cell.low, column.style)}, {number(cell.high, column.style)}]"


def estimate_text(cell: BoardCell | None, style: Style = "score") -> str:
    """``0.946 [0.917, 0.972]``, in one cell of a table."""
    column = Column("", "", "", style)
    return " ".join(filter(None, (value_text(cell, column), interval_text(cell, column))))


def rank_text(row: Row) -> str:
    return NOTHING if row.rank is None else str(row.rank)


def difference_parts(row: Difference, style: str) -> list[str]:
    """Difference with its sign, interval, p; ``style``: of the metric, see :class:`Column`."""
    ends = None if row.low is None or row.high is None else (signed(x, style) for x in (row.low, row.high))
    return [
        signed(row.mean, style),
        NOTHING if ends is None else f"[{', '.join(ends)}]",
        NOTHING if row.p is None else "< 0.001" if row.p < 0.001 else f"{row.p:.3f}",
    ]


def difference_lines(board: Board) -> list[list[str]]:
    """Lines of the table under :data:`DIFFERENCE_HEAD`."""
    styles = {column.id: column.style for column in board.columns}
    return [
        [row.model, row.metric, *difference_parts(row, styles.get(row.metric, "score"))]
        for row in board.differences
    ]


DIFFERENCE_HEAD = ("model", "metric", "difference", "95 % interval", "p (Holm)")


def difference_heading(board: Board) -> str:
    return f"Paired differences to {board.reference}"


def verdict_lines(board: Board) -> list[list[str]]:
    """Lines of the table under :data:`VERDICT_HEAD`."""
    return [
        [
            row.model,
            row.verdict.model,
            row.verdict.outcome,
            ", ".join(f"{k} {number(v, row.styles[clean(k)])}" for k, v in row.verdict.measured.items())
            or NOTHING,
            row.verdict.data,
            "; ".join(row.verdict.reasons) or NOTHING,
        ]
        for row in board.published
        if row.verdict is not None
    ]


VERDICT_HEAD = ("published", "our model", "verdict", "we measured", "on", "because")
VERDICT_HEADING = "Verdicts on the published rows"


def model_text(row: Row) -> str:
    return row.shown + (f" ({', '.join(row.marks)})" if row.marks else "")


def status_text(row: Row) -> str:
    """``ok``, ``ok: 1 of 4 cells failed or missing``, ``failed: time-out``, ``not applicable``."""
    if row.cause == "not applicable":
        return row.cause
    return row.status + (f": {row.cause}" if row.cause else "")


def remarks_text(board: Board, row: Row) -> str:
    """Status, marks and cells of a row, as far as they are not those of all rows."""
    status = status_text(row) if row.status != "ok" or row.cause else ""
    runs = row.runs if len({r.runs for r in board.rows if r.status == "ok"} | {row.runs}) > 1 else ""
    return ", ".join(filter(None, (status, *row.marks, "" if row.cause == "not applicable" else runs)))


def headings(boards: Sequence[Board]) -> list[str]:
    """The heading of every board; where some share one, with the words that distinguish them."""
    names = [board.heading for board in boards]
    return [", ".join([name, *words]) for name, words in zip(names, words_among(names, boards), strict=True)]


def words_among(names: Sequence[str], boards: Sequence[Board]) -> list[list[str]]:
    """Of every board, the words that distinguish it from the others of its name."""
    alike: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        alike.setdefault(name, []).append(i)
    out: list[list[str]] = [[] for _ in boards]
    for places in alike.values():
        for i, words in zip(places, distinctions([boards[i].traits for i in places]), strict=True):
            out[i] = words
    return out


def distinctions(all_traits: Sequence[Mapping[str, str]]) -> list[list[str]]:
    """Of every board, the first traits that together no other has; nothing for one that stands alone.

    >>> distinctions([{"data": "a", "profile": "quick"}, {"data": "b", "profile": "quick"}])
    [['a'], ['b']]
    """
    out = []
    for i, own in enumerate(all_traits):
        others = [other for j, other in enumerate(all_traits) if j != i]
        words = []
        for name, value in own.items():
            alike = [other for other in others if other.get(name) == value]
            words += [value] if len(alike) < len(others) and value else []
            others = alike
        out.append(words)
    return out


def conclusions(board: Board) -> list[tuple[str, str]]:
    """The facts that stand below the table."""
    return [fact for fact in board.facts if fact[0] in CONCLUSIONS]


def details(board: Board) -> list[tuple[str, str]]:
    """(name, value) lines on data, split, cells, models and columns, and the notes."""
    facts = [fact for fact in board.facts if fact[0] not in CONCLUSIONS]
    prints = [print_[:12] for print_ in board.split]
    models = {row.model: row.reference for row in board.rows if row.reference not in ("", row.model)}
    columns = {column.title: column.id for column in board.columns if "[" in column.id}
    lines = [
        ("split fingerprints", ", ".join(prints)),
        ("models", "; ".join(f"{label} is {reference}" for label, reference in models.items())),
        ("columns", "; ".join(f"{title} is {name}" for title, name in columns.items())),
        *(("note", note) for note in board.notes),
    ]
    return [*facts, *(line for line in lines if line[1])]


def title_text(column: Column) -> str:
    return column.title + ARROWS[column.better]


def cost_rows(board: Board, mark: str) -> list[Row]:
    """The rows that were timed on one hardware, in the order of the board."""
    return [row for row in board.rows if mark in row.costs]


def cost_heading(board: Board, mark: str) -> str:
    """``Costs``, or ``Costs on hardware A of 2, not comparable with the others``, and the hardware."""
    count = len(board.hardware)
    which = f" on hardware {mark} of {count}, not comparable with the others" if count > 1 else ""
    return f"Costs{which}: {board.hardware[mark]}"


def published_heading(same_data: bool) -> str:
    where = "on the same data" if same_data else "on other data"
    return f"Published, {where} (not ranked)"


def published_text(value: float, style: str) -> str:
    """A value of a paper: ``0.9460``, or an error in units with the digits that it was given with.

    >>> published_text(0.946, "score"), published_text(0.00012, "number"), published_text(1234.5, "number")
    ('0.9460', '0.00012', '1,234.5')
    """
    return f"{value:,.10g}" if style == "number" else f"{value:.4f}"


def published_table(board: Board, same_data: bool) -> tuple[list[str], list[list[str]]]:
    """Head and lines of the published rows, see :func:`published_text`; no lines without rows."""
    rows = [row for row in board.published if row.same_data == same_data]
    names = list(dict.fromkeys(name for row in rows for name in row.metrics))
    lines = []
    for row in rows:
        values = [
            published_text(row.metrics[name], row.styles[name]) if name in row.metrics else NOTHING
            for name in names
        ]
        lines.append([row.model, *values, row.data, row.source, row.note])
    return ["model", *names, "data", "source", "note"], lines


def origins(lines: Sequence[Sequence[str]]) -> dict[str, list[str]]:
    """Data, source and note of lines of :func:`published_table` -> the models that share them."""
    models: dict[str, list[str]] = {}
    for line in lines:
        models.setdefault("; ".join(part for part in line[-3:] if part), []).append(line[0])
    return models


def failure_lines(board: Board) -> list[tuple[str, str]]:
    """(model and cells, cause and message) of every row that has a message."""
    return [
        (f"{row.model} ({row.runs})", f"{status_text(row)}: {row.message}")
        for row in board.rows
        if row.message
    ]


_MARKDOWN = re.compile(r"([\\`*\[\]|~$])")
_EDGE_UNDERSCORE = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")


def markdown(text: str) -> str:
    """Text without any effect in Markdown: no HTML, links, images, emphasis or table cells."""
    text = clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _EDGE_UNDERSCORE.sub(r"\\_", _MARKDOWN.sub(r"\\\1", text))
