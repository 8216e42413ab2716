"""Predictions of the test samples under shifts, by a fitted model or by one that was kept.

A shift that fails costs the record its own numbers only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hmcbench.data import featurize
from hmcbench.data.prepare import Preparation
from hmcbench.data.shifts import SEED, ShiftChoice, filled, seen_by, shift_choice, shifted_test
from hmcbench.data.splits import Split
from hmcbench.data.views import Rows
from hmcbench.errors import BadInput, HmcbenchError, one_line
from hmcbench.execute.predict import Predicted, check_scores
from hmcbench.interfaces import Dataset, Inputs, MetricSpec, ModelSpec, Scores
from hmcbench.metrics.decisions import Thresholds
from hmcbench.plan.cells import Cell
from hmcbench.records import shifts as stored
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import Record
from hmcbench.registry.registry import Registry, default_registry

TOLERANCE = 1e-3
"""Between a record's test scores and those of its kept model: other hardware, scores stored in 16 bits."""


@dataclass(frozen=True, eq=False)
class ShiftedViews:
    """What a model reads of the test samples under shifts.

    Attributes:
        plans: of the views that it reads.
        rows: view -> N rows as the model takes them, without a shift.
        preparations: view of the dataset -> how its columns are prepared.
    """

    registry: Registry
    dataset: Dataset
    split: Split
    plans: Sequence[featurize.ViewPlan]
    rows: Mapping[str, Any]
    preparations: Mapping[str, Preparation]
    threads: int = 1

    def inputs(self, shift: ShiftChoice, severity: float) -> Inputs:
        """The test samples that see a shift, at one severity."""
        read = {plan.source for plan in self.plans}
        alone, changed = shifted_test(self.registry, self.dataset, self.split, shift, severity, read)
        test = self.split.sides["test"][seen_by(self.dataset, self.split, shift)]
        kept = {p.name: Rows(self.rows[p.name], test) for p in self.plans if p.source not in changed}
        return self.of_others(alone, kept)

    def of_others(self, alone: Dataset, kept: Mapping[str, Any] | None = None) -> Inputs:
        """What the model reads of samples that are not those of the dataset.

        Args:
            alone: these samples, with views that are prepared as those of the dataset.
            kept: view that the model reads -> its rows, where they are known.
        """
        alone.views = {name: self._complete(name, rows) for name, rows in alone.views.items()}
        views = dict(kept or {})
        for plan in self.plans:
            if plan.name in views:
                continue
            if plan.steps:
                views[plan.name] = Rows(featurize.compute_view(plan, alone, self.threads).rows)
            else:
                views[plan.name] = Rows(self._prepared(plan.source, alone.views[plan.source]))
        return Inputs(alone.ids, views)

    def _complete(self, name: str, rows: Any) -> Any:
        """Rows of a view that is not described have no missing values: the means of training samples."""
        if not isinstance(rows, np.ndarray) or self.dataset.kinds.get(name):
            return rows
        return filled(rows, np.asarray(self.dataset.views[name])[self.split.sides["train"]])

    def _prepared(self, name: str, rows: Any) -> Any:
        way = self.preparations.get(name)
        return rows if way is None or not way.kinds else way(rows).rows


@dataclass(frozen=True)
class ShiftScores:
    """What a model predicts under shifts.

    Attributes:
        points: scores of the test samples that see a shift.
        seen: label -> places of these among the test samples, for shifts that not all of them see.
        problems: label of a shift that failed -> reason.
    """

    points: Mapping[stored.ShiftPoint, Scores]
    seen: Mapping[str, np.ndarray]
    problems: Mapping[str, str]


def predict_shifts(
    model: Any,
    spec: ModelSpec,
    views: ShiftedViews,
    shifts: Sequence[ShiftChoice],
) -> ShiftScores:
    """Checked scores at every point."""
    points: dict[stored.ShiftPoint, Scores] = {}
    problems: dict[str, str] = {}
    for shift in shifts:
        try:
            of_shift = {}
            for severity in shift.severities:
                inputs = views.inputs(shift, severity)
                scores = check_scores(model.predict(inputs), len(inputs), views.dataset.task, spec)
                of_shift[stored.ShiftPoint(shift.label, severity)] = scores
            points |= of_shift
        except Exception as error:  # a plugin may raise anything; the cell has its own results
            problems[shift.label] = one_line(f"{type(error).__name__}: {error}", 300)
    seen = {shift.label: seen_by(views.dataset, views.split, shift) for shift in shifts}
    part = {label: rows for label, rows in seen.items() if len(rows) < len(views.split.sides["test"])}
    return ShiftScores(points, part, problems)


def shifts_part(
    shifts: Sequence[ShiftChoice],
    predicted: ShiftScores,
    sources: frozenset[str],
    predictions: Predictions,
    thresholds: Thresholds | None,
    specs: Sequence[MetricSpec],
    names: Sequence[str],
    folder: Path,
) -> dict[str, Any]:
    """Store predictions in ``folder``; the part ``shifts`` of the record.

    Args:
        sources: the views of the dataset that the model's are made of.
        predictions: of the record, with all sides.
        names: ids of the metrics to compute.
    """
    points = stored.in_small_form(predicted.points, predicted.seen, predictions.task, thresholds)
    blocks: dict[str, dict[str, Any]] = {}
    for shift in shifts:
        block = shift.stated()
        if not sources & frozenset(shift.views):
            block["unread"] = True
        if shift.label in predicted.problems:
            block["problem"] = predicted.problems[shift.label]
        else:
            block["metrics"] = [{} for _ in shift.severities]
            if shift.label in predicted.seen:
                block["before"] = {}
        blocks[shift.label] = block
    part: dict[str, Any] = {"seed": SEED, "of": blocks}
    if points:
        part["sha256"] = stored.save(folder / stored.FILE, points, predictions.task)
        part["bytes"] = (folder / stored.FILE).stat().st_size
        only_sets = next(iter(points.values())).sets is not None
        part["stored"] = stored.SETS if only_sets else "scores"
        values = stored.shift_metrics(specs, predictions, points, thresholds, names)
        failures = {point: results.failures for point, results in values.items()}
        part["of"] = stored.with_failures(stored.with_metrics(blocks, values), failures)
    return part


# --------------------------------------------------------------------------- records that lack them


def lacks_shifts(cell: Cell, record: Record) -> bool:
    """Whether a record of a cell that ended well lacks shifts that the cell asks for."""
    have = record.part("shifts").get("of") or {}
    stated = [
        [label, block.get("version"), [float(x) for x in block.get("severities", ())], block.get("samples")]
        for label, block in have.items()
    ]
    return record.ok and any(shift.identity() not in stated for shift in cell.shifts)


def with_earlier(cell: Cell, record: Record) -> Cell:
    """The cell with the shifts that its record has besides: a record keeps all in one file."""
    wanted = {shift.label for shift in cell.shifts}
    more = []
    for label, block in (record.part("shifts").get("of") or {}).items():
        if label not in wanted and "metrics" in block:
            with suppress(HmcbenchError):  # not installed any more
                severities, samples = block["severities"], block.get("samples")
                more.append(shift_choice(default_registry(), label, severities, samples))
    return replace(cell, shifts=(*cell.shifts, *more))


def check_same(scores: Predicted, predictions: Predictions) -> None:
    """Raise BadInput unless a kept model predicts the test scores of its record."""
    assert isinstance(scores, Scores), "no shift applies to label maps"
    before = predictions.of_side("test").scores
    scale = max(1.0, float(np.abs(before).max(initial=0.0)))
    worst = float(np.abs(scores.values - before).max(initial=0.0)) / scale
    if worst > TOLERANCE:
        raise BadInput(f"the kept model does not predict as in its record (off by {worst:.2g} of the range)")
