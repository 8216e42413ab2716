"""The values of a record under decision rules: do they follow from its predictions?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hmcbench.errors import BadInput
from hmcbench.interfaces import MetricSpec
from hmcbench.metrics.rules.scoring import Rule, find_rules, score_rules
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import Record
from hmcbench.registry.registry import default_registry
from hmcbench.verify.findings import SuiteReport


def check_rules(
    record: Record, predictions: Predictions, specs: Sequence[MetricSpec], report: SuiteReport
) -> dict[str, Any]:
    """Choose parameters and thresholds of every rule again, apply it, and compare its values.

    Returns:
        The part ``rules`` with recomputed values; those of rules that are not installed stay.
    """
    checked = dict(record.part("rules"))
    per = record.part("decision").get("per", "shared")
    for label, block in record.part("rules").items():
        rule = _installed(label, block, report)
        if rule is None or "metrics" not in block:
            continue
        again = score_rules([rule], specs, predictions, record.thresholds, per).get(label, {})
        name = record.path.name
        if "metrics" not in again:
            report.add(
                "differs", name, f"rule {label} gives no values ({again.get('failure', 'not defined')})"
            )
            continue
        for part in ("params", "thresholds"):
            pair = block.get(part), again.get(part)
            report.compare(name, f"{part} of rule {label}", *pair, from_predictions=True)
        metrics = {side: dict(values) for side, values in block["metrics"].items()}
        for side, values in metrics.items():
            computed = again["metrics"].get(side, {})
            for metric, value in values.items():
                what = f"{side} {metric} under {label}"
                report.compare(name, what, value, computed.get(metric), from_predictions=True)
            values.update({metric: computed[metric] for metric in values if metric in computed})
        checked[label] = {**block, "metrics": metrics}
    return checked


def _installed(label: str, block: Any, report: SuiteReport) -> Rule | None:
    """The rule of a block; None, with a note, where it is not installed in the same version."""
    try:
        (rule,) = find_rules(default_registry(), [label])
    except BadInput:
        note = f"rule {label} is not installed: its values are not checkable here"
    else:
        if rule.spec.version == block.get("version"):
            return rule
        note = (
            f"rule {label}: values of version {block.get('version')}, installed is {rule.spec.version}: "
            "they are not checkable here"
        )
    report.note(note)
    return None
