"""``hmc-duo``: the mean of C-HMCNN over several seeds and of a forest of predictive clustering trees.

    score = (mean over seeds of C-HMCNN + pct-forest) / 2

The two err differently: one is smooth and trained on all classes at once, the other is local and has no
gradient. The weights are equal and were fixed before any test score was seen. A mean of coherent scores is
coherent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hmcbench.interfaces import Inputs, Labelled, Run, Scores, Task, Value
from hmcbench.sklearnkit.onnx_file import add_mean
from hmcbench_hmc.models.c_hmcnn import CHmcnn
from hmcbench_hmc.models.trees import PctForest
from hmcbench_hmc.models.vectors import VectorModel, network_model


class Duo:
    """Implements :class:`hmcbench.interfaces.Model`."""

    def __init__(self, network: VectorModel, forest: PctForest) -> None:
        self.network, self.forest = network, forest

    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        """Fit both."""
        self.network.fit(train, valid, run)
        self.forest.fit(train, valid, run)

    def refit(self, train: Labelled, run: Run) -> None:
        """Fit both on ``train``, the networks for as many epochs as ``fit`` kept."""
        self.network.refit(train, run)
        self.forest.fit(train, train, run)

    def predict(self, inputs: Inputs) -> Scores:
        """The mean of their scores, (N, C)."""
        return Scores((self.network.predict(inputs).values + self.forest.predict(inputs).values) / 2)

    def save(self, folder: Path) -> None:
        """A folder for each."""
        for name, part in (("network", self.network), ("forest", self.forest)):
            (folder / name).mkdir()
            part.save(folder / name)

    def load(self, folder: Path, run: Run) -> None:
        """Replaces ``fit``."""
        self.network.load(folder / "network", run)
        self.forest.load(folder / "forest", run)

    @property
    def views(self) -> Sequence[str]:
        """The view that both read."""
        return self.network.views

    @property
    def width(self) -> int:
        """Columns of the view."""
        return self.network.width

    def write_onnx(self, graph: Any, task: Task) -> dict[str, str]:
        """For ``hmcbench export-model``; see :class:`hmcbench.interfaces.Model`."""
        return add_mean(graph, [self.network, self.forest], task)

    def describe(self) -> Mapping[str, Value]:
        """The facts of both."""
        return {**self.network.describe(), **self.forest.describe()}


def create(*, members: int, trees: int, projections: int, **network: Any) -> Duo:
    """The factory of the spec: its other parameters are those of ``c-hmcnn``."""
    return Duo(
        network_model(CHmcnn, {"members": members, **network}),
        PctForest(trees=trees, projections=projections),
    )
