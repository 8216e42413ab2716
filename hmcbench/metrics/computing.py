"""From specs to ids and values: expands levels and classes, and survives broken metrics."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from hmcbench.errors import NotApplicable, Unavailable, one_line
from hmcbench.interfaces import MetricSpec
from hmcbench.interfaces.objects import FAR
from hmcbench.metrics.base import ClassMetric, LevelMetric, PooledMetric, Reduce, SampleMetric, Stats, summed
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.ids import MetricId, find_spec, parse_id, stem
from hmcbench.metrics.per_image import of_images
from hmcbench.metrics.pooled import PooledLevelMetric
from hmcbench.registry.limits import TooSlow, can_limit, time_limit
from hmcbench.registry.registry import load_object, missing

if TYPE_CHECKING:
    from hmcbench.metrics.decisions import Thresholds
    from hmcbench.records.predictions import Predictions

CALIBRATION = "calibration"
"""The side that is put apart (:class:`hmcbench.data.protocol.Protocol`)."""
BESIDE = (CALIBRATION, FAR)
"""Sides that some metrics of the others read, and that have no values of their own."""

MANY_CLASSES = 1000
"""With more classes than this, per-class ids are computed only where they are asked for by name."""

METRIC_S = 300.0
"""Limit for all ids of one metric on one partition; it does not count towards the limit of a cell."""

RAISED = (Exception, SystemExit)  # what a metric may raise without ending the command or the cell

_SLACK = 1e-9  # sums of floats may pass a bound by rounding


class Results(dict[str, float]):
    """Values by id; every one finite and within the bounds of its spec.

    Attributes:
        left_out: id, or name of a metric that does not apply -> why it does not or is undefined here.
        undefined: the ids of these, of those that were asked for; not of what is asked for by name only.
        failures: id -> what went wrong with the metric.
        seconds: metric -> time of all its ids.

    In ``left_out``, ``undefined`` and ``failures``, an id without a class stands for all classes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.left_out: dict[str, str] = {}
        self.undefined: set[str] = set()
        self.failures: dict[str, str] = {}
        self.seconds: dict[str, float] = {}

    def is_undefined(self, name: str) -> bool:
        """Whether an id was asked for and has no value here, as it is undefined or does not apply."""
        return name in self.undefined or stem(name) in self.undefined


def compute(
    specs: Sequence[MetricSpec], evaluation: Evaluation, names: Sequence[str] | None = None
) -> Results:
    """All metrics that apply to an evaluation.

    Args:
        specs: the metrics to choose from, such as ``registry.specs("metrics")``.
        evaluation: truth and predictions.
        names: ids (``level2_accuracy``, ``hf1_samples_raw``, ``class_f1[a/b]``), or
            ``level{k}_accuracy`` for all levels and ``class_f1`` for all classes; all by default.

    Returns:
        Values by id. A metric that does not apply, or is undefined here, is in ``left_out``; one
        that raises, or returns what its spec does not allow, is in ``failures``. Neither stops
        the others.

    Raises:
        BadInput: a name that belongs to no spec.

    >>> from hmcbench.metrics.builtin import SPECS
    >>> from hmcbench.metrics.fixtures import three_samples
    >>> compute(SPECS, three_samples(), ["hf1_micro", "level{k}_recall_macro", "auprc_micro"])
    {'hf1_micro': 0.625, 'level1_recall_macro': 1.0, 'level2_recall_macro': 0.75, 'level3_recall_macro': 0.0}
    """
    named = None if names is None else {find_spec(specs, name).name for name in names}
    results = Results()
    for spec in specs:
        if spec.task == evaluation.task.kind and (named is None or spec.name in named):
            _record_spec(results, spec, evaluation, None if names is None else set(names))
    return results


def parts_of(scored: Mapping[str, Results]) -> dict[str, Any]:
    """The parts ``metrics`` of a record and, where some failed, ``metric_failures``: side -> id -> reason."""
    failures = {side: dict(results.failures) for side, results in scored.items() if results.failures}
    return {"metrics": scored, **({"metric_failures": failures} if failures else {})}


def without_structure_of_sets(specs: Sequence[MetricSpec]) -> list[MetricSpec]:
    """The metrics without those that judge raw decisions: sets are closed when they are read."""
    return [spec for spec in specs if spec.name not in ("incoherent_rate", "tice")]


def compute_sides(
    specs: Sequence[MetricSpec],
    predictions: Predictions,
    thresholds: Thresholds | None = None,
    names: Sequence[str] | None = None,
) -> dict[str, Results]:
    """All metrics that apply to stored predictions, by side.

    The sides :data:`BESIDE` are read by some metrics and have no values of their own.

    Args:
        specs, names: as for :func:`compute`.
        predictions: of any number of sides, with truth.
        thresholds: of the record.

    Raises:
        BadInput: no truth is stored, shapes do not fit, or a name belongs to no spec.
    """
    scored = {}
    if predictions.only_sets:
        known = without_structure_of_sets(specs)
        names = None if names is None else [name for name in names if find_spec(specs, name) in known]
        specs = known
    sides = dict.fromkeys(predictions.side)
    beside = [predictions.of_side(name) if name in sides else None for name in BESIDE]
    for side in sides:
        if side in BESIDE:
            continue
        evaluation = Evaluation.of_predictions(predictions.of_side(side), thresholds, *beside)
        scored[side] = compute(specs, evaluation, names)
    return scored


def sample_stats(spec: MetricSpec, evaluation: Evaluation, name: str) -> tuple[Stats, Reduce] | None:
    """What a bootstrap of one reported id needs.

    Args:
        spec: the metric that the id belongs to (:func:`find_spec`).
        evaluation: truth and predictions.
        name: the id, as :func:`compute` reports it.

    Returns:
        ``(stats, reduce)``: float64 (N, K) and a function of sums (..., K), so that
        ``reduce(W @ stats)`` is the metric under sample weights W (B, N), nan where it is
        undefined; or None where the metric does not apply, fails, or is no function of sums.
        Stats of very many classes are a CSR array.

    >>> from hmcbench.metrics.builtin import SPECS
    >>> from hmcbench.metrics.fixtures import three_samples
    >>> stats, reduce = sample_stats(find_spec(SPECS, "hp_micro"), three_samples(), "hp_micro")
    >>> reduce(np.array([[1, 1, 1], [3, 0, 0]]) @ stats).round(4).tolist()
    [0.625, 0.6667]
    """
    metric_id = parse_id(spec, name)
    if metric_id is None or not _concerns(spec, evaluation) or _unfit(spec, evaluation):
        return None
    try:
        metric = _metric(spec, evaluation)
        seen = evaluation.with_raw() if metric_id.raw else evaluation
        if isinstance(metric, SampleMetric) and not spec.over:
            return metric.stats(seen), metric.reduce
        if isinstance(metric, LevelMetric) and 1 <= metric_id.k <= evaluation.levels:
            return metric.stats(seen, metric_id.k), metric.reduce
        if isinstance(metric, ClassMetric) and metric_id.member in _members(evaluation):
            return metric.stats(seen, _members(evaluation).index(metric_id.member)), metric.reduce
    except RAISED:  # as in compute, which says why
        return None
    return None


def is_pooled(spec: MetricSpec) -> bool:
    """Whether a metric ranks all samples together (:class:`PooledMetric`); not if it cannot be loaded."""
    try:
        kind = {"": PooledMetric, "levels": PooledLevelMetric}.get(spec.over)
        return kind is not None and isinstance(load_object(spec.factory), kind)
    except RAISED:  # a plugin's module may raise anything
        return False


def pooled_counts(spec: MetricSpec, evaluation: Evaluation, name: str = "") -> tuple[Stats, Reduce] | None:
    """What a bootstrap of a metric that ranks all samples together needs.

    Args:
        spec: one that :func:`is_pooled`.
        evaluation: the samples of all folds.
        name: the id, of a metric per level.

    Returns:
        ``(stats, reduce)``: numbers (N, K), dense or sparse, and a function of sums (..., K), so that
        ``reduce(W @ stats)`` is the metric under sample weights W (B, N), and of ``stats.sum(0)`` the exact
        one; or None where the metric does not apply or fails.

    >>> from hmcbench.metrics.builtin import SPECS
    >>> from hmcbench.metrics.fixtures import four_scores
    >>> stats, reduce = pooled_counts(find_spec(SPECS, "auprc_macro"), four_scores())
    >>> reduce(np.array([[1, 1, 1, 1], [0, 1, 0, 1]]) @ stats).round(4).tolist()
    [0.9444, 1.0]
    """
    metric_id = parse_id(spec, name or spec.name)
    if metric_id is None or not _concerns(spec, evaluation) or _unfit(spec, evaluation):
        return None
    key = (metric_id.k,) if spec.over else ()
    if evaluation.pairs is not None or (key and not 1 <= metric_id.k <= evaluation.levels):
        return None
    try:
        metric = load_object(spec.factory)
        stats, reduce = metric.counts(evaluation, *key)
        if stats.shape[0] != len(evaluation):
            raise ValueError(f"counts of {stats.shape[0]} samples, not of {len(evaluation)}")
        beside = metric(evaluation, *key) - float(reduce(summed(stats)))
    except RAISED:  # as in compute, which says why
        return None
    if abs(beside) <= _SLACK:  # rounding: there is a threshold for every score
        return stats, reduce
    return stats, lambda sums: reduce(sums) + beside


def _concerns(spec: MetricSpec, evaluation: Evaluation) -> bool:
    """Whether a metric is of this kind of task; metrics of samples are metrics of pixels too."""
    return spec.task == evaluation.task.kind and spec.unit in ("sample", evaluation.task.unit)


def _metric(spec: MetricSpec, evaluation: Evaluation) -> Any:
    """The metric; of pixels, one with a row of statistics per image."""
    metric = load_object(spec.factory)
    if evaluation.pairs is None or spec.unit == "pixel":
        return metric
    return of_images(metric, evaluation.pairs)


def _unfit(spec: MetricSpec, evaluation: Evaluation) -> str:
    """Why a metric of the right kind of task is not defined for this one; empty if it is."""
    if spec.task == "hmc" and evaluation.task.paths not in spec.paths:
        return f"defined for {' and '.join(spec.paths)} paths only"
    return ""


def _members(evaluation: Evaluation) -> tuple[str, ...]:
    """What ``over="classes"`` runs over: classes, or targets."""
    return evaluation.task.targets if evaluation.task.kind == "regression" else evaluation.hierarchy.classes


# --------------------------------------------------------------------------- values


def _record_spec(results: Results, spec: MetricSpec, evaluation: Evaluation, wanted: set[str] | None) -> None:
    """All ids of one metric, or those that are wanted."""
    concerns, unfit = _concerns(spec, evaluation), _unfit(spec, evaluation)
    if concerns and unfit:
        results.left_out[spec.name] = unfit
    of_classes = spec.over == "classes"
    many = of_classes and wanted is None and len(_members(evaluation)) > MANY_CLASSES
    for ids in _ids(spec, evaluation, wanted):
        if unfit or not concerns:
            results.undefined.update(metric_id.text for metric_id in ids)
        elif many:
            results.left_out[ids[0].text] = f"more than {MANY_CLASSES} classes: ask for it by name"
        else:
            record = _record_members if of_classes else _record_one
            _reasons(results, ids, partial(record, results, ids, evaluation))


def _ids(spec: MetricSpec, evaluation: Evaluation, wanted: set[str] | None) -> Iterator[list[MetricId]]:
    """The wanted ids that one call gives; where they are of all classes, the one that stands for them."""
    for raw in (False, True) if spec.decided else (False,):
        every = MetricId(spec, raw)
        if spec.over == "classes":
            if wanted is None or every.text in wanted:
                yield [every]
                continue
            of_members = [replace(every, member=member) for member in _members(evaluation)]
            if named := [metric_id for metric_id in of_members if metric_id.text in wanted]:
                yield named
            continue
        for k in range(1, evaluation.levels + 1) if spec.over == "levels" else (0,):
            metric_id = replace(every, k=k)
            if wanted is None or wanted & {metric_id.template, metric_id.text}:
                yield [metric_id]


def _record_one(results: Results, ids: Sequence[MetricId], evaluation: Evaluation) -> None:
    (metric_id,) = ids
    _keep(results, metric_id, float(_value(metric_id, evaluation)))


def _record_members(results: Results, ids: Sequence[MetricId], evaluation: Evaluation) -> None:
    """The values of classes or targets, by one call for all."""
    members, every = _members(evaluation), replace(ids[0], member="")
    values = np.asarray(_value(every, evaluation), dtype=np.float64)
    if values.shape != (len(members),):
        raise ValueError(f"returned shape {values.shape}, not ({len(members)},)")
    named = {metric_id.member for metric_id in ids}
    for member, value in zip(members, values.tolist(), strict=True):
        if named & {"", member}:
            _keep(results, replace(every, member=member), value)


def _reasons(results: Results, ids: Sequence[MetricId], record: Callable[[], None]) -> None:
    """Run ``record``; an error of the metric is the reason for missing values. Limit and measure its time.

    A call and no context: where no time is left, nothing may run.
    """
    name = ids[0].spec.name
    began, spent = time.perf_counter(), results.seconds.get(name, 0.0)
    limited = can_limit()
    try:
        with time_limit(METRIC_S - spent, f"took more than {METRIC_S:g} s"):
            record()
    except NotApplicable as error:
        _leave_out(results, ids, str(error))
    except TooSlow as error:
        if not limited:  # the time of what asked for the metric is over, such as the fit of a rule
            raise
        results.failures |= {metric_id.text: str(error) for metric_id in ids}
    except RAISED as error:  # a plugin may raise anything; the other metrics go on
        why = one_line(f"{type(error).__name__}: {error}", 300)
        results.failures |= {metric_id.text: why for metric_id in ids}
    finally:
        results.seconds[name] = spent + time.perf_counter() - began


def _leave_out(results: Results, ids: Sequence[MetricId], why: str) -> None:
    names = [metric_id.text for metric_id in ids]
    results.left_out |= dict.fromkeys(names, why)
    results.undefined.update(names)


def _value(metric_id: MetricId, evaluation: Evaluation) -> Any:
    absent = missing(metric_id.spec)
    if absent:
        raise Unavailable(f"it needs {', '.join(absent)}")
    metric = _metric(metric_id.spec, evaluation)
    seen = evaluation.with_raw() if metric_id.raw else evaluation
    return metric(seen, metric_id.k) if metric_id.spec.over == "levels" else metric(seen)


def _keep(results: Results, metric_id: MetricId, value: float) -> None:
    low = -math.inf if metric_id.spec.low is None else metric_id.spec.low
    high = math.inf if metric_id.spec.high is None else metric_id.spec.high
    if math.isnan(value):
        _leave_out(results, [metric_id], "undefined here")
    elif math.isinf(value) or not low - _SLACK <= value <= high + _SLACK:
        results.failures[metric_id.text] = f"returned {value}, outside [{low:g}, {high:g}]"
    else:
        results[metric_id.text] = value
