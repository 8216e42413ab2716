"""What happens in a cell, phase by phase: data in, numbers out. No processes, no pipes.

``Trial`` is the only place where a model meets data. It keeps the promise that test targets
never reach a model: what ``fit`` gets is made from the train and validation rows, what ``predict``
gets has no targets.
"""

from __future__ import annotations

import importlib
import importlib.util
import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from hmcbench import decisions, featurize, metrics, records, resources, trained, warm
from hmcbench.errors import BadInput, PluginError
from hmcbench.evaluation import Evaluation
from hmcbench.interfaces import Dataset, Fit, Inputs, Labelled, ModelSpec, Run, Scores, Task
from hmcbench.plan import Cell, load_dataset
from hmcbench.predictions import Predictions
from hmcbench.registry import Registry, create, default_registry, load_object
from hmcbench.reporter import Reporter
from hmcbench.splits import Split, make_split
from hmcbench.suites import Protocol
from hmcbench.views import Rows

LATENCY_RUNS, LATENCY_SECONDS, WARM_UP = 30, 2.0, 3


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
    device = choose_device(device, spec)
    ready: dict[int, tuple[Trial, Fit]] = {}
    with threadpool_limits(limits=max(cell.threads for cell in cells)):
        for i, cell in enumerate(cells):
            try:
                trial = Trial(registry, spec, cell, device, reports[i])
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


def fit_all(spec: ModelSpec, ready: Sequence[tuple[Trial, Fit]]) -> Sequence[Exception | None]:
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


class Trial:
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
            init_from=cell.init_from,
            report=report,
        )
        self.seconds = time.perf_counter() - started
        return Fit(model, train, valid, run)

    def conclude(self, fit: Fit, part: Path) -> dict[str, Any]:
        """Predict and score; write predictions and history into ``part``; return the record's content."""
        started = time.perf_counter()
        cell, report, clock, task, model = self.cell, self.report, self.clock, self.dataset.task, fit.model
        report.phase("predict")
        predictions, timing = predict_all(model, self.spec, task, self.dataset, self.views, self.split, clock)
        report.phase("score")
        with clock.phase("score"):
            thresholds, scored = score(self.registry, predictions)
        predictions.save(part / records.NPZ)
        with clock.phase("save"):
            weights = trained.save_model(model, part / trained.FOLDER) if cell.keep_weights else None
        report.write()
        timing = {**clock.seconds, **timing, "views_cached": self.cached, "shared": self.shared}
        total = self.seconds + clock.seconds["fit_s"] + time.perf_counter() - started
        timing["total_s"] = round(total, 4)
        described = dict(model.describe()) if hasattr(model, "describe") else {}
        if cell.init_from:
            described["init_from"] = warm.described(cell, predictions)
        return {
            "model": {**cell.record["model"], **plain(described)},
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


def choose_device(device: str, spec: ModelSpec) -> str:
    """``auto`` is the GPU where the model can use one and there is one."""
    if device == "cpu" or not spec.accelerated:
        return "cpu"
    # XGBoost needs no torch: do not pay for its import where there is no GPU to be measured with it
    if resources.cuda_devices() and importlib.util.find_spec("torch"):
        torch = importlib.import_module("torch")
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
            return "cuda:0"
    if device == "auto":
        return "cpu"
    raise BadInput(
        f"device {device}: there is no GPU that torch can use", hint="--device auto or --device cpu"
    )


def load(registry: Registry, cell: Cell) -> tuple[Dataset, Split]:
    """The data and the split that the plan saw; refuses if they have changed since."""
    dataset = load_dataset(registry, cell)
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


def inputs(dataset: Dataset, views: Mapping[str, Any], rows: np.ndarray) -> Inputs:
    return Inputs([dataset.ids[i] for i in rows], {k: Rows(v, rows) for k, v in views.items()})


def side(dataset: Dataset, views: Mapping[str, Any], split: Split, name: str) -> Labelled:
    """Train or validation samples with their targets."""
    rows = split.sides[name]
    groups = None if dataset.groups is None else [dataset.groups[i] for i in rows]
    given = inputs(dataset, views, rows)
    return Labelled(given.ids, given.views, targets=dataset.targets[rows], groups=groups)


def predict_all(
    model: Any,
    spec: ModelSpec,
    task: Task,
    dataset: Dataset,
    views: Mapping[str, Any],
    split: Split,
    clock: resources.Clock,
) -> tuple[Predictions, dict[str, float]]:
    """Scores of the validation side and of every test side, and what predicting costs."""
    sides = [name for name, rows in split.sides.items() if name != "train" and len(rows)]
    model.predict(inputs(dataset, views, split.sides["test"][:1]))  # warm-up
    parts: list[Scores] = []
    for name in sides:
        given = inputs(dataset, views, split.sides[name])
        if name == "test":
            with clock.phase("predict"):
                parts.append(checked(model.predict(given), len(given), task, spec))
        else:
            parts.append(checked(model.predict(given), len(given), task, spec))
    rows = np.concatenate([split.sides[name] for name in sides])
    predictions = Predictions(
        ids=[dataset.ids[i] for i in rows],
        side=[name for name in sides for _ in split.sides[name]],
        scores=np.concatenate([p.values for p in parts]),
        task=task,
        truth=dataset.targets[rows],
        stop=None if parts[0].stop is None else np.concatenate([p.stop for p in parts if p.stop is not None]),
        groups=None if dataset.groups is None else [dataset.groups[i] for i in rows],
    )
    tested = len(split.sides["test"])
    timing = {"throughput_per_s": round(tested / max(clock.seconds["predict_s"], 1e-6), 2)}
    return predictions, timing | latency(model, dataset, views, split, clock.device)


def latency(
    model: Any, dataset: Dataset, views: Mapping[str, Any], split: Split, device: str
) -> dict[str, float]:
    """Milliseconds for one sample at a time, median and 95th percentile."""
    rows = split.sides["test"]
    times: list[float] = []
    began = time.perf_counter()
    for i in range(LATENCY_RUNS + WARM_UP):
        one = inputs(dataset, views, rows[i % len(rows) : i % len(rows) + 1])
        resources.synchronise(device)
        start = time.perf_counter()
        model.predict(one)
        resources.synchronise(device)
        if i >= WARM_UP:
            times.append(1000 * (time.perf_counter() - start))
        if time.perf_counter() - began > LATENCY_SECONDS and times:
            break
    p50, p95 = np.percentile(times, [50, 95])
    return {"latency_p50_ms": round(float(p50), 3), "latency_p95_ms": round(float(p95), 3)}


def checked(scores: Any, n: int, task: Task, spec: ModelSpec) -> Scores:
    """Shape, finiteness and range as the contract says; logits become probabilities."""
    if not isinstance(scores, Scores):
        raise PluginError(f"model {spec.name}: predict returned {type(scores).__name__}, not Scores")
    values = np.asarray(scores.values, dtype=np.float64)
    columns = task.hierarchy.n if task.hierarchy is not None else len(task.targets)
    if values.shape != (n, columns):
        raise PluginError(f"model {spec.name}: scores of shape {values.shape}, expected {(n, columns)}")
    stop = None if scores.stop is None else np.asarray(scores.stop, dtype=np.float64)
    if task.hierarchy is not None and stop is not None and stop.shape != (n, task.hierarchy.depth):
        raise PluginError(
            f"model {spec.name}: stop of shape {stop.shape}, expected {(n, task.hierarchy.depth)}"
        )
    for array in (values, stop):
        if array is not None and not np.isfinite(array).all():
            bad = int((~np.isfinite(array)).any(axis=1).sum())
            raise FloatingPointError(f"{bad} of {n} predictions are NaN or infinite")
    if task.kind == "regression":
        return Scores(values)
    if spec.scores == "logit":
        values, stop = to_probabilities(values, stop, task)
    if values.size and not (values.min() >= -1e-6 and values.max() <= 1 + 1e-6):
        raise PluginError(
            f"model {spec.name}: probabilities outside [0, 1] ({values.min():g} to {values.max():g})"
        )
    narrow = np.clip(values, 0, 1).astype(np.float32)
    return Scores(narrow, None if stop is None else np.clip(stop, 0, 1).astype(np.float32))


def to_probabilities(
    logits: np.ndarray, stop: np.ndarray | None, task: Task
) -> tuple[np.ndarray, np.ndarray | None]:
    """Softmax per level (with the stop output) for single paths, a sigmoid otherwise."""
    from scipy.special import expit, softmax

    assert task.hierarchy is not None
    if task.paths == "multiple":
        return expit(logits), stop
    out = np.empty_like(logits)
    ended = None if stop is None else np.empty_like(stop)
    for k in range(1, task.hierarchy.depth + 1):
        columns = task.hierarchy.level_classes(k)
        block = logits[:, columns]
        if stop is not None and ended is not None:
            soft = softmax(np.column_stack([block, stop[:, k - 1]]), axis=1)
            out[:, columns], ended[:, k - 1] = soft[:, :-1], soft[:, -1]
        else:
            out[:, columns] = softmax(block, axis=1)
    return out, ended


def score(registry: Registry, predictions: Predictions) -> tuple[Any, dict[str, Any]]:
    """Thresholds from validation only, then every metric on every side."""
    task = predictions.task
    thresholds = None
    if task.hierarchy is not None and task.paths == "multiple":
        valid = predictions.of_side("validation")  # none: nothing may be fitted, 0.5 it is
        thresholds = decisions.Thresholds()
        if len(valid):
            thresholds = decisions.fit_threshold(valid.scores, valid.truth, task.hierarchy)
    specs = registry.specs("metrics")
    scored: dict[str, Any] = {}
    for name in dict.fromkeys(predictions.side):
        some = predictions.of_side(name)
        evaluation = Evaluation.of(task, some.truth, some.scores, some.stop, thresholds)
        scored[name] = metrics.compute(specs, evaluation)
    return thresholds, scored


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """numpy scalars as Python ones; anything else that JSON lacks as text."""
    out: dict[str, Any] = {}
    for key, value in values.items():
        value = value.item() if isinstance(value, np.generic) else value
        out[str(key)] = (
            value if isinstance(value, (bool, int, float, str, type(None), list, dict)) else str(value)
        )
    return out
