"""Three models for comparison: the prior, chance, and the truth. Each returns probabilities."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from hmcbench import Inputs, Labelled, Run, Scores, Task
from hmcbench.errors import BadInput
from hmcbench.files import write_atomic

FILE = "model.json"


def _stop(task: Task, values: np.ndarray) -> np.ndarray | None:
    """The share of paths that have ended above each level, (N, L); None where none ends early.

    It is 1 - the sum of the level's classes; see :class:`hmcbench.interfaces.Scores`.
    """
    hierarchy = task.hierarchy
    if hierarchy is None or not _ends_early(task):
        return None
    sums = [values[:, hierarchy.level_classes(k)].sum(axis=1) for k in range(1, hierarchy.depth + 1)]
    stop: np.ndarray = np.clip(1 - np.stack(sums, axis=1), 0, 1)
    return stop


def _ends_early(task: Task) -> bool:
    """Whether a single path may end above the deepest level."""
    hierarchy = task.hierarchy
    uneven = hierarchy is not None and bool((hierarchy.levels[hierarchy.leaves] < hierarchy.depth).any())
    return task.paths == "single" and (uneven or task.depth == "ragged")


def _read(folder: Path, name: str) -> Any:
    """A value of ``model.json``; raises BadInput where it is missing or damaged."""
    try:
        return json.loads((folder / FILE).read_text(encoding="utf-8"))[name]
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = f"{folder / FILE} cannot be read ({error})"
        raise BadInput(what, allowed="files written by hmcbench run") from None


class Prior:
    """The mean of the training targets: for classes their frequency, which is coherent.

    Per level the frequencies and the share of paths that have ended sum to 1. For regression it
    is the mean target.
    """

    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        self._task = run.task
        self._mean = np.asarray(train.targets.sum(axis=0), dtype=np.float64).reshape(1, -1) / len(train)

    def save(self, folder: Path) -> None:
        """Writes ``model.json``."""
        write_atomic(folder / FILE, json.dumps({"mean": self._mean[0].tolist()}) + "\n")

    def load(self, folder: Path, run: Run) -> None:
        self._task, self._mean = run.task, np.array([_read(folder, "mean")], dtype=np.float64)

    def predict(self, inputs: Inputs) -> Scores:
        values = np.repeat(self._mean, len(inputs), axis=0)
        return Scores(values, _stop(self._task, values))


class Random:
    """Uniform numbers per class; on single paths each level, ``stop`` included, is scaled to sum to 1.

    A sample's numbers come from a hash of the seed and its id, so they are the same in any batch.
    """

    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        self._task, self._seed = run.task, run.seed

    def save(self, folder: Path) -> None:
        """Writes ``model.json``."""
        write_atomic(folder / FILE, json.dumps({"seed": self._seed}) + "\n")

    def load(self, folder: Path, run: Run) -> None:
        self._task, self._seed = run.task, int(_read(folder, "seed"))

    def predict(self, inputs: Inputs) -> Scores:
        hierarchy = self._task.hierarchy
        assert hierarchy is not None, "declared for hmc tasks only"
        n = hierarchy.n
        drawn = np.array([self._draw(sample, n + hierarchy.depth) for sample in inputs.ids])
        values, ended = drawn[:, :n], drawn[:, n:]
        if self._task.paths == "multiple":
            return Scores(values)
        for k in range(1, hierarchy.depth + 1):
            columns = hierarchy.level_classes(k)
            total = values[:, columns].sum(axis=1)
            if k > 1 and _ends_early(self._task):
                total += ended[:, k - 1]
            values[:, columns] /= total[:, None]
        return Scores(values, _stop(self._task, values))

    def _draw(self, sample: str, numbers: int) -> np.ndarray:
        digest = hashlib.sha256(f"{self._seed}\n{sample}".encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:16], "big")).random(numbers)


class Oracle:
    """The view ``answers`` as scores: the best value of every metric."""

    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        self._task = run.task

    def predict(self, inputs: Inputs) -> Scores:
        values = np.asarray(inputs.views["answers"], dtype=np.float64)
        return Scores(values, _stop(self._task, values))
