"""Predictions of the test samples under shifts: ``shifts.npz`` beside ``predictions.npz``, in small form.

Scores are stored in 16 bits, together up to :data:`MOST_BYTES` before compression; where there are more, only
the coherent decisions are, of every path its last class. Metrics are computed from what is stored, so that
they follow from the file. Truth, sides and hierarchy are in ``predictions.npz``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array, vstack

from hmcbench.errors import BadInput
from hmcbench.files import replacing
from hmcbench.interfaces import Task
from hmcbench.metrics import decisions
from hmcbench.metrics.computing import CALIBRATION, compute_sides
from hmcbench.metrics.decisions import Thresholds
from hmcbench.records.score_bits import bits_for, rounded, stored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hmcbench.interfaces import MetricSpec, Scores
    from hmcbench.records.predictions import Predictions
    from hmcbench.records.record import Record

FILE = "shifts.npz"
FORMAT = 1
MOST_BYTES = 2_500_000
SETS = "decisions"
"""What a record says of the form where only decisions are stored."""


class ShiftPoint(NamedTuple):
    """A shift at one severity."""

    shift: str
    severity: float


@dataclass(frozen=True)
class Shifted:
    """What is stored of the test samples at one point, in the order of the record's test samples.

    Attributes:
        scores: float32 (n, C) or predicted targets (n, T); None where only decisions are stored.
        stop: float32 (n, L) or None, as in :class:`hmcbench.interfaces.Scores`.
        decided: boolean CSR (n, C) or None: decisions of the model itself.
        sets: boolean CSR (n, C), closed; None where scores are stored.
    """

    scores: np.ndarray | None = None
    stop: np.ndarray | None = None
    decided: Any = None
    sets: Any = None


def in_small_form(
    points: Mapping[ShiftPoint, Scores], task: Task, thresholds: Thresholds | None
) -> dict[ShiftPoint, Shifted]:
    """Scores as they can be stored: rounded to 16 bits, or as decisions where they are too many."""
    if not points:
        return {}
    first = next(iter(points.values()))
    numbers = first.values.size + (0 if first.stop is None else first.stop.size)
    if task.kind == "regression":
        return {point: Shifted(scores.values.astype(np.float32)) for point, scores in points.items()}
    if 2 * numbers * len(points) > MOST_BYTES:
        return {point: Shifted(sets=_coherent(scores, task, thresholds)) for point, scores in points.items()}
    return {
        point: Shifted(
            rounded(scores.values, bits_for(scores.values, 16)),
            None if scores.stop is None else rounded(scores.stop, 16),
            None if scores.decisions is None else csr_array(scores.decisions, dtype=bool),
        )
        for point, scores in points.items()
    }


def _coherent(scores: Scores, task: Task, thresholds: Thresholds | None) -> csr_array:
    hierarchy = decisions.hierarchy_of(task)
    if scores.decisions is not None:
        return csr_array(hierarchy.close(csr_array(scores.decisions, dtype=bool)), dtype=bool)
    return csr_array(decisions.coherent(scores.values, scores.stop, task, thresholds), dtype=bool)


# --------------------------------------------------------------------------- the file


def save(path: Path, points: Mapping[ShiftPoint, Shifted], task: Task) -> str:
    """Write all points atomically; the SHA-256 of the file. The same values give the same file.

    Args:
        points: all with scores, or all with sets.
    """
    all_points = list(points.values())
    header = {"format": FORMAT, "points": [list(point) for point in points]}
    arrays: dict[str, Any] = {"header": np.array(json.dumps(header))}
    if all_points[0].sets is not None:
        hierarchy = decisions.hierarchy_of(task)
        ends = [hierarchy.most_specific(point.sets) for point in all_points]
        arrays |= _parts("sets", vstack([csr_array(part, dtype=bool) for part in ends], format="csr"))
    else:
        scores = np.stack([point.scores for point in all_points if point.scores is not None])
        bits = bits_for(scores, 16) if task.kind == "hmc" else 32
        arrays["scores"] = stored(scores, bits)
        stops = [point.stop for point in all_points if point.stop is not None]
        if stops:
            arrays["stop"] = stored(np.stack(stops), 16)
        decided = [point.decided for point in all_points if point.decided is not None]
        if decided:
            arrays |= _parts("decided", vstack(decided, format="csr"))
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load(path: Path, task: Task) -> dict[ShiftPoint, Shifted]:
    """Read a file written by :func:`save`.

    Raises:
        BadInput: there is none, or it is damaged.
    """
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            return _read(file, task)
    except FileNotFoundError:
        raise BadInput(f"{path} is missing", hint="the same run with --shifts makes it again") from None
    except Exception as error:  # of a damaged file, anything
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInput(f"{path} cannot be read ({reason})", allowed="a file written by hmcbench") from None


def _read(file: Mapping[str, np.ndarray], task: Task) -> dict[ShiftPoint, Shifted]:
    header = json.loads(str(file["header"]))
    if header["format"] != FORMAT:
        raise ValueError(f"format {header['format']}, this version reads {FORMAT}")
    points = [ShiftPoint(str(shift), float(severity)) for shift, severity in header["points"]]
    width = len(task.targets) if task.hierarchy is None else task.hierarchy.n
    if "sets_indices" in file:
        ends = _sets(file, "sets", width, len(points))
        close = decisions.hierarchy_of(task).close
        closed = [csr_array(close(part), dtype=bool) for part in ends]
        return {point: Shifted(sets=sets) for point, sets in zip(points, closed, strict=True)}
    scores = file["scores"].astype(np.float32)
    stops = file["stop"].astype(np.float32) if "stop" in file else [None] * len(points)
    decided: Sequence[Any] = [None] * len(points)
    if "decided_indices" in file:
        decided = _sets(file, "decided", width, len(points))
    if scores.shape[0] != len(points) or scores.shape[2] != width:
        raise ValueError(f"scores of shape {scores.shape} for {len(points)} points and {width} columns")
    parts = zip(points, scores, stops, decided, strict=True)
    return {point: Shifted(values, stop, sets) for point, values, stop, sets in parts}


def _parts(name: str, sets: csr_array) -> dict[str, np.ndarray]:
    """Boolean (m, C) as columns, and how many there are in every row, in few bytes."""
    sets.sort_indices()
    narrow = np.uint16 if sets.shape[1] <= 2**16 else np.int32
    return {
        f"{name}_indices": sets.indices.astype(narrow),
        f"{name}_counts": np.diff(sets.indptr).astype(narrow),
    }


def _sets(file: Mapping[str, np.ndarray], name: str, width: int, points: int) -> list[csr_array]:
    """The sets of every point."""
    indices, counts = file[f"{name}_indices"].astype(np.int32), file[f"{name}_counts"].astype(np.int64)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    if len(counts) % points or indptr[-1] != len(indices) or (len(indices) and indices.max() >= width):
        raise ValueError("its parts do not fit together")
    whole = csr_array((np.ones(len(indices), dtype=bool), indices, indptr), shape=(len(counts), width))
    n = len(counts) // points
    return [whole[i * n : (i + 1) * n] for i in range(points)]


# --------------------------------------------------------------------------- what follows from it


def under_shift(predictions: Predictions, shifted: Shifted) -> Predictions:
    """The test side with the scores or decisions of a point; beside it the side that was put apart.

    Args:
        predictions: of the record, with all sides and truth.

    Raises:
        BadInput: another number of test samples.
    """
    test = predictions.of_side("test")
    values = shifted.scores if shifted.sets is None else shifted.sets.toarray().astype(np.float32)
    assert values is not None
    if values.shape != test.scores.shape:
        raise BadInput(f"{FILE} has predictions of shape {values.shape}, the record of {test.scores.shape}")
    values = values.astype(test.scores.dtype, copy=False)
    only_sets = shifted.sets is not None
    test = replace(test, scores=values, stop=shifted.stop, decisions=shifted.decided, only_sets=only_sets)
    apart = predictions.of_side(CALIBRATION)
    if only_sets or not len(apart):
        return test
    return replace(
        apart,
        ids=[*apart.ids, *test.ids],
        side=[*apart.side, *test.side],
        scores=np.concatenate([apart.scores, test.scores]),
        truth=_stacked(apart.truth, test.truth),
        stop=None if apart.stop is None or test.stop is None else np.concatenate([apart.stop, test.stop]),
        groups=None if apart.groups is None or test.groups is None else [*apart.groups, *test.groups],
        decisions=None if apart.decisions is None else _stacked(apart.decisions, test.decisions),
        unknown=None
        if apart.unknown is None or test.unknown is None
        else np.concatenate([apart.unknown, test.unknown]),
    )


def _stacked(above: Any, below: Any) -> Any:
    if above is None or below is None:
        return None
    if isinstance(above, np.ndarray) and isinstance(below, np.ndarray):
        return np.concatenate([above, below])
    return csr_array(vstack([csr_array(above), csr_array(below)], format="csr"), dtype=bool)


def shift_metrics(
    specs: Sequence[MetricSpec],
    predictions: Predictions,
    points: Mapping[ShiftPoint, Shifted],
    thresholds: Thresholds | None,
    names: Sequence[str],
) -> dict[ShiftPoint, dict[str, float]]:
    """ShiftPoint -> metric id -> value on the test samples; the thresholds are those of the record.

    Raises:
        BadInput: no truth is stored, or predictions that do not fit.
    """
    out = {}
    for point, shifted in points.items():
        scored = compute_sides(specs, under_shift(predictions, shifted), thresholds, names)
        out[point] = dict(scored["test"])
    return out


def stored_shifts(record: Record, predictions: Predictions) -> dict[ShiftPoint, Shifted]:
    """The points that a record has; empty where it has none or they were not published."""
    if not record.part("shifts").get("of") or not record.has_predictions:
        return {}
    return load(record.path / FILE, predictions.task)


def shift_blocks(record: Record) -> dict[str, Mapping[str, Any]]:
    """Label of a shift -> its block in a record: version, unit, severities, and metrics of every severity."""
    blocks: Mapping[str, Mapping[str, Any]] = record.part("shifts").get("of") or {}
    return {label: block for label, block in blocks.items() if "metrics" in block}


def with_metrics(
    blocks: Mapping[str, Mapping[str, Any]],
    values: Mapping[ShiftPoint, Mapping[str, float]],
    keep: bool = True,
) -> dict[str, dict[str, Any]]:
    """Blocks of a record with these values; other values of theirs stay where ``keep`` is true."""
    out = {}
    for label, block in blocks.items():
        if "metrics" in block:
            before = zip(block["severities"], block["metrics"], strict=True)
            metrics = [
                {**(old if keep else {}), **values.get(ShiftPoint(label, float(severity)), {})}
                for severity, old in before
            ]
            block = {**block, "metrics": metrics}
        out[label] = dict(block)
    return out
