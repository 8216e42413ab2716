"""Compares a published table with records: the cells that it needs, and a verdict per value and row."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from hmcbench.errors import BadInput
from hmcbench.interfaces import MetricSpec
from hmcbench.leaderboard.columns import metric_spec
from hmcbench.leaderboard.estimates import Estimator
from hmcbench.leaderboard.grouping import RowRecords
from hmcbench.leaderboard.grouping import rows as rows_of
from hmcbench.leaderboard.inference import Estimate, prediction_interval
from hmcbench.leaderboard.verdicts import UNTESTABLE, joint_level, row_verdict, value_verdict
from hmcbench.plan.cells import Plan, make_plan
from hmcbench.plan.choices import Choices
from hmcbench.plan.suite import load_suite
from hmcbench.records.record import Record
from hmcbench.registry.registry import Registry
from hmcbench.reproduce.tables import PublishedRow, PublishedTable, inconsistencies, published_row


@dataclass(frozen=True)
class ComparedValue:
    """A published number, our mean over splits, where one further split lies, and the verdict.

    Attributes:
        low, high: the prediction interval of one split, 95 % for the values of a row together.
    """

    published: float
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    verdict: str = UNTESTABLE


@dataclass(frozen=True)
class RowResult:
    """A row: its values, the verdict over all of them, and the reason where it is not testable."""

    row: PublishedRow
    values: Sequence[ComparedValue]
    verdict: str
    reason: str = ""
    runs: int = 0


@dataclass(frozen=True)
class Result:
    """A table that was run again; ``records`` are the folder names of the records of its numbers."""

    table: PublishedTable
    rows: Sequence[RowResult]
    facts: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    records: Sequence[str] = ()


@dataclass(frozen=True)
class Planned:
    """The cells of a table; row label -> label of its model, or reason why it cannot run."""

    plan: Plan
    labels: Mapping[str, str]
    reasons: Mapping[str, str]


def plan_table(
    table: PublishedTable, registry: Registry, choices: Choices, rows: Sequence[PublishedRow]
) -> Planned:
    """Cells for ``rows``: the table's suite with the paper's protocol and the rows' models.

    ``reasons`` names the rows whose model is not installed or does not apply to the data.
    """
    suite = load_suite(registry, table.suite)
    if table.protocol is not None:
        suite = replace(suite, protocol=table.protocol)
    profile = choices.profile or table.profile or suite.default_profile
    labels: dict[str, str] = {}
    reasons: dict[str, str] = {}
    for row in rows:
        try:
            spec, params = registry.resolve("models", row.model, profile)
            labels[row.label] = registry.label("models", spec, params, profile)
        except BadInput as error:
            reasons[row.label] = error.what
    models = tuple(dict.fromkeys(row.model for row in rows if row.label in labels))
    if not models:
        raise BadInput(f"no model of table {table.name} is installed", hint="hmcbench list models")
    if not table.dataset:  # the suite's other data sets are not the paper's
        suite = replace(suite, datasets=suite.datasets[:1])
    datasets = (table.dataset,) if table.dataset else ()
    profiles = {name: replace(values, models=models, labels={}) for name, values in suite.profiles.items()}
    suite = replace(suite, profiles=profiles)  # the rows' models alone, with the parameters of the rows
    # one seed: the splits vary, as in the paper
    choices = replace(choices, profile=profile, datasets=datasets, seeds=choices.seeds or 1)
    plan = make_plan(suite, registry, choices)
    refused = {pair.model: pair.reason for pair in plan.not_applicable}
    reasons |= {row.label: refused[row.model] for row in rows if row.model in refused}
    return Planned(plan, labels, reasons)


def untestable(table: PublishedTable, rows: Sequence[PublishedRow], reason: str) -> Result:
    """The table with the paper's numbers alone."""
    return Result(table, [_untested(table, row, reason) for row in rows], notes=notes_of(table))


def _untested(table: PublishedTable, row: PublishedRow, reason: str) -> RowResult:
    values = [ComparedValue(v) for v in published_row(table, row).values]
    return RowResult(row, values, UNTESTABLE, reason)


def compare(
    table: PublishedTable,
    planned: Planned,
    records: Sequence[Record],
    specs: Sequence[MetricSpec],
    rows: Sequence[PublishedRow],
) -> Result:
    """Judge every row by the records of its cells."""
    good = [record for record in records if record.ok]
    runs = {run.label: run for run in rows_of(list(records))[0]}
    synthetic = any(record.data["dataset"].get("synthetic") for record in records)
    estimator = Estimator(list(runs.values()), table.metrics, (), specs) if good else None
    results = []
    for row in rows:
        reason = planned.reasons.get(row.label, "")
        run = runs.get(planned.labels.get(row.label, ""))
        if reason or run is None or estimator is None or not run.ok:
            results.append(_untested(table, row, reason or _failure(run)))
            continue
        values = _values(table, row, estimator.row(run), specs)
        if synthetic:
            values, reason = [replace(v, verdict=UNTESTABLE) for v in values], "the data are synthetic"
        verdict = row_verdict([value.verdict for value in values])
        results.append(RowResult(row, values, verdict, reason, len(estimator.complete(run))))
    return Result(table, results, _facts(good), notes_of(table), sorted(record.path.name for record in good))


def _failure(run: RowRecords | None) -> str:
    if run is None or not run.others:
        return "no record"
    return f"{run.others[0].cause}: {run.others[0].message}".rstrip(": ")


def notes_of(table: PublishedTable) -> list[str]:
    """The notes of the table and of its rows, and its inconsistencies."""
    own = [f"{row.label}: {row.note}" for row in table.rows if row.note]
    return [*table.notes, *own, *inconsistencies(table)]


def _values(
    table: PublishedTable,
    row: PublishedRow,
    estimates: Mapping[str, Estimate],
    specs: Sequence[MetricSpec],
) -> list[ComparedValue]:
    source = published_row(table, row)
    level = joint_level(sum(not math.isnan(value) for value in source.values))
    out = []
    for metric, published in zip(table.metrics, source.values, strict=True):
        estimate = estimates.get(metric)
        if estimate is None:
            out.append(ComparedValue(published))
            continue
        spec = metric_spec(specs, metric)
        better, top = (spec.better, spec.high) if spec is not None else ("higher", None)
        interval = prediction_interval(estimate, level)
        verdict = value_verdict(published, interval, better, source.digits or table.digits, top)
        low, high = interval or (None, None)
        if high is not None and top is not None:  # R2 is at most 1, t intervals may exceed it
            high = min(high, top)
        out.append(ComparedValue(published, estimate.mean, low, high, verdict))
    return out


def _facts(records: Sequence[Record]) -> dict[str, str]:
    if not records:
        return {}
    data = records[0].data
    counts = data["split"]["counts"]
    folds = {record.fold for record in records}
    kind = "synthetic" if data["dataset"]["synthetic"] else "real"
    sides = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    return {
        "data": f"{data['dataset']['reference']}, {kind}, {data['dataset']['samples']:,} samples, "
        f"fingerprint {data['dataset']['fingerprint'][:12]}",
        "splits": f"{len(folds)} ({data['split']['kind']}): {sides}",
        "profile": str(data["profile"]),
    }
