"""Predictions of the test samples under shifts: ``shifts.npz`` beside ``predictions.npz``, in small form.

Scores are stored in 16 bits, together up to :data:`MOST_BYTES` before compression; where there are more, only
the coherent decisions are, of every path its last class. Metrics are computed from what is stored, so that
they follow from the file. Truth, sides and hierarchy are in ``predictions.npz``. Of a shift that not all test
samples see, the file says which do, and the record has the metrics of these without it (``before``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array, vstack

from hmcbench.errors import BadInput
from hmcbench.files import replacing
from hmcbench.interfaces import Task
from hmcbench.metrics import decisions
from hmcbench.metrics.computing import CALIBRATION, Results, compute_sides
from hmcbench.metrics.decisions import Thresholds
from hmcbench.records.score_bits import bits_for, rounded, stored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hmcbench.interfaces import MetricSpec, Scores
    from hmcbench.records.predictions import Predictions
    from hmcbench.records.record import Record

FILE = "shifts.npz"
FORMAT = 2
READ = (1, 2)  # all test samples see every shift in 1
MOST_BYTES = 2_500_000
SETS = "decisions"
"""What a record says of the form where only decisions are stored."""
FAILED = "metric_failures"
"""Part of a shift's block, only where metrics failed: severity as text -> metric id -> what went wrong."""


class ShiftPoint(NamedTuple):
    """A shift at one severity."""

    shift: str
    severity: float


@dataclass(frozen=True)
class Shifted:
    """What is stored at one point of the n test samples that see the shift, in the record's order.

    Attributes:
        scores: float32 (n, C) or predicted targets (n, T); None where only decisions are stored.
        stop: float32 (n, L) or None, as in :class:`hmcbench.interfaces.Scores`.
        decided: boolean CSR (n, C) or None: decisions of the model itself.
        sets: boolean CSR (n, C), closed; None where scores are stored.
        seen: int64 (n,), rising places among all test samples; None where all see the shift.
        novelty: float32 (n,) or None, as in :class:`hmcbench.interfaces.Scores`; files of earlier versions
            lack it.
    """

    scores: np.ndarray | None = None
    stop: np.ndarray | None = None
    decided: Any = None
    sets: Any = None
    seen: np.ndarray | None = None
    novelty: np.ndarray | None = None

    def __len__(self) -> int:
        held = self.scores if self.sets is None else self.sets
        return 0 if held is None else int(held.shape[0])

    def rows(self, start: int, stop: int) -> Shifted:
        """Some of the rows."""
        parts = (self.scores, self.stop, self.decided, self.sets, self.novelty)
        *others, novelty = (None if part is None else part[start:stop] for part in parts)
        return replace(Shifted(*others), novelty=novelty)


def in_small_form(
    points: Mapping[ShiftPoint, Scores],
    seen: Mapping[str, np.ndarray],
    task: Task,
    thresholds: Thresholds | None,
) -> dict[ShiftPoint, Shifted]:
    """Scores as they can be stored: rounded to 16 bits, or as decisions where they are too many.

    Args:
        seen: label of a shift -> places of the test samples that see it, where not all do.
    """
    numbers = sum(s.values.size + (0 if s.stop is None else s.stop.size) for s in points.values())
    many = 2 * numbers > MOST_BYTES

    def small(scores: Scores) -> Shifted:
        if task.kind == "regression":
            return Shifted(scores.values.astype(np.float32))
        if many:
            return Shifted(sets=_coherent(scores, task, thresholds))
        return Shifted(
            rounded(scores.values, bits_for(scores.values, 16)),
            None if scores.stop is None else rounded(scores.stop, 16),
            None if scores.decisions is None else csr_array(scores.decisions, dtype=bool),
            novelty=None if scores.novelty is None else np.asarray(scores.novelty, dtype=np.float32),
        )

    return {point: replace(small(scores), seen=seen.get(point.shift)) for point, scores in points.items()}


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
    seen = {point.shift: shifted.seen for point, shifted in points.items() if shifted.seen is not None}
    header = {
        "format": FORMAT,
        "points": [[*point, len(shifted)] for point, shifted in points.items()],
        "seen": {label: len(places) for label, places in seen.items()},
    }
    arrays: dict[str, Any] = {"header": np.array(json.dumps(header))}
    if seen:
        arrays["seen"] = np.concatenate(list(seen.values())).astype(np.int32)
    if all_points[0].sets is not None:
        hierarchy = decisions.hierarchy_of(task)
        ends = [hierarchy.most_specific(point.sets) for point in all_points]
        arrays |= _parts("sets", vstack([csr_array(part, dtype=bool) for part in ends], format="csr"))
    else:
        scores = np.concatenate([point.scores for point in all_points if point.scores is not None])
        bits = bits_for(scores, 16) if task.kind == "hmc" else 32
        arrays["scores"] = stored(scores, bits)
        stops = [point.stop for point in all_points if point.stop is not None]
        if stops:
            arrays["stop"] = stored(np.concatenate(stops), 16)
        decided = [point.decided for point in all_points if point.decided is not None]
        if decided:
            arrays |= _parts("decided", vstack(decided, format="csr"))
        novelty = [point.novelty for point in all_points if point.novelty is not None]
        if novelty:
            arrays["novelty"] = np.concatenate(novelty)
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
    if header["format"] not in READ:
        raise ValueError(f"format {header['format']}, this version reads {FORMAT}")
    points = [ShiftPoint(str(shift), float(severity)) for shift, severity, *_ in header["points"]]
    width = len(task.targets) if task.hierarchy is None else task.hierarchy.n
    whole = _whole(file, task, width)
    counts = [len(whole) // len(points)] * len(points)
    if header["format"] > 1:
        counts = [int(n) for *_, n in header["points"]]
    held = (whole.scores, whole.stop, whole.decided, whole.sets, whole.novelty)
    parts = [part for part in held if part is not None]
    if any(part.shape[0] != sum(counts) for part in parts):
        raise ValueError("its parts do not fit together")
    seen = _seen(file, header.get("seen", {}))
    ends = np.cumsum(counts)
    return {
        point: replace(whole.rows(end - count, end), seen=seen.get(point.shift))
        for point, count, end in zip(points, counts, ends, strict=True)
    }


def _whole(file: Mapping[str, np.ndarray], task: Task, width: int) -> Shifted:
    """All points below one another."""
    if "sets_indices" in file:
        close = decisions.hierarchy_of(task).close
        return Shifted(sets=csr_array(close(_sets(file, "sets", width)), dtype=bool))
    scores = file["scores"].astype(np.float32)
    if scores.shape[-1] != width:
        raise ValueError(f"scores of {scores.shape[-1]} columns for {width}")
    scores = scores.reshape(-1, width)
    return Shifted(
        scores,
        file["stop"].astype(np.float32).reshape(len(scores), -1) if "stop" in file else None,
        _sets(file, "decided", width) if "decided_indices" in file else None,
        novelty=file["novelty"].astype(np.float32) if "novelty" in file else None,
    )


def _seen(file: Mapping[str, np.ndarray], counts: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Label of a shift -> places of the test samples that see it."""
    if not counts:
        return {}
    ends = np.cumsum(list(counts.values()))
    parts = np.split(file["seen"].astype(np.int64), ends[:-1])
    if len(file["seen"]) != ends[-1]:
        raise ValueError("its parts do not fit together")
    return dict(zip(counts, parts, strict=True))


def _parts(name: str, sets: csr_array) -> dict[str, np.ndarray]:
    """Boolean (m, C) as columns, and how many there are in every row, in few bytes."""
    sets.sort_indices()
    narrow = np.uint16 if sets.shape[1] <= 2**16 else np.int32
    return {
        f"{name}_indices": sets.indices.astype(narrow),
        f"{name}_counts": np.diff(sets.indptr).astype(narrow),
    }


def _sets(file: Mapping[str, np.ndarray], name: str, width: int) -> csr_array:
    """The sets of all points, boolean (sum of their n, C)."""
    indices, counts = file[f"{name}_indices"].astype(np.int32), file[f"{name}_counts"].astype(np.int64)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    if indptr[-1] != len(indices) or (len(indices) and indices.max() >= width):
        raise ValueError("its parts do not fit together")
    return csr_array((np.ones(len(indices), dtype=bool), indices, indptr), shape=(len(counts), width))


# --------------------------------------------------------------------------- what follows from it


def under_shift(predictions: Predictions, shifted: Shifted) -> Predictions:
    """The test samples that see a shift, with the scores or decisions of a point; and the side put apart.

    Where the model says how unlike a sample is, and this is not stored of the shift, nothing tells which
    samples it suspects there: no sample counts as unknown.

    Args:
        predictions: of the record, with all sides and truth.

    Raises:
        BadInput: another number of test samples.
    """
    test = _seeing(predictions.of_side("test"), shifted.seen)
    values = shifted.scores if shifted.sets is None else shifted.sets.toarray().astype(np.float32)
    assert values is not None
    if values.shape != test.scores.shape:
        raise BadInput(f"{FILE} has predictions of shape {values.shape}, the record of {test.scores.shape}")
    values = values.astype(test.scores.dtype, copy=False)
    only_sets, novelty = shifted.sets is not None, shifted.novelty
    apart = predictions.of_side(CALIBRATION)
    if novelty is None and predictions.novelty is not None:
        apart, test = (replace(part, unknown=None, novelty=None) for part in (apart, test))
    elif novelty is not None and novelty.shape != (len(test),):
        raise BadInput(f"{FILE} has novelty of shape {novelty.shape} of {len(test)} samples")
    changed = {"scores": values, "stop": shifted.stop, "decisions": shifted.decided, "novelty": novelty}
    test = replace(test, **changed, only_sets=only_sets)
    return test if only_sets else apart.beside(test)


def before_shift(predictions: Predictions, shifted: Shifted) -> Predictions:
    """The same samples as of :func:`under_shift`, as they are."""
    test = _seeing(predictions.of_side("test"), shifted.seen)
    return predictions.of_side(CALIBRATION).beside(test)


def _seeing(test: Predictions, seen: np.ndarray | None) -> Predictions:
    if seen is None:
        return test
    if len(seen) and not 0 <= seen.min() <= seen.max() < len(test):
        raise BadInput(f"{FILE} names test samples that the record does not have")
    return test.take(seen)


def shift_metrics(
    specs: Sequence[MetricSpec],
    predictions: Predictions,
    points: Mapping[ShiftPoint, Shifted],
    thresholds: Thresholds | None,
    names: Sequence[str],
) -> dict[ShiftPoint, Results]:
    """ShiftPoint -> values on the test samples and what failed; the thresholds are those of the record.

    Where not all test samples see a shift, its severity 0 has the values of those that do, as they are.

    Raises:
        BadInput: no truth is stored, or predictions that do not fit.
    """
    out = {}
    for point, shifted in points.items():
        out[point] = compute_sides(specs, under_shift(predictions, shifted), thresholds, names)["test"]
        plain = ShiftPoint(point.shift, 0.0)
        if shifted.seen is not None and plain not in out:
            out[plain] = compute_sides(specs, before_shift(predictions, shifted), thresholds, names)["test"]
    return out


def stored_shifts(record: Record, predictions: Predictions) -> dict[ShiftPoint, Shifted]:
    """The points that a record has; empty where it has none or they were not published."""
    folder = record.predictions_folder
    if not record.part("shifts").get("of") or folder is None:
        return {}
    return load(folder / FILE, predictions.task)


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
    new = {
        (label, severity): {**(old if keep else {}), **values.get(ShiftPoint(label, severity), {})}
        for label, severity, old in recorded_values(blocks)
    }
    out = {label: dict(block) for label, block in blocks.items()}
    for label, block in out.items():
        if "before" in block:
            block["before"] = new[label, 0.0]
        if "metrics" in block:
            block["metrics"] = [new[label, float(severity)] for severity in block["severities"]]
    return out


def with_failures(
    blocks: Mapping[str, Mapping[str, Any]], failures: Mapping[ShiftPoint, Mapping[str, str]]
) -> dict[str, dict[str, Any]]:
    """Blocks of a record that say which metrics failed at which severity and why, and nothing else of it."""
    out = {label: {k: v for k, v in block.items() if k != FAILED} for label, block in blocks.items()}
    for point, failed in failures.items():
        if failed:
            out[point.shift].setdefault(FAILED, {})[_text(point.severity)] = dict(failed)
    return out


def failed_at(blocks: Mapping[str, Mapping[str, Any]], point: ShiftPoint) -> Mapping[str, str]:
    """Metric id -> what went wrong at a point; empty where nothing did."""
    failed: Mapping[str, str] = blocks[point.shift].get(FAILED, {}).get(_text(point.severity), {})
    return failed


def _text(severity: float) -> str:
    return f"{severity:.15g}"


Recorded = tuple[str, float, Mapping[str, Any]]
"""Label of a shift, severity, and metrics there."""


def recorded_values(blocks: Mapping[str, Mapping[str, Any]]) -> Iterator[Recorded]:
    """Every point in a record; severity 0 where not all samples see a shift."""
    for label, block in blocks.items():
        if "before" in block:
            yield label, 0.0, block["before"]
        for severity, values in zip(block.get("severities", ()), block.get("metrics", ()), strict=False):
            yield label, float(severity), values
