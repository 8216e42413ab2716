"""Predictions by sample id: scores, truth and the task, enough to compute any metric later.

One ``.npz`` file, without pickles. Truth is stored sparse, the hierarchy as JSON. The same values give the
same file, byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from hmcbench.errors import BadInput
from hmcbench.files import replacing
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Task

FORMAT = 1


@dataclass(frozen=True)
class Predictions:
    """Predictions of the validation partition and of every test partition of one cell.

    Attributes:
        ids: N sample ids, unique.
        side: N names: ``validation``, ``test``, or a further test set (``shifted``).
        scores: float32 (N, C) probabilities, or (N, T) predicted targets.
        task: the task, with its hierarchy or targets.
        truth: hmc: boolean CSR (N, C), ancestor-closed; regression: float (N, T); ``None`` where
            it may not be redistributed.
        stop: float32 (N, L) or None; see :class:`hmcbench.interfaces.Scores`.
        groups: N strings or None: samples that a bootstrap keeps together.
    """

    ids: Sequence[str]
    side: Sequence[str]
    scores: np.ndarray
    task: Task
    truth: Any = None
    stop: np.ndarray | None = None
    groups: Sequence[str] | None = None

    def __len__(self) -> int:
        return len(self.ids)

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
        }
        arrays: dict[str, Any] = {
            "header": np.array(json.dumps(header, sort_keys=True)),
            "ids": np.array(list(self.ids), dtype=np.str_),
            "side": np.array(list(self.side), dtype=np.str_),
            "scores": np.asarray(self.scores, dtype=np.float32 if task.kind == "hmc" else np.float64),
        }
        if self.stop is not None:
            arrays["stop"] = np.asarray(self.stop, dtype=np.float32)
        if self.groups is not None:
            arrays["groups"] = np.array(list(self.groups), dtype=np.str_)
        if self.truth is not None and task.kind == "hmc":
            truth = csr_array(self.truth, dtype=bool)
            truth.sum_duplicates()
            arrays["truth_indices"] = truth.indices.astype(np.int32)
            arrays["truth_indptr"] = truth.indptr.astype(np.int64)
        elif self.truth is not None:
            arrays["truth"] = np.asarray(self.truth, dtype=np.float64)
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)

    @classmethod
    def load(cls, path: Path) -> Predictions:
        """Read a file written by :meth:`save`; raises BadInput when it is damaged."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
                return cls._from_arrays({name: data[name] for name in data.files})
        except FileNotFoundError:
            raise BadInput(f"{path} is missing", hint="run the same command again to make it") from None
        except Exception as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise BadInput(
                f"{path} cannot be read ({reason})", allowed="a file written by hmcbench"
            ) from None

    @classmethod
    def _from_arrays(cls, data: dict[str, np.ndarray]) -> Predictions:
        header = json.loads(str(data["header"]))
        if header["format"] != FORMAT:
            raise ValueError(f"format {header['format']}, this version reads {FORMAT}")
        hierarchy = Hierarchy.from_json(header["hierarchy"]) if header["hierarchy"] else None
        task = Task(header["kind"], header["paths"], header["depth"], hierarchy, tuple(header["targets"]))
        scores = data["scores"]
        truth: Any = data.get("truth")
        if "truth_indptr" in data:
            indices, indptr = data["truth_indices"], data["truth_indptr"]
            truth = csr_array((np.ones(len(indices), dtype=bool), indices, indptr), shape=scores.shape)
        groups = data.get("groups")
        return cls(
            ids=data["ids"].tolist(),
            side=data["side"].tolist(),
            scores=scores,
            task=task,
            truth=truth,
            stop=data.get("stop"),
            groups=None if groups is None else groups.tolist(),
        )
