"""A random forest on hand-made features."""

from __future__ import annotations

from typing import Any

from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from hmcbench import Task
from hmcbench.sklearnkit import EstimatorModel


def forest(features: str = "texture", trees: int = 300, min_leaf: int = 1) -> EstimatorModel:
    """Random forest [Breiman 2001] on the view ``features``.

    Trees need no scaling of the features; their leaves give class frequencies as probabilities.
    Several paths per sample are one forest with several outputs.
    """

    def make(task: Task) -> Any:
        kind = RandomForestRegressor if task.kind == "regression" else RandomForestClassifier
        return kind(n_estimators=trees, min_samples_leaf=min_leaf, n_jobs=-1)

    return EstimatorModel(make, view=features, multi_output=True)
