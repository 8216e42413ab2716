"""Truth that is not published: the intervals that need it are computed while publishing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hmcbench.errors import BadInput
from hmcbench.files import write_atomic
from hmcbench.interfaces import MetricSpec
from hmcbench.leaderboard.build import Analysis, analyse, estimates_of
from hmcbench.leaderboard.columns import stored_ids
from hmcbench.leaderboard.grouping import RowRecords, groups, newest
from hmcbench.leaderboard.inference import Estimate, contrast
from hmcbench.leaderboard.intervals import FILE, SCHEMA, SETTINGS, Intervals, digest, digests
from hmcbench.leaderboard.robust import ROBUST
from hmcbench.leaderboard.shift_estimates import kept_as
from hmcbench.records.given_data import Given, LeftOut, WithTruth
from hmcbench.records.record import Record, read_all
from hmcbench.records.suite_file import read_info
from hmcbench.registry.registry import default_registry

Truths = Mapping[str, Any]  # key of a record -> truth of its predictions, in their order


def truth_at_hand(records: Sequence[Record], given: Given | None) -> Truths:
    """The truth of the records that are published without it, where it is stored or in the user's data.

    Raises:
        BadInput: predictions that cannot be read, or data that are not those of the records.
    """
    if given is not None:
        given.check_names(records)
    truths = {}
    for record in records:
        if not record.ok or not record.has_predictions:
            continue
        predictions = record.predictions()
        if not withheld(record):
            continue
        if given is not None:
            predictions, _ = given.join(record, predictions, _refuse)
        if predictions.truth is not None:
            truths[record.key] = predictions.truth
    return truths


def keep_intervals(
    folder: Path,
    truths: Truths,
    sources: Sequence[Path] = (),
    left_out: Mapping[str, Record] = MappingProxyType({}),
    copied: Mapping[str, Record] = MappingProxyType({}),
) -> list[Path]:
    """Write ``intervals.json`` of a published suite, or remove it where there is nothing to keep.

    Args:
        folder: of the suite, with its published records.
        truths: from :func:`truth_at_hand`; the kept intervals of other records stay.
        sources: suites' folders that records were copied from; they may hold kept intervals too.
        left_out: key -> record with the predictions that the published one is without.
        copied: key -> the record that the published one was copied from, whose intervals it keeps.

    Returns:
        The file, where it was written.
    """
    stored = read_all(folder / "records")
    moved = {digest(copied[r.key]): digest(r) for r in stored if r.key in copied}
    before = Intervals.read(folder, *sources).under(moved)
    published = [
        LeftOut(r.path, r.data, source=left_out[r.key], truth=truths.get(r.key))
        if r.key in left_out
        else WithTruth(r.path, r.data, truths[r.key])
        if r.key in truths
        else r
        for r in stored
    ]
    specs = default_registry().specs("metrics")
    boards = kept_boards(
        published, read_info(folder) or {}, specs, before, datetime.now(UTC).date().isoformat()
    )
    if not boards:
        (folder / FILE).unlink(missing_ok=True)
        return []
    write_atomic(folder / FILE, to_text(boards))
    return [folder / FILE]


def _refuse(where: str, text: str, stated: Any, in_data: Any) -> None:
    values = "" if stated is None else f" (record {stated}, data {in_data})"
    raise BadInput(f"{where}: {text}{values}", hint="--data names the data that the records were made with")


# --------------------------------------------------------------------------- what is kept instead of truth

_NUMBERS = re.compile(r"\[\n[^\[\]{}\"]*\]")  # a list of numbers, to be written on one line


def withheld(record: Record) -> bool:
    """Whether a record that ended well is published without its truth or without its predictions."""
    return record.ok and not (record.share_targets and record.has_predictions)


def kept_boards(
    records: Iterable[Record],
    info: Mapping[str, Any],
    specs: Sequence[MetricSpec],
    before: Intervals,
    today: str,
) -> list[dict[str, Any]]:
    """The content of ``intervals.json``.

    Args:
        records: as published; their ``predictions()`` have the truth where it is available.
        info: the suite's ``suite.json``.
        specs: the installed metrics.
        before: kept intervals; they stay for rows without available truth whose records are unchanged.
        today: the date of new intervals.

    Returns:
        Boards in order, ``{"board": title, "rows": [...]}``, with the rows without published truth
        that have an interval over samples. Repeated splits need none: their intervals come from the metrics.
    """
    withheld_groups = [
        group for group in groups(newest(records)) if any(withheld(record) for record in group)
    ]
    analyses = [analyse(group, info, specs=specs, intervals=before) for group in withheld_groups]
    entries = [_board(analysis, _beside(analysis, specs, before), before, today) for analysis in analyses]
    return [board for board in entries if board["rows"]]


def to_text(boards: Sequence[Mapping[str, Any]]) -> str:
    """``intervals.json``."""
    data = {"schema": SCHEMA, **SETTINGS, "boards": list(boards)}
    text = json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    return _NUMBERS.sub(lambda match: " ".join(match[0].split()), text)


def _beside(
    analysis: Analysis, specs: Sequence[MetricSpec], before: Intervals
) -> dict[str, dict[str, Estimate]]:
    """Label of a row -> estimates that are no columns of its board: of the robust table, and under shifts.

    A metric that the records lack has no value that an interval could stand beside, also where predictions
    and truth would give one.
    """
    stored = {row.label: stored_ids(row.ok, "test") for row in analysis.rows}
    of_board = {column.id for column in analysis.board.columns}
    names = [n for n in ROBUST if n not in of_board and any(n in ids for ids in stored.values())]
    beside = {
        label: {name: estimate for name, estimate in row.items() if name in stored[label]}
        for label, row in estimates_of(analysis, names, specs=specs, intervals=before).items()
    }
    for label, row in (analysis.shifted.rows if analysis.shifted is not None else {}).items():
        beside.setdefault(label, {}).update({kept_as(name): estimate for name, estimate in row.items()})
    return beside


def _board(
    analysis: Analysis, beside: Mapping[str, Mapping[str, Estimate]], before: Intervals, today: str
) -> dict[str, Any]:
    board, estimator = analysis.board, analysis.estimator
    out: dict[str, Any] = {"board": f"{board.suite}, {board.data}", "rows": []}
    earlier: dict[str, dict[str, Estimate]] = {}
    for row in analysis.rows:
        complete = estimator.complete(row) if estimator is not None else []
        if estimator is None or not any(withheld(record) for record in complete):
            continue
        of_row = {**analysis.estimates[row.label], **beside.get(row.label, {})}
        estimates = {name: estimate for name, estimate in of_row.items() if estimate.over_samples}
        if not estimates:
            continue
        entry = _entry(row, complete, estimates, today, before)
        if len(estimator.folds) > 1:
            for name, estimate in estimates.items():
                entry["columns"][name]["values"] = estimate.seeds.tolist()
        entry["differences"] = {label: _differences(estimates, other) for label, other in earlier.items()}
        earlier[row.label] = estimates
        out["rows"].append(entry)
    return out


def _entry(
    row: RowRecords,
    complete: Sequence[Record],
    estimates: Mapping[str, Estimate],
    today: str,
    before: Intervals,
) -> dict[str, Any]:
    """A row without its differences; it keeps its date where nothing has changed."""
    ends = {name: estimate.interval() or (None, None) for name, estimate in estimates.items()}
    old = before.of(complete, row.rule)
    same = old is not None and ends == {name: (kept.low, kept.high) for name, kept in old.columns.items()}
    return {
        "model": row.label,
        "made": old.made if old is not None and same else today,
        **({"rule": row.rule} if row.rule else {}),
        "records": digests(complete),
        "columns": {
            name: {
                **{"low": low, "high": high},
                **{"support": estimates[name].support, "constant": estimates[name].constant},
            }
            for name, (low, high) in ends.items()
        },
    }


def _differences(a: Mapping[str, Estimate], b: Mapping[str, Estimate]) -> dict[str, list[float | None]]:
    """Column id -> [low, high, p] of ``a`` minus ``b``, for the columns in which the two are paired."""
    out: dict[str, list[float | None]] = {}
    for name in a:
        if name in b and a[name].paired(b[name]):
            difference = contrast(a[name], b[name])
            out[name] = [difference.low, difference.high, difference.p]
    return out
