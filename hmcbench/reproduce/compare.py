"""Compares a published table with records: the cells that it needs, and a verdict per value and row."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from hmcbench.errors import BadInput, unknown
from hmcbench.interfaces import MetricSpec
from hmcbench.leaderboard.columns import metric_spec
from hmcbench.leaderboard.estimates import Estimator
from hmcbench.leaderboard.grouping import RowRecords
from hmcbench.leaderboard.grouping import rows as rows_of
from hmcbench.leaderboard.inference import Estimate, prediction_interval, same_split_interval
from hmcbench.leaderboard.verdicts import UNTESTABLE, joint_level, row_verdict, value_verdict
from hmcbench.plan.cells import Plan, make_plan
from hmcbench.plan.choices import Choices, check_data_names, data_of
from hmcbench.plan.datasets import is_at_hand
from hmcbench.plan.suite import load_suite
from hmcbench.records.record import Record
from hmcbench.registry.registry import Registry, parse_reference
from hmcbench.reproduce.tables import PublishedRow, PublishedTable, inconsistencies, published_row


@dataclass(frozen=True)
class ComparedValue:
    """A published number, our mean over splits or seeds, where the paper's should lie, and the verdict.

    Attributes:
        low, high: the interval of one further split, or of the mean of further trainings
            (:attr:`PublishedTable.mean_of`); 95 % for the values of a row together.
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
    """A table that was run again.

    Attributes:
        records: the folder names of the records of its numbers.
        references: dataset of the table -> as records name it.
    """

    table: PublishedTable
    rows: Sequence[RowResult]
    facts: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    records: Sequence[str] = ()
    references: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Planned:
    """The cells of a table.

    Attributes:
        labels: row label -> label of its model.
        reasons: row label -> why it cannot run at all.
        refusals: (row label, dataset of the table) -> why it cannot run there.
        references: dataset of the table -> as records name it; ``""`` for the only one.
        absent: dataset of the table -> why its data are not there.
    """

    plan: Plan
    labels: Mapping[str, str]
    reasons: Mapping[str, str]
    refusals: Mapping[tuple[str, str], str]
    references: Mapping[str, str]
    absent: Mapping[str, str]


def absent_data(table: PublishedTable, registry: Registry, choices: Choices) -> dict[str, str]:
    """Dataset of a table with several -> why it cannot be run: nobody has it, or its files are not here.

    Raises BadInput for a profile or a dataset of ``--data`` that the table's suite has not.
    """
    absent = {name: reason for name, reason in table.absent.items() if name in table.datasets}
    suite = load_suite(registry, table.suite)
    choices = replace(choices, data=data_of(suite, choices.data))
    check_data_names(choices, suite.datasets)
    if choices.profile and choices.profile not in suite.profiles:
        raise unknown(f"profile of suite {suite.name}", choices.profile, suite.profiles)
    for name in table.datasets:
        if name not in absent and not is_at_hand(registry, name, choices):
            dataset = parse_reference(name).name
            fetch = f", or hmcbench data fetch {dataset}" if registry.get("datasets", dataset).fetch else ""
            absent[name] = f"its data are not here (--data {dataset}=PATH{fetch})"
    return absent


def plan_table(
    table: PublishedTable, registry: Registry, choices: Choices, rows: Sequence[PublishedRow]
) -> Planned:
    """Cells for ``rows``: the table's suite with the paper's protocol and the rows' models.

    Rows whose model is not installed or does not apply to the data have a reason instead of cells. Of a
    table with several datasets those are run whose data are there.

    Raises BadInput where nothing can be run.
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
    if not table.dataset and not table.datasets:  # the suite's other datasets are not the paper's
        suite = replace(suite, datasets=suite.datasets[:1])
    absent = absent_data(table, registry, choices)
    datasets = tuple(name for name in table.datasets if name not in absent)
    if table.datasets and not datasets:
        raise BadInput(f"{table.datasets[0]}: {absent[table.datasets[0]]}")
    profiles = {name: replace(values, models=models, labels={}) for name, values in suite.profiles.items()}
    suite = replace(suite, profiles=profiles)  # the rows' models alone, with the parameters of the rows
    references = {name: _reference(registry, name, profile) for name in datasets}
    names = tuple(references.values()) or ((table.dataset,) if table.dataset else ())
    if references:  # as entries of the suite, they stand for themselves and for no other of their name
        suite = replace(suite, datasets=tuple(dict.fromkeys((*suite.datasets, *names))))
    # one seed unless the table has more: the splits vary, as in most papers
    choices = replace(choices, profile=profile, datasets=names, seeds=choices.seeds or table.seeds)
    plan = make_plan(suite, registry, choices)
    references = references or {"": ""}
    refused = {(pair.model, pair.dataset if datasets else ""): pair.reason for pair in plan.not_applicable}
    refusals = {
        (row.label, name): refused[row.model, reference]
        for row in rows
        for name, reference in references.items()
        if (row.model, reference) in refused
    }
    return Planned(plan, labels, reasons, refusals, references, absent)


def _reference(registry: Registry, dataset: str, profile: str) -> str:
    """The dataset as records name it."""
    return registry.label("datasets", *registry.resolve("datasets", dataset, profile), profile)


def untestable(
    table: PublishedTable, rows: Sequence[PublishedRow], reason: str, absent: Mapping[str, str] | None = None
) -> Result:
    """The table with the paper's numbers alone; ``absent`` as in :class:`Planned`."""
    notes = [*notes_of(table), *_of_absent(table, absent or {})]
    return Result(table, [_untested(table, row, reason) for row in rows], notes=notes)


def _untested(table: PublishedTable, row: PublishedRow, reason: str) -> RowResult:
    values = [ComparedValue(v) for v in published_row(table, row).values]
    return RowResult(row, values, UNTESTABLE, reason)


class _Board:
    """The records of one dataset."""

    def __init__(self, table: PublishedTable, records: Sequence[Record], specs: Sequence[MetricSpec]) -> None:
        self.runs = {run.label: run for run in rows_of(list(records))[0]}
        self.synthetic = any(record.data["dataset"].get("synthetic") for record in records)
        self._estimator = None
        if any(record.ok for record in records):
            sampled = not table.mean_of  # else only the training varies
            self._estimator = Estimator(
                list(self.runs.values()), table.all_metrics, (), specs, sampled=sampled
            )

    def estimates(self, label: str) -> tuple[Mapping[str, Estimate], int, str]:
        """Metric -> estimate of a model, with the number of its records; or why there is none."""
        run = self.runs.get(label)
        if run is None or self._estimator is None or not run.ok:
            return {}, 0, _failure(run)
        return self._estimator.row(run), len(self._estimator.complete(run)), ""


def compare(
    table: PublishedTable,
    planned: Planned,
    records: Sequence[Record],
    specs: Sequence[MetricSpec],
    rows: Sequence[PublishedRow],
) -> Result:
    """Judge every row by the records of its cells."""
    boards = {
        name: _Board(table, of_dataset(records, reference), specs)
        for name, reference in planned.references.items()
    }
    results = [_row_result(table, row, planned, boards, specs) for row in rows]
    good = [record for record in records if record.ok]
    notes = [*notes_of(table), *_of_absent(table, planned.absent)]
    names = sorted(record.path.name for record in good)
    return Result(table, results, _facts(table, good), notes, names, planned.references)


def of_dataset(records: Sequence[Record], reference: str) -> list[Record]:
    """The records of a dataset; all for an empty reference."""
    return [r for r in records if not reference or r.dataset_reference == reference]


def _of_absent(table: PublishedTable, absent: Mapping[str, str]) -> list[str]:
    """A line per reason why data are not there, with the headers of the datasets."""
    headers = dict(zip(table.datasets, table.headers, strict=False))
    by_reason: dict[str, list[str]] = {}
    for name, reason in absent.items():
        by_reason.setdefault(reason, []).append(headers[name])
    return [f"not testable: {', '.join(names)}: {reason}" for reason, names in by_reason.items()]


def _row_result(
    table: PublishedTable,
    row: PublishedRow,
    planned: Planned,
    boards: Mapping[str, _Board],
    specs: Sequence[MetricSpec],
) -> RowResult:
    """A row over all datasets of the table."""
    if row.label in planned.reasons:
        return _untested(table, row, planned.reasons[row.label])
    estimates: dict[tuple[str, str], Estimate] = {}
    failures: dict[str, str] = {}
    runs = 0
    for name, board in boards.items():
        of_board, count, failure = board.estimates(planned.labels.get(row.label, ""))
        estimates |= {(name, metric): estimate for metric, estimate in of_board.items()}
        failure = planned.refusals.get((row.label, name), failure)
        failures |= {name: failure} if failure else {}
        runs += count
    if not estimates:
        return _untested(table, row, next(iter(failures.values()), "no record"))
    values = _values(table, row, estimates, specs)
    headers = dict(zip(table.datasets, table.headers, strict=False))
    reason = "; ".join(f"{headers[name]}: {text}" for name, text in failures.items())
    if any(board.synthetic for board in boards.values()):
        values, reason = [replace(v, verdict=UNTESTABLE) for v in values], "the data are synthetic"
    return RowResult(row, values, row_verdict([value.verdict for value in values]), reason, runs)


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
    estimates: Mapping[tuple[str, str], Estimate],
    specs: Sequence[MetricSpec],
) -> list[ComparedValue]:
    source = published_row(table, row)
    columns = table.columns(row)
    pairs = [(value, estimates.get(column[1:])) for value, column in zip(source.values, columns, strict=True)]
    level = level_of([(v, None if e is None else e.mean) for v, e in pairs], several=bool(table.datasets))
    out = []
    for column, (published, estimate) in zip(columns, pairs, strict=True):
        if estimate is None:
            out.append(ComparedValue(published))
            continue
        spec = metric_spec(specs, column.metric)
        better, top = (spec.better, spec.high) if spec is not None else ("higher", None)
        low, high = interval_of(estimate, level, source.mean_of or table.mean_of, top)
        interval = None if low is None or high is None else (low, high)
        digits = source.digits or table.digits
        verdict = value_verdict(published, interval, better, digits, top, table.margin)
        out.append(ComparedValue(published, estimate.mean, low, high, verdict))
    return out


def level_of(values: Sequence[tuple[float | None, float | None]], *, several: bool) -> float:
    """The level of each interval of a row, given the published values (NaN or None for none) with ours.

    Of several datasets those count that have a value of ours.
    """
    return joint_level(
        sum(
            value is not None and not math.isnan(value) and not (several and mean is None)
            for value, mean in values
        )
    )


def interval_of(
    estimate: Estimate, level: float, mean_of: int, top: float | None
) -> tuple[float | None, float | None]:
    """Where the paper's value should lie; (None, None) where that is unknown.

    Args:
        estimate: ours.
        level: :func:`level_of`.
        mean_of: of the row or its table.
        top: the upper bound of the metric.
    """
    interval = (
        same_split_interval(estimate, level, mean_of) if mean_of else prediction_interval(estimate, level)
    )
    if interval is None:
        return None, None
    low, high = interval
    return low, high if top is None else min(high, top)  # R2 is at most 1, t intervals may exceed it


def _facts(table: PublishedTable, records: Sequence[Record]) -> dict[str, str]:
    if not records:
        return {}
    data = records[0].data
    folds = {record.fold for record in records}
    kind = "synthetic" if any(r.data["dataset"].get("synthetic") for r in records) else "real"
    if table.datasets:
        names = {record.dataset_reference for record in records}
        return {
            "data": f"{len(names)} of {len(table.datasets)} datasets, {kind}",
            "splits": f"{len(folds)} ({data['split']['kind']})",
            "profile": str(data["profile"]),
            "trainings": f"up to {len({record.seed for record in records})} of ours per cell",
        }
    counts = data["split"]["counts"]
    sides = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    return {
        "data": f"{records[0].dataset_reference}, {kind}, {data['dataset']['samples']:,} samples, "
        f"fingerprint {data['dataset']['fingerprint'][:12]}",
        "splits": f"{len(folds)} ({data['split']['kind']}): {sides}",
        "profile": str(data["profile"]),
    }
