"""Models that are Python objects."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hmcbench.registry import objects
from hmcbench.registry.objects import Objects


class Tagless:
    """An estimator without the tags of scikit-learn."""

    def fit(self, X: Any, y: Any) -> None: ...

    def predict(self, X: Any) -> None: ...

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return {}


class WrongTags(Tagless):
    def __sklearn_tags__(self) -> Any:
        raise ValueError("no tags before fit")


@pytest.mark.parametrize(
    ("model", "task"),
    [
        (Ridge(), "regression"),
        (make_pipeline(StandardScaler(), Ridge()), "regression"),
        (GridSearchCV(Ridge(), {"alpha": [1.0]}), "regression"),
        (make_pipeline(StandardScaler(), LogisticRegression()), "hmc"),
        (GridSearchCV(LogisticRegression(), {"C": [1.0]}), "hmc"),
        (Tagless(), "hmc"),
        (WrongTags(), "hmc"),
    ],
)
def test_pipelines_and_searches_have_the_task_of_their_parts(
    model: Any, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(objects.HERE, "here", {"mine": model})
    (spec,) = Objects("here").hmcbench_models()
    assert spec.tasks == (task,)
