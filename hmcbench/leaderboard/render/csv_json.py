"""Boards for programs: CSV with a line per row, or JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from hmcbench.leaderboard.board import Board, BoardCell, Row
from hmcbench.leaderboard.boards import Boards

SCHEMA = 1
_HEAD = (
    "suite",
    "suite_version",
    "dataset",
    "synthetic",
    "dataset_fingerprint",
    "split_fingerprint",
    "profile",
)
_ROW = ("block", "rank", "model", "marks", "status", "cause", "cells", "hardware")


def to_json(boards: Boards) -> str:
    """``{"schema": 1, "boards": [...], "across": [...]}``; fields of :class:`Board`, :class:`Across`."""
    data = {
        "schema": SCHEMA,
        "boards": [{"title": b.title, **_plain(b)} for b in boards],
        "across": [asdict(comparison) for comparison in boards.across],
    }
    return json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(board: Board) -> dict[str, Any]:
    """Without what only boards under decision rules, or under shifts, have, and how published values look."""
    data = asdict(board)
    for paper in data["published"]:
        del paper["styles"]
    for row in data["rows"] if not board.rules else ():
        del row["rule"]
    return {name: value for name, value in data.items() if name not in ("rules", "shifts", "robust") or value}


def to_csv(boards: Sequence[Board]) -> str:
    """Wide: every metric as ``id``, ``id_low``, ``id_high``, ``id_best``; full precision.

    Costs are ``id`` for a board with one hardware, ``id (A)`` with several. Published
    rows have ``published`` or ``published on the same data`` in the column ``block``.
    """
    lines = [line for board in boards for line in _lines(board)]
    names = [*_HEAD, *_ROW]
    names += [name for name in dict.fromkeys(key for line in lines for key in line) if name not in names]
    out = io.StringIO()
    writer = csv.DictWriter(out, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: safe(value) for key, value in line.items()} for line in lines)
    return out.getvalue()


def _lines(board: Board) -> list[dict[str, Any]]:
    values = (board.suite, board.version, board.dataset, board.synthetic, board.fingerprint)
    head = dict(zip(_HEAD, (*values, "|".join(board.split), board.profile), strict=True))
    out = [head | _measured(board, row) for row in board.rows]
    for row in board.published:
        block = "published on the same data" if row.same_data else "published"
        out.append(head | {"block": block, "model": row.model, "cause": row.note} | row.metrics)
    return out


def _measured(board: Board, row: Row) -> dict[str, Any]:
    line: dict[str, Any] = {
        "block": "measured",
        "rank": "" if row.rank is None else row.rank,
        "model": row.shown,
        "marks": "|".join(row.marks),
        "status": row.status,
        "cause": row.cause,
        "cells": row.runs,
        "hardware": "; ".join(f"{mark}: {board.hardware[mark]}" for mark in row.costs),
    }
    for column in board.columns:
        line |= _cell(column.id, row.cells.get(column.id))
    for mark in board.hardware:
        suffix = f" ({mark})" if len(board.hardware) > 1 else ""
        for column in board.cost_columns:
            line |= _cell(column.id + suffix, row.costs.get(mark, {}).get(column.id))
    return line


def _cell(name: str, cell: BoardCell | None) -> Mapping[str, Any]:
    cell = cell or BoardCell(None)
    values = (cell.mean, cell.low, cell.high, cell.best if cell.mean is not None else None)
    ends = ("", "_low", "_high", "_best")
    return {name + end: "" if value is None else value for end, value in zip(ends, values, strict=True)}


def safe(value: Any) -> Any:
    """Put an apostrophe before texts that a spreadsheet would run as a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value
