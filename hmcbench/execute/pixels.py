"""Predictions for pixels: the scores of every band of rows become decisions, and are dropped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np

from hmcbench.errors import PluginError
from hmcbench.execute.predict import check_scores
from hmcbench.hierarchy.label_maps import LabelMaps, PngMap, dtype_of, png_of
from hmcbench.interfaces import Inputs, ModelSpec, Scores, Task
from hmcbench.metrics import decisions

CELLS = 2**21  # scores that are decided on together: keeps temporaries at tens of megabytes


class PixelModel:
    """A fitted model whose :meth:`predict` returns label maps of coherent decisions.

    Single paths: a pixel holds the column of its most specific class, or C for none. Several paths: it holds
    the row of its set of classes in a legend that grows; a class is there from a score of 0.5 on.
    """

    def __init__(self, model: Any, spec: ModelSpec, task: Task) -> None:
        self.model, self.spec, self.task = model, spec, task
        self._sets: dict[bytes, int] = {}

    def predict(self, inputs: Inputs) -> LabelMaps:
        """One map per image, kept as PNG.

        Raises:
            PluginError: another number of images, or scores of another shape, type or range.
            FloatingPointError: scores that are NaN or infinite.
        """
        rows: list[PngMap] = []
        for sample, scores in zip_longest(inputs.ids, self.model.predict(inputs)):
            if sample is None or scores is None:
                raise PluginError(
                    f"model {self.spec.name}: it has not predicted {len(inputs)} images one by one",
                    allowed="for every image Scores of (H, W, C), or an iterable of them for bands of rows",
                )
            bands = [scores] if isinstance(scores, Scores) else scores
            rows.append(PngMap(png_of(np.concatenate(list(self._decided(bands))))))
        return LabelMaps(rows, self._legend())

    def _decided(self, bands: Iterable[Scores]) -> Iterator[np.ndarray]:
        for band in bands:
            values = np.asarray(band.values)
            if values.ndim != 3:
                raise PluginError(
                    f"model {self.spec.name}: scores of shape {values.shape}", allowed="(H, W, C)"
                )
            step = max(1, CELLS // max(1, values.shape[1] * values.shape[2]))
            for top in range(0, len(values), step):
                rows = slice(top, top + step)
                yield self._numbers(values[rows], None if band.stop is None else band.stop[rows])

    def _numbers(self, values: np.ndarray, stop: np.ndarray | None) -> np.ndarray:
        height, width, columns = values.shape
        n = height * width
        flat = Scores(values.reshape(n, columns), None if stop is None else np.asarray(stop).reshape(n, -1))
        checked = check_scores(flat, n, self.task, self.spec)
        sets = decisions.coherent(checked.values, checked.stop, self.task)
        return self._numbered(sets).reshape(height, width)

    def _numbered(self, sets: np.ndarray) -> np.ndarray:
        """The row of the legend for every set, boolean (n, C)."""
        width = sets.shape[1]
        if self.task.paths == "single":
            last = width - 1 - sets[:, ::-1].argmax(axis=1)
            numbers: np.ndarray = np.where(sets.any(axis=1), last, width).astype(dtype_of(width + 1))
            return numbers
        packed = np.ascontiguousarray(np.packbits(sets, axis=1))
        unique, places = np.unique(packed, axis=0, return_inverse=True)
        rows = [self._sets.setdefault(row.tobytes(), len(self._sets)) for row in unique]
        return np.array(rows, dtype=np.uint16)[places.ravel()]

    def _legend(self) -> np.ndarray:
        hierarchy = decisions.hierarchy_of(self.task)
        if self.task.paths == "single":
            return np.vstack([hierarchy.close(np.eye(hierarchy.n, dtype=bool)), np.zeros(hierarchy.n, bool)])
        packed = np.frombuffer(b"".join(self._sets), dtype=np.uint8).reshape(len(self._sets), -1)
        return np.unpackbits(packed, axis=1, count=hierarchy.n).astype(bool)


def check_sizes(predicted: LabelMaps, truth: LabelMaps, ids: Sequence[str], spec: ModelSpec) -> None:
    """Raise PluginError where a predicted map has another size than the true one."""
    for name, guess, wanted in zip(ids, predicted, truth, strict=True):
        if guess.shape != wanted.shape:
            raise PluginError(
                f"model {spec.name}: scores of {guess.shape} pixels for {name}, which has {wanted.shape}"
            )
