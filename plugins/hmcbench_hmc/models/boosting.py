"""Gradient boosted trees, a booster per class: what the trees of XGBoost do without the hierarchy.

One matrix of binned features serves all classes. A class that all or none of the training samples have keeps
that frequency. Scores do not depend on the hierarchy: a child may score higher than its parent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from xgboost import XGBClassifier

from hmcbench.errors import BadInput
from hmcbench.interfaces import Inputs, Labelled, Run, Scores, Task, Value
from hmcbench.sklearnkit import kept
from hmcbench.sklearnkit.onnx_estimators import probabilities
from hmcbench_hmc.models.trees import rows_of, targets_of


class Boosting:
    """Implements :class:`hmcbench.interfaces.Model`.

    Args:
        trees: per class.
        depth: of a tree.
        learning_rate: weight of a tree.
        subsample: share of the samples, and of the features, that a tree sees.
        view: the view it reads; rows are flattened.
    """

    def __init__(
        self, *, trees: int, depth: int, learning_rate: float, subsample: float, view: str = "table"
    ) -> None:
        self.trees, self.depth, self.learning_rate = trees, depth, learning_rate
        self.subsample, self.view = subsample, view

    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        """Boost on ``train``; nothing is chosen, and ``valid`` is not used."""
        truth = targets_of(train).toarray().astype(np.int8)
        self._frequency = truth.mean(axis=0)
        self._varying = np.flatnonzero((self._frequency > 0) & (self._frequency < 1))
        self._booster = XGBClassifier(
            n_estimators=self.trees,
            max_depth=self.depth,
            learning_rate=self.learning_rate,
            subsample=self.subsample,
            colsample_bytree=self.subsample,
            tree_method="hist",
            device=run.device,
            n_jobs=run.threads,
            random_state=run.seed,
        )
        if len(self._varying):
            self._booster.fit(rows_of(train, self.view), truth[:, self._varying])

    def predict(self, inputs: Inputs) -> Scores:
        """Probabilities float64 (N, C)."""
        values = np.tile(self._frequency, (len(inputs), 1))
        if len(self._varying):
            shares = np.asarray(self._booster.predict_proba(rows_of(inputs, self.view)), dtype=np.float64)
            # of one class both probabilities are returned, of several those of having them
            values[:, self._varying] = shares[:, -len(self._varying) :]
        return Scores(values)

    def save(self, folder: Path) -> None:
        """Writes ``estimators.skops``."""
        booster = self._booster if len(self._varying) else None
        content = {"frequency": self._frequency, "varying": self._varying, "booster": booster}
        kept.save(content, folder)

    def load(self, folder: Path, run: Run) -> None:
        """Replaces ``fit``; raises BadInput for a file that is damaged or not trusted."""
        content = kept.load(folder)
        self._frequency, self._varying = np.asarray(content["frequency"]), np.asarray(content["varying"])
        self._booster = content["booster"]
        if self._booster is not None:
            self._booster.set_params(device=run.device)

    @property
    def views(self) -> Sequence[str]:
        """The view that it reads."""
        return (self.view,)

    @property
    def width(self) -> int:
        """Columns of the view; raises BadInput where no class varied in training."""
        if not len(self._varying):
            raise BadInput("it has no trees: all training samples had the same classes")
        return int(self._booster.n_features_in_)

    def write_onnx(self, graph: Any, task: Task) -> dict[str, str]:
        """For ``hmcbench export-model``; see :class:`hmcbench.interfaces.Model`."""
        columns = {i: graph.filled([value]) for i, value in enumerate(self._frequency)}
        if len(self._varying):
            shares = probabilities(graph, self._booster)
            first = int(len(self._varying) == 1)  # of one class both probabilities are there
            columns |= {int(c): graph.column(shares, first + i) for i, c in enumerate(self._varying)}
        return {"scores": graph.columns([columns[i] for i in sorted(columns)])}

    def describe(self) -> Mapping[str, Value]:
        """Trees of all classes."""
        return {"trees": self.trees * len(self._varying)}
