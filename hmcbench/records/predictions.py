"""Predictions by sample id: scores, truth and the task, enough to compute any metric later.

One ``.npz`` file, without pickles. Truth is stored sparse, the hierarchy as JSON. The same values give the
same file, byte for byte.
"""

from __future__ import annotations

import functools
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array, vstack

from hmcbench.errors import BadInput
from hmcbench.files import replacing
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.hierarchy.label_maps import LabelMaps
from hmcbench.interfaces import Task
from hmcbench.metrics.promise import ALPHA
from hmcbench.records.maps import append_maps, map_arrays, read_maps
from hmcbench.records.score_bits import rounded, stored

FORMAT = 1
MOST_SHARED = 512  # parts that a reader keeps; a board of k folds has about six for each


@dataclass(frozen=True)
class Predictions:
    """Predictions of all partitions of one cell but the one that it was trained on.

    Attributes:
        ids: N sample ids, unique.
        side: N names: ``validation``, ``calibration``, ``test``, ``far`` (other data), or a further
            test set (``shifted``).
        scores: float32 (N, C) probabilities, or float64 (N, T) predicted targets.
        task: the task, with its hierarchy or targets.
        truth: hmc: boolean CSR (N, C), ancestor-closed; regression: float (N, T); ``None`` where
            it may not be redistributed.
        stop: float32 (N, L) or None; see :class:`hmcbench.interfaces.Scores`.
        groups: N strings or None: samples that a bootstrap keeps together; empty for a sample of none.
        decisions: boolean (N, C) or None: decisions of the model itself; see
            :class:`hmcbench.interfaces.Scores`.
        training: int64 (C, 2) or None: training samples of every class, and those with all of its parents.
        ruled: boolean (N, C) or None: closed sets that a decision rule made; never stored.
        bits: of a stored score of a class (:mod:`hmcbench.records.score_bits`); the scores are rounded to
            them already.
        only_sets: whether there are closed sets and no scores: ``scores`` has them as 0 and 1, and no metric
            of scores is defined.
        maps: of pixels: the decided label maps. Scores are then (N, 0), and truth is
            :class:`hmcbench.hierarchy.label_maps.LabelMaps` too.
        unknown: boolean (N,) or None: samples of classes that the run never showed.
        novelty: float32 (N,) or None; see :class:`hmcbench.interfaces.Scores`.
        alpha: the bound on risk that the suite asks for; kept in ``record.json``, not in the file.
    """

    ids: Sequence[str]
    side: Sequence[str]
    scores: np.ndarray
    task: Task
    truth: Any = None
    stop: np.ndarray | None = None
    groups: Sequence[str] | None = None
    decisions: Any = None
    training: np.ndarray | None = None
    ruled: np.ndarray | None = None
    bits: int = 32
    only_sets: bool = False
    maps: LabelMaps | None = None
    unknown: np.ndarray | None = None
    alpha: float = ALPHA
    novelty: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def units(self) -> list[str] | None:
        """N names of what a bootstrap draws as a whole: the group of a sample, or the sample itself.

        None where there are no groups. No group has the name of a lone sample, which begins with a NUL.
        """
        if self.groups is None:
            return None
        return [group or f"\0{name}" for name, group in zip(self.ids, self.groups, strict=True)]

    def of_side(self, side: str) -> Predictions:
        """The rows of one partition, in stored order."""
        return self.take(np.flatnonzero(np.asarray(self.side, dtype=object) == side))

    def take(self, rows: np.ndarray) -> Predictions:
        """A selection of rows."""
        return replace(
            self,
            ids=[self.ids[i] for i in rows],
            side=[self.side[i] for i in rows],
            scores=self.scores[rows],
            truth=None if self.truth is None else self.truth[rows],
            stop=None if self.stop is None else self.stop[rows],
            groups=None if self.groups is None else [self.groups[i] for i in rows],
            decisions=None if self.decisions is None else self.decisions[rows],
            ruled=None if self.ruled is None else self.ruled[rows],
            maps=None if self.maps is None else self.maps[rows],
            unknown=None if self.unknown is None else self.unknown[rows],
            novelty=None if self.novelty is None else self.novelty[rows],
        )

    def beside(self, other: Predictions) -> Predictions:
        """These rows, and those of other sides below them."""
        if not len(other) or not len(self):
            return self if len(self) else other
        groups = None
        if self.groups is not None or other.groups is not None:
            groups = [*(self.groups or self.ids), *(other.groups or other.ids)]
        unknown = None
        if self.unknown is not None or other.unknown is not None:
            known = [np.zeros(len(part), dtype=bool) for part in (self, other)]
            pairs = zip((self.unknown, other.unknown), known, strict=True)
            unknown = np.concatenate([part if part is not None else none for part, none in pairs])
        return replace(
            self,
            ids=[*self.ids, *other.ids],
            side=[*self.side, *other.side],
            scores=np.concatenate([self.scores, other.scores]),
            truth=_stacked(self.truth, other.truth),
            stop=None if self.stop is None or other.stop is None else np.concatenate([self.stop, other.stop]),
            groups=groups,
            decisions=_stacked(self.decisions, other.decisions),
            ruled=None,
            unknown=unknown,
            novelty=_stacked(self.novelty, other.novelty),
        )

    def save(self, path: Path) -> None:
        """Write atomically."""
        task = self.task
        header = {
            "format": FORMAT,
            "kind": task.kind,
            "paths": task.paths,
            "depth": task.depth,
            "targets": list(task.targets),
            "hierarchy": task.hierarchy.to_json() if task.hierarchy is not None else None,
            **({"unscored": list(task.unscored)} if task.unscored else {}),
            **({"only_sets": True} if self.only_sets else {}),
            **({"unit": task.unit} if task.unit != "sample" else {}),
        }
        arrays: dict[str, Any] = {
            "header": np.array(json.dumps(header, sort_keys=True)),
            "ids": np.array(list(self.ids), dtype=np.str_),
            "side": np.array(list(self.side), dtype=np.str_),
            "scores": stored(self.scores, self.bits)
            if task.kind == "hmc"
            else np.asarray(self.scores, dtype=np.float64),
        }
        if self.stop is not None:
            arrays["stop"] = np.asarray(self.stop, dtype=np.float32)
        if self.groups is not None:
            arrays["groups"] = np.array(list(self.groups), dtype=np.str_)
        if self.training is not None:
            arrays["training"] = np.asarray(self.training, dtype=np.int64)
        if self.unknown is not None:
            arrays["unknown"] = np.asarray(self.unknown, dtype=bool)
        if self.novelty is not None:
            arrays["novelty"] = np.asarray(self.novelty, dtype=np.float32)
        if self.decisions is not None:
            arrays |= _sparse_parts("decisions", self.decisions)
        pairs = (("truth", self.truth), ("predicted", self.maps))
        label_maps = {name: maps for name, maps in pairs if isinstance(maps, LabelMaps)}
        for name, maps in label_maps.items():
            arrays |= map_arrays(name, maps)
        if self.truth is not None and task.kind == "hmc" and not label_maps:
            arrays |= _sparse_parts("truth", self.truth)
        elif self.truth is not None and not label_maps:
            arrays["truth"] = np.asarray(self.truth, dtype=np.float64)
        with replacing(path) as temporary, temporary.open("w+b") as file:
            np.savez_compressed(file, **arrays)
            append_maps(file, label_maps)

    @classmethod
    def load(cls, path: Path, reader: PredictionsReader | None = None) -> Predictions:
        """Read a file written by :meth:`save`; raises BadInput when it is damaged.

        ``reader``: of many files, which keeps what they share.
        """
        try:
            return (reader or PredictionsReader()).read(path.read_bytes())
        except FileNotFoundError:
            hint = "take it from where the record came from, or remove the record and run again"
            raise BadInput(f"{path} is missing", hint=hint) from None
        except Exception as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise BadInput(
                f"{path} cannot be read ({reason})", allowed="a file written by hmcbench"
            ) from None


class PredictionsReader:
    """Reads many files of predictions, in any number of threads, and decodes once what several files share.

    The cells of a board mostly have the same samples, sides, truth and hierarchy. If the stored bytes of
    such a part equal those of an earlier file, the same object is returned again: it must not be changed.
    """

    def __init__(self) -> None:
        self._parts: dict[tuple[Any, ...], Any] = {}

    def read(self, content: bytes) -> Predictions:
        """The predictions in the content of a file; raises whatever goes wrong where it is damaged."""
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            infos = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}

            def array(name: str) -> np.ndarray:
                part = io.BytesIO(archive.read(infos[name]))
                return np.lib.format.read_array(part, allow_pickle=False)

            def shared(make: Callable[..., Any], *names: str, width: int = 0) -> Any:
                """``make`` of these parts, and of the width where there is one."""
                key = (make, width, *(_stored(content, infos[name]) for name in names))
                part = self._parts.get(key)
                if part is None:
                    if len(self._parts) >= MOST_SHARED:
                        self._parts.clear()
                    part = self._parts[key] = make(*map(array, names), *([width] if width else []))
                return part

            (task, only_sets), scores = shared(_header, "header"), array("scores")
            bits = 16 if scores.dtype == np.float16 else 32
            scores = rounded(scores, bits) if bits == 16 else scores
            truth = maps = None
            if task.unit == "pixel":
                truth, maps = (
                    read_maps(archive, array, name, len(scores)) for name in ("truth", "predicted")
                )
            elif "truth_indptr" in infos:
                truth = shared(_sets, "truth_indices", "truth_indptr", width=scores.shape[1])
            elif "truth" in infos:
                truth = shared(np.asarray, "truth")
            groups = shared(np.ndarray.tolist, "groups") if "groups" in infos else None
            ids, side = (shared(np.ndarray.tolist, name) for name in ("ids", "side"))
            decided = None
            if "decisions_indptr" in infos:
                decided = _sets(array("decisions_indices"), array("decisions_indptr"), scores.shape[1])
            unknown, novelty = (array(name) if name in infos else None for name in ("unknown", "novelty"))
            parts = (part for part in (scores, truth, decided, novelty) if part is not None)
            lengths = {len(ids), len(side), *(part.shape[0] for part in parts)}
            if len(lengths) > 1:
                raise ValueError(f"its parts have {' and '.join(map(str, sorted(lengths)))} rows")
            stop = array("stop") if "stop" in infos else None
            training = shared(np.asarray, "training") if "training" in infos else None
            kept = (ids, side, scores, task, truth, stop, groups, decided, training)
            more = {"bits": bits, "only_sets": only_sets, "maps": maps, "unknown": unknown}
            return Predictions(*kept, **more, novelty=novelty)


def _stored(content: bytes, info: zipfile.ZipInfo) -> bytes:
    """The bytes of a member as they stand in the file, compressed."""
    names = int.from_bytes(content[info.header_offset + 26 : info.header_offset + 28], "little")
    extra = int.from_bytes(content[info.header_offset + 28 : info.header_offset + 30], "little")
    start = info.header_offset + 30 + names + extra
    return content[start : start + info.compress_size]


def _header(header: np.ndarray) -> tuple[Task, bool]:
    return _read_header(str(header))


@functools.lru_cache(maxsize=8)  # a hierarchy of thousands of classes takes a while, and never changes
def _read_header(header: str) -> tuple[Task, bool]:
    """The task, and ``only_sets``."""
    parts = json.loads(header)
    if parts["format"] != FORMAT:
        raise ValueError(f"format {parts['format']}, this version reads {FORMAT}")
    hierarchy = Hierarchy.from_json(parts["hierarchy"]) if parts["hierarchy"] else None
    targets, unscored = tuple(parts["targets"]), tuple(parts.get("unscored", ()))
    unit = parts.get("unit", "sample")
    task = Task(parts["kind"], parts["paths"], parts["depth"], hierarchy, targets, unscored, unit)
    return task, bool(parts.get("only_sets"))


def _sparse_parts(name: str, sets: Any) -> dict[str, np.ndarray]:
    """Boolean (N, C) as two arrays."""
    sparse = csr_array(sets, dtype=bool)
    sparse.sum_duplicates()
    return {
        f"{name}_indices": sparse.indices.astype(np.int32),
        f"{name}_indptr": sparse.indptr.astype(np.int64),
    }


def _sets(indices: np.ndarray, indptr: np.ndarray, width: int) -> csr_array:
    return csr_array((np.ones(len(indices), dtype=bool), indices, indptr), shape=(len(indptr) - 1, width))


def _stacked(above: Any, below: Any) -> Any:
    """Matrices of two sides below one another; None where one has none."""
    if above is None or below is None:
        return None
    if isinstance(above, np.ndarray) and isinstance(below, np.ndarray):
        return np.concatenate([above, below])
    return csr_array(vstack([csr_array(above), csr_array(below)], format="csr"), dtype=bool)
