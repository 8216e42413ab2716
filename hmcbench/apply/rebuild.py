"""The model of a record, fitted again.

Importance needs the training samples, prepared as they were, besides the model. So it is fitted again with
the data, split, parameters and seed of the record, and must then give its test predictions: the explained
model is the scored model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hmcbench.data import featurize
from hmcbench.data.loading import load_dataset
from hmcbench.data.prepare import direct_views, preparations, prepare
from hmcbench.data.protocol import Protocol
from hmcbench.data.splits import inputs, side
from hmcbench.data.variants import divide
from hmcbench.data.views import Rows
from hmcbench.errors import BadInput
from hmcbench.execute.cell import seed_everything
from hmcbench.execute.predict import check_scores
from hmcbench.execute.second_fit import fit_second, is_due, second_fit
from hmcbench.interfaces import Fit, Inputs, ModelSpec, Run, Scores, Task
from hmcbench.metrics.decisions import Thresholds
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import Record
from hmcbench.records.score_bits import bits_for, rounded
from hmcbench.records.weights import spec_of, with_model
from hmcbench.registry.registry import Registry, create

if TYPE_CHECKING:
    from hmcbench.interfaces import Dataset, Model

TOLERANCE = 1e-5  # between the record's predictions and those of the refitted model


@dataclass(frozen=True, eq=False)
class Refitted:
    """A record's model, fitted again, and its samples as tables with the columns of all views.

    Attributes:
        shapes: view -> shape of one row.
        columns: names of the F columns, ``view:name`` where there are several views.
        train, test: float (N, F).
        truth: targets of the test samples.
        spec: of the model.
        thresholds: of the record; None where none were fitted.
        bits: of a stored score of the record, to which scores are rounded.
    """

    model: Model
    task: Task
    shapes: Mapping[str, tuple[int, ...]]
    columns: Sequence[str]
    train: np.ndarray
    test: np.ndarray
    truth: Any
    spec: ModelSpec
    thresholds: Thresholds | None = None
    bits: int = 32

    def scores(self, table: np.ndarray) -> Scores:
        """What the record would hold of rows (N, F): probabilities, ``stop`` and decisions, or targets."""
        views, start = {}, 0
        for name, shape in self.shapes.items():
            width = int(np.prod(shape))
            block = table[:, start : start + width].reshape(len(table), *shape)
            views[name] = Rows(block, np.arange(len(table)))
            start += width
        ids = [str(i) for i in range(len(table))]
        scores = check_scores(self.model.predict(Inputs(ids, views)), len(ids), self.task, self.spec)
        bits = bits_for(scores.values, self.bits)
        return replace(scores, values=rounded(scores.values, bits)) if bits < 32 else scores

    def predict(self, table: np.ndarray) -> np.ndarray:
        """Scores (N, C) or predicted targets (N, T), float64, for rows (N, F)."""
        return np.asarray(self.scores(table).values, dtype=np.float64)

    def evaluation(self, truth: Any, table: np.ndarray) -> Evaluation:
        """Rows (N, F) against their truth, decided as the record's predictions were."""
        scores = self.scores(table)
        return Evaluation.of(
            self.task, truth, scores.values, scores.stop, self.thresholds, decided=scores.decisions
        )


def refit(record: Record, registry: Registry, path: str = "") -> Refitted:
    """Fit the model of a record again.

    Args:
        record: of a cell that did not fail.
        registry: the installed plugins.
        path: path of the data, where they are the user's own.

    Raises:
        BadInput: other data, another split or version, a model that is not installed, or predictions that
            are not the record's.
    """
    data = with_model(record).data
    if not record.ok:
        raise BadInput(f"the cell of {record.path.name} failed ({record.cause})")
    if data["dataset"].get("unit") == "pixel":
        raise BadInput(f"{record.path.name} labels pixels", allowed="a model of whole samples")
    stored = data["model"]
    spec_of(record, registry)  # refuses a model of a file that is not loaded
    spec, params = registry.resolve("models", stored["name"], record.profile, **stored["params"])
    if spec.version != stored["version"]:
        raise BadInput(
            f"the record was made by version {stored['version']} of {spec.name}",
            allowed=f"version {spec.version}, which is installed",
        )
    dataset = _dataset(data, registry, path)
    protocol = Protocol.of_record(data["split"])
    dataset, split = divide(dataset, protocol, record.fold)
    if split.fingerprint != data["split"]["fingerprint"]:
        raise BadInput("the split is not that of the record", hint="was the record made by another version?")
    plans = featurize.plan_views(registry, tuple(dataset.views), spec.views, params)
    prepared = prepare(dataset, preparations(dataset, split.sides["train"], spec))
    computed = {plan.name: featurize.compute_view(plan, dataset)[0] for plan in plans}
    views = direct_views(plans, computed, prepared)
    seed_everything(record.seed)
    model = create(spec, params)
    run = Run(
        dataset.task,
        record.seed,
        profile=record.profile,
        dataset=data["dataset"]["reference"],
        columns={name: view.kinds for name, view in prepared.items()},
        refit=protocol.refit,
    )
    train, valid = (side(dataset, views, split, name) for name in ("train", "validation"))
    model.fit(train, valid, run)
    first = Fit(model, train, valid, run)
    if is_due(first):
        second = second_fit(spec, params, first, dataset, views, split)
        seed_everything(record.seed)
        fit_second(second)
        model = second.model
    test, stored_test = split.sides["test"], record.predictions().of_side("test")
    samples = inputs(dataset, views, test)
    scores = check_scores(model.predict(samples), len(samples), dataset.task, spec)
    _check(stored_test, samples.ids, scores.values)
    return Refitted(
        model=model,
        task=dataset.task,
        shapes={name: tuple(np.shape(view)[1:]) for name, view in views.items()},
        columns=_column_names({**dataset.columns, **{k: v.names for k, v in prepared.items()}}, views),
        train=_table(views, split.sides["train"]),
        test=_table(views, test),
        truth=dataset.targets[test],
        spec=spec,
        thresholds=record.thresholds,
        bits=stored_test.bits,
    )


def _table(views: Mapping[str, Any], rows: np.ndarray) -> np.ndarray:
    """Rows of all views as one table (N, F)."""
    return np.concatenate([np.asarray(view)[rows].reshape(len(rows), -1) for view in views.values()], axis=1)


def _dataset(data: Mapping[str, Any], registry: Registry, path: str) -> Dataset:
    spec = registry.get("datasets", data["dataset"]["name"])
    if path and not spec.path_param:
        raise BadInput(f"--data {path}: the dataset {spec.name} reads no path")
    paths = {spec.path_param: path} if path else {}
    spec, params = registry.resolve("datasets", data["dataset"]["reference"], data["profile"], **paths)
    dataset = load_dataset(registry, spec, params)
    if dataset.fingerprint != data["dataset"]["fingerprint"]:
        raise BadInput(
            f"these are not the data of the record: {len(dataset.ids)} samples of {spec.name} with"
            f" fingerprint {dataset.fingerprint[:12]} instead of {data['dataset']['fingerprint'][:12]}",
            hint="--data PATH names the data that the run was given",
        )
    return dataset


def _column_names(names: Mapping[str, Sequence[str]], views: Mapping[str, Any]) -> list[str]:
    """``C``, ``table:C`` where there are several views, or ``table:3`` for columns without names."""
    out: list[str] = []
    for name, view in views.items():
        width = int(np.prod(np.shape(view)[1:]))
        columns = names.get(name, ())
        if len(columns) == width:
            out += [f"{name}:{column}" if len(views) > 1 else str(column) for column in columns]
        else:
            out += [f"{name}:{i}" for i in range(width)]
    return out


def _check(stored: Predictions, ids: Sequence[str], predicted: np.ndarray) -> None:
    """Raise BadInput unless the model predicts the record's test scores.

    Args:
        stored: of the test partition. Scores that were rounded to 16 bits may be off by half a step more.
        ids: of the samples.
        predicted: (N, C) probabilities or (N, T) targets of the model as it is now.
    """
    row = {name: i for i, name in enumerate(stored.ids)}
    expected = np.asarray(stored.scores)[[row[name] for name in ids]]
    off = np.abs(np.asarray(predicted, dtype=np.float64) - expected)
    if stored.bits == 16:
        off -= np.maximum(np.abs(expected) * 2.0**-11, 2.0**-25)
    worst = float(off.max(initial=0.0)) / max(1.0, float(np.abs(expected).max(initial=0.0)))
    if worst > TOLERANCE:
        raise BadInput(
            f"fitted again, the model does not predict as in its record (off by {worst:.2g} of the range)",
            hint="the libraries or the hardware differ: run the cell again first",
        )
