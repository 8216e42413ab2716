"""The values of a record under shifts: do they follow from its stored predictions?

The shifts themselves are not applied again: that takes the data and the model, as ``verify --rerun`` does for
whole cells.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from hmcbench.errors import HmcbenchError
from hmcbench.interfaces import MetricSpec
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import Record
from hmcbench.records.shifts import (
    FILE,
    ShiftPoint,
    recorded_values,
    shift_blocks,
    shift_metrics,
    stored_shifts,
    with_metrics,
)
from hmcbench.verify.findings import SuiteReport
from hmcbench.verify.metrics import installed, not_installed


def check_shifts(
    record: Record, predictions: Predictions, specs: Sequence[MetricSpec], report: SuiteReport
) -> dict[str, Any]:
    """Recompute every value under shifts, and compare.

    Args:
        predictions: of the record, with truth.

    Returns:
        The part ``shifts`` with recomputed values; those of metrics that are not installed stay.
    """
    name, part = record.path.name, dict(record.part("shifts"))
    blocks = shift_blocks(record)
    if not blocks:
        return part
    published = {metric for _label, _severity, values in recorded_values(blocks) for metric in values}
    names = sorted(metric for metric in published if installed(specs, metric))
    for metric in sorted(published - set(names)):
        report.note(not_installed(metric))
    try:
        points = stored_shifts(record, predictions)
        digest = hashlib.sha256((record.path / FILE).read_bytes()).hexdigest()
        again = shift_metrics(specs, predictions, points, record.thresholds, names)
    except HmcbenchError as error:
        report.add("unreadable", name, error.what)
        return part
    report.compare(name, f"digest of {FILE}", part.get("sha256"), digest)
    recomputed = {}
    for label, severity, values in recorded_values(blocks):
        point = ShiftPoint(label, severity)
        computed: Mapping[str, float] = again.get(point, {})
        for metric in sorted(set(values) & set(names)):
            what = f"{metric} under {label} at {severity:g}"
            report.compare(name, what, values[metric], computed.get(metric), from_predictions=True)
        recomputed[point] = {metric: computed[metric] for metric in values if metric in computed}
    part["of"] = with_metrics(record.part("shifts")["of"], recomputed)
    return part
