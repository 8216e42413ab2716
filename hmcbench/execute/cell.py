"""Runs one cell phase by phase: data in, numbers out. No processes, no pipes.

Only ``CellRun`` passes data to a model. It guarantees that test targets never reach a model: ``fit`` gets
train and validation rows, ``predict`` gets no targets.
"""

from __future__ import annotations

import importlib
import math
import os
import random
import sys
import time
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from hmcbench.data import featurize
from hmcbench.data.drawn import with_drawn_pictures
from hmcbench.data.far import far_samples
from hmcbench.data.loading import load_dataset
from hmcbench.data.prepare import Preparation, direct_views, preparations, prepare
from hmcbench.data.protocol import Protocol
from hmcbench.data.shifts import with_held_images
from hmcbench.data.splits import Split, side
from hmcbench.data.variants import divide
from hmcbench.errors import BadInput, HmcbenchError, PluginError
from hmcbench.execute import resources, shifts, speed
from hmcbench.execute.pixels import PixelModel, check_sizes
from hmcbench.execute.predict import (
    Predicted,
    check_scores,
    far_predictions,
    join_scores,
    predict_sides,
    predicted_sides,
)
from hmcbench.execute.reporter import Reporter
from hmcbench.execute.second_fit import FITTED_ON, fit_second, is_due, second_fit
from hmcbench.execute.shifts import ShiftedViews
from hmcbench.execute.warm_start import describe_start, warm_start_of
from hmcbench.interfaces import ColumnKind, Dataset, DatasetSpec, Fit, FittedPer, ModelSpec, Run, Value
from hmcbench.metrics import decisions
from hmcbench.metrics.computing import Results, compute_sides, parts_of
from hmcbench.metrics.promise import ALPHA
from hmcbench.metrics.rules.scoring import find_rules, score_rules
from hmcbench.plan.cells import Cell
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import NPZ, read_record
from hmcbench.records.weights import MODEL_FOLDER, load_trained, save_model
from hmcbench.registry.registry import Registry, create, default_registry, load_object

SLOW_METRIC_S = 1.0  # a record names the time of metrics that take longer
EARLIER = "earlier_fit_s"
COSTS = ("search_s", "search_candidates", EARLIER)  # entries of describe() that are costs
IDENTITY = frozenset(
    (
        *("label", "reference", "name", "version", "params", "plugin", "transductive", "deterministic"),
        *("constants", "files", "members", "brought", "init_from", "refit_on"),
    )
)
"""Parts of a record's model that are not the model's to say."""


def run_cells(
    cells: Sequence[Cell],
    parts: Sequence[Path],
    works: Sequence[str],
    device: str,
    reports: Sequence[Reporter],
) -> Iterator[tuple[int, dict[str, Any] | Exception]]:
    """Run the cells of one group together; yields the position of every cell and its result.

    The result is the record's content, or the exception that ended the cell; predictions and history are
    in its ``parts`` by then. A cell that fails does not affect the others.
    """
    registry = default_registry()
    spec = registry.get("models", cells[0].model)
    for module in spec.requires:  # before the clock starts: imports are not part of a cell's time
        importlib.import_module(module)
    device = resources.choose_device(device, spec.accelerated)
    ready: dict[int, tuple[CellRun, Fit]] = {}
    with threadpool_limits(limits=max(cell.threads for cell in cells)), ExitStack() as watches:
        for i, cell in enumerate(cells):
            try:
                cell_run = CellRun(registry, spec, cell, device, reports[i])
                watches.callback(cell_run.memory.end)  # also of cells that fail
                fit = cell_run.prepare(works[i])
                added = cell_run.add_shifts(fit, parts[i]) if cell.kept else None
                if added is not None:
                    yield i, added
                else:
                    ready[i] = cell_run, fit
            except Exception as error:
                yield i, error
        with unmoved():
            errors = dict(zip(ready, fit_all(spec, list(ready.values())), strict=True))
            fitted = {i: pair for i, pair in ready.items() if errors[i] is None}
            errors |= refit_all(spec, fitted)
        for i, (cell_run, fit) in (ready | fitted).items():
            try:
                if (error_of_fit := errors[i]) is not None:
                    raise error_of_fit
                result: dict[str, Any] | Exception = cell_run.conclude(fit, parts[i])
            except Exception as error:
                result = error
            yield i, result


def fit_all(spec: ModelSpec, ready: Sequence[tuple[CellRun, Fit]]) -> Sequence[Exception | None]:
    """Fit one model, or several together; returns the exception of every fit, None where it succeeded."""
    for cell_run, _ in ready:
        cell_run.report.phase("fit")
    if len(ready) == 1:
        cell_run, fit = ready[0]
        return [fit_alone(cell_run, fit, lambda: fit.model.fit(fit.train, fit.valid, fit.run))]
    if not ready:
        return []
    clock = resources.Clock(ready[0][0].clock.device)
    with clock.phase("fit"):
        errors: Sequence[Exception | None] = load_object(spec.fit_many)([fit for _, fit in ready])
    if len(errors) != len(ready):
        raise PluginError(f"model {spec.name}: fit_many returned {len(errors)} entries for {len(ready)} fits")
    for cell_run, _ in ready:  # the time of one fit alone is not known: an equal share of the total
        cell_run.clock.seconds["fit_s"] = round(clock.seconds["fit_s"] / len(ready), 6)
        cell_run.shared = True
    return errors


def fit_alone(cell_run: CellRun, fit: Fit, call: Callable[[], None]) -> Exception | None:
    """Seed, ``call`` and take the time; the exception that was raised, or None."""
    seed_everything(fit.run.seed)
    try:
        with cell_run.clock.phase("fit"):
            call()
    except Exception as error:
        return error
    return None


def refit_all(spec: ModelSpec, fitted: dict[int, tuple[CellRun, Fit]]) -> dict[int, Exception | None]:
    """Second fits of the cells where they are due; ``fitted`` then holds their models.

    Returns:
        Position -> exception, None where a second fit succeeded; only of cells with a second fit.
    """
    errors: dict[int, Exception | None] = {}
    own: list[int] = []
    new: list[int] = []
    for i, (cell_run, first) in fitted.items():
        try:
            if is_due(first):
                fitted[i] = cell_run, cell_run.begin_refit(first)
                (own if hasattr(first.model, "refit") else new).append(i)
        except Exception as error:
            errors[i] = error
    for i in own:
        cell_run, fit = fitted[i]
        cell_run.report.phase("fit")
        errors[i] = fit_alone(cell_run, fit, partial(fit_second, fit))
    errors |= dict(zip(new, fit_all(spec, [fitted[i] for i in new]), strict=True))
    for i in (*own, *new):
        fitted[i][0].end_refit()
    return errors


class CellRun:
    """The state of a running cell: :meth:`prepare`, then :func:`fit_all`, then :meth:`conclude`."""

    def __init__(
        self, registry: Registry, spec: ModelSpec, cell: Cell, device: str, report: Reporter
    ) -> None:
        self.registry, self.spec, self.cell, self.report = registry, spec, cell, report
        self.memory = resources.MemoryWatch()
        self.clock = resources.Clock(device)
        self.seconds = 0.0  # spent before the fit
        self.shared = False  # whether the time of the fit is a share of a joint fit
        self.first_fit_s: float | None = None  # set where a second fit follows
        self.first_earlier_s = 0.0  # of the first fit, before its process was killed
        self.first_scores: dict[str, Predicted] = {}  # of the validation partition, by the first fit

    def prepare(self, work: str) -> Fit:
        """Load, split and featurize; make the model."""
        started = time.perf_counter()
        cell, report, clock = self.cell, self.report, self.clock
        seed_everything(cell.seed)
        report.phase("load")
        with clock.phase("load"):
            self.dataset, self.split = load(self.registry, cell)
        report.phase("featurize")
        with clock.phase("draw"):
            plans = featurize.plan_views(
                self.registry, tuple(self.dataset.views), self.spec.views, cell.model_params
            )
            drawn = {plan.source for plan in plans if plan.steps}
            self.dataset = with_drawn_pictures(self.dataset, drawn, cell.threads)
        with clock.phase("featurize"):
            self.views = make_views(self.spec, cell, self.dataset, self.split, plans)
        model = create(self.spec, cell.model_params)
        train, valid = (side(self.dataset, self.views.rows, self.split, n) for n in ("train", "validation"))
        run = Run(
            self.dataset.task,
            cell.seed,
            clock.device,
            cell.threads,
            cell.profile,
            folder=work,
            init_from=warm_start_of(cell),
            dataset=cell.record["dataset"]["reference"],
            columns=self.views.columns,
            refit=bool(cell.protocol["refit"]),
            computation=cell.computation,
            report=report,
        )
        self.seconds = time.perf_counter() - started
        return Fit(model, train, valid, run)

    def begin_refit(self, first: Fit) -> Fit:
        """Predict the validation partition by the first fit; the arguments of the second."""
        started = time.perf_counter()
        self.report.phase("predict")
        self.first_scores = self.predict(first.model, ["validation"])
        self.first_fit_s = self.clock.seconds["fit_s"]
        self.first_earlier_s = costs_in(facts_of(first.model)).get(EARLIER, 0.0)
        second = second_fit(
            self.spec, self.cell.model_params, first, self.dataset, self.views.rows, self.split
        )
        self.seconds += time.perf_counter() - started
        return second

    def end_refit(self) -> None:
        """``fit_s`` counts both fits, ``refit_s`` the second."""
        seconds = self.clock.seconds
        if self.first_fit_s is not None and "fit_s" in seconds:
            seconds["refit_s"] = seconds["fit_s"]
            seconds["fit_s"] = round(self.first_fit_s + seconds["refit_s"], 6)

    def count_earlier(self, model: Any, costs: dict[str, float]) -> None:
        """Of a fit that was killed and resumed all of the time counts; ``costs`` of the model then has it.

        A model with ``refit`` tells the earlier time of both fits, another one that of the second alone.
        """
        seconds, of_both = self.clock.seconds, costs.get(EARLIER, 0.0)
        if self.first_fit_s is not None:
            of_both += 0.0 if hasattr(model, "refit") else self.first_earlier_s
            of_second = max(of_both - self.first_earlier_s, 0.0)
            seconds["refit_s"] = round(seconds["refit_s"] + of_second, 6)
        seconds["fit_s"] = round(seconds["fit_s"] + of_both, 6)
        if of_both:
            costs[EARLIER] = round(of_both, 6)

    def predict(self, model: Any, sides: Sequence[str]) -> dict[str, Predicted]:
        """Partition -> checked scores, or label maps."""
        if self.dataset.task.unit == "pixel":
            model = PixelModel(model, self.spec, self.dataset.task)
        return predict_sides(model, self.spec, self.dataset, self.views.rows, self.split, sides, self.clock)

    def conclude(self, fit: Fit, part: Path) -> dict[str, Any]:
        """Predict and score; write predictions and history to ``part``; return the record's content."""
        started = time.perf_counter()
        cell, report, clock, task, model = self.cell, self.report, self.clock, self.dataset.task, fit.model
        report.phase("predict")
        sides = [name for name in predicted_sides(self.split) if name not in self.first_scores]
        scores = self.first_scores | self.predict(model, sides)
        joined = join_scores(self.dataset, self.split, scores, cell.protocol["score_bits"])
        predictions = replace(joined, alpha=cell.alpha)
        if cell.far is not None:
            report.phase("far")
            with clock.phase("far"):
                predictions = predictions.beside(self.predict_far(model, predictions))
        if predictions.maps is not None:
            check_sizes(predictions.maps, predictions.truth, predictions.ids, self.spec)
        report.phase("measure")
        with clock.phase("measure"):
            measured = self.measure(model)
        report.phase("score")
        with clock.phase("score"):
            thresholds, scored = score(self.registry, predictions, cell.metrics, cell.per)
            rules = find_rules(self.registry, cell.rules)
            specs, names = self.registry.specs("metrics"), cell.metrics or None
            ruled = score_rules(rules, specs, predictions, thresholds, cell.per, names)
        shifted = self.shifts(model, predictions, thresholds, part)
        report.phase("save")
        predictions.save(part / NPZ)
        with clock.phase("save"):
            weights = None
            if cell.keep_weights:
                weights = save_model(model, part / MODEL_FOLDER, self.views.preparations)
        report.write()
        described = facts_of(model)
        if self.first_fit_s is not None:  # the validation scores are of the first fit
            described["fitted_on"], described["refit_on"] = "train", FITTED_ON
        costs = costs_in(described)
        self.count_earlier(model, costs)
        spent = seconds_of(scored)
        slow = {name: round(seconds, 3) for name, seconds in spent.items() if seconds >= SLOW_METRIC_S}
        elapsed = self.seconds + clock.seconds["fit_s"] + time.perf_counter() - started
        scoring = sum(spent.values()) + sum(block["seconds"] for block in ruled.values())
        beside = sum(clock.seconds.get(f"{phase}_s", 0.0) for phase in ("draw", "measure", "shifts", "far"))
        not_the_model = beside + scoring
        timing = clock.seconds | self.views.timing() | costs | measured | {"shared": self.shared}
        timing["elapsed_s"] = round(elapsed, 4)
        timing["total_s"] = round(elapsed - not_the_model + self.views.unpaid_s, 4)
        if cell.init_from:
            described["init_from"] = describe_start(cell, predictions)
        return {
            "model": {**cell.record["model"], **described},
            "decision": {
                "rule": decisions.rule_name(task, thresholds, cell.per)
                if predictions.decisions is None
                else decisions.OF_THE_MODEL,
                "thresholds": thresholds.to_json() if thresholds is not None else None,
                **({"per": cell.per} if cell.per != "shared" else {}),
                **({"alpha": cell.alpha} if cell.alpha != ALPHA else {}),
            },
            **parts_of(scored),
            **({"rules": ruled} if ruled else {}),
            **({"shifts": shifted} if shifted else {}),
            "weights": weights,
            "timing": {**timing, **({"metrics_s": slow} if slow else {})},
            "memory": self.memory.stop(clock.device),
            "hardware": resources.hardware(clock.device, cell.at_a_time) | {"threads": cell.threads},
            "versions": resources.versions(cell.preload),
        }

    def shifts(
        self, model: Any, predictions: Predictions, thresholds: decisions.Thresholds | None, part: Path
    ) -> dict[str, Any]:
        """Predict the test samples under the shifts of the cell; the part ``shifts`` of the record."""
        cell = self.cell
        if not cell.shifts:
            return {}
        dataset = with_held_images(self.dataset, self.split.sides["test"].tolist())
        self.report.phase("shifts")
        views = self.reading(dataset)
        with self.clock.phase("shifts"):
            predicted = shifts.predict_shifts(model, self.spec, views, cell.shifts)
            specs, names = self.registry.specs("metrics"), cell.shift_metrics
            sources = frozenset(plan.source for plan in self.views.plans)
            kept = (sources, predictions, thresholds, specs, names, part)
            return shifts.shifts_part(cell.shifts, predicted, *kept)

    def reading(self, dataset: Dataset) -> ShiftedViews:
        """How the model reads samples that are not those of the dataset."""
        of_model = (self.views.plans, self.views.rows, self.views.preparations, self.cell.threads)
        return ShiftedViews(self.registry, dataset, self.split, *of_model)

    def predict_far(self, model: Any, beside: Predictions) -> Predictions:
        """Predictions of the far unknowns, which have no class.

        Args:
            beside: of the cell, for their form.
        """
        assert self.cell.far is not None
        name, params = self.cell.far
        spec = self.registry.get("datasets", name)
        other = load_dataset(self.registry, spec, absolute(spec, params))
        far = far_samples(self.dataset, other, self.cell.protocol["far_unknown"])
        if far.fingerprint != self.cell.record["split"].get("far_fingerprint"):
            raise _changed(name)
        samples = self.reading(self.dataset).of_others(far)
        scores = check_scores(model.predict(samples), len(samples), self.dataset.task, self.spec)
        return far_predictions(samples.ids, scores, beside)

    def add_shifts(self, fit: Fit, part: Path) -> dict[str, Any] | None:
        """Predict the shifts with the model that an earlier record of this cell kept.

        Returns:
            What :func:`hmcbench.execute.outcome.record_outcome` adds to that record; None where its model
            cannot be used, and the cell is to be run again.
        """
        try:
            record = read_record(Path(self.cell.kept))
            predictions = record.predictions()
            device, threads = fit.run.device, self.cell.threads
            model = load_trained(record.path, device, self.registry, threads=threads).model
            (scores,) = self.predict(model, ["test"]).values()
            shifts.check_same(scores, predictions)
            return {"shifts": self.shifts(model, predictions, record.thresholds, part)}
        except HmcbenchError as error:
            warnings.warn(f"the cell is run again: {error}", stacklevel=2)  # to the log of the worker
            return None

    def measure(self, model: Any) -> dict[str, float]:
        """See :func:`hmcbench.execute.speed.measure`."""
        if self.dataset.task.unit == "pixel":
            model = PixelModel(model, self.spec, self.dataset.task)
        samples = speed.TimedSamples.of(self.dataset, self.views.plans, self.views.rows)
        predict_s, device = self.clock.seconds["predict_s"], self.clock.device
        return speed.measure(model, samples, self.split.sides["test"], predict_s, device, self.cell.threads)


@contextmanager
def unmoved() -> Iterator[None]:
    """Restore the working directory, which a model may change: later phases read and write files."""
    folder = Path.cwd()
    try:
        yield
    finally:
        os.chdir(folder)


def seed_everything(seed: int) -> None:
    """Seed python, numpy and, if it is loaded, torch."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 (plugins may use the global generator)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(seed)


def load(registry: Registry, cell: Cell) -> tuple[Dataset, Split]:
    """The data and the split of the plan; raises BadInput if they have changed since."""
    spec = registry.get("datasets", cell.dataset)
    dataset = load_dataset(registry, spec, absolute(spec, cell.dataset_params))
    planned = cell.record["dataset"]
    if dataset.fingerprint != planned["fingerprint"]:
        raise _changed(cell.dataset)
    dataset, split = divide(dataset, Protocol(**cell.protocol), cell.fold)
    hierarchy = dataset.task.hierarchy
    found = hierarchy.fingerprint if hierarchy is not None else ""
    if (found, split.fingerprint) != (planned["hierarchy"], cell.record["split"]["fingerprint"]):
        raise _changed(cell.dataset)
    return dataset, split


def absolute(spec: DatasetSpec, params: Mapping[str, Value]) -> dict[str, Value]:
    """Parameters with an absolute path: files are read later, when a model may have moved."""
    path = params.get(spec.path_param)
    if path and Path(str(path)).exists():
        return {**params, spec.path_param: str(Path(str(path)).absolute())}
    return dict(params)


def _changed(name: str) -> BadInput:
    return BadInput(
        f"the data of {name} changed while the run was going on", hint="type the same command again"
    )


@dataclass(frozen=True, eq=False)
class Views:
    """The views that a model reads, of all rows (featurizers are stateless), and their cost.

    Attributes:
        columns: view -> kinds of the columns, where the dataset describes them.
        preparations: view of the dataset that is read -> its columns, and how they were prepared.
        costs: cached file -> cost of computing it; a step that two views share is there once.
        computed: the files that this cell computed.
    """

    plans: Sequence[featurize.ViewPlan]
    rows: Mapping[str, Any]
    columns: Mapping[str, Sequence[ColumnKind]]
    preparations: Mapping[str, Preparation]
    costs: Mapping[Path, featurize.Cost]
    computed: Collection[Path]

    @property
    def unpaid_s(self) -> float:
        """Seconds that other cells spent on these views."""
        return sum(cost.seconds for path, cost in self.costs.items() if path not in self.computed)

    def timing(self) -> dict[str, Any]:
        """For the record: what the views cost, by whichever cell, and whether all came from the cache."""
        return {
            "featurize_s": round(sum(cost.seconds for cost in self.costs.values()), 6),
            "featurize_cpu_s": round(sum(cost.cpu_seconds for cost in self.costs.values()), 6),
            "views_cached": not self.computed,
        }


def make_views(
    spec: ModelSpec, cell: Cell, dataset: Dataset, split: Split, plans: Sequence[featurize.ViewPlan]
) -> Views:
    """Every view that the model reads."""
    machine = resources.machine()
    views = {plan.name: featurize.compute_view(plan, dataset, cell.threads, machine) for plan in plans}
    costs = {path: cost for view in views.values() for path, cost in view.costs.items()}
    computed = {path for view in views.values() for path in view.computed}
    prepared_by = preparations(dataset, split.sides["train"], spec)
    prepared = prepare(dataset, prepared_by)
    rows = direct_views(plans, {name: view.rows for name, view in views.items()}, prepared)
    columns = {name: view.kinds for name, view in prepared.items() if name in rows}
    read = {plan.source for plan in plans}
    prepared_by = {name: way for name, way in prepared_by.items() if name in read}
    return Views(plans, rows, columns, prepared_by, costs, computed)


def score(
    registry: Registry, predictions: Predictions, names: Sequence[str] = (), per: FittedPer = "shared"
) -> tuple[decisions.Thresholds | None, dict[str, Results]]:
    """Thresholds from the validation partition, then metrics (all where none is named) on every partition."""
    valid = predictions.of_side("validation")
    thresholds = decisions.thresholds_of(valid.scores, valid.truth, valid.task, per)
    return thresholds, compute_sides(registry.specs("metrics"), predictions, thresholds, names or None)


def seconds_of(scored: Mapping[str, Results]) -> dict[str, float]:
    """Metric -> seconds on all partitions. They are no cost of the model: ``total_s`` leaves them out."""
    names = sorted({name for results in scored.values() for name in results.seconds})
    return {name: sum(results.seconds.get(name, 0.0) for results in scored.values()) for name in names}


def facts_of(model: Any) -> dict[str, Any]:
    """What ``describe()`` of a fitted model says, in types of JSON; empty without such a method.

    A fact of the name of one of :data:`IDENTITY` does not replace it: it is ``described_NAME``.

    Raises:
        PluginError: what it says is no table.
    """
    said = model.describe() if hasattr(model, "describe") else None
    if not isinstance(said, Mapping | None):
        raise PluginError(f"describe() returned a value of type {type(said).__name__}, not a mapping")
    facts = plain(said or {})
    return {f"described_{name}" if name in IDENTITY else name: value for name, value in facts.items()}


def costs_in(facts: dict[str, Any]) -> dict[str, float]:
    """Take what is a cost out of the facts of a model.

    Raises:
        PluginError: a cost that is no number.
    """
    costs = {name: facts.pop(name) for name in COSTS if name in facts}
    for name, value in costs.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise PluginError(f"describe() returned {value!r:.40} as {name}, not a number")
    return costs


def plain(values: Mapping[Any, Any]) -> dict[str, Any]:
    """A table as JSON can hold it: numpy values as Python ones, NaN and infinity as None.

    Whole numbers beyond eight bytes, which not every reader takes, and any other type that JSON does not have
    are text.
    """
    return {str(name): _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    if isinstance(value, Mapping):
        return plain(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, int) and value.bit_length() > 63:
        return f"a whole number of {value.bit_length():,} bits"
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)
