"""Computes metrics again from stored predictions, without dataset, model or plugin.

Decisions are made with the thresholds of the record; nothing is fitted. Each ``record.json`` is replaced
atomically.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    FAILED,
    ShiftPoint,
    failed_at,
    recorded_values,
    shift_blocks,
    shift_metrics,
    stored_shifts,
    with_failures,
    with_metrics,
)
from hmcbench.records.suite_file import read_info
from hmcbench.registry.registry import default_registry


@dataclass
class Rescored:
    """The result of :func:`rescore`; ``str()`` of it is one line for the user.

    Attributes:
        records: records whose predictions were read.
        new, changed: number of values that were added, and that differ from before or are gone.
        skipped: (folder name, reason) of unchanged records: their truth is not stored.
        damaged: the same of records whose predictions cannot be read.
        failures: metric id, or label of a rule -> its exception, where one failed; its earlier values stay.
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
        """Whether no predictions were damaged and no metric or rule failed."""
        return not (self.damaged or self.failures)

    def count(self, before: Mapping[str, float], after: Mapping[str, float]) -> None:
        """Count the values of ``after`` that are new, and those of ``before`` that differ or are gone."""
        self.new += len(after.keys() - before.keys())
        self.changed += sum(name not in after or after[name] != value for name, value in before.items())

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
            text += f"; failed: {', '.join(self._failed())}"
        if self.unknown:
            text += f"; not installed: {', '.join(sorted(self.unknown))}"
        return text

    def _failed(self) -> Iterator[str]:
        """What failed and why; the classes of one metric together."""
        by_stem: dict[str, list[str]] = {}
        for name in sorted(self.failures):
            by_stem.setdefault(stem(name), []).append(name)
        for first, *others in by_stem.values():
            what = f"{first} and {len(others)} more of its ids" if others else first
            yield f"{what} ({self.failures[first]})"


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

    Values of metrics that are not installed, fail or are not named are kept; those that are undefined now, or
    of what no longer applies, go unless ``only_new``. Failed records, and those with damaged predictions or
    without truth, are not changed.

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
        result.records += 1
        parts = _scored_parts(record, scored, only_new, result)
        moved = parts["metrics"] != record.data["metrics"]
        moved = moved or _some_ended(record.part("metric_failures"), parts["metric_failures"])
        again = moved and not only_new
        parts["rules"] = _ruled(record, predictions, known, wanted, rules, result, again=again)
        parts["shifts"] = _under_shifts(record, predictions, known, names, only_new, result)
        _store(record, {**parts, "decision": decision})
    return result


def _scored_parts(
    record: Record, scored: Mapping[str, Results], only_new: bool, result: Rescored
) -> dict[str, dict[str, Any]]:
    """The parts ``metrics`` and ``metric_failures`` of the record with what was computed now, counted."""
    had = record.data["metrics"]
    values = _values(had, scored, only_new)
    for side, of_side in values.items():
        result.count(had.get(side, {}), of_side)
    for results in scored.values():
        result.failures.update(results.failures)
    return {"metrics": values, "metric_failures": _failures(record.part("metric_failures"), had, scored)}


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

    The values of a rule that fails now, and of metrics that are not named, stay; the block of a rule that is
    not defined for the task goes. ``again``: also under the rules that it was scored under before, since its
    metrics have moved.
    """
    before = record.part("rules")
    if again:
        rules = [*rules, *_installed([label for label in before if label not in {r.label for r in rules}])]
    if not rules:
        return dict(before)
    per = record.part("decision").get("per", "shared")
    blocks = score_rules(rules, specs, predictions, record.thresholds, per, names)
    result.rules += [label for label in blocks if label not in result.rules]
    for label, block in blocks.items():
        if "failure" in block:
            result.failures[label] = block["failure"]
        for failures in block.get("metric_failures", {}).values():
            for name, why in failures.items():
                result.failures.setdefault(name, f"under {label}: {why}")
    unfit = {rule.label for rule in rules if rule.why_not(predictions.task)}
    kept = {label: block for label, block in before.items() if label not in unfit}
    return kept | {label: _merged(kept.get(label, {}), block) for label, block in blocks.items()}


def _installed(labels: Sequence[str]) -> list[Rule]:
    """The rules of these labels, without those of no installed plugin."""
    rules = []
    for label in labels:
        with suppress(BadInput):
            rules += find_rules(default_registry(), [label])
    return rules


def _values(
    before: Mapping[str, Mapping[str, float]], scored: Mapping[str, Results], only_new: bool = False
) -> dict[str, dict[str, float]]:
    """Values by side: those of before that were not computed now or failed, and the new ones."""
    now = {side: _values_of_side(before.get(side, {}), scored[side], only_new) for side in scored}
    return {side: dict(values) for side, values in {**before, **now}.items()}


def _values_of_side(before: Mapping[str, float], results: Results, only_new: bool) -> dict[str, float]:
    """The same on one side, without what is undefined now; ``only_new``: what stands there stays."""
    if only_new:
        return {**results, **before}
    return {name: value for name, value in before.items() if not results.is_undefined(name)} | results


def _some_ended(before: Mapping[str, Mapping[str, str]], now: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether a failure of before is none now."""
    return any(failures.keys() - now.get(side, {}).keys() for side, failures in before.items())


def _failures(
    before: Mapping[str, Any], had: Mapping[str, Any], scored: Mapping[str, Results]
) -> dict[str, dict[str, str]]:
    """The part ``metric_failures`` anew: metrics that fail and have no value, and those not computed now.

    Args:
        before: the part as it was.
        had: side -> id -> value before: a metric that fails now keeps it.
        scored: side -> what was computed now.
    """
    now = {side: _still_failing(before.get(side, {}), had.get(side, {}), scored[side]) for side in scored}
    return {side: dict(failures) for side, failures in {**before, **now}.items() if failures}


def _still_failing(before: Mapping[str, str], had: Iterable[str], results: Results) -> dict[str, str]:
    """The same on one side; ``had``: ids with a value before.

    A failure without a class is one of the metric as a whole: it is not new where a class had a value, and
    goes where a class is computed now. One of a class goes with this class alone, or where the metric fails
    as a whole.
    """
    new = {name: why for name, why in results.failures.items() if name not in _with_stems(had)}
    settled = _with_stems([*results, *results.undefined, *new])
    old = {
        name: why
        for name, why in before.items()
        if not (name in settled or results.is_undefined(name) or stem(name) in new)
    }
    return {**old, **new}


def _with_stems(names: Iterable[str]) -> set[str]:
    """Ids, and those that stand for all classes of these."""
    names = set(names)
    return names | {stem(name) for name in names}


def _merged(before: Mapping[str, Any], block: Mapping[str, Any]) -> dict[str, Any]:
    """A new block of a rule, with the values of the former one that it has not; where it applies."""
    if "metrics" not in before or "left_out" in block:
        return dict(block)
    if "failure" in block:
        return dict(before)
    had, scored = before["metrics"], block["metrics"]
    merged = _values(had, scored)
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
    """The part ``shifts`` of the record with the metrics that are named, or those of the suite, anew."""
    part, blocks = dict(record.part("shifts")), shift_blocks(record)
    if not blocks:
        return part
    wanted = []
    for metric in _of_shifts(record, blocks) if names is None else names:
        with suppress(BadInput):  # a metric that is not installed keeps its values
            find_spec(specs, metric)
            wanted.append(metric)
    try:
        points = stored_shifts(record, predictions)
        scored = shift_metrics(specs, predictions, points, record.thresholds, wanted)
    except HmcbenchError as error:
        result.damaged.append((record.path.name, str(error).rstrip(".")))
        return part
    values, failures = {}, {}
    for label, severity, old in recorded_values(part["of"]):
        point = ShiftPoint(label, severity)
        results = scored.get(point, Results())
        values[point] = _values_of_side(old, results, only_new)
        failures[point] = _still_failing(failed_at(part["of"], point), old, results)
        result.count(old, values[point])
        for name, why in results.failures.items():
            result.failures.setdefault(name, f"under {label}: {why}")
    return {**part, "of": with_failures(with_metrics(part["of"], values, keep=False), failures)}


def _of_shifts(record: Record, blocks: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Ids that have values under shifts or failed there, and those that a cell of the suite computes there.

    Earlier versions left no word of a metric that failed.
    """
    suite = (read_info(record.path.parent.parent) or {}).get("suite") or {}
    columns = suite.get("columns")
    of_suite = [suite.get("primary"), *(columns if isinstance(columns, list) else ())]
    computed = filter(None, of_suite if suite.get("name") == record.suite else ())
    have = {metric for _, _, values in recorded_values(blocks) for metric in values}
    failed = {metric for block in blocks.values() for at in block.get(FAILED, {}).values() for metric in at}
    return sorted({*computed, *have, *failed})


def _store(record: Record, parts: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the record with these parts, none of them empty but ``metrics``, if anything differs."""
    if parts == {name: record.part(name) for name in parts}:
        return
    data = {**record.data, **parts}
    data = {name: part for name, part in data.items() if part or name == "metrics" or name not in parts}
    write_atomic(record.path / JSON, record_json(data))
