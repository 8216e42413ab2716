"""Computes metrics again from stored predictions, without dataset, model or plugin.

Decisions are made with the thresholds of the record; nothing is fitted. Each ``record.json`` is replaced
atomically.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hmcbench.errors import BadInput, HmcbenchError
from hmcbench.files import sweep_temporary, write_atomic
from hmcbench.interfaces import MetricSpec
from hmcbench.metrics.computing import CALIBRATION, Results, compute_sides
from hmcbench.metrics.ids import find_spec, stem
from hmcbench.metrics.promise import ALPHA
from hmcbench.metrics.rules.scoring import Rule, find_rules, score_rules
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import JSON, RUN_HINT, NotPublished, Record, read_all, record_json
from hmcbench.records.shifts import (
    ShiftPoint,
    recorded_values,
    shift_blocks,
    shift_metrics,
    stored_shifts,
    with_metrics,
)
from hmcbench.records.suite_file import read_info
from hmcbench.registry.registry import default_registry


@dataclass
class Rescored:
    """The result of :func:`rescore`; ``str()`` of it is one line for the user.

    Attributes:
        records: records whose predictions were read.
        new, changed: number of values that were added, and that differ from before.
        skipped: (folder name, reason) of unchanged records: their truth is not stored.
        damaged: the same of records whose predictions cannot be read.
        failures: metric id -> its exception, where one failed; its earlier values stay.
        unknown: ids that a suite names and that no installed metric has.
        rules: labels of decision rules that the records were scored under.
    """

    records: int = 0
    new: int = 0
    changed: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    damaged: list[tuple[str, str]] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    rules: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether no predictions were damaged and no metric failed."""
        return not (self.damaged or self.failures)

    def __str__(self) -> str:
        text = f"{self.records} records rescored, {self.new} new values, {self.changed} changed"
        if self.rules:
            text += f"; under {', '.join(self.rules)}"
        for what, records in (("left as they were", self.skipped), ("damaged and kept", self.damaged)):
            if records:
                reasons = "; ".join(f"{name}: {why}" for name, why in records[:3])
                more = f"; and {len(records) - 3} more" if len(records) > 3 else ""
                text += f"; {len(records)} {what} ({reasons}{more})"
        if self.failures:
            failures = (f"{name} ({reason})" for name, reason in sorted(self.failures.items()))
            text += f"; failed: {', '.join(failures)}"
        if self.unknown:
            text += f"; not installed: {', '.join(sorted(self.unknown))}"
        return text


def rescore(
    root: Path,
    names: Sequence[str] | None = None,
    *,
    only_new: bool = False,
    specs: Sequence[MetricSpec] | None = None,
    rules: Sequence[Rule] = (),
) -> Rescored:
    """Compute metrics for every record at or below ``root`` and store them.

    Args:
        root: a record, a records folder, a suite's folder or a runs folder.
        names: metric ids or names as for :func:`hmcbench.metrics.computing.compute`; by default those that
            the suite of the record names in ``metrics``, or all where it names none.
        only_new: keep existing values.
        specs: the metrics; those of all installed plugins by default.
        rules: decision rules; every record gets the values under each (its part ``rules``). Parameters and
            thresholds of a rule are fitted on validation.

    Values of metrics that are not installed, fail or are not named are kept. Failed records, and those with
    damaged predictions or without truth, are not changed.

    Raises:
        BadInput: no such folder, no record in it, or an unknown name.
    """
    known = default_registry().specs("metrics") if specs is None else specs
    for name in names or ():
        find_spec(known, name)
    records = read_all(root)
    if not records:
        raise BadInput(f"{root} holds no records", hint=RUN_HINT)
    result = Rescored()
    for record in records:
        sweep_temporary(record.path)
        if not record.ok:
            continue
        try:
            predictions = record.predictions()
        except NotPublished as error:
            result.skipped.append((record.path.name, str(error)))
            continue
        except HmcbenchError as error:
            result.damaged.append((record.path.name, str(error).rstrip(".")))
            continue
        decision = dict(record.part("decision")) if only_new else _decision(record, predictions)
        predictions = replace(predictions, alpha=float(decision.get("alpha", ALPHA)))
        try:
            wanted, unknown = (names, set()) if names is not None else named_by_suite(record, known)
            result.unknown |= unknown
            scored = compute_sides(known, predictions, record.thresholds, wanted)
        except HmcbenchError as error:
            result.skipped.append((record.path.name, str(error).rstrip(".")))
            continue
        moved = any(
            value != record.metrics(side).get(name)
            for side, values in scored.items()
            for name, value in values.items()
        )
        ruled = _ruled(record, predictions, known, wanted, rules, result, again=moved and not only_new)
        shifts = _under_shifts(record, predictions, known, names, only_new, result)
        result.records += 1
        parts = {"rules": ruled, "shifts": shifts, "decision": decision}
        failed_before = record.part("metric_failures")
        parts["metric_failures"] = _failures(failed_before, record.data["metrics"], scored)
        _store(record, scored, parts, only_new, result)
    return result


def _decision(record: Record, predictions: Predictions) -> dict[str, Any]:
    """The part ``decision`` of the record, with the alpha of ``suite.json`` where samples were put apart."""
    decision = dict(record.part("decision"))
    suite = (read_info(record.path.parent.parent) or {}).get("suite") or {}
    if suite.get("name") != record.suite or CALIBRATION not in predictions.side:
        return decision
    alpha = float((suite.get("decisions") or {}).get("alpha", ALPHA))
    decision.pop("alpha", None)
    return {**decision, **({"alpha": alpha} if alpha != ALPHA else {})}


def named_by_suite(record: Record, specs: Sequence[MetricSpec]) -> tuple[list[str] | None, set[str]]:
    """The ids that ``suite.json`` beside the record wants computed, None for all; and those of no spec."""
    suite = (read_info(record.path.parent.parent) or {}).get("suite") or {}
    if suite.get("name") != record.suite or not suite.get("metrics"):
        return None, set()
    names = dict.fromkeys([*suite["metrics"], suite["primary"], *suite["columns"]])
    unknown: set[str] = set()
    for name in list(names):
        try:
            find_spec(specs, name)
        except BadInput:
            names.pop(name)
            unknown.add(name)
    return list(names), unknown


def _ruled(
    record: Record,
    predictions: Predictions,
    specs: Sequence[MetricSpec],
    names: Sequence[str] | None,
    rules: Sequence[Rule],
    result: Rescored,
    *,
    again: bool,
) -> dict[str, Any]:
    """The part ``rules`` of the record: under these rules.

    The values of a rule that fails now, and of metrics that are not named, stay. ``again``: also under the
    rules that it was scored under before, since its metrics have moved.
    """
    before = record.part("rules")
    if again:
        rules = [*rules, *_installed([label for label in before if label not in {r.label for r in rules}])]
    if not rules:
        return dict(before)
    per = record.part("decision").get("per", "shared")
    blocks = score_rules(rules, specs, predictions, record.thresholds, per, names)
    result.rules += [label for label in blocks if label not in result.rules]
    result.failures.update({label: block["failure"] for label, block in blocks.items() if "failure" in block})
    return {**before, **{label: _merged(before.get(label, {}), block) for label, block in blocks.items()}}


def _installed(labels: Sequence[str]) -> list[Rule]:
    """The rules of these labels, without those of no installed plugin."""
    rules = []
    for label in labels:
        with suppress(BadInput):
            rules += find_rules(default_registry(), [label])
    return rules


def _failures(
    before: Mapping[str, Any], had: Mapping[str, Any], scored: Mapping[str, Results]
) -> dict[str, dict[str, str]]:
    """The part ``metric_failures`` anew: metrics that fail and have no value, and those not computed now.

    Args:
        before: the part as it was.
        had: side -> id -> value before: a metric that fails now keeps it.
        scored: side -> what was computed now.
    """
    merged = {side: dict(failures) for side, failures in before.items()}
    for side, results in scored.items():
        computed = {stem(name) for name in (*results, *results.left_out)}
        kept = {stem(name) for name in had.get(side, {})}
        old = {name: why for name, why in merged.get(side, {}).items() if stem(name) not in computed}
        new = {name: why for name, why in results.failures.items() if stem(name) not in kept}
        merged[side] = {**old, **new}
    return {side: failures for side, failures in merged.items() if failures}


def _merged(before: Mapping[str, Any], block: Mapping[str, Any]) -> dict[str, Any]:
    """A new block of a rule, with the values of the former one that it has not."""
    if "metrics" not in before:
        return dict(block)
    if "failure" in block:
        return dict(before)
    had, scored = before["metrics"], block["metrics"]
    merged = {side: {**had.get(side, {}), **scored.get(side, {})} for side in {**had, **scored}}
    failures = _failures(before.get("metric_failures", {}), had, scored)
    rest = {name: part for name, part in block.items() if name != "metric_failures"}
    return {**rest, "metrics": merged, **({"metric_failures": failures} if failures else {})}


def _under_shifts(
    record: Record,
    predictions: Predictions,
    specs: Sequence[MetricSpec],
    names: Sequence[str] | None,
    only_new: bool,
    result: Rescored,
) -> dict[str, Any]:
    """The part ``shifts`` of the record with the metrics that are named, or those that it has, anew."""
    part, blocks = dict(record.part("shifts")), shift_blocks(record)
    have = {metric for block in blocks.values() for values in block["metrics"] for metric in values}
    if not blocks:
        return part
    wanted = []
    for metric in sorted(have) if names is None else names:
        with suppress(BadInput):  # a metric that is not installed keeps its values
            find_spec(specs, metric)
            wanted.append(metric)
    try:
        points = stored_shifts(record, predictions)
        values = shift_metrics(specs, predictions, points, record.thresholds, wanted)
    except HmcbenchError as error:
        result.damaged.append((record.path.name, str(error).rstrip(".")))
        return part
    for label, severity, old in recorded_values(blocks):
        point = ShiftPoint(label, severity)
        new = values.get(point, {})
        if only_new:
            new = values[point] = {name: value for name, value in new.items() if name not in old}
        result.new += len(new.keys() - old.keys())
        result.changed += sum(old[name] != new[name] for name in new.keys() & old.keys())
    return {**part, "of": with_metrics(part["of"], values)}


def _store(
    record: Record,
    scored: Mapping[str, Results],
    parts: Mapping[str, Mapping[str, Any]],
    only_new: bool,
    result: Rescored,
) -> None:
    """Merge values into the record and write it if anything differs.

    Args:
        parts: further parts of the record.
    """
    for values in scored.values():
        result.failures.update(values.failures)
    merged: dict[str, dict[str, float]] = {
        side: dict(values) for side, values in record.data["metrics"].items()
    }
    for side, values in scored.items():
        old = merged.setdefault(side, {})
        for name, value in values.items():
            if name not in old:
                result.new += 1
            elif only_new or old[name] == value:
                continue
            else:
                result.changed += 1
            old[name] = value
        for name in () if only_new else values.left_out:
            result.changed += old.pop(name, None) is not None
    before = {name: record.part(name) for name in parts}
    if (merged, parts) != (record.data["metrics"], before):
        data = {**record.data, "metrics": merged, **parts}
        data = {name: part for name, part in data.items() if part or name not in parts}
        write_atomic(record.path / JSON, record_json(data))
