"""The published rows of a board: which of them concern it, and what they are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hmcbench.interfaces import MetricSpec
from hmcbench.leaderboard import columns as cols
from hmcbench.leaderboard.board import Board, Published, Row
from hmcbench.leaderboard.grouping import RowRecords, row_named
from hmcbench.leaderboard.inference import Estimate
from hmcbench.leaderboard.render.text import clean
from hmcbench.leaderboard.verdicts import verdict
from hmcbench.records.record import Record

Paper = Mapping[str, Any]
"""An entry of ``published`` in ``suite.json``."""


def papers_of(info: Mapping[str, Any], board: Board, records: Sequence[Record]) -> list[Paper]:
    """The published rows of the board's dataset; none of other data where ``--data`` brought the board's."""
    given = any(record.data["dataset"].get("given") for record in records)
    return [
        paper
        for paper in info.get("published", ())
        if paper.get("dataset") in (None, board.data)
        and (not given or paper.get("fingerprint") == board.fingerprint)
    ]


def stored_beside(
    paper: Paper, board: Board, by_row: Sequence[RowRecords]
) -> tuple[Row, RowRecords, list[str]] | None:
    """The row that stands for a published one, its records, and published metrics that only those have.

    None where there is no whole row, or nothing to add.
    """
    label = row_named(str(paper.get("measured") or ""), by_row)
    model = next((model for model in by_row if clean(model.label) == label and model.ok), None)
    row = next((row for row in board.rows if row.model == label and row.status == "ok"), None)
    if model is None or row is None:
        return None
    stored = cols.stored_ids(model.ok, "test")
    names = [name for name in paper.get("metrics", ()) if name in stored and name not in row.cells]
    return (row, model, names) if names else None


def published_rows(
    papers: Sequence[Paper],
    board: Board,
    by_row: Sequence[RowRecords],
    estimates: Mapping[str, Mapping[str, Estimate]],
    specs: Sequence[MetricSpec],
) -> list[Published]:
    """The rows with their verdicts; ``estimates``: label of a measured row -> metric id -> estimate."""
    of_label = {clean(label): of_metrics for label, of_metrics in estimates.items()}
    out = []
    for paper in papers:
        fingerprint = str(paper.get("fingerprint") or "")
        values: Mapping[str, float] = paper.get("metrics", {})
        measured = {**paper, "measured": row_named(str(paper.get("measured") or ""), by_row)}
        out.append(
            Published(
                model=clean(paper.get("model")),
                source=clean(paper.get("source")),
                data=clean(paper.get("data")),
                note=clean(paper.get("note")),
                same_data=bool(fingerprint) and fingerprint == board.fingerprint,
                metrics={clean(k): float(v) for k, v in values.items()},
                styles={clean(k): cols.column_of(k, board.columns, specs).style for k in values},
                dataset=clean(paper.get("dataset")),
                verdict=verdict(measured, board, of_label.get(measured["measured"], {}), specs),
            )
        )
    return out
