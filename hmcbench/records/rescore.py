"""Computes metrics again from stored predictions, without dataset, model or plugin.

Decisions are made with the thresholds of the record; nothing is fitted. Each ``record.json`` is replaced
atomically.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hmcbench.errors import BadInput, HmcbenchError
from hmcbench.files import write_atomic
from hmcbench.interfaces import MetricSpec
from hmcbench.metrics.computing import Results, compute_sides
from hmcbench.metrics.ids import find_spec
from hmcbench.records.record import JSON, RUN_HINT, Record, read_all, record_json
from hmcbench.registry.registry import default_registry


@dataclass
class Rescored:
    """The result of :func:`rescore`; ``str()`` of it is one line for the user.

    Attributes:
        records: records whose predictions were read.
        new, changed: number of values that were added, and that differ from before.
        skipped: (folder name, reason) of unchanged records.
        failures: metric id -> its exception, where one failed.
    """

    records: int = 0
    new: int = 0
    changed: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        text = f"{self.records} records rescored, {self.new} new values, {self.changed} changed"
        if self.skipped:
            reasons = "; ".join(f"{name}: {why}" for name, why in self.skipped[:3])
            more = f"; and {len(self.skipped) - 3} more" if len(self.skipped) > 3 else ""
            text += f"; {len(self.skipped)} left as they were ({reasons}{more})"
        if self.failures:
            failures = (f"{name} ({reason})" for name, reason in sorted(self.failures.items()))
            text += f"; metrics that failed: {', '.join(failures)}"
        return text


def rescore(
    root: Path,
    names: Sequence[str] | None = None,
    *,
    only_new: bool = False,
    specs: Sequence[MetricSpec] | None = None,
) -> Rescored:
    """Compute metrics for every record at or below ``root`` and store them.

    Args:
        root: a record, a records folder, a suite's folder or a runs folder.
        names: metric ids or names as for :func:`hmcbench.metrics.computing.compute`; all by default.
        only_new: keep existing values.
        specs: the metrics; those of all installed plugins by default.

    Values of metrics that are not installed are kept. Failed records, and those with damaged predictions
    or without truth, are not changed.

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
        if not record.ok:
            continue
        try:
            scored = _scored(record, known, names, result)
        except HmcbenchError as error:
            result.skipped.append((record.path.name, str(error).rstrip(".")))
            continue
        result.records += 1
        _store(record, scored, only_new, result)
    return result


def _scored(
    record: Record, specs: Sequence[MetricSpec], names: Sequence[str] | None, result: Rescored
) -> dict[str, Results]:
    """Side -> values."""
    scored = compute_sides(specs, record.predictions(), record.thresholds, names)
    for values in scored.values():
        result.failures.update(values.failures)
    return scored


def _store(record: Record, scored: Mapping[str, Results], only_new: bool, result: Rescored) -> None:
    """Merge values into the record and write it if anything differs."""
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
        for name in () if only_new else (*values.left_out, *values.failures):
            result.changed += old.pop(name, None) is not None
    if merged != record.data["metrics"]:
        write_atomic(record.path / JSON, record_json({**record.data, "metrics": merged}))
