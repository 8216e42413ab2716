"""The table that an estimator sees: views side by side, some of them reduced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from hmcbench.data.featurize import alternatives
from hmcbench.errors import PluginError
from hmcbench.interfaces import Inputs
from hmcbench.registry.registry import parse_reference


def chosen_views(text: str, there: Mapping[str, Any]) -> list[str]:
    """The names of the views that ``text`` asks for: those of its first alternative that is there."""
    for names in alternatives(text):
        plain = [parse_reference(name).name for name in names]
        if all(name in there for name in plain):
            return plain
    raise PluginError(f"none of the views {text!r} is there", allowed=", ".join(there) or "none")


def table(inputs: Inputs, names: Sequence[str]) -> tuple[np.ndarray, int]:
    """The views side by side, (N, F), rows of any shape flattened; and how many columns are the first's."""
    blocks = [np.asarray(inputs.views[name]).reshape(len(inputs), -1) for name in names]
    return np.concatenate(blocks, axis=1), blocks[0].shape[1]


class ReducedTail(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Keeps the first ``keep`` columns and replaces the others by their principal components.

    The others are scaled to unit variance first. Both are fitted on the rows that ``fit`` is
    given: training data, inside a pipeline.
    """

    def __init__(self, keep: int, components: int) -> None:
        self.keep, self.components = keep, components

    def fit(self, rows: np.ndarray, _targets: Any = None) -> ReducedTail:
        tail = rows[:, self.keep :]
        self.scaler_ = StandardScaler().fit(tail)
        count = min(self.components, len(rows) - 1, tail.shape[1])  # one row varies in no direction
        self.pca_ = PCA(count, svd_solver="full").fit(self.scaler_.transform(tail)) if count > 0 else None
        return self

    def transform(self, rows: np.ndarray) -> np.ndarray:
        head, tail = rows[:, : self.keep], rows[:, self.keep :]
        if self.pca_ is None:
            return head
        return np.concatenate([head, self.pca_.transform(self.scaler_.transform(tail))], axis=1)
