"""``EstimatorModel``: scikit-learn estimators as a model of hmcbench."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.pipeline import make_pipeline

from hmcbench.errors import BadInput, PluginError, unknown
from hmcbench.interfaces import Inputs, Labelled, Run, Scores, Task, Value
from hmcbench.sklearnkit import kept
from hmcbench.sklearnkit.flat import Classes, EndNodes, Solver, Targets
from hmcbench.sklearnkit.inputs import ReducedTail, chosen_views, table
from hmcbench.sklearnkit.local import Local
from hmcbench.sklearnkit.search import Choice, Space, candidates, describe, losses

STRATEGIES = ("flat", "level", "parent", "node")


class EstimatorModel:
    """A model of scikit-learn estimators, or of objects with their methods.

    The task decides what is fitted:

    - single paths: one classifier over the *end nodes*, the most specific class of each training
      sample (also inner ones, or none, where depth is ragged). The score of a class is the sum of
      the probabilities of the end nodes at and below it, so scores are coherent. ``stop`` at a level
      is the probability of having ended above it.
    - multiple paths: one binary classifier per class, or one with several outputs. A class that
      all or no training samples have keeps that frequency, 1 or 0.
    - regression: ``predict``, one estimator per target or one with several outputs.

    That is ``strategy="flat"``; see :class:`hmcbench.sklearnkit.local.Local` for the others.

    Every ``random_state`` that is ``None`` is set to the seed, every ``device`` to the run's. Every
    ``n_jobs`` other than ``None`` is set to the threads of the run for ``fit``, and to 1 for
    ``predict``: forests sum their trees in the order in which threads finish, so that last digits
    would change from call to call. ``n_neighbors`` never exceeds the training samples.

    Args:
        make: ``make(task, **choice)`` returns a new, unfitted estimator: a classifier with
            ``predict_proba``, or a regressor where the task is regression; a pipeline is allowed.
        view: the views to read, in the syntax of :attr:`hmcbench.ModelSpec.views`: ``a+b`` are
            concatenated, ``a|b`` is the first available one; rows are flattened to (N, F).
        multi_output: whether the estimator takes several targets at once (forests and trees do).
        strategy: ``flat``, ``level``, ``parent`` or ``node``, for hierarchical tasks.
        choice: the values of ``make``'s keywords.
        space: ``space(task)``, the values to try for some of them, on validation data; the best are
            then fitted again, on training and validation samples together unless thresholds are still
            to be chosen on the latter (multiple paths), or a second fit follows (:meth:`refit`). In
            regression, one choice per target.
        budget: number of choices that are tried, including ``choice``.
        components: principal components that replace all views but the first; 0 keeps them.
        own_types: classes of the estimator's parts that scikit-learn and XGBoost do not have. They are
            trusted when a kept model is loaded (:mod:`hmcbench.sklearnkit.kept`); without them a model
            with such parts is not kept. For ``hmcbench export-model``, such a class has a method
            ``public()``, which returns an estimator of scikit-learn that predicts the same, or ``None``
            for a step of a pipeline that may be left out; or ``write_onnx(graph, columns)``, which writes
            its probabilities or predictions (:mod:`hmcbench.sklearnkit.onnx_estimators`).
    """

    def __init__(
        self,
        make: Callable[..., Any],
        view: str = "table",
        multi_output: bool = False,
        *,
        strategy: str = "flat",
        choice: Choice | None = None,
        space: Callable[[Task], Space] | None = None,
        budget: int = 12,
        components: int = 0,
        own_types: Sequence[type] = (),
    ) -> None:
        if strategy not in STRATEGIES:
            raise unknown("strategy", strategy, STRATEGIES)
        self._make, self._view, self._multi_output, self._strategy = make, view, multi_output, strategy
        self._choice, self._space_of, self._budget = dict(choice or {}), space, budget
        self._components = components
        self._own_types = (ReducedTail, *own_types)
        self._facts: dict[str, Value] = {}
        self._parts: list[tuple[Solver, np.ndarray | None]] = []
        self._chosen: list[Choice] = []  # one for all targets, or one per target

    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        """Fit on ``train``; ``valid`` is used by the search, if there is one.

        Raises:
            PluginError: a classifier without ``predict_proba``.
        """
        self._check(run.task)
        self._names = chosen_views(self._view, train.views)
        rows, self._width = table(train, self._names)
        tried: list[Choice] = [self._choice]
        self._space = self._space_of(run.task) if self._space_of is not None else {}
        if self._space and len(valid):
            tried = candidates(self._space, self._choice, self._budget, run.seed)
        self._chosen = tried
        if len(tried) > 1:
            began = time.perf_counter()
            best = self._search(tried, rows, train.targets, valid, run)
            self._facts["search_s"] = round(time.perf_counter() - began, 6)
            self._chosen = [tried[i] for i in best]
        targets = train.targets
        open_thresholds = run.task.kind == "hmc" and run.task.paths == "multiple"
        if len(tried) > 1 and not (run.refit or open_thresholds):
            rows = np.concatenate([rows, table(valid, self._names)[0]])
            both = [targets, valid.targets]
            targets = sparse.vstack(both, format="csr") if sparse.issparse(targets) else np.concatenate(both)
            self._facts["fitted_on"] = "train and validation"
        self._parts = self._fit_chosen(rows, targets, run)

    def refit(self, train: Labelled, run: Run) -> None:
        """Fit what the first fit chose on ``train``, which holds its validation samples too."""
        self._parts = self._fit_chosen(table(train, self._names)[0], train.targets, run)

    def predict(self, inputs: Inputs) -> Scores:
        """Probabilities (N, C), or predicted targets (N, T)."""
        rows = table(inputs, self._names)[0]
        if self._parts[0][1] is None:
            return self._parts[0][0].predict(rows)
        values = np.empty((len(rows), sum(len(columns) for _, columns in self._parts if columns is not None)))
        for solver, columns in self._parts:
            values[:, columns] = solver.predict(rows).values
        return Scores(values)

    def describe(self) -> Mapping[str, Value]:
        """The estimator's class; after a search the choice, the number of candidates, the seconds, and the
        partitions of the last fit."""
        return self._facts

    @property
    def parts(self) -> Sequence[tuple[Solver, np.ndarray | None]]:
        """After ``fit`` or ``load``: the solvers, and the targets that each predicts; None for all."""
        return self._parts

    @property
    def views(self) -> Sequence[str]:
        """After ``fit`` or ``load``: the names of the views whose columns are concatenated."""
        return self._names

    @property
    def first_width(self) -> int:
        """Columns of the first of the views."""
        return self._width

    @property
    def width(self) -> int:
        """After ``fit`` or ``load``: the columns of all views together.

        Raises:
            BadInput: no estimator was fitted, as all training samples were the same.
        """
        waiting: list[Any] = [solver.state() for solver, _ in self._parts]
        while waiting:
            part = waiting.pop()
            if hasattr(part, "n_features_in_"):
                return int(part.n_features_in_)
            if isinstance(part, (Mapping, list)):
                waiting += part.values() if isinstance(part, Mapping) else part
        raise BadInput(
            "it has no estimator: all training samples were the same", allowed="a model of classes"
        )

    def save(self, folder: Path) -> None:
        """Writes ``estimators.skops``.

        Raises:
            BadInput: a model that cannot be kept; see :func:`hmcbench.sklearnkit.kept.save`.
        """
        parts = [{"columns": columns, "solver": solver.state()} for solver, columns in self._parts]
        content = {"views": self._names, "width": self._width, "facts": self._facts, "parts": parts}
        kept.save(content, folder, self._own_types)

    def load(self, folder: Path, run: Run) -> None:
        """Replaces ``fit``; raises BadInput for a file that is damaged or not trusted."""
        content = kept.load(folder, self._own_types)
        try:
            self._names, self._width = [str(name) for name in content["views"]], int(content["width"])
            self._facts, self._parts = dict(content["facts"]), []
            for part in content["parts"]:
                _move(part["solver"], run.device)
                solver = self._solver(run.task)
                solver.restore(part["solver"])
                self._parts.append((solver, part["columns"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            what = f"{folder / kept.FILE} cannot be read ({error})"
            raise BadInput(what, allowed=kept.ALLOWED) from None

    # ------------------------------------------------------------------ fitting

    def _check(self, task: Task) -> None:
        estimator = self._make(task, **self._choice)
        self._facts = {"estimator": type(estimator).__name__}
        if task.kind == "hmc" and not hasattr(estimator, "predict_proba"):
            name = self._facts["estimator"]
            raise PluginError(f"{name} has no predict_proba", allowed="a classifier with probabilities")

    def _solver(self, task: Task) -> Solver:
        hierarchy = task.hierarchy
        if hierarchy is None:
            return Targets(self._multi_output)
        single = task.paths == "single"
        stops = single and (task.depth == "ragged" or not hierarchy.even)
        if self._strategy != "flat":
            return Local(hierarchy, self._strategy, single, stops, self._multi_output)
        return EndNodes(hierarchy, stops) if single else Classes(self._multi_output)

    def _fitted(self, choice: Choice, rows: np.ndarray, targets: Any, run: Run) -> Solver:
        def fit(x: np.ndarray, y: np.ndarray) -> Any:
            estimator = self._make(run.task, **choice)
            if self._components and len(self._names) > 1:
                estimator = make_pipeline(ReducedTail(self._width, self._components), estimator)
            _set(estimator, run, threads=run.threads, samples=len(x))
            estimator.fit(x, y)
            return _set(estimator, run, threads=1, samples=len(x))

        solver = self._solver(run.task)
        solver.fit(rows, targets, fit)
        return solver

    def _search(
        self, tried: list[Choice], rows: np.ndarray, targets: Any, valid: Labelled, run: Run
    ) -> np.ndarray:
        """The position in ``tried`` of the best choice, per target in regression."""
        valid_rows = table(valid, self._names)[0]
        table_of_losses = []
        for number, choice in enumerate(tried, start=1):
            scores = self._fitted(choice, rows, targets, run).predict(valid_rows)
            table_of_losses.append(losses(run.task, valid.targets, scores))
            run.report(number, len(tried), validation_loss=float(table_of_losses[-1].mean()))
        best: np.ndarray = np.argmin(table_of_losses, axis=0)  # the first of equals; defaults come first
        names = run.task.targets if len(best) > 1 else ("",)
        chosen = [describe(tried[i], self._space) for i in best]
        self._facts["search_candidates"] = len(tried)
        self._facts["chosen"] = "; ".join(
            f"{name}: {text}" if name else text for name, text in zip(names, chosen, strict=True)
        )
        return best

    def _fit_chosen(self, rows: np.ndarray, targets: Any, run: Run) -> list[tuple[Solver, np.ndarray | None]]:
        """The final solvers and the targets that each of them predicts; ``None`` for all."""
        if len(self._chosen) == 1:
            return [(self._fitted(self._chosen[0], rows, targets, run), None)]
        parts: list[tuple[Solver, np.ndarray | None]] = []
        for choice in [c for i, c in enumerate(self._chosen) if c not in self._chosen[:i]]:
            columns = np.flatnonzero([c == choice for c in self._chosen])
            parts.append((self._fitted(choice, rows, targets[:, columns], run), columns))
        return parts


def _move(state: Any, device: str) -> None:
    """Set the device of all estimators in the state of a solver: it may not be that of the fit."""
    if hasattr(state, "get_params"):
        names = [name for name in state.get_params(deep=True) if name.rpartition("__")[2] == "device"]
        if names:
            state.set_params(**dict.fromkeys(names, device))
    elif isinstance(state, (Mapping, list)):
        for part in state.values() if isinstance(state, Mapping) else state:
            _move(part, device)


def _set(estimator: Any, run: Run, *, threads: int, samples: int) -> Any:
    """The estimator with seeds, threads, device and neighbours set, also those of its parts."""
    values: dict[str, Any] = {}
    for name, value in estimator.get_params(deep=True).items():
        last = name.rpartition("__")[2]
        if last == "random_state" and value is None:
            values[name] = run.seed
        elif last == "n_jobs" and value is not None:  # some estimators warn when it is set at all
            values[name] = threads
        elif last == "device":
            values[name] = run.device
        elif last == "n_neighbors" and value > samples:
            values[name] = samples
    return estimator.set_params(**values)
