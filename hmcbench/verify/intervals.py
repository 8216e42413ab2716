"""Intervals kept for records without truth: of these records, and following from the user's data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hmcbench.errors import HmcbenchError
from hmcbench.interfaces import MetricSpec
from hmcbench.leaderboard.intervals import FILE, Intervals, digests
from hmcbench.publish.withheld_truth import kept_boards, withheld
from hmcbench.records.given_data import Given, WithTruth
from hmcbench.records.record import Record
from hmcbench.records.suite_file import read_info
from hmcbench.verify.findings import SuiteReport


def check_intervals(
    folder: Path, records: Sequence[Record], specs: Sequence[MetricSpec], given: Given, report: SuiteReport
) -> Intervals:
    """Compare ``intervals.json`` of a suite with what its records and the user's data give.

    Returns:
        The content of the file, for the boards; empty where it cannot be read.
    """
    try:
        kept = Intervals.read(folder)
    except HmcbenchError as error:
        report.add("unreadable", FILE, error.what)
        return Intervals()
    if (folder / FILE).is_file() and not kept.boards:
        report.notes.append(f"{FILE} is of another version of hmcbench and not used")
    if not kept.boards:
        return kept
    now = digests(record for record in records if withheld(record))
    recomputed = {_name(row): row for _, row in _recomputed(folder, records, specs, given).entries()}
    hidden = 0
    for _, row in kept.entries():
        where = f"{FILE}, row {row['model']}"
        if any(now.get(key) != digest for key, digest in row["records"].items()):
            report.add("data", where, "rests on records that are not here, or have changed since")
        elif _name(row) in recomputed:
            _compare(where, row, recomputed.pop(_name(row)), report)
        else:
            hidden += 1
    if hidden:
        subject = "1 row is" if hidden == 1 else f"{hidden} rows are"
        report.notes.append(f"{FILE}: {subject} not checkable here: truth or predictions were not published")
    for row in recomputed.values():
        report.add("differs", FILE, f"lacks the row {row['model']}")
    return kept


def _recomputed(
    folder: Path, records: Sequence[Record], specs: Sequence[MetricSpec], given: Given
) -> Intervals:
    """The intervals that follow from the user's data alone."""
    joined = [_joined(record, given) for record in records]
    if not any(isinstance(record, WithTruth) for record in joined):
        return Intervals()
    return Intervals(kept_boards(joined, read_info(folder) or {}, specs, Intervals(), ""))


def _joined(record: Record, given: Given) -> Record:
    """The record with truth from the user's data; unchanged where there is none (already reported)."""
    if not withheld(record):
        return record
    try:
        if given.path_of(record) is None:
            return record
        predictions, _ = given.join(record, record.predictions(), lambda *_: None)
    except HmcbenchError:
        return record
    return record if predictions.truth is None else WithTruth(record.path, record.data, predictions.truth)


def _name(row: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(row["records"])


def _compare(
    where: str, published: Mapping[str, Any], recomputed: Mapping[str, Any], report: SuiteReport
) -> None:
    """Compare all intervals, and the differences that both rows have (later rows were not paired)."""
    pairs = [(published["columns"], recomputed["columns"])]
    pairs += [
        (numbers, recomputed["differences"][other])
        for other, numbers in published["differences"].items()
        if other in recomputed["differences"]
    ]
    for pair in pairs:
        report.compare_leaves(where, "", *pair, from_predictions=True)
