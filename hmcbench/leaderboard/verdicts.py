"""Verdicts on published rows after a run: reproduced, not reproduced, or not testable.

A row can only be tested on its own data and under its own conditions; otherwise the verdict is
"not testable" with the reasons, whatever the numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hmcbench.leaderboard.board import Board, Row, Verdict
from hmcbench.leaderboard.render.text import clean

REPRODUCED, NOT, UNTESTABLE = "reproduced", "not reproduced", "not testable"


def verdict(item: Mapping[str, Any], board: Board) -> Verdict | None:
    """The verdict on a ``[[published]]`` row that names a measured model (``measured``); else ``None``.

    Reproduced: every published value that the board has is within the measured 95 % interval. Conditions
    are the row's ``fingerprint`` (of the data), ``pretrained`` and ``profile``.
    """
    name = clean(item.get("measured"))
    if not name:
        return None
    rows = [row for row in board.rows if row.status == "ok" and row.model == name]
    row = rows[0] if rows else None
    published: Mapping[str, float] = item.get("metrics", {})
    cells = {k: row.cells[k] for k in published if row is not None and k in row.cells}
    measured = {k: cell.mean for k, cell in cells.items() if cell.mean is not None}
    reasons = [clean(reason) for reason in _lacking(item, board, row)]
    if row is not None and not measured:
        reasons.append("the board has none of the published metrics")
    if reasons:
        return Verdict(name, UNTESTABLE, _data(board), reasons, measured)
    outside = []
    for k in measured:
        low, high = cells[k].low, cells[k].high
        if low is None or high is None or not low - 5e-5 <= published[k] <= high + 5e-5:
            outside.append(f"{k} {published[k]:.4f} is outside our interval")
    return Verdict(name, NOT if outside else REPRODUCED, _data(board), outside, measured)


def _lacking(item: Mapping[str, Any], board: Board, row: Row | None) -> list[str]:
    """The conditions of the published row that the run does not meet."""
    out = []
    if row is None:
        out.append("our model has no whole row here")
    fingerprint = str(item.get("fingerprint") or "")
    if not fingerprint:
        out.append("its images are not public")
    elif fingerprint != board.fingerprint:
        out.append("measured on other data")
    if item.get("pretrained") and row is not None and "pretrained" not in row.marks:
        out.append("measured without pretrained weights")
    profile = str(item.get("profile") or board.profile)
    if profile != board.profile:
        out.append(f"measured in profile {board.profile}, not {profile}")
    return out


def _data(board: Board) -> str:
    kind = "synthetic data" if board.synthetic else "data"
    return f"{board.dataset} ({kind} {board.fingerprint[:8] or 'unknown'})"
