"""Estimators by their import paths."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from sklearn.ensemble import ExtraTreesClassifier

from hmcbench.errors import BadInput
from hmcbench.registry.registry import create, default_registry
from hmcbench.sklearnkit import EstimatorModel
from hmcbench.testing.helpers import fitted, inputs, same_scores, tiny_dataset

TREES = "sklearn:sklearn.ensemble.ExtraTreesClassifier"


@pytest.mark.parametrize(
    ("reference", "params"),
    [
        (f"{TREES}[n_estimators=7,max_depth=3]", {"n_estimators": 7, "max_depth": 3}),
        (f"{TREES}[bootstrap=True,ccp_alpha=1]", {"bootstrap": True, "ccp_alpha": 1.0}),
        (f"{TREES}[criterion=entropy,max_features=0.5]", {"criterion": "entropy", "max_features": 0.5}),
    ],
)
def test_parameters_have_the_types_of_their_values(reference: str, params: dict[str, object]) -> None:
    spec, resolved = default_registry().resolve("models", reference)
    assert {name: resolved[name] for name in params} == params
    label = default_registry().label("models", spec, resolved)
    assert default_registry().resolve("models", label)[1] == resolved


def by_path(reference: str) -> Any:
    return create(*default_registry().resolve("models", reference))


@pytest.mark.parametrize("kind", ["tree", "multiple"])
def test_it_is_the_estimator_itself(kind: Any) -> None:
    dataset = tiny_dataset(kind=kind)
    expected = EstimatorModel(lambda _task: ExtraTreesClassifier(5), multi_output=True)
    scores = [
        fitted(model, dataset).predict(inputs(dataset))
        for model in (by_path(f"{TREES}[n_estimators=5,inputs=table]"), expected)
    ]
    assert same_scores(*scores)


def test_a_pipeline_object_is_copied(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "pipes.py").write_text(
        "from sklearn.pipeline import make_pipeline\nfrom sklearn.preprocessing import StandardScaler\n"
        "from sklearn.naive_bayes import GaussianNB\npipe = make_pipeline(StandardScaler(), GaussianNB())\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    dataset = tiny_dataset()
    fitted(by_path("sklearn:pipes.pipe[gaussiannb__var_smoothing=1e-3,inputs=table]"), dataset)
    pipe = sys.modules.pop("pipes").pipe
    assert not hasattr(pipe[0], "mean_") and pipe[1].var_smoothing == 1e-9


def test_a_regressor_has_the_task_regression() -> None:
    assert default_registry().resolve("models", "sklearn:sklearn.svm.SVR")[0].tasks == ("regression",)
    assert default_registry().resolve("models", TREES)[0].tasks == ("hmc",)


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("sklearn:sklearn.ensemble.ExtraTreesClasifier", "has no attribute 'ExtraTreesClasifier'"),
        ("sklearn:sklern.svm.SVC", "No module named 'sklern'"),
        ("sklearn:SVC", "Empty module name"),
        ("sklearn:sklearn.svm.LinearSVC", "has no predict_proba"),
        ("sklearn:sklearn.base.clone", "missing 1 required positional argument"),
        ("sklearn:builtins.dict", "is a dict"),
        (f"{TREES}[n_estimatrs=3]", "did you mean 'n_estimators'"),
        (f"{TREES}[strategy=flt]", "strategy='flt' cannot be used"),
    ],
)
def test_what_is_no_estimator_is_one_line(reference: str, says: str) -> None:
    with pytest.raises(BadInput) as error:
        default_registry().resolve("models", reference)
    assert says in str(error.value)
    assert "\n" not in str(error.value)
