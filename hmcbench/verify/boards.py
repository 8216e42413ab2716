"""The published boards of a suite against boards made anew from its records."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hmcbench.leaderboard.build import build
from hmcbench.leaderboard.intervals import Intervals
from hmcbench.leaderboard.render.csv_json import to_csv, to_json
from hmcbench.leaderboard.render.markdown import to_markdown
from hmcbench.publish.index import PAGE, README
from hmcbench.publish.publish import suite_text
from hmcbench.records.record import Record, short_key
from hmcbench.records.suite_file import read_info
from hmcbench.report.page import page_of
from hmcbench.verify.findings import Finding, SuiteReport, flat
from hmcbench.verify.pages import check_page, check_text
from hmcbench.verify.tables import check_figures

JSON_FILE, CSV_FILE = "leaderboard.json", "leaderboard.csv"
RUN_PAGE = "leaderboard.md"  # what a run leaves; published it is README.md
_IDENTITY = ("suite", "version", "dataset", "fingerprint", "profile", "split")
_LINES = ("facts", "notes")
_ROW_PARTS = ("rank", "cause", "message", "marks", "runs", "cells", "costs")


def check_boards(folder: Path, records: Sequence[Record], kept: Intervals, report: SuiteReport) -> None:
    """Compare ``leaderboard.json``, ``.csv`` and the page with boards made from ``records``.

    Args:
        folder: of the suite.
        records: with their metrics recomputed where that was possible.
        kept: the intervals that lie beside them.
        report: gets what is found.
    """
    info = read_info(folder)
    expected = [*info.get("cells", ()), *info.get("not_applicable", ())] if info else None
    boards = build(records, info, expected, intervals=kept)
    found = False
    if (folder / JSON_FILE).is_file():
        found = True
        _json(folder / JSON_FILE, json.loads(to_json(boards)), report)
    if (folder / CSV_FILE).is_file():
        found = True
        _csv(folder / CSV_FILE, to_csv(boards), report)
    pages = {README: suite_text(folder, boards), RUN_PAGE: to_markdown(boards)}
    for name, made in pages.items():
        if (folder / name).is_file():
            found = True
            check_text(folder / name, made, report.findings)
    check_figures(folder, boards, report)
    if (folder / PAGE).is_file():
        found = True
        check_page(folder / PAGE, page_of(boards), report.findings, report.notes)
    if not found:
        report.notes.append(f"{folder.name} holds no leaderboard, only records")


# --------------------------------------------------------------------------- JSON


def _json(path: Path, made: Mapping[str, Any], report: SuiteReport) -> None:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        boards = data["boards"]
        _leaves(path.name, "across", data.get("across") or None, made["across"] or None, report)
        known = {_identity(board): board for board in made["boards"]}
        for board in boards:
            twin = known.pop(_identity(board), None)
            if twin is None:
                report.findings.append(_stranger(board, made["boards"]))
            else:
                _board(board, twin, report)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        report.findings.append(Finding("unreadable", path.name, f"is no leaderboard ({error})"))
        return
    for board in known.values():
        report.findings.append(Finding("differs", path.name, f"lacks the board {board['title']}"))


def _identity(board: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(board[name]) for name in _IDENTITY)


def _stranger(board: Mapping[str, Any], made: Sequence[Mapping[str, Any]]) -> Finding:
    """A board that no record stands behind; where one part of its heading is wrong, which."""
    where = f"board {board['title']}"
    for other in made:
        wrong = [name for name in _IDENTITY if board[name] != other[name]]
        if len(wrong) == 1:
            kind = "version" if wrong[0] == "version" else "data"
            names = {"fingerprint": "data fingerprint", "split": "split fingerprint"}
            what = f"{names.get(wrong[0], wrong[0])} does not match its records"
            return Finding(kind, where, what, board[wrong[0]], other[wrong[0]])  # type: ignore[arg-type]
    return Finding("no record", where, "no record is of this suite version, data, split and profile")


def _board(board: Mapping[str, Any], twin: Mapping[str, Any], report: SuiteReport) -> None:
    where = f"board {board['suite']} on {board['dataset']}, profile {board['profile']}"
    rows = {_row_name(row): row for row in twin["rows"]}
    for row in board["rows"]:
        name = _row_name(row)
        made = rows.pop(name, None)
        if made is None:
            report.findings.append(Finding("no record", where, f"row {name}"))
            continue
        lost = sorted(set(row["keys"]) - set(made["keys"]))
        if lost:
            what = f"row {name} rests on {len(lost)} record(s) that are not here ({short_key(lost[0])})"
            report.findings.append(Finding("no record", where, what))
        for part in _ROW_PARTS:
            _leaves(f"{where}, {name}", part, row.get(part), made.get(part), report)
    for name in rows:
        report.findings.append(Finding("differs", where, f"lacks the row {name}"))
    for part in [p for p in dict.fromkeys((*board, *twin)) if p not in ("rows", "title", *_IDENTITY)]:
        if part in _LINES:
            _lines(where, part, board.get(part) or (), twin.get(part) or (), report)
        else:  # a part that this version added is no difference where it is empty
            _leaves(where, part, board.get(part) or None, twin.get(part) or None, report)


def _lines(where: str, part: str, published: Sequence[Any], made: Sequence[Any], report: SuiteReport) -> None:
    """Lines of text, whatever their order."""
    left, right = (
        [": ".join(line) if isinstance(line, list) else str(line) for line in lines]
        for lines in (published, made)
    )
    for line in left:
        if line not in right:
            report.findings.append(Finding("differs", where, f"nothing in the records says ({part}) {line}"))
    for line in right:
        if line not in left:
            report.findings.append(Finding("differs", where, f"lacks what the records say ({part}) {line}"))


def _leaves(where: str, part: str, published: Any, made: Any, report: SuiteReport) -> None:
    left, right = flat(published, part), flat(made, part)
    for name in dict.fromkeys((*left, *right)):
        report.compare(where, name, left.get(name), right.get(name))


def _row_name(row: Mapping[str, Any]) -> str:
    status = "" if row["status"] == "ok" else f" ({row['status']}: {row['cause']})"
    return f"{row['model']}{status}"


# --------------------------------------------------------------------------- CSV


def _csv(path: Path, made: str, report: SuiteReport) -> None:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            published = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        report.findings.append(Finding("unreadable", path.name, f"is no CSV table ({error})"))
        return
    recomputed = list(csv.DictReader(io.StringIO(made, newline="")))
    if len(published) != len(recomputed):
        report.compare(path.name, "rows", len(published), len(recomputed))
        return
    for line, (left, right) in enumerate(zip(published, recomputed, strict=True), start=2):
        for name in dict.fromkeys((*left, *right)):
            values = _value(left.get(name)), _value(right.get(name))
            report.compare(f"{path.name}:{line}", str(name), *values)


def _value(text: Any) -> Any:
    """A number where the cell is one; a column that is not there is an empty cell."""
    try:
        return float(text)
    except (TypeError, ValueError):
        return text or ""
