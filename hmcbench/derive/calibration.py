"""Calibrated rows: stored scores made honest on the calibration side, without training.

The maps are fitted level by level on the samples that were put apart (``[protocol] calibration``), which
neither training nor early stopping nor thresholds have seen:

- ``temperature``: one number T. Single paths: the probabilities of a level, with what ``stop`` has, to the
  power 1 / T and scaled to their former sum [Guo et al. 2017]. Several paths: logit / T.
- ``platt``: a logistic function of the logit, a logit + b [Platt 1999], fitted on all (sample, class) pairs.
- ``isotonic``: the nearest step function that never falls [Zadrozny & Elkan 2002], fitted on the same pairs.

On single paths the classes of a level exclude each other, so that what ``platt`` and ``isotonic`` give is
scaled to sum to 1 again, with ``stop`` where the model has it. Where paths may end above a level and the
model has no ``stop``, that is what the classes leave of 1 (:mod:`hmcbench.metrics.decisions`): the maps are
then fitted on samples whose paths end above it too, and a sum is scaled only if it is above 1. Several
paths: every pair by itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np

from hmcbench.derive.new_records import NewRecord
from hmcbench.errors import BadInput, unknown
from hmcbench.leaderboard.grouping import named_records, newest
from hmcbench.metrics.computing import CALIBRATION, compute_sides, parts_of
from hmcbench.metrics.decisions import hierarchy_of, rule_name, thresholds_of
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import Record
from hmcbench.records.row_names import chosen_row, model_reference
from hmcbench.registry.registry import Registry

NAME, VERSION = "calibrated", "1"
Method = Literal["temperature", "platt", "isotonic"]
METHODS: tuple[Method, ...] = ("temperature", "platt", "isotonic")
LEAST = 1e-7  # a probability of 0 has no logarithm
Map = Mapping[str, Any]
"""What was fitted on one level: ``{"t": 1.3}``, ``{"a": .9, "b": -.1}`` or ``{"x": [...], "y": [...]}``."""


@dataclass(frozen=True, eq=False)
class Level:
    """The probabilities of one level of N samples.

    Attributes:
        scores: float64 (N, K), classes, and ``stop`` as the last column where the model has it.
        truth: boolean (N, K).
        single: whether they exclude each other.
        open: whether what they leave of 1 says that the path ends above this level.
    """

    scores: np.ndarray
    truth: np.ndarray
    single: bool
    open: bool = False


def levels_of(predictions: Predictions) -> list[Level]:
    """Every level of stored scores; truth of no class where none is stored."""
    task, hierarchy = predictions.task, hierarchy_of(predictions.task)
    truth = np.zeros(predictions.scores.shape, dtype=bool)
    if predictions.truth is not None:
        truth = predictions.truth.toarray() if hasattr(predictions.truth, "toarray") else predictions.truth
    levels, single = [], task.paths == "single"
    leaves_stop = single and predictions.stop is None and not (task.depth == "full" and hierarchy.even)
    for k in range(1, hierarchy.depth + 1):
        columns = hierarchy.level_classes(k)
        scores, true = predictions.scores[:, columns].astype(np.float64), truth[:, columns]
        if predictions.stop is not None:
            scores = np.column_stack([scores, predictions.stop[:, k - 1]])
            true = np.column_stack([true, ~true.any(axis=1)])
        levels.append(Level(scores, true, single, open=leaves_stop and k > 1))  # no path ends above level 1
    return levels


def fit_level(level: Level, method: Method) -> Map:
    """The map of one level; raises BadInput where no sample has a class there."""
    some = level.truth.any(axis=1)
    if not some.any():
        raise BadInput("the calibration side has no class on one of the levels")
    if level.single and (method == "temperature" or not level.open):
        level = replace(level, scores=level.scores[some], truth=level.truth[some])
    return _FITS[method](level)


def apply_level(level: Level, fitted: Map) -> np.ndarray:
    """Calibrated probabilities (N, K)."""
    scores = level.scores
    if "t" in fitted:
        if not level.single:
            return _sigmoid(_logit(scores) / fitted["t"])
        mass = np.minimum(scores.sum(axis=1, keepdims=True), 1.0)
        logs = np.log(np.maximum(scores, LEAST)) / fitted["t"]
        powers = np.where(scores > 0, np.exp(logs - logs.max(axis=1, keepdims=True)), 0.0)
        powers *= mass / np.maximum(powers.sum(axis=1, keepdims=True), LEAST)
        return powers
    if "a" in fitted:
        changed = _sigmoid(fitted["a"] * _logit(scores) + fitted["b"])
    else:
        changed = np.interp(scores, fitted["x"], fitted["y"])
    if level.single:
        changed /= np.maximum(changed.sum(axis=1, keepdims=True), 1.0 if level.open else LEAST)
    return changed


def _logit(p: np.ndarray) -> np.ndarray:
    p = np.clip(p, LEAST, 1 - LEAST)
    logits: np.ndarray = np.log(p) - np.log1p(-p)
    return logits


def _sigmoid(x: np.ndarray) -> np.ndarray:
    from scipy.special import expit

    return np.asarray(expit(x))


def _temperature(level: Level) -> Map:
    from scipy.optimize import minimize_scalar

    def loss(log_t: float) -> float:
        p = apply_level(level, {"t": np.exp(log_t)})
        if not level.single:
            p = np.where(level.truth, p, 1 - p)
            return float(-np.log(np.maximum(p, LEAST)).mean())
        return float(-np.log(np.maximum((p * level.truth).sum(axis=1), LEAST)).mean())

    optimum = minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded", options={"xatol": 1e-4})
    return {"t": round(float(np.exp(optimum.x)), 6)}


def _platt(level: Level) -> Map:
    from scipy.optimize import minimize

    x, y = _logit(level.scores).ravel(), level.truth.ravel()
    positives, negatives = int(y.sum()), int((~y).sum())
    target = np.where(y, (positives + 1) / (positives + 2), 1 / (negatives + 2))  # [Platt 1999, 2.2]

    def loss(ab: np.ndarray) -> tuple[float, np.ndarray]:
        z = ab[0] * x + ab[1]
        error = _sigmoid(z) - target
        return float((np.logaddexp(0, z) - target * z).mean()), np.array([(error * x).mean(), error.mean()])

    optimum = minimize(
        loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(0, None), (None, None)]
    )
    return {"a": round(float(optimum.x[0]), 6), "b": round(float(optimum.x[1]), 6)}


def _isotonic(level: Level) -> Map:
    from sklearn.isotonic import IsotonicRegression

    x, y = level.scores.ravel(), level.truth.ravel().astype(np.float64)
    least = 1 / (len(y) + 2)  # no share of a few samples says never or always
    fitted = IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip").fit(x, y)
    return {
        "x": np.asarray(fitted.X_thresholds_, dtype=np.float64).round(7).tolist(),
        "y": np.asarray(fitted.y_thresholds_, dtype=np.float64).round(7).tolist(),
    }


_FITS: Mapping[str, Callable[[Level], Map]] = {
    "temperature": _temperature,
    "platt": _platt,
    "isotonic": _isotonic,
}


# --------------------------------------------------------------------------- predictions


def fit(predictions: Predictions, method: Method) -> list[Map]:
    """A map per level, fitted on the calibration side.

    Raises:
        BadInput: no calibration side, no truth, a regression, scores that are no probabilities.
    """
    if predictions.task.kind != "hmc":
        raise BadInput("regression predicts no probabilities", allowed="records with classes")
    if predictions.only_sets or predictions.maps is not None:
        raise _NoProbabilities(
            "no scores of classes are stored", allowed="records of models that give probabilities"
        )
    apart = predictions.of_side(CALIBRATION)
    if not len(apart) or apart.truth is None:
        raise BadInput(
            "there are no samples to calibrate on",
            allowed="records of a suite with calibration = 0.1 under [protocol], stored with truth",
        )
    if predictions.scores.min() < 0 or predictions.scores.max() > 1:
        raise _NoProbabilities("the scores only rank: they are no probabilities")
    return [fit_level(level, method) for level in levels_of(apart)]


def calibrated(predictions: Predictions, maps: Sequence[Map]) -> Predictions:
    """The predictions with calibrated scores, and ``stop`` outputs where there are any."""
    scores = np.empty(predictions.scores.shape)
    stop = None if predictions.stop is None else np.empty(predictions.stop.shape)
    starts = np.cumsum([0, *hierarchy_of(predictions.task).level_sizes])
    for k, (level, fitted) in enumerate(zip(levels_of(predictions), maps, strict=True)):
        changed = apply_level(level, fitted)
        width = starts[k + 1] - starts[k]
        scores[:, starts[k] : starts[k + 1]] = changed[:, :width]
        if stop is not None:
            stop[:, k] = changed[:, width]
    kind = predictions.scores.dtype
    return replace(
        predictions,
        scores=scores.astype(kind),
        stop=None if stop is None else stop.astype(kind),
        decisions=None,
        bits=32,
    )


# --------------------------------------------------------------------------- records


def calibrate_records(
    info: Mapping[str, Any] | None,
    records: Sequence[Record],
    method: str,
    registry: Registry,
    rows: Sequence[str] = (),
) -> list[NewRecord]:
    """A calibrated record for every record of some rows; nothing is written.

    Args:
        info: ``suite.json``.
        records: of the suite.
        method: one of :data:`METHODS`.
        rows: labels or names of rows; empty for all that are not calibrated ones and give probabilities.

    Raises:
        BadInput: an unknown method or row, records without a calibration side, no row with probabilities.
    """
    if method not in METHODS:
        raise unknown("method", method, METHODS)
    named = named_records([record for record in newest(records) if record.ok], info)
    usual = [record for record in named if record.data["model"].get("name") != NAME]
    pairs = [(record.label, model_reference(record)) for record in usual]
    chosen = {chosen_row(name, pairs) for name in rows} or {record.label for record in usual}
    new: list[tuple[tuple[str, ...], NewRecord]] = []
    refused: dict[tuple[str, ...], BadInput] = {}  # rows, each on its board
    for record in (record for record in usual if record.label in chosen):
        row = (*record.pair, record.profile)
        try:
            new += [(row, _calibrated(record, method, registry))] if row not in refused else []
        except _NoProbabilities as error:
            if rows:
                raise
            refused[row] = error
    kept = [record for row, record in new if row not in refused]
    if refused and not kept:
        raise next(iter(refused.values()))
    return kept


class _NoProbabilities(BadInput):
    """Of a row of sets, or of scores that only rank."""


def _calibrated(record: Record, method: Any, registry: Registry) -> NewRecord:
    before = record.predictions()
    try:
        maps = fit(before, method)
    except BadInput as error:
        kind = _NoProbabilities if isinstance(error, _NoProbabilities) else BadInput
        raise kind(f"{record.path.name}: {error.what}", allowed=error.allowed, hint=error.hint) from None
    predictions = calibrated(before, maps)
    per = record.part("decision").get("per", "shared")
    valid = predictions.of_side("validation")
    thresholds = thresholds_of(valid.scores, valid.truth, valid.task, per)
    model = {
        **{k: v for k, v in record.data["model"].items() if k != "reference"},
        "label": label_of(record.label, method),
        "name": NAME,
        "version": VERSION,
        "params": {},
        "members": [{"label": record.label, "seed": record.seed, "key": record.key, "weight": 1.0}],
        "calibrated": method,
        "maps": maps,
    }
    identity = [NAME, VERSION, method, record.key]
    of_scores = ("rules", "applied_rule", "shifts", "metric_failures")  # parts that other scores made
    data = {
        **{name: value for name, value in record.data.items() if name not in of_scores},
        "key": hashlib.sha256(json.dumps(identity).encode()).hexdigest(),
        "model": model,
        "decision": {
            **record.part("decision"),
            "rule": rule_name(predictions.task, thresholds, per),
            "thresholds": None if thresholds is None else thresholds.to_json(),
        },
        **parts_of(compute_sides(registry.specs("metrics"), predictions, thresholds)),
        "weights": None,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return NewRecord(data, predictions)


def label_of(label: str, method: str) -> str:
    """The name of a calibrated row.

    >>> label_of("forest", "platt"), label_of("timm:resnet10t[epochs=6]", "isotonic")
    ('forest[calibrated=platt]', 'timm:resnet10t[epochs=6,calibrated=isotonic]')
    """
    stem = label.removesuffix("]") if label.endswith("]") and "[" in label else ""
    return f"{stem},calibrated={method}]" if stem else f"{label}[calibrated={method}]"
