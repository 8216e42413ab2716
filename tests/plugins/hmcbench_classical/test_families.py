"""The classical models: every task, every input, every oddity of the data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hmcbench_classical import MODELS
from hmcbench_classical.estimators import BinnedBoosting
from sklearn.ensemble import HistGradientBoostingClassifier

from hmcbench.errors import BadInput, NotApplicable
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Dataset, Task
from hmcbench.registry.registry import Registry, create, missing
from hmcbench.testing.helpers import (
    Kind,
    assert_batch_independent,
    assert_nothing_leaks,
    fitted,
    inputs,
    same_scores,
    temporary_plugin,
    tiny_dataset,
)

SMALL = {  # so that tests take seconds; nothing else is different
    "forest": {"n_estimators": 10},
    "extra-trees": {"n_estimators": 10},
    "xgboost": {"n_estimators": 20, "max_depth": 3},
    "hist-gradient-boosting": {"max_iter": 10, "min_samples_leaf": 3},
    "mlp": {"hidden": 16, "learning_rate_init": 0.01},
    "ensemble": {"members": "svm+knn"},
}
NAMES = (*MODELS, "ensemble")
PAIRS = [
    (name, kind)
    for name in NAMES
    for kind in ("tree", "ragged", "multiple", "regression")
    if ("regression" if kind == "regression" else "hmc") in MODELS.get(name, ("", ("hmc", "regression")))[1]
]
WEAK = {"naive-bayes", "gaussian-process", "decision-tree", "hist-gradient-boosting"}


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    with temporary_plugin() as loaded:
        yield loaded


def make(registry: Registry, name: str, **params: Any) -> Any:
    spec, values = registry.resolve("models", name, **{"inputs": "O", **SMALL.get(name, {}), **params})
    if missing(spec):
        pytest.skip(f"{name} needs {', '.join(missing(spec))}")
    return create(spec, values)


def suited(name: str, samples: int = 60, **changes: Any) -> Dataset:
    """A regression where the model does that, else a tree."""
    does = MODELS.get(name, ("", ("regression",)))[1]
    return tiny_dataset(samples, "regression" if "regression" in does else "tree", **changes)


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_every_task_is_learned(registry: Registry, name: str, kind: Kind) -> None:
    dataset = tiny_dataset(120, kind, noise=0.2)
    model = fitted(make(registry, name), dataset, seed=1, threads=2)
    scores = assert_batch_independent(model, dataset)
    again = fitted(make(registry, name), dataset, seed=1, threads=2).predict(inputs(dataset))
    assert same_scores(scores, again)
    error = np.abs(scores.values - dataset.targets)[80:].mean()
    prior = np.abs(dataset.targets[:80].mean(0) - dataset.targets[80:]).mean()
    assert error < (0.85 if name in WEAK else 0.7) * prior


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_the_test_rows_is_fitted(registry: Registry, name: str) -> None:
    dataset = suited(name)
    wide = np.random.default_rng(0).normal(size=(60, 14)) + np.asarray(dataset.views["table"])[:, :1]
    dataset = replace(dataset, views={**dataset.views, "descriptors": wide})
    assert_nothing_leaks(lambda: make(registry, name, inputs="EP"), dataset)


@pytest.mark.parametrize("name", ["svm", "naive-bayes", "ridge"])
def test_nor_chosen_by_them(registry: Registry, name: str) -> None:
    assert_nothing_leaks(lambda: make(registry, name, tuned=True), suited(name))


@pytest.mark.parametrize("name", NAMES)
def test_constant_targets_one_row_one_column(registry: Registry, name: str) -> None:
    dataset = suited(name, 40)
    if dataset.task.kind == "regression":
        flat = replace(dataset, targets=np.full_like(dataset.targets, 7.0))
        scores = fitted(make(registry, name), flat).predict(inputs(flat))
        np.testing.assert_allclose(scores.values, 7.0, atol=0.5)
        thin = replace(dataset, targets=dataset.targets[:, :1], task=Task("regression", targets=("only",)))
        assert fitted(make(registry, name), thin).predict(inputs(thin)).values.shape == (40, 1)
    from_row = fitted(make(registry, name), dataset, train=[3], valid=[4]).predict(inputs(dataset))
    np.testing.assert_allclose(from_row.values, np.repeat(dataset.targets[[3]], 40, axis=0), atol=1e-3)
    narrow = replace(dataset, views={"table": np.asarray(dataset.views["table"])[:, :1]})
    assert np.isfinite(fitted(make(registry, name), narrow).predict(inputs(narrow)).values).all()


@pytest.mark.parametrize("name", ["svm", "ridge", "decision-tree"])
def test_a_search_helps_or_leaves_the_defaults(registry: Registry, name: str) -> None:
    dataset = tiny_dataset(90, "regression", noise=1.0)
    errors = {}
    for tuned in (False, True):
        model = fitted(make(registry, name, tuned=tuned), dataset, train=range(50), valid=range(50, 70))
        errors[tuned] = np.square(model.predict(inputs(dataset)).values - dataset.targets)[70:].mean()
    assert errors[True] < 1.1 * errors[False]
    assert model.describe()["search_candidates"] == 12
    assert model.describe()["fitted_on"] == "train and validation"


def test_inputs_are_views_or_short_for_them(registry: Registry) -> None:
    spec = registry.get("models", "texture-forest")
    assert spec is registry.get("models", "forest")
    label = registry.label("models", spec, registry.resolve("models", "forest[features=texture]")[1])
    assert label == "forest[inputs=texture]"
    dataset = tiny_dataset(40, "regression")
    views = {**dataset.views, "descriptors": np.arange(40 * 20.0).reshape(40, 20) % 7}
    both = replace(dataset, views=views)
    used = {
        choice: fitted(make(registry, "ridge", inputs=choice), both).predict(inputs(both)).values
        for choice in ("O", "auto", "E", "EP", "table+descriptors", "descriptors")
    }
    np.testing.assert_array_equal(used["O"], used["auto"])
    np.testing.assert_array_equal(used["E"], used["table+descriptors"])
    distinct = [used[choice].tobytes() for choice in ("O", "E", "EP", "descriptors")]
    assert len(set(distinct)) == 4


@pytest.mark.parametrize(
    ("name", "wanted"), [("ridge", "EP"), ("svm", "EP"), ("hist-gradient-boosting", "O"), ("ensemble", "EP")]
)
def test_the_number_of_columns_is_known(registry: Registry, name: str, wanted: str) -> None:
    """For files of other formats, which begin with it."""
    dataset = tiny_dataset(40, "regression")
    both = replace(dataset, views={**dataset.views, "descriptors": np.arange(800.0).reshape(40, 20) % 7})
    model = fitted(make(registry, name, inputs=wanted), both)
    own = int(np.asarray(dataset.views["table"]).shape[1])
    assert model.width == own + (20 if wanted == "EP" else 0)


@pytest.mark.parametrize(("classes", "single"), [(2, True), (1100, False)])
def test_boosting_of_rare_classes_in_many_samples(classes: int, single: bool) -> None:
    """The library would hold out samples of every class to stop early."""
    labels = np.r_[np.arange(10_500) % classes, [classes] if single else []].astype(int)
    rows = np.c_[labels, labels % 7].astype(float)
    if classes > 2:  # one tree per class: what decides is known before any grows
        with pytest.MonkeyPatch.context() as patch:
            seen = []
            patch.setattr(
                HistGradientBoostingClassifier, "fit", lambda self, *_: seen.append(self.early_stopping)
            )
            for many in (rows, np.r_[rows, rows]):
                BinnedBoosting().fit(many, np.r_[labels, labels][: len(many)])
        assert seen == [False, "auto"]
        return
    boosting = BinnedBoosting(max_iter=3).fit(rows, labels)
    assert not boosting.do_early_stopping_ and boosting.early_stopping == "auto"
    usual = BinnedBoosting(max_iter=3).fit(rows[:-1], labels[:-1])
    assert usual.do_early_stopping_


@pytest.mark.parametrize("strategy", ["level", "parent", "node"])
def test_strategies_are_a_parameter(registry: Registry, strategy: str) -> None:
    dataset = tiny_dataset(60, "ragged")
    flat, other = (
        fitted(make(registry, "decision-tree", strategy=s), dataset).predict(inputs(dataset)).values
        for s in ("flat", strategy)
    )
    assert other.shape == flat.shape


def test_an_ensemble_is_the_mean_of_its_members(registry: Registry) -> None:
    dataset = tiny_dataset(60, "ragged")
    both = fitted(make(registry, "ensemble", members="svm+knn"), dataset)
    scores = both.predict(inputs(dataset))
    members = [fitted(make(registry, name), dataset).predict(inputs(dataset)) for name in ("svm", "knn")]
    np.testing.assert_allclose(scores.values, np.mean([m.values for m in members], axis=0))
    assert scores.stop is not None
    np.testing.assert_allclose(scores.stop, np.mean([m.stop for m in members if m.stop is not None], axis=0))
    searched = fitted(make(registry, "ensemble", members="knn+naive-bayes", tuned=True), dataset).describe()
    assert searched["search_candidates"] == 24 and searched["search_s"] > 0
    assert "search_s" not in both.describe()
    with pytest.raises(BadInput, match="did you mean 'knn'"):
        make(registry, "ensemble", members="svm+knnn")
    with pytest.raises(BadInput, match="does no hmc tasks"):
        fitted(make(registry, "ensemble", members="ridge"), dataset)


def test_the_most_probable_class_is_the_machines_own() -> None:
    from hmcbench_classical.estimators import SoftmaxSVC

    rng = np.random.default_rng(0)
    for classes in (2, 4):
        rows, labels = rng.normal(size=(80, 3)), rng.integers(0, classes, 80)
        machine = SoftmaxSVC(break_ties=True).fit(rows, labels)
        shares = machine.predict_proba(rows)
        np.testing.assert_allclose(shares.sum(axis=1), 1)
        np.testing.assert_array_equal(shares.argmax(axis=1), machine.predict(rows))


@pytest.mark.parametrize(
    ("paths", "classes", "settings", "refused"),
    [
        ("multiple", 2000, "", False),
        ("multiple", 2001, "", True),
        ("multiple", 4125, "[trees=100]", False),
        ("multiple", 4125, "[strategy=node]", False),
        ("single", 4000, "", False),
        ("single", 4001, "", True),
    ],
)
def test_a_flat_forest_of_thousands_of_classes_is_refused_while_planning(
    registry: Registry, paths: Any, classes: int, settings: str, refused: bool
) -> None:
    task = Task(paths=paths, hierarchy=Hierarchy.from_paths([[f"c{i}"] for i in range(classes)]))
    ensembles = ["ensemble[members=knn+forest]", "ensemble[members=extra-trees]"]
    for reference in ("forest" + settings, "extra-trees" + settings, *(ensembles if not settings else [])):
        spec, params = registry.resolve("models", reference)
        try:
            registry.call("models", spec, spec.check_task, {**params, "task": task})
        except NotApplicable as error:
            assert refused and f"{classes:,} classes" in str(error) and "pct-forest" in str(error)
        else:
            assert not refused
