"""The published boards of a suite against boards recomputed from its records."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from hmcbench.interfaces import MetricSpec
from hmcbench.leaderboard.board import Board
from hmcbench.leaderboard.build import build
from hmcbench.leaderboard.columns import split_side
from hmcbench.leaderboard.intervals import Intervals
from hmcbench.leaderboard.render.csv_json import to_csv, to_json
from hmcbench.leaderboard.render.markdown import to_markdown
from hmcbench.publish.index import PAGE, README
from hmcbench.publish.publish import suite_text
from hmcbench.records.record import Record, short_key
from hmcbench.records.suite_file import read_info
from hmcbench.report.page import page_of
from hmcbench.verify.findings import Finding, SuiteReport
from hmcbench.verify.metrics import installed, not_installed
from hmcbench.verify.pages import check_page, check_text
from hmcbench.verify.tables import check_figures

JSON_FILE, CSV_FILE = "leaderboard.json", "leaderboard.csv"
RUN_PAGE = "leaderboard.md"  # written by a run; publish writes README.md instead
_IDENTITY = ("suite", "version", "dataset", "fingerprint", "profile", "split")
_LINES = ("facts", "notes")
_FOLLOW = ("differences", "wins", "published", "shifts", "robust")  # from the metrics of records
_ROW_PARTS = ("rank", "cause", "message", "marks", "runs", "cells", "costs")


def check_boards(
    folder: Path,
    records: Sequence[Record],
    specs: Sequence[MetricSpec],
    kept: Intervals,
    report: SuiteReport,
) -> None:
    """Compare ``leaderboard.json``, ``.csv`` and the page with boards made from ``records``.

    Args:
        folder: of the suite.
        records: with their metrics recomputed where that was possible.
        specs: the installed metrics. Of boards with other metrics, what needs these is not compared.
        kept: the intervals of ``intervals.json``.
        report: receives the findings.
    """
    info = read_info(folder)
    expected = [*info.get("cells", ()), *info.get("not_applicable", ())] if info else None
    boards = build(records, info, expected, specs=specs, intervals=kept)
    absent = _not_installed(boards, specs, report)
    checks: dict[str, Callable[[Path], None]] = {
        JSON_FILE: lambda path: _json(path, json.loads(to_json(boards)), absent, report),
        CSV_FILE: lambda path: _csv(path, boards, report),
        README: lambda path: check_text(path, suite_text(folder, boards), report.findings),
        RUN_PAGE: lambda path: check_text(path, to_markdown(boards), report.findings),
        PAGE: lambda path: check_page(path, page_of(boards), report.findings, report.notes),
    }
    present = [name for name in checks if (folder / name).is_file()]
    skipped = [name for name in present if absent and name != JSON_FILE]
    for name in present:
        if name not in skipped:
            checks[name](folder / name)
    if skipped:
        report.note(f"not compared, as they show metrics that are not installed: {', '.join(skipped)}")
    check_figures(folder, boards, report)
    if not present:
        report.notes.append(f"{folder.name} holds no leaderboard, only records")


def _not_installed(boards: Sequence[Board], specs: Sequence[MetricSpec], report: SuiteReport) -> set[str]:
    """The ids of columns whose metric is not installed; each is noted."""
    columns = {column.id for board in boards for column in board.columns}
    absent = {name for name in columns if not installed(specs, split_side(name)[0])}
    for name in sorted(absent):
        report.note(not_installed(split_side(name)[0]))
    return absent


# --------------------------------------------------------------------------- JSON


def _json(path: Path, recomputed: Mapping[str, Any], absent: Collection[str], report: SuiteReport) -> None:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        boards = data["boards"]
        if not absent:
            pair = data.get("across") or None, recomputed["across"] or None
            whole = all(_verified(board, report) for board in recomputed["boards"])
            report.compare_leaves(path.name, "across", *pair, from_predictions=whole)
        pairs, left = _paired(boards, recomputed["boards"])
        for board, counterpart in pairs:
            if counterpart is None:
                report.findings.append(_unmatched(board, recomputed["boards"]))
            else:
                _board(_without(board, absent), _without(counterpart, absent), report)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        report.add("unreadable", path.name, f"is no leaderboard ({error})")
        return
    for board in left:
        report.add("differs", path.name, f"lacks the board {board['title']}")


def _paired(
    published: Sequence[Mapping[str, Any]], recomputed: Sequence[Mapping[str, Any]]
) -> tuple[list[tuple[Mapping[str, Any], Mapping[str, Any] | None]], list[Mapping[str, Any]]]:
    """Every published board with the recomputed one that it is, if any; and those that none is.

    Boards that differ in their protocol alone (wrong labels, a last fit on more samples) are told apart by
    their traits. A board that is alone keeps its counterpart where its traits are wrong.
    """
    found: dict[int, int] = {}  # positions
    for identity in (_whole_identity, _identity):
        free: dict[tuple[str, ...], list[int]] = {}
        for i, board in enumerate(recomputed):
            if i not in found.values():
                free.setdefault(identity(board), []).append(i)
        for place, board in enumerate(published):
            if place not in found and (same := free.get(identity(board))):
                found[place] = same.pop(0)
    pairs = [(b, recomputed[found[i]] if i in found else None) for i, b in enumerate(published)]
    return pairs, [board for i, board in enumerate(recomputed) if i not in found.values()]


def _identity(board: Mapping[str, Any]) -> tuple[str, ...]:
    """What tells boards apart; where nothing was run yet, the data with their options do."""
    known = tuple(str(board[name]) for name in _IDENTITY)
    return known if board["fingerprint"] else (*known, str(board.get("data") or ""))


def _whole_identity(board: Mapping[str, Any]) -> tuple[str, ...]:
    """The same with the options of the data and the protocol, in words."""
    traits = json.dumps(board.get("traits"), sort_keys=True)
    return (*_identity(board), str(board.get("data") or ""), traits)


def _unmatched(board: Mapping[str, Any], recomputed: Sequence[Mapping[str, Any]]) -> Finding:
    """A finding for a board without records; it names the wrong part of its heading if only one is wrong."""
    where = f"board {board['title']}"
    for other in recomputed:
        differing = [name for name in _IDENTITY if board[name] != other[name]]
        if len(differing) == 1:
            kind = "version" if differing[0] == "version" else "data"
            names = {"fingerprint": "data fingerprint", "split": "split fingerprint"}
            text = f"{names.get(differing[0], differing[0])} does not match its records"
            return Finding(kind, where, text, board[differing[0]], other[differing[0]])  # type: ignore[arg-type]
    return Finding("no record", where, "no record is of this suite version, data, split and profile")


def _verified(board: Mapping[str, Any], report: SuiteReport) -> bool:
    """Whether all records of a recomputed board were recomputed."""
    return all(set(row["keys"]) <= report.verified for row in board["rows"] if row["status"] != "failed")


def _without(board: Mapping[str, Any], absent: Collection[str]) -> Mapping[str, Any]:
    """The board without columns of metrics that are not installed, and without what depends on them.

    Facts and notes may name them, and p-values are adjusted over all columns of the block of differences.
    Without the primary metric there are no ranks, win rates, verdicts and no answer.
    """
    if not any(column["id"] in absent for column in board["columns"]):
        return board
    dropped = {"facts", "notes", "differences", "shifts", "robust"}
    if board["primary"] in absent:
        dropped |= {"wins", "published", "answer", "not_told_apart"}
    kept = {name: part for name, part in board.items() if name not in dropped}
    kept["columns"] = [column for column in board["columns"] if column["id"] not in absent]
    kept["rows"] = [
        {
            **row,
            "rank": None if board["primary"] in absent else row["rank"],
            "cells": {name: cell for name, cell in row["cells"].items() if name not in absent},
        }
        for row in board["rows"]
    ]
    return kept


def _board(board: Mapping[str, Any], recomputed: Mapping[str, Any], report: SuiteReport) -> None:
    where = f"board {board['suite']} on {board['dataset']}, profile {board['profile']}"
    rows = {_row_name(row): row for row in recomputed["rows"]}
    whole = _verified(recomputed, report)
    for row in board["rows"]:
        name = _row_name(row)
        recomputed_row = rows.pop(name, None)
        if recomputed_row is None:
            report.add("no record", where, f"row {name}")
            continue
        lost = sorted(set(row["keys"]) - set(recomputed_row["keys"]))
        if lost:
            text = f"row {name} rests on {len(lost)} record(s) that are not here ({short_key(lost[0])})"
            report.add("no record", where, text)
        follows = {"rank": whole, "cells": set(recomputed_row["keys"]) <= report.verified}
        for part in _ROW_PARTS:
            pair = row.get(part), recomputed_row.get(part)
            report.compare_leaves(f"{where}, {name}", part, *pair, from_predictions=follows.get(part, False))
    for name in rows:
        report.add("differs", where, f"lacks the row {name}")
    for part in [p for p in dict.fromkeys((*board, *recomputed)) if p not in ("rows", "title", *_IDENTITY)]:
        if part in _LINES:
            _lines(where, part, board.get(part) or (), recomputed.get(part) or (), report)
        else:  # an empty part that an older version did not write is no difference
            pair = board.get(part) or None, recomputed.get(part) or None
            report.compare_leaves(where, part, *pair, from_predictions=whole and part in _FOLLOW)


def _lines(
    where: str, part: str, published: Sequence[Any], recomputed: Sequence[Any], report: SuiteReport
) -> None:
    """Compare lines of text in any order."""
    left, right = (
        [": ".join(line) if isinstance(line, list) else str(line) for line in lines]
        for lines in (published, recomputed)
    )
    for line in left:
        if line not in right:
            report.add("differs", where, f"nothing in the records says ({part}) {line}")
    for line in right:
        if line not in left:
            report.add("differs", where, f"lacks what the records say ({part}) {line}")


def _row_name(row: Mapping[str, Any]) -> str:
    status = "" if row["status"] == "ok" else f" ({row['status']}: {row['cause']})"
    return f"{row['model']}{status}"


# --------------------------------------------------------------------------- CSV


def _csv(path: Path, boards: Sequence[Board], report: SuiteReport) -> None:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            published = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        report.add("unreadable", path.name, f"is no CSV table ({error})")
        return
    recomputed = list(csv.DictReader(io.StringIO(to_csv(boards), newline="")))
    if len(published) != len(recomputed):
        report.compare(path.name, "rows", len(published), len(recomputed))
        return
    scores = {f"{c.id}{end}" for board in boards for c in board.columns for end in ("", "_low", "_high")}
    for number, (left, right, verified) in enumerate(
        zip(published, recomputed, _verified_lines(boards, report), strict=True), start=2
    ):
        for name in dict.fromkeys((*left, *right)):
            pair = _value(left.get(name)), _value(right.get(name))
            follows = verified and name in scores
            report.compare(f"{path.name}:{number}", str(name), *pair, from_predictions=follows)


def _verified_lines(boards: Sequence[Board], report: SuiteReport) -> list[bool]:
    """For every line of the CSV file, whether all records of its row were recomputed."""
    lines: list[bool] = []
    for board in boards:
        lines += [set(row.keys) <= report.verified for row in board.rows]
        lines += [False for _ in board.published]
    return lines


def _value(text: Any) -> Any:
    """A CSV cell as a number where it is one; a missing column is an empty cell."""
    try:
        return float(text)
    except (TypeError, ValueError):
        return text or ""
