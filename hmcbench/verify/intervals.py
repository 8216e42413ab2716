"""Intervals that were kept for records without truth: whose they are, and with the data, whether right."""

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
from hmcbench.verify.findings import Finding, SuiteReport, flat


def check_intervals(
    folder: Path, records: Sequence[Record], specs: Sequence[MetricSpec], given: Given, report: SuiteReport
) -> Intervals:
    """Compare ``intervals.json`` of a suite with what its records and the user's data give.

    Returns:
        What the boards may use: the file as it is, or nothing where it cannot be read.
    """
    try:
        kept = Intervals.read(folder)
    except HmcbenchError as error:
        report.findings.append(Finding("unreadable", FILE, error.what))
        return Intervals()
    if (folder / FILE).is_file() and not kept.boards:
        report.notes.append(f"{FILE} is of another version of hmcbench and not used")
    if not kept.boards:
        return kept
    now = digests(record for record in records if withheld(record))
    made = {_name(row): row for _, row in _recomputed(folder, records, specs, given).entries()}
    hidden = 0
    for _, row in kept.entries():
        where = f"{FILE}, row {row['model']}"
        if any(now.get(key) != digest for key, digest in row["records"].items()):
            what = "rests on records that are not here, or have changed since"
            report.findings.append(Finding("data", where, what))
        elif _name(row) in made:
            _compare(where, row, made.pop(_name(row)), report)
        else:
            hidden += 1
    if hidden:
        many = "1 row is" if hidden == 1 else f"{hidden} rows are"
        report.notes.append(f"{FILE}: {many} not checkable here: the truth was not published")
    for row in made.values():
        report.findings.append(Finding("differs", FILE, f"lacks the row {row['model']}"))
    return kept


def _recomputed(
    folder: Path, records: Sequence[Record], specs: Sequence[MetricSpec], given: Given
) -> Intervals:
    """What the data that were given, and nothing else, say."""
    joined = [_joined(record, given) for record in records]
    if not any(isinstance(record, WithTruth) for record in joined):
        return Intervals()
    return Intervals(kept_boards(joined, read_info(folder) or {}, specs, Intervals(), ""))


def _joined(record: Record, given: Given) -> Record:
    """With the truth of the data; as it is where there is none, which was reported before."""
    if not withheld(record) or record.dataset not in given.paths:
        return record
    try:
        predictions, _ = given.join(record, record.predictions(), lambda *_: None)
    except HmcbenchError:
        return record
    return record if predictions.truth is None else WithTruth(record.path, record.data, predictions.truth)


def _name(row: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(row["records"])


def _compare(where: str, published: Mapping[str, Any], made: Mapping[str, Any], report: SuiteReport) -> None:
    """Every number; of the differences those that both have, as rows that came later were not paired."""
    pairs = [(published["columns"], made["columns"])]
    pairs += [
        (numbers, made["differences"][other])
        for other, numbers in published["differences"].items()
        if other in made["differences"]
    ]
    for pair in pairs:
        left, right = (flat(part) for part in pair)
        for name in dict.fromkeys((*left, *right)):
            report.compare(where, name, left.get(name), right.get(name))
