"""One record: do its numbers follow from its predictions, and do its parts agree?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from hmcbench.errors import HmcbenchError
from hmcbench.interfaces import MetricSpec
from hmcbench.metrics import decisions
from hmcbench.metrics.computing import Results, compute_sides
from hmcbench.records.given_data import Given
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import NotPublished, Record
from hmcbench.registry.registry import Registry
from hmcbench.verify.findings import Finding, SuiteReport, same
from hmcbench.verify.metrics import installed, not_installed
from hmcbench.verify.rules import check_rules
from hmcbench.verify.shifts import check_shifts


def check_record(record: Record, specs: Sequence[MetricSpec], given: Given, report: SuiteReport) -> Record:
    """Recompute every metric of a record that ended well.

    Args:
        record: as published.
        specs: the installed metrics.
        given: the user's data, for truth that was not published.
        report: receives the findings.

    Returns:
        The record with recomputed metrics; unchanged where they cannot be recomputed.
    """
    report.records += 1
    name = record.path.name
    try:
        predictions = record.predictions()
    except NotPublished:
        _not_recomputed(record, "their predictions were not published", report)
        return record
    except HmcbenchError as error:
        report.add("unreadable", name, error.what)
        return record
    _consistent(record, predictions, report)
    predictions, reason = given.join(record, predictions, report.mismatch)
    if predictions.truth is None:
        _not_recomputed(record, reason, report)
        return record
    try:
        computed = compute_sides(specs, predictions, record.thresholds)
    except HmcbenchError as error:
        report.add("unreadable", name, error.what)
        return record
    report.verified.add(record.key)
    _threshold(record, predictions, report)
    merged = {side: dict(values) for side, values in record.data["metrics"].items()}
    for side in merged:
        merged[side] = _side(name, side, merged[side], computed.get(side), specs, report)
    data = {**record.data, "metrics": merged}
    if record.part("rules"):
        data["rules"] = check_rules(record, predictions, specs, report)
    if record.part("shifts"):
        data["shifts"] = check_shifts(record, predictions, specs, report)
    return Record(record.path, data)


def _not_recomputed(record: Record, reason: str, report: SuiteReport) -> None:
    report.unchecked.setdefault(reason, []).append(record.path.name)
    report.uncheckable += sum(len(values) for values in record.data["metrics"].values())


def _side(
    name: str,
    side: str,
    published: dict[str, float],
    computed: Results | None,
    specs: Sequence[MetricSpec],
    report: SuiteReport,
) -> dict[str, float]:
    """The recomputed values of one partition; a metric that is not installed keeps its published value."""
    if computed is None:
        report.add("no record", name, f"metrics of {side}, but no predictions")
        return {}
    out: dict[str, float] = {}
    for metric, value in published.items():
        if metric not in computed and not installed(specs, metric):
            report.note(not_installed(metric))
            report.uncheckable += 1
            out[metric] = value
            continue
        if metric in computed:
            out[metric] = computed[metric]
        report.compare(name, f"{side} {metric}", value, computed.get(metric), from_predictions=True)
    return out


def _consistent(record: Record, predictions: Predictions, report: SuiteReport) -> None:
    """Compare the record's counts and hierarchy with those of its predictions."""
    data, name = record.data, record.path.name
    counts = {k: v for k, v in record.counts.items() if k != "train" and v}
    if record.brought:  # validation predictions, and further test sets, may be left out
        counts = {side: count for side, count in counts.items() if side in record.brought.get("sides", ())}
    if counts:
        report.compare(name, "samples per side", counts, dict(Counter(predictions.side)))
    hierarchy = predictions.task.hierarchy
    stated = data["dataset"].get("hierarchy")
    if stated and hierarchy is not None and hierarchy.fingerprint != stated:
        report.findings.append(
            Finding("data", name, "hierarchy fingerprint", stated[:12], hierarchy.fingerprint[:12])
        )
    if len(set(predictions.ids)) < len(predictions.ids):
        report.add("data", name, "a sample id occurs twice in the predictions")


def _threshold(record: Record, predictions: Predictions, report: SuiteReport) -> None:
    """Compare a fitted threshold with one fitted again on the validation partition."""
    stored: Any = record.part("decision").get("thresholds")
    task, valid = predictions.task, predictions.of_side("validation")
    if not isinstance(stored, (float, list)) or not len(valid):
        return
    per = record.part("decision").get("per", "shared")
    thresholds = decisions.thresholds_of(valid.scores, valid.truth, task, per)
    fitted = None if thresholds is None else thresholds.to_json()
    if not same(stored, fitted):
        text = "the threshold is not the one that its validation side gives"
        report.add("differs", record.path.name, text, stored, fitted)


def versions(records: Sequence[Record], registry: Registry) -> list[str]:
    """Notes on models that are installed in another version than the one of the records."""
    seen = {(str(r.data["model"].get("name")), str(r.data["model"].get("version") or "")) for r in records}
    installed = {spec.name: spec.version for spec in registry.specs("models")}
    return [
        f"model {name}: published by version {version}, installed is {installed[name]}: "
        "the numbers are valid, but a new run may give others"
        for name, version in sorted(seen)
        if version and name in installed and installed[name] != version
    ]
