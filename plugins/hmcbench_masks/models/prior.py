"""The frequencies of the training pixels, for every pixel: what a model must beat."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hmcbench import Inputs, Labelled, Run, Scores
from hmcbench.errors import BadInput
from hmcbench.files import write_atomic
from hmcbench_masks.models.images import BAND, Legend, maps_of

FILE = "model.json"


class PixelPrior:
    """Class frequencies, which are coherent."""

    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        """Count the labelled pixels of all training images together."""
        counts = maps_of(train).counts[:, :-1].sum(axis=0)
        shares = counts / max(1, counts.sum())
        self._values, self._stop = Legend.of(train, run.task).scores(shares.astype(np.float32))

    def save(self, folder: Path) -> None:
        """Writes ``model.json``."""
        stop = None if self._stop is None else self._stop.tolist()
        write_atomic(folder / FILE, json.dumps({"values": self._values.tolist(), "stop": stop}) + "\n")

    def load(self, folder: Path, run: Run) -> None:
        """Replaces ``fit``; raises BadInput for a file that is damaged or of another hierarchy."""
        hierarchy = run.task.hierarchy
        try:
            content = json.loads((folder / FILE).read_text(encoding="utf-8"))
            self._values = np.array(content["values"], dtype=np.float32)
            self._stop = None if content["stop"] is None else np.array(content["stop"], dtype=np.float32)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadInput(
                f"{folder / FILE} cannot be read ({error})", allowed="as hmcbench run wrote it"
            ) from None
        if hierarchy is None or self._values.shape != (hierarchy.n,):
            raise BadInput(f"{folder / FILE} is of other classes", allowed="as hmcbench run wrote it")

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
