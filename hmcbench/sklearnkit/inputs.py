"""The input table of an estimator: concatenated views, some of them reduced."""

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


def chosen_views(text: str, views: Mapping[str, Any]) -> list[str]:
    """The names of the views of the first alternative in ``text`` that is available."""
    for names in alternatives(text):
        plain = [parse_reference(name).name for name in names]
        if all(name in views for name in plain):
            return plain
    raise PluginError(f"none of the views {text!r} is there", allowed=", ".join(views) or "none")


def table(inputs: Inputs, names: Sequence[str]) -> tuple[np.ndarray, int]:
    """The views concatenated, (N, F), rows of any shape flattened; and the number of columns of the first."""
    blocks = [np.asarray(inputs.views[name]).reshape(len(inputs), -1) for name in names]
    return np.concatenate(blocks, axis=1), blocks[0].shape[1]


class ReducedTail(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Keeps the first ``keep`` columns and replaces the others by their principal components.

    The others are scaled to unit variance first. Inside a pipeline both are fitted on training data.
    """

    def __init__(self, keep: int, components: int) -> None:
        self.keep, self.components = keep, components

    def fit(self, rows: np.ndarray, _targets: Any = None) -> ReducedTail:
        tail = rows[:, self.keep :]
        self.scaler_ = StandardScaler().fit(tail)
        count = min(self.components, len(rows) - 1, tail.shape[1])  # one row varies in no direction
        self.pca_ = PCA(count, svd_solver="full").fit(self.scaler_.transform(tail)) if count > 0 else None
        return self

    @property
    def n_features_in_(self) -> int:
        """Columns in training; scikit-learn's name, which pipelines pass on."""
        return int(self.keep + self.scaler_.n_features_in_)

    def transform(self, rows: np.ndarray) -> np.ndarray:
        head, tail = rows[:, : self.keep], rows[:, self.keep :]
        if self.pca_ is None:
            return head
        return np.concatenate([head, self.pca_.transform(self.scaler_.transform(tail))], axis=1)
