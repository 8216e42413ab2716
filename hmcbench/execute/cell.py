"""What happens in a cell, phase by phase: data in, numbers out. No processes, no pipes.

``CellRun`` is the only place where a model meets data. It keeps the promise that test targets
never reach a model: what ``fit`` gets is made from the train and validation rows, what ``predict``
gets has no targets.
"""

from __future__ import annotations

import importlib
import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from hmcbench.data import featurize
from hmcbench.data.loading import load_dataset
from hmcbench.data.protocol import Protocol
from hmcbench.data.splits import Split, make_split, side
from hmcbench.errors import BadInput, PluginError
from hmcbench.execute import resources
from hmcbench.execute.predict import predict_all
from hmcbench.execute.reporter import Reporter
from hmcbench.execute.warm_start import describe_start, warm_start_of
from hmcbench.interfaces import Dataset, Fit, ModelSpec, Run
from hmcbench.metrics import decisions
from hmcbench.metrics.computing import Results, compute_sides
from hmcbench.plan.cells import Cell
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import NPZ
from hmcbench.records.weights import MODEL_FOLDER, save_model
from hmcbench.registry.registry import Registry, create, default_registry, load_object

SEARCH = ("search_s", "search_candidates")  # what a model tells of its search, and what are costs


def run_cells(
    cells: Sequence[Cell],
    parts: Sequence[Path],
    works: Sequence[str],
    device: str,
    reports: Sequence[Reporter],
) -> Iterator[tuple[int, dict[str, Any] | Exception]]:
    """Run cells, those of one group together; yields every cell's place and what became of it.

    What comes out is the record's content, or the exception that ended the cell; predictions and
    history are in its ``parts`` by then. A cell of a group that fails leaves the others alone.
    """
    registry = default_registry()
    spec = registry.get("models", cells[0].model)
    for module in spec.requires:  # before the clock starts: nobody should pay for an import
        importlib.import_module(module)
    device = resources.choose_device(device, spec.accelerated)
    ready: dict[int, tuple[CellRun, Fit]] = {}
    with threadpool_limits(limits=max(cell.threads for cell in cells)):
        for i, cell in enumerate(cells):
            try:
                trial = CellRun(registry, spec, cell, device, reports[i])
                ready[i] = trial, trial.prepare(works[i])
            except Exception as error:
                yield i, error
        outcomes = fit_all(spec, list(ready.values()))
        for (i, (trial, fit)), outcome in zip(ready.items(), outcomes, strict=True):
            try:
                if outcome is not None:
                    raise outcome
                result: dict[str, Any] | Exception = trial.conclude(fit, parts[i])
            except Exception as error:
                result = error
            yield i, result


def fit_all(spec: ModelSpec, ready: Sequence[tuple[CellRun, Fit]]) -> Sequence[Exception | None]:
    """Fit one model, or several together; the exception of every fit that failed."""
    for trial, _ in ready:
        trial.report.phase("fit")
    if len(ready) == 1:
        trial, fit = ready[0]
        seed_everything(fit.run.seed)
        try:
            with trial.clock.phase("fit"):
                fit.model.fit(fit.train, fit.valid, fit.run)
        except Exception as error:
            return [error]
        return [None]
    if not ready:
        return []
    clock = resources.Clock(ready[0][0].clock.device)
    with clock.phase("fit"):
        outcomes: Sequence[Exception | None] = load_object(spec.fit_many)([fit for _, fit in ready])
    if len(outcomes) != len(ready):
        raise PluginError(
            f"model {spec.name}: fit_many returned {len(outcomes)} entries for {len(ready)} fits"
        )
    for trial, _ in ready:  # what a cell would cost alone nobody measured: its share of the whole
        trial.clock.seconds["fit_s"] = round(clock.seconds["fit_s"] / len(ready), 6)
        trial.shared = True
    return outcomes


class CellRun:
    """One cell on its way: :meth:`prepare`, then its model is fitted, then :meth:`conclude`."""

    def __init__(
        self, registry: Registry, spec: ModelSpec, cell: Cell, device: str, report: Reporter
    ) -> None:
        self.registry, self.spec, self.cell, self.report = registry, spec, cell, report
        self.memory = resources.MemoryWatch()
        self.clock = resources.Clock(device)
        self.seconds = 0.0  # spent before the fit
        self.shared = False  # whether the time of the fit is a share of a common one

    def prepare(self, work: str) -> Fit:
        """Load, split and featurize; make the model."""
        started = time.perf_counter()
        cell, report, clock = self.cell, self.report, self.clock
        seed_everything(cell.seed)
        report.phase("load")
        with clock.phase("load"):
            self.dataset, self.split = load(self.registry, cell)
        report.phase("featurize")
        with clock.phase("featurize"):
            self.views, self.cached = make_views(self.registry, self.spec, cell, self.dataset)
        model = create(self.spec, cell.model_params)
        train, valid = (side(self.dataset, self.views, self.split, n) for n in ("train", "validation"))
        run = Run(
            self.dataset.task,
            cell.seed,
            clock.device,
            cell.threads,
            cell.profile,
            folder=work,
            init_from=warm_start_of(cell),
            report=report,
        )
        self.seconds = time.perf_counter() - started
        return Fit(model, train, valid, run)

    def conclude(self, fit: Fit, part: Path) -> dict[str, Any]:
        """Predict and score; write predictions and history into ``part``; return the record's content."""
        started = time.perf_counter()
        cell, report, clock, task, model = self.cell, self.report, self.clock, self.dataset.task, fit.model
        report.phase("predict")
        predictions, timing = predict_all(model, self.spec, self.dataset, self.views, self.split, clock)
        report.phase("score")
        with clock.phase("score"):
            thresholds, scored = score(self.registry, predictions)
        predictions.save(part / NPZ)
        with clock.phase("save"):
            weights = save_model(model, part / MODEL_FOLDER) if cell.keep_weights else None
        report.write()
        described = plain(model.describe()) if hasattr(model, "describe") else {}
        searched = {name: described.pop(name) for name in SEARCH if name in described}
        timing = {**clock.seconds, **searched, **timing, "views_cached": self.cached, "shared": self.shared}
        total = self.seconds + clock.seconds["fit_s"] + time.perf_counter() - started
        timing["total_s"] = round(total, 4)
        if cell.init_from:
            described["init_from"] = describe_start(cell, predictions)
        return {
            "model": {**cell.record["model"], **described},
            "decision": {
                "rule": decisions.rule_name(task, thresholds),
                "thresholds": thresholds.to_json() if thresholds is not None else None,
            },
            "metrics": scored,
            "weights": weights,
            "timing": timing,
            "memory": self.memory.stop(clock.device),
            "hardware": resources.hardware(clock.device),
            "versions": resources.versions(cell.preload),
        }


def seed_everything(seed: int) -> None:
    """One seed reaches python, numpy and, where it is loaded, torch."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 (plugins may use the global generator)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(seed)


def load(registry: Registry, cell: Cell) -> tuple[Dataset, Split]:
    """The data and the split that the plan saw; refuses if they have changed since."""
    dataset = load_dataset(registry.get("datasets", cell.dataset), cell.dataset_params)
    split = make_split(dataset, Protocol(**cell.protocol), cell.fold)
    if split.fingerprint != cell.record["split"]["fingerprint"]:
        raise BadInput(
            f"the data of {cell.dataset} changed while the run was going on",
            hint="type the same command again",
        )
    return dataset, split


def make_views(
    registry: Registry, spec: ModelSpec, cell: Cell, dataset: Dataset
) -> tuple[dict[str, Any], bool]:
    """Every view that the model wants (all rows; featurizers are stateless), and whether all were cached."""
    plans = featurize.plan_views(registry, tuple(dataset.views), spec.views, cell.model_params)
    made = {plan.name: featurize.compute_view(plan, dataset, cell.threads) for plan in plans}
    return {name: view for name, (view, _) in made.items()}, all(cached for _, cached in made.values())


def score(
    registry: Registry, predictions: Predictions
) -> tuple[decisions.Thresholds | None, dict[str, Results]]:
    """Thresholds from validation only, then every metric on every side."""
    task = predictions.task
    thresholds = None
    if task.hierarchy is not None and task.paths == "multiple":
        valid = predictions.of_side("validation")  # none: nothing may be fitted, 0.5 it is
        thresholds = decisions.Thresholds()
        if len(valid):
            thresholds = decisions.fit_threshold(valid.scores, valid.truth, task.hierarchy)
    return thresholds, compute_sides(registry.specs("metrics"), predictions, thresholds)


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """numpy scalars as Python ones; anything else that JSON lacks as text."""
    out: dict[str, Any] = {}
    for key, value in values.items():
        value = value.item() if isinstance(value, np.generic) else value
        out[str(key)] = (
            value if isinstance(value, (bool, int, float, str, type(None), list, dict)) else str(value)
        )
    return out
