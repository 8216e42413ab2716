"""Ensembles: the mean of stored predictions of several cells, as a record.

The members of one ensemble have the same data, split, fold and profile, so they predict the same samples.
A new row has one record per fold and seed, or per fold where all seeds are averaged. Costs are the sums of
those of the members: all of them have to be trained, and asked for every new sample.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from hmcbench.derive.calibration import NAME as CALIBRATED
from hmcbench.derive.new_records import NewRecord
from hmcbench.errors import BadInput
from hmcbench.interfaces import FittedPer
from hmcbench.leaderboard.grouping import groups, named_records, newest
from hmcbench.metrics.computing import compute, compute_sides, parts_of
from hmcbench.metrics.decisions import rule_name, thresholds_of
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.ids import find_spec
from hmcbench.metrics.promise import ALPHA
from hmcbench.metrics.rules.scoring import find_rules, score_rules
from hmcbench.records.predictions import Predictions, PredictionsReader
from hmcbench.records.record import SCHEMA, FoldSeed, Record
from hmcbench.records.row_names import chosen_row, model_reference
from hmcbench.records.score_bits import rounded
from hmcbench.registry.registry import Registry

NAME, VERSION = "ensemble-of", "1"
BOTH = "train and validation"  # what some models are fitted on; validation then selects nothing
SUMMED = (
    "fit_s",
    "predict_s",
    "featurize_s",
    "featurize_cpu_s",
    "search_s",
    "search_candidates",
    "total_s",
    "elapsed_s",
    "latency_p50_ms",
    "predict_p50_ms",
)
"""Costs of which an ensemble has the sum; a feature that two members share counts twice."""


@dataclass(frozen=True)
class Wanted:
    """What an ensemble is made of.

    Attributes:
        rows: labels or names of rows; empty for all that are no ensembles (only with ``best``).
        over_seeds: average the seeds of a row too, each row with the same weight.
        best: at most this many members, selected on validation; 0: the mean of all.
        name: label of the new row; made from the others by default.
    """

    rows: tuple[str, ...] = ()
    over_seeds: bool = False
    best: int = 0
    name: str = ""

    @property
    def label(self) -> str:
        """``ensemble-of[rows=a+b]``, ``ensemble-of[rows=a,seeds=all]``, ``ensemble-of[best=10]``."""
        parts = [f"best={self.best}"] if self.best else []
        parts += [f"rows={'+'.join(self.rows)}"] if self.rows else []
        parts += ["seeds=all"] if self.over_seeds else []
        return self.name or f"{NAME}[{','.join(parts)}]"


@dataclass(frozen=True)
class Member:
    """One cell, and its share of the mean."""

    record: Record
    predictions: Predictions
    weight: float


def make_ensembles(
    info: Mapping[str, Any] | None,
    records: Sequence[Record],
    wanted: Wanted,
    registry: Registry,
) -> list[NewRecord]:
    """The records of one new row, for every board of a suite that has the rows; nothing is written.

    Args:
        info: ``suite.json``.
        records: of the suite.
        wanted: what to average.
        registry: for metrics and decision rules.

    Raises:
        BadInput: an unknown row, nothing in common, predictions that are missing or cannot be averaged, or
            a name that another row has.
    """
    named = named_records([record for record in newest(records) if record.ok], info)
    no_members = (NAME, CALIBRATED)
    usual = [r for r in named if r.data["model"].get("name") not in no_members and not r.brought]
    rows = [(record.label, model_reference(record)) for record in named]
    where = f" of {records[0].suite}" if records else ""
    wanted = replace(wanted, rows=tuple(chosen_row(name, rows, where) for name in wanted.rows))
    chosen = set(wanted.rows) or {record.label for record in usual}
    for record in named:
        _check_name(record, wanted)
    new = []
    for board in groups([record for record in named if record.label in chosen]):
        for place, cells in _places(board, wanted).items():
            if {cell.label for cell in cells} == chosen or (wanted.best and not wanted.rows):
                new.append(_new_record(place, _members(cells, wanted, registry), wanted, registry))
    if not new:
        raise BadInput(
            f"no dataset, fold and seed has a record of each of {', '.join(sorted(chosen))}",
            allowed="rows of one board" + ("" if wanted.over_seeds else ", or --over-seeds"),
        )
    return new


def _check_name(record: Record, wanted: Wanted) -> None:
    """Raise BadInput where a row of other members, or no ensemble at all, has the name of the new one."""
    if record.label != wanted.label:
        return
    members = record.part("model").get("members") or []
    same = bool(wanted.best) or {member["label"] for member in members} == set(wanted.rows)
    over_seeds = len({member["seed"] for member in members}) > 1
    mixed = bool(record.seed) if wanted.over_seeds else over_seeds  # a mean over seeds stands at seed 0
    if record.part("model").get("name") != NAME or not same or mixed:
        raise BadInput(f"another row is called {wanted.label} already", allowed="another --name LABEL")


def _places(board: Sequence[Record], wanted: Wanted) -> dict[FoldSeed, list[Record]]:
    """Fold and seed of a new record -> the cells it may be made of."""
    places: dict[FoldSeed, list[Record]] = {}
    for record in sorted(board, key=lambda record: (record.label, record.seed)):
        place = FoldSeed(record.fold, 0) if wanted.over_seeds else record.fold_seed
        places.setdefault(place, []).append(record)
    return dict(sorted(places.items()))


def _members(cells: Sequence[Record], wanted: Wanted, registry: Registry) -> list[Member]:
    """The cells with their weights; those that the selection left out are not there."""
    if wanted.best:
        cells = [cell for cell in cells if cell.part("model").get("fitted_on") != BOTH]
        if not cells:
            raise BadInput(
                "every row was fitted on validation samples too: there is nothing to select on",
                allowed="a mean of named rows",
            )
    predictions = _aligned(cells)
    if wanted.best:
        metric = str(cells[0].data["suite"]["primary"])
        weights = select(predictions, metric, wanted.best, registry, _per(cells))
    else:
        rows = [cell.label for cell in cells]
        weights = np.array([1 / rows.count(row) for row in rows]) / len(set(rows))
    return [Member(*parts) for parts in zip(cells, predictions, weights.tolist(), strict=True) if parts[2]]


def _aligned(cells: Sequence[Record]) -> list[Predictions]:
    """The predictions of cells, with rows in the order of the first."""
    reader = PredictionsReader()
    loaded = [cell.predictions(reader) for cell in cells]
    first = list(zip(loaded[0].side, loaded[0].ids, strict=True)) if loaded else []
    aligned = []
    for cell, predictions in zip(cells, loaded, strict=True):
        keys = list(zip(predictions.side, predictions.ids, strict=True))
        if predictions.maps is not None:
            raise BadInput("label maps have no mean", allowed="records of models that label whole images")
        if predictions.truth is None:
            raise BadInput(f"{cell.path.name} is stored without truth", allowed="records with truth")
        if sorted(keys) != sorted(first):
            raise BadInput(f"{cell.path.name} predicts other samples than {cells[0].path.name}")
        if predictions.only_sets:
            raise BadInput(f"{cell.label} has label sets without scores: they have no mean with scores")
        if predictions.task.kind == "hmc" and not _inside(predictions.scores):
            raise BadInput(f"the scores of {cell.label} only rank: they have no mean with those of others")
        if keys != first:
            where = {key: i for i, key in enumerate(keys)}
            predictions = predictions.take(np.array([where[key] for key in first]))
        aligned.append(predictions)
    return aligned


def _inside(scores: np.ndarray) -> bool:
    return not scores.size or bool(scores.min() >= 0 and scores.max() <= 1)


def mean_of(predictions: Sequence[Predictions], weights: Sequence[float]) -> Predictions:
    """The weighted mean of scores, and of ``stop`` outputs where all have them; all else of the first.

    Scores are stored in the most bits that a member has. They are rounded to them here, so that everything
    that is computed follows from the stored file.
    """
    first, bits = predictions[0], max(part.bits for part in predictions)
    scores = np.zeros(first.scores.shape)
    for part, weight in zip(predictions, weights, strict=True):
        scores += weight * part.scores
    stops = [weight * p.stop for p, weight in zip(predictions, weights, strict=True) if p.stop is not None]
    stop = np.sum(stops, axis=0).astype(first.scores.dtype) if len(stops) == len(predictions) else None
    scores = rounded(scores, bits) if bits < 32 else scores.astype(first.scores.dtype)
    return replace(first, scores=scores, bits=bits, stop=stop, decisions=None, novelty=None)


def select(
    predictions: Sequence[Predictions], metric: str, most: int, registry: Registry, per: FittedPer = "shared"
) -> np.ndarray:
    """Greedy forward selection with replacement on validation [Caruana et al. 2004].

    Begins with the best of all, and adds again and again the one whose mean with those chosen has the best
    value, also one that was chosen before; of all means on the way the best counts, of equals the smallest.

    Args:
        predictions: of the candidates, with aligned rows.
        metric: id of the metric.
        most: steps, at least 1.
        registry: for the metric.
        per: what has a threshold of its own; thresholds are fitted anew for every mean.

    Returns:
        float (M,): weights that sum to 1; 0 for those not chosen.

    Raises:
        BadInput: no validation samples, or a metric without a value for any candidate.
    """
    spec = find_spec(registry.specs("metrics"), metric)
    sign = -1.0 if spec.better == "lower" else 1.0
    valid = [part.of_side("validation") for part in predictions]
    if not valid or not len(valid[0]):
        raise BadInput("there are no validation predictions to select on", allowed="a mean of named rows")

    def value(counts: np.ndarray) -> float:
        used = np.flatnonzero(counts)
        mean = mean_of([valid[i] for i in used], (counts[used] / counts.sum()).tolist())
        thresholds = thresholds_of(mean.scores, mean.truth, mean.task, per)
        computed = compute([spec], Evaluation.of_predictions(mean, thresholds), [metric]).get(metric)
        return -np.inf if computed is None else sign * computed

    counts = best = np.zeros(len(valid), dtype=np.int64)
    best_value = -np.inf
    for _ in range(most):
        steps = [counts + (np.arange(len(valid)) == i) for i in range(len(valid))]
        values = [value(step) for step in steps]
        counts = steps[int(np.argmax(values))]
        if max(values) > best_value:
            best, best_value = counts, max(values)
    if best_value == -np.inf:
        raise BadInput(f"{metric} has no value on the validation samples", allowed="another primary metric")
    weights: np.ndarray = best / best.sum()
    return weights


# --------------------------------------------------------------------------- records


def _new_record(place: FoldSeed, members: Sequence[Member], wanted: Wanted, registry: Registry) -> NewRecord:
    records = [member.record for member in members]
    predictions = mean_of([m.predictions for m in members], [m.weight for m in members])
    valid, per = predictions.of_side("validation"), _per(records)
    thresholds = thresholds_of(valid.scores, valid.truth, valid.task, per)
    specs = registry.specs("metrics")
    shared = set.intersection(*(set(record.part("rules")) for record in records))
    ruled = score_rules(find_rules(registry, sorted(shared)), specs, predictions, thresholds, per)
    first = records[0].data
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "key": _key(wanted.label, place, members),
        "status": "ok",
        "cause": None,
        "message": "",
        **{name: first[name] for name in ("suite", "dataset", "split", "profile")},
        "model": _model(wanted.label, members),
        "seed": place.seed,
        "decision": {
            "rule": rule_name(predictions.task, thresholds, per),
            "thresholds": None if thresholds is None else thresholds.to_json(),
            **({"per": per} if per != "shared" else {}),
            **({"alpha": predictions.alpha} if predictions.alpha != ALPHA else {}),
        },
        **parts_of(compute_sides(specs, predictions, thresholds)),
        **({"rules": ruled} if ruled else {}),
        "weights": None,
        **_costs(records),
        "versions": first.get("versions", {}),
        "git": first.get("git"),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return NewRecord(data, predictions)


def _key(label: str, place: FoldSeed, members: Sequence[Member]) -> str:
    parts = sorted([member.record.key, member.weight] for member in members)
    return hashlib.sha256(json.dumps([NAME, VERSION, label, place, parts]).encode()).hexdigest()


def _model(label: str, members: Sequence[Member]) -> dict[str, Any]:
    models = [member.record.data["model"] for member in members]
    listed = [
        {"label": m.record.label, "seed": m.record.seed, "key": m.record.key, "weight": round(m.weight, 6)}
        for m in members
    ]
    both = {"fitted_on": BOTH} if any(model.get("fitted_on") == BOTH for model in models) else {}
    return {
        "label": label,
        "name": NAME,
        "version": VERSION,
        "params": {},
        "members": listed,
        "transductive": any(model.get("transductive") for model in models),
        "pretrained": any(model.get("pretrained") for model in models),
        **{name: _sum(model.get(name) for model in models) for name in ("parameters", "multiply_adds")},
        **both,
    }


def _per(records: Sequence[Record]) -> FittedPer:
    per: FittedPer = records[0].part("decision").get("per", "shared")
    return per


def _sum(values: Iterable[Any]) -> Any:
    """None where one is missing."""
    known = list(values)
    return None if any(value is None for value in known) else sum(known)


def _costs(records: Sequence[Record]) -> dict[str, Any]:
    """Timing, memory and hardware; no costs where the members ran on different machines."""
    hardware = [record.part("hardware") for record in records]
    if len({part.get("fingerprint") for part in hardware}) > 1:
        return {"timing": {}, "memory": {}, "hardware": {}}
    timings, memories = ([r.part(name) for r in records] for name in ("timing", "memory"))
    sums = {name: _sum(timing.get(name) for timing in timings) for name in SUMMED}
    rates = [timing.get("throughput_per_s") for timing in timings]
    timing: dict[str, Any] = {name: value for name, value in sums.items() if value is not None}
    if all(rates):
        timing["throughput_per_s"] = round(1 / sum(1 / float(rate) for rate in rates if rate), 2)
    timing["shared"] = any(part.get("shared") for part in timings)
    timing["views_cached"] = all(part.get("views_cached") for part in timings)
    memory: dict[str, Any] = {
        name: None if any(m.get(name) is None for m in memories) else max(float(m[name]) for m in memories)
        for name in memories[0]
    }
    return {"timing": timing, "memory": memory, "hardware": dict(hardware[0])}
