"""Boards as JSON for the page's script, safe inside HTML."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hmcbench.leaderboard.board import Board, BoardCell, Column, Row
from hmcbench.report.page.details import rounded

_HIDDEN = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def script_json(data: Any) -> str:
    """JSON for a ``<script type="application/json">``: ``</script>`` and ``<!--`` cannot occur in it."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character, escape in _HIDDEN.items():
        text = text.replace(character, escape)
    return text


def board_data(board: Board, details: Mapping[str, int]) -> dict[str, Any]:
    """A board; ``details`` maps cell keys to places in the page's list of cells."""
    return {
        "title": board.heading,
        "primary": board.primary,
        "columns": [_column(column) for column in board.columns],
        "costs": [_column(column) for column in board.cost_columns],
        "hardware": board.hardware,
        "rows": [_row(row, board, details) for row in board.rows],
    }


def _column(column: Column) -> dict[str, str]:
    return {"id": column.id, "title": column.title, "better": column.better, "style": column.style}


def _row(row: Row, board: Board, details: Mapping[str, int]) -> dict[str, Any]:
    return {
        "rank": row.rank,
        "model": row.model,
        "reference": row.reference,
        "status": row.status,
        "cells": _cells(row.cells, board.columns),
        "costs": {mark: _cells(cells, board.cost_columns) for mark, cells in row.costs.items()},
        "details": [details[key] for key in row.keys if key in details],
    }


def _cells(cells: Mapping[str, BoardCell], columns: Sequence[Column]) -> dict[str, list[Any]]:
    """Column id -> [mean, low, high]."""
    shown = [(column.id, cells.get(column.id)) for column in columns]
    return {
        name: [rounded(cell.mean), rounded(cell.low), rounded(cell.high)]
        for name, cell in shown
        if cell is not None and cell.mean is not None
    }
