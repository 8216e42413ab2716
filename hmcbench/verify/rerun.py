"""Fits some cells of published records again, here, and says whether they give the recorded result.

This is what the recomputation of numbers cannot show: that predictions were made by the named model. A cell
is planned from its record alone, and fitted only where its key is that of the record: the same data, split,
hierarchy, model with its version and parameters, profile, fold, seed and protocol. Installed plugins are run;
nothing in the folder of the records is.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np

from hmcbench.data.protocol import Protocol
from hmcbench.derive.calibration import NAME as CALIBRATED
from hmcbench.derive.ensembles import NAME as ENSEMBLE
from hmcbench.errors import BadInput, HmcbenchError
from hmcbench.execute import runner
from hmcbench.hierarchy.label_maps import LabelMaps
from hmcbench.interfaces import MetricSpec
from hmcbench.leaderboard.estimates import Estimator
from hmcbench.leaderboard.grouping import RowRecords
from hmcbench.metrics.promise import ALPHA
from hmcbench.plan.cells import Cell, Plan, make_plan
from hmcbench.plan.choices import Choices
from hmcbench.plan.datasets import load_datasets
from hmcbench.plan.suite import Decisions, Profile, Suite
from hmcbench.records.given_data import DataPaths, Given, WithTruth
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import Record
from hmcbench.records.suite_file import read_info
from hmcbench.registry.registry import Reference, Registry, parse_reference
from hmcbench.verify.findings import FOUND, NOTHING_RECOMPUTED

CameBack = Literal["equal bits", "within the interval", "not"]


@dataclass(frozen=True)
class FittedAgain:
    """A cell that was fitted again.

    Attributes:
        record: the name of its folder.
        verdict: ``equal bits`` (all predictions are the same numbers), ``within the interval`` (the primary
            metric is inside the 95 % interval of the record's own), or ``not``.
        text: the values, in words.
    """

    record: str
    verdict: CameBack
    text: str


@dataclass
class RerunReport:
    """Cells that were fitted again, and those that could not be.

    Attributes:
        seed: of the choice; the same seed chooses the same cells.
        cells: number of records to choose from.
        refitted: of those that were chosen.
        not_here: reason -> names of records that were chosen and cannot be fitted, or compared, here.
    """

    seed: int
    cells: int = 0
    refitted: list[FittedAgain] = field(default_factory=list)
    not_here: dict[str, list[str]] = field(default_factory=dict)

    @property
    def status(self) -> int:
        """0, ``FOUND`` where a cell gives another result, ``NOTHING_RECOMPUTED`` where none was fitted."""
        if any(cell.verdict == "not" for cell in self.refitted):
            return FOUND
        return 0 if self.refitted else NOTHING_RECOMPUTED

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {**vars(self), "refitted": [vars(cell) for cell in self.refitted], "status": self.status}


def rerun_cells(
    records: Sequence[Record],
    count: int,
    data: Mapping[str, DataPaths],
    registry: Registry,
    *,
    seed: int,
    device: str = "auto",
) -> RerunReport:
    """Fit ``count`` cells again, chosen at random among those that can be fitted here.

    Args:
        records: of any number of suites; brought, calibrated and failed ones and ensembles are no candidates.
        data: dataset name -> path, or several.
        registry: the installed plugins.
        seed: of the choice.
        device: as for a run.

    Returns:
        What each of them gives. Nothing is written below the records.
    """
    derived = (ENSEMBLE, CALIBRATED)
    usable = [r for r in records if r.ok and not r.brought and r.data["model"].get("name") not in derived]
    usable.sort(key=lambda record: record.key)
    random.Random(seed).shuffle(usable)
    report, given = RerunReport(seed, len(usable)), Given(registry, data)
    chosen: list[tuple[Record, Cell]] = []
    absent: dict[tuple[str, ...], str] = {}  # data that cannot be loaded are tried once
    for record in usable:
        if len(chosen) == count:
            break
        place = _data_of(record)
        reason = absent.get(place, "")
        if not reason:
            try:
                _check_comparable(record)
                chosen.append((record, cell_of(record, given)))
                continue
            except _NoData as error:
                reason = absent[place] = _without_data(error, record, given)
            except HmcbenchError as error:
                reason = str(error)
        report.not_here.setdefault(reason, []).append(record.path.name)
    if chosen:
        _fit(chosen, registry.specs("metrics"), device, report)
    return report


def _data_of(record: Record) -> tuple[str, ...]:
    """What records have in common whose data can be loaded and divided, or cannot."""
    fingerprint = str(record.data["dataset"].get("fingerprint"))
    protocol = str(Protocol.of_record(record.part("split")))
    return record.suite, record.dataset_reference, record.profile, fingerprint, protocol


def _check_comparable(record: Record) -> None:
    """Raise HmcbenchError where there is nothing to compare a fit with, before any is made."""
    if not record.has_predictions:
        raise _NotHere("their predictions were not published")
    record.predictions()


def _without_data(error: HmcbenchError, record: Record, given: Given) -> str:
    """Why data cannot be loaded, and how to give them."""
    spec = next((s for s in given.registry.specs("datasets") if s.name == record.dataset), None)
    if spec is None or not spec.path_param or given.paths_of(record):
        return str(error)
    return f"{error.what}: --data {record.dataset}=PATH"


class _NotHere(HmcbenchError):
    """A cell that cannot be fitted here, though others of its data may be."""


class _NoData(HmcbenchError):
    """Data that are not here, or are others than those of the record: no cell of theirs can be fitted."""


def cell_of(record: Record, given: Given) -> Cell:
    """The cell of a record, planned from the record alone.

    Raises:
        HmcbenchError: data or plugins that are not here, or others than those of the record.
    """
    registry = given.registry
    try:
        registry.get("models", str(record.data["model"].get("name")))
    except BadInput as error:
        raise _NotHere(error.what.partition(";")[0]) from None
    if record.data["model"].get("init_from"):
        raise _NotHere("they started from the trained model of another record")
    suite = _suite_of(record)
    path = given.path_of(record)
    data = {} if path is None else {record.dataset: path}
    choices = Choices(profile=record.profile, data=data, keep_weights=False)
    try:
        plan = make_plan(suite, registry, choices)
    except HmcbenchError as error:
        _check_data(suite, registry, choices)
        raise _NotHere(f"{record.label}: {error}") from None
    for pair in plan.not_applicable:
        raise _NotHere(f"{record.label}: {pair.reason}")
    cell = next((c for c in plan.cells if c.key == record.key), None)
    if cell is not None:
        threads = int(record.part("hardware").get("threads") or cell.threads)
        return replace(cell, metrics=(), threads=threads, computation=record.data["model"])
    like = next((c for c in plan.cells if (c.fold, c.seed) == (record.fold, record.seed)), None)
    if like is None:
        raise _NotHere(f"{record.label}: its protocol has no fold {record.fold}")
    raise _difference(record, like)


def _check_data(suite: Suite, registry: Registry, choices: Choices) -> None:
    """Raise _NoData where the one dataset of the suite cannot be loaded or divided."""
    try:
        load_datasets(registry, suite.protocol, suite.datasets[0], choices)
    except HmcbenchError as error:
        raise _NoData(error.what, allowed=error.allowed, hint=error.hint) from None


def _suite_of(record: Record) -> Suite:
    """A suite with one dataset and one model, as the record names them."""
    stored, head = record.data["model"], record.data["suite"]
    info = read_info(record.path.parent.parent) or {}
    budget = (info.get("profiles") or {}).get(record.profile) or {}
    reference = parse_reference(record.label)
    model = str(Reference(reference.name, reference.variant))
    params = {k: tuple(v) if isinstance(v, list) else v for k, v in (stored.get("params") or {}).items()}
    profile = Profile(
        (model,),
        time_limit=float(budget.get("time_limit") or 3600.0),
        threads=int(budget.get("threads") or 1),
        memory_mb=int(budget.get("memory_mb") or 0),
        seeds=record.seed + 1,
    )
    return Suite(
        record.suite,
        head.get("version") or 0,
        (record.dataset_reference,),
        str(head["primary"]),
        (),
        {record.profile: profile},
        protocol=Protocol.of_record(record.data["split"]),
        decisions=Decisions(
            record.part("decision").get("per", "shared"),
            alpha=float(record.part("decision").get("alpha", ALPHA)),
        ),
        params={record.dataset: {model: params}} if params else {},
    )


def _difference(record: Record, cell: Cell) -> HmcbenchError:
    """Why a planned cell has another key than the record."""
    ours, theirs = cell.record, record.data
    facts = [
        ("the data", theirs["dataset"].get("fingerprint"), ours["dataset"]["fingerprint"]),
        ("the split", theirs["split"].get("fingerprint"), ours["split"]["fingerprint"]),
        (
            f"the version of {theirs['model']['name']}",
            theirs["model"].get("version"),
            ours["model"]["version"],
        ),
    ]
    for what, recorded, here in facts:
        if recorded != here:
            text = f"{what} of the record is {str(recorded)[:12]}, here it is {str(here)[:12]}"
            return _NoData(text) if what == "the data" else _NotHere(text)
    return _NotHere(f"a plugin, a table of constants or a parameter of {record.label} is another one here")


# --------------------------------------------------------------------------- fit and compare


def _fit(
    chosen: Sequence[tuple[Record, Cell]], specs: Sequence[MetricSpec], device: str, report: RerunReport
) -> None:
    """Fit cells, and add their results to the report."""
    suite = Suite("rerun", 1, (), "", (), {})
    with TemporaryDirectory(prefix="hmcbench-") as folder:
        plan = Plan(suite, chosen[0][1].profile, [cell for _, cell in chosen], [])
        outcome = runner.execute(plan, Path(folder), device=device)
        if outcome.interrupted:
            raise KeyboardInterrupt
        again = {record.key: record for record in outcome.done}
        for record, _ in chosen:
            try:
                report.refitted.append(_compared(record, again.get(record.key), specs))
            except HmcbenchError as error:  # of one cell; the verdicts on the others stay
                report.not_here.setdefault(f"no comparison: {error}", []).append(record.path.name)


def _compared(record: Record, again: Record | None, specs: Sequence[MetricSpec]) -> FittedAgain:
    name = record.path.name
    if again is None or not again.ok:
        cause = again.cause if again is not None else "no record"
        return FittedAgain(name, "not", f"it failed here: {cause}")
    old, new = record.predictions(), _in_order_of(record.predictions(), again.predictions())
    if new is None:
        return FittedAgain(name, "not", "it predicts other samples here")
    if _equal(old, new):
        return FittedAgain(name, "equal bits", f"all {old.scores.size:,} scores are the same numbers")
    primary = str(record.data["suite"]["primary"])
    values = [r.metrics("test").get(primary) for r in (record, again)]
    largest = float(np.max(np.abs(old.scores - new.scores), initial=0.0))
    text = f"scores differ by up to {largest:.3g}; {primary} "
    if None in values:
        return FittedAgain(name, "not", f"{text}has no value in one of the two")
    text += f"{values[0]:.6g} in the record, {values[1]:.6g} here"
    known = record if old.truth is not None else WithTruth(record.path, record.data, new.truth)
    row = RowRecords(record.label, "", [known])
    estimate = Estimator([row], [primary], [], specs).row(row).get(primary)
    interval = None if estimate is None else estimate.interval()
    if interval is None:
        return FittedAgain(name, "not", f"{text}; there is no interval to judge by")
    inside = interval[0] <= float(values[1] or 0.0) <= interval[1]
    text += f"; 95 % interval [{interval[0]:.6g}, {interval[1]:.6g}]"
    return FittedAgain(name, "within the interval" if inside else "not", text)


def _in_order_of(old: Predictions, new: Predictions) -> Predictions | None:
    """The new predictions with the rows of the old; None where the samples are others."""
    where = {key: i for i, key in enumerate(zip(new.side, new.ids, strict=True))}
    keys = list(zip(old.side, old.ids, strict=True))
    if len(keys) != len(where) or any(key not in where for key in keys):
        return None
    return new.take(np.array([where[key] for key in keys], dtype=np.int64))


def _equal(old: Predictions, new: Predictions) -> bool:
    def same(a: Any, b: Any) -> bool:
        if a is None or b is None:
            return a is b
        if isinstance(a, LabelMaps):
            return a.same(b)
        left, right = (x.toarray() if hasattr(x, "toarray") else np.asarray(x) for x in (a, b))
        return bool(np.array_equal(left, right))

    parts = ("scores", "stop", "decisions", "maps", "novelty")
    return all(same(getattr(old, name), getattr(new, name)) for name in parts)
