"""The frequencies of the training pixels, for every pixel: what a model must beat."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hmcbench import Inputs, Labelled, Run, Scores
from hmcbench_masks.models.images import BAND, Legend, maps_of


class PixelPrior:
    """Class frequencies, which are coherent."""

    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        """Count the labelled pixels of all training images together."""
        counts = maps_of(train).counts[:, :-1].sum(axis=0)
        shares = counts / max(1, counts.sum())
        self._values, self._stop = Legend.of(train, run.task).scores(shares.astype(np.float32))

    def predict(self, inputs: Inputs) -> Iterator[Iterator[Scores]]:
        """Bands of rows, per image."""
        return (self._bands(*np.asarray(row.load()).shape[:2]) for row in inputs.views["image"])

    def _bands(self, height: int, width: int) -> Iterator[Scores]:
        step = max(1, BAND // width)
        for top in range(0, height, step):
            size = min(step, height - top), width
            values = np.broadcast_to(self._values, (*size, len(self._values)))
            stop = None if self._stop is None else np.broadcast_to(self._stop, (*size, len(self._stop)))
            yield Scores(values, stop)
