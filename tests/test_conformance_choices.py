"""No leak of test rows and no dependence on the batch, for all choices of the models of tables.

``test_conformance.py`` runs every check of every spec with the parameters of ``quick``. Here the
checks of data run again for the choices that change what is fitted: inputs (O; E; EP, whose principal
components are fitted), strategies, the search, and the attentions and ablations of MCVN.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from hmcbench.interfaces import Labelled
from hmcbench.registry.registry import default_registry, missing
from hmcbench.testing import checks
from hmcbench.testing.checks.base import Outcome, Subject, conclude

DATA = [c for c in checks.CHECKS["models"] if c.name.startswith(("scores, ", "no leak", "test targets"))]
SMALL = {  # parameters that only make a model fast
    "forest": "n_estimators=10",
    "extra-trees": "n_estimators=10",
    "xgboost": "n_estimators=10",
    "hist-gradient-boosting": "max_iter=5,min_samples_leaf=3",
    "mlp": "hidden=8",
    "ensemble": "members=svm+knn",
    "mcvn": "epochs=4,members=1",
    "mcvn-transductive": "epochs=4,members=1",
}
SEARCHED = ("ridge", "logistic-regression", "sgd", "svm", "knn", "decision-tree", "naive-bayes", "ensemble")
MCVN = (
    *(f"attention={kind}" for kind in ("sample", "train", "none")),
    "channels=image",
    "channels=original,attention=train",
    "batch_norm=False",
    "convolution=False",
    "grey=255,keep_best=True",
    "with_validation=False",
    "init=released,schedule=step,patience=2,batch_size=2",
    "tuned=True",
)


def choices() -> Iterator[str]:
    """Names of models with parameters, for every model of the two plugins."""
    for spec in default_registry().specs("models"):
        owner = default_registry().owner("models", spec.name).name
        if owner == "classical":
            yield from (f"{spec.name}[inputs={inputs}]" for inputs in ("O", "E", "EP"))
            if "hmc" in spec.tasks:
                kinds = ("level", "parent", "node")
                yield from (f"{spec.name}[inputs=O,strategy={kind}]" for kind in kinds)
        if owner == "materials":
            shared = [text for text in MCVN if "attention" not in text]
            yield from (f"{spec.name}[{text}]" for text in (MCVN if spec.name == "mcvn" else shared))
    yield from (f"{name}[inputs=EP,tuned=True]" for name in SEARCHED)
    yield from (f"{name}[inputs=O,strategy=node,tuned=True]" for name in ("decision-tree", "naive-bayes"))


def parameters() -> list[Any]:
    params = []
    for reference in choices():
        name, _, choice = reference.partition("[")
        spec = default_registry().get("models", name)
        marks = [pytest.mark.torch] if "torch" in spec.requires else []
        marks += [pytest.mark.skipif(bool(missing(spec)), reason=f"needs {missing(spec)}")]
        small = SMALL.get(name, "")
        changed = ",".join(filter(None, (small, choice)))
        params.append(pytest.param(f"{name}[{changed}", id=reference, marks=marks))
    return params


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As in a cell of ``quick``; more threads than processors would be slower."""
    import sklearn.ensemble  # noqa: F401  (its OpenMP must be loaded to be limited)
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        yield


def outcomes(subject: Subject) -> list[Outcome]:
    return [conclude(subject, check) for check in DATA]


@pytest.mark.parametrize("reference", parameters())
def test_nothing_leaks_and_no_prediction_depends_on_its_batch(reference: str) -> None:
    results = outcomes(checks.subject("models", reference))
    assert checks.failures(results) == []
    assert not [o for o in results if o.status == "skipped" and "declares no tasks" not in o.detail]


def test_three_kinds_of_checks_are_run() -> None:
    assert {c.name for c in DATA if not c.name.startswith("scores, ")} == {
        "no leak from test rows",
        "test targets unused",
    }


FEATURIZERS = (
    "descriptors[exact=True]",
    "descriptors[finite=False]",
    "descriptors[balance=Fe,unit=at]",
    "composition_image[balance=Fe,unit=at]",
    "composition_image[unit=wt]",
    "grey_histogram[size=16]",
    "texture[size=32]",
)


@pytest.mark.parametrize("reference", FEATURIZERS)
def test_no_row_of_a_featurizer_depends_on_another(reference: str) -> None:
    subject = checks.subject("featurizers", reference)
    if subject.absent:
        pytest.skip(f"needs {subject.absent}")
    results = [conclude(subject, check) for check in checks.CHECKS["featurizers"]]
    assert checks.failures(results) == []
    assert not [o for o in results if o.status == "skipped"]


# --------------------------------------------------------------------------- the same checks find a leak


def caught(subject: Subject) -> list[str]:
    return [o.check for o in outcomes(subject) if o.status == "failed"]


def all_rows(side: Labelled) -> Labelled:
    """The partition with the views of the whole dataset, as a careless author would scale by."""
    whole = {name: view.base for name, view in side.views.items()}  # type: ignore[attr-defined]
    return Labelled(side.ids, whole, side.targets)


@pytest.mark.parametrize("reference", ["ridge[inputs=EP]", "knn[inputs=O,tuned=True]", "svm[strategy=node]"])
def test_scaling_by_all_rows_is_caught(reference: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scikit-learn's scaler is fitted as before, then its numbers are replaced by those of all rows."""
    from sklearn.preprocessing import StandardScaler

    from hmcbench.sklearnkit import EstimatorModel, model

    whole: list[np.ndarray] = []
    fit, fit_scaler = EstimatorModel.fit, StandardScaler.fit

    def fit_with_all_rows(self: Any, train: Any, valid: Any, run: Any) -> None:
        names = model.chosen_views(self._view, train.views)
        rows, _ = model.table(all_rows(train), names)
        whole[:] = [np.asarray(rows, dtype=float)]
        fit(self, train, valid, run)

    def leaking(self: Any, rows: np.ndarray, *more: Any, **kinds: Any) -> Any:
        scaler = fit_scaler(self, rows, *more, **kinds)
        width = rows.shape[1] if rows.ndim == 2 else 0
        if 1 < width <= whole[0].shape[1]:  # features, not targets
            scaler.scale_ = whole[0][:, -width:].std(axis=0)
        return scaler

    subject = checks.subject("models", reference)
    assert not caught(subject)
    monkeypatch.setattr(EstimatorModel, "fit", fit_with_all_rows)
    monkeypatch.setattr(StandardScaler, "fit", leaking)
    assert "no leak from test rows" in caught(checks.subject("models", reference))


@pytest.mark.torch
@pytest.mark.parametrize("choice", ["attention=sample", "attention=train", "convolution=False"])
def test_the_ranges_of_the_authors_over_all_rows_are_caught(
    choice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    from hmcbench_materials.mcvn.model import Mcvn

    learn = Mcvn._learn
    monkeypatch.setattr(Mcvn, "_learn", lambda self, sides: learn(self, [all_rows(s) for s in sides]))
    assert "no leak from test rows" in caught(checks.subject("models", f"mcvn[epochs=4,members=1,{choice}]"))


def test_a_prediction_that_depends_on_its_batch_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Predictions moved by the mean of the batch, as a scaler fitted in ``predict`` would do."""
    from hmcbench.interfaces import Scores
    from hmcbench.sklearnkit import EstimatorModel

    predict = EstimatorModel.predict

    def shifted(self: Any, inputs: Any) -> Scores:
        scores = predict(self, inputs)
        share = scores.values.mean(axis=0, keepdims=True)
        return Scores(0.9 * scores.values + 0.1 * np.clip(share, 0, 1), scores.stop)

    monkeypatch.setattr(EstimatorModel, "predict", shifted)
    failed = caught(checks.subject("models", "decision-tree[inputs=E]"))
    assert "scores, a tree, one leaf per sample" in failed and "scores, two targets" in failed
