"""The search: same budget, defaults first, validation data only."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LogisticRegression, Ridge

from hmcbench.interfaces import Run, Task
from hmcbench.sklearnkit import EstimatorModel
from hmcbench.sklearnkit.inputs import ReducedTail, chosen_views, table
from hmcbench.sklearnkit.search import candidates, losses
from hmcbench.testing.helpers import (
    assert_batch_independent,
    fitted,
    inputs,
    labelled,
    same_scores,
    tiny_dataset,
)

SPACE = {"alpha": (0.01, 1.0, 100.0, 1e6), "fit_intercept": (True, False)}


def test_candidates_are_the_defaults_and_distinct_points() -> None:
    tried = candidates(SPACE, {"alpha": 1.0, "fit_intercept": True, "other": 5}, 6, seed=0)
    assert tried[0] == {"alpha": 1.0, "fit_intercept": True, "other": 5}
    assert len({tuple(sorted(c.items())) for c in tried}) == 6
    assert all(c["other"] == 5 for c in tried)
    assert tried == candidates(SPACE, tried[0], 6, seed=0) != candidates(SPACE, tried[0], 6, seed=1)
    assert len(candidates(SPACE, tried[0], 99, seed=0)) == 8


def test_each_target_chooses_what_validation_data_favour() -> None:
    dataset = tiny_dataset(90, "regression", noise=0.2)
    noise = np.random.default_rng(0).normal(size=90)  # nothing to learn: the strongest penalty is best
    dataset = replace(dataset, targets=np.column_stack([dataset.targets[:, 0], noise]))

    def make(task: Task, **choice: Any) -> Any:
        return Ridge(**choice)

    model: Any = EstimatorModel(
        make, choice={"alpha": 1e6, "fit_intercept": True}, space=lambda task: SPACE, multi_output=True
    )
    scores = assert_batch_independent(fitted(model, dataset), dataset)
    facts = model.describe()
    assert facts["search_candidates"] == 8
    assert facts["search_s"] > 0
    strength, hardness = facts["chosen"].split("; ")
    assert strength.startswith("strength: alpha=0.01")
    assert hardness.startswith("hardness: alpha=1000000.0")
    assert np.corrcoef(scores.values[60:, 0], dataset.targets[60:, 0])[0, 1] > 0.9
    plain = fitted(EstimatorModel(make, choice={"alpha": 1e6}), dataset).predict(inputs(dataset))
    assert not same_scores(scores, plain)


class Spy(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Keeps the rows it was fitted on."""

    seen: list[set[float]] = []  # noqa: RUF012

    def __init__(self, level: int = 0) -> None:
        self.level = level

    def fit(self, rows: np.ndarray, targets: np.ndarray) -> Spy:
        Spy.seen.append(set(rows[:, 0].tolist()))
        return self

    def predict(self, rows: np.ndarray) -> np.ndarray:
        return np.full(len(rows), float(self.level))


def test_candidates_see_train_only_and_the_last_fit_validation_too() -> None:
    dataset = tiny_dataset(30, "regression")
    first = np.asarray(dataset.views["table"])[:, 0].tolist()
    Spy.seen.clear()
    make: Any = lambda task, level: Spy(level)  # noqa: E731
    model = EstimatorModel(make, choice={"level": 0}, space=lambda task: {"level": (0, 1, 2)})
    fitted(model, dataset, train=range(10), valid=range(10, 20))
    *tried, last = Spy.seen[:-1], Spy.seen[-1]
    assert len(Spy.seen) in (3 * 2 + 1, 3 * 2 + 2)  # two targets; they may choose alike
    assert all(rows == set(first[:10]) for rows in tried[0][:6])
    assert last == set(first[:20])


def test_where_thresholds_are_still_to_be_fitted_validation_is_not_trained_on() -> None:
    dataset = tiny_dataset(60, "multiple")
    make: Any = lambda task, C: LogisticRegression(C=C)  # noqa: E731
    model: Any = EstimatorModel(make, choice={"C": 1.0}, space=lambda task: {"C": (0.01, 1.0, 100.0)})
    fitted(model, dataset)
    assert "fitted_on" not in model.describe()
    assert model.describe()["search_candidates"] == 3
    alone: Any = EstimatorModel(make, choice={"C": float(model.describe()["chosen"][2:])})
    assert same_scores(model.predict(inputs(dataset)), fitted(alone, dataset).predict(inputs(dataset)))


def test_without_validation_samples_the_defaults_stand() -> None:
    dataset = tiny_dataset(40)
    make: Any = lambda task, C: LogisticRegression(C=C)  # noqa: E731
    model: Any = EstimatorModel(make, choice={"C": 1.0}, space=lambda task: {"C": (0.01, 1.0)})
    fitted(model, dataset, train=range(40), valid=[])
    assert set(model.describe()) == {"estimator"}


@pytest.mark.parametrize("kind", ["tree", "ragged", "multiple"])
def test_losses_are_low_for_the_truth(kind: Any) -> None:
    dataset = tiny_dataset(40, kind)
    model = fitted(EstimatorModel(lambda task: LogisticRegression()), dataset)
    scores = model.predict(inputs(dataset))
    truth = replace(scores, values=dataset.targets.astype(float))
    (right,), (learned,) = (losses(dataset.task, dataset.targets, s) for s in (truth, scores))
    assert right == pytest.approx(0, abs=1e-9)
    assert right <= learned < 0.5


def test_a_constant_target_has_a_loss() -> None:
    dataset = tiny_dataset(20, "regression")
    scores = replace(fitted(EstimatorModel(lambda task: Ridge()), dataset).predict(inputs(dataset)))
    assert np.isfinite(losses(dataset.task, np.ones((20, 2)), scores)).all()


# --------------------------------------------------------------------------- inputs


def test_views_side_by_side_and_alternatives() -> None:
    dataset = tiny_dataset(10)
    more = replace(dataset, views={**dataset.views, "extra": np.arange(20.0).reshape(10, 1, 2)})
    given = labelled(more)
    assert chosen_views("image|table+extra[size=3]", given.views) == ["table", "extra"]
    rows, first = table(given, ["table", "extra"])
    assert rows.shape == (10, 10)
    assert first == 8
    np.testing.assert_array_equal(rows[:, 8:], np.arange(20.0).reshape(10, 2))


def test_components_are_those_of_the_training_rows() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(30, 7)) @ np.diag([1, 1, 9, 5, 1e-3, 2, 1.0])
    reduced = ReducedTail(keep=2, components=3).fit(rows[:20])
    out = reduced.transform(rows)
    assert out.shape == (30, 5)
    np.testing.assert_array_equal(out[:, :2], rows[:, :2])
    tail = (rows[:20, 2:] - rows[:20, 2:].mean(0)) / rows[:20, 2:].std(0)
    _, _, axes = np.linalg.svd(tail, full_matrices=False)
    np.testing.assert_allclose(np.abs(out[:20, 2:]), np.abs(tail @ axes[:3].T), atol=1e-9)
    assert ReducedTail(keep=2, components=3).fit(rows[:1]).transform(rows).shape == (30, 2)
    assert ReducedTail(keep=2, components=3).fit(rows[:3]).transform(rows).shape == (30, 4)


@pytest.mark.parametrize("kind", ["regression", "tree", "multiple"])
def test_a_second_fit_takes_the_choice_of_the_first(kind: str) -> None:
    """The first fit must not train on the validation samples, which it does where no second follows."""
    dataset = tiny_dataset(90, kind, noise=0.2)
    regression = kind == "regression"

    def make(task: Task, **choice: Any) -> Any:
        return Ridge(alpha=choice["weight"]) if regression else LogisticRegression(C=choice["weight"])

    def model(weight: float, *others: float) -> Any:
        space = {"weight": (weight, *others)}
        return EstimatorModel(make, choice={"weight": weight}, space=lambda _task: space if others else {})

    def same(a: Any, b: Any) -> bool:
        return same_scores(a.predict(inputs(dataset)), b.predict(inputs(dataset)))

    train, valid, run = labelled(dataset, range(60)), labelled(dataset, range(60, 90)), Run(dataset.task)
    searched = model(*((1e6, 1e-2) if regression else (1e-6, 1e2)))
    searched.fit(train, valid, replace(run, refit=True))
    best = model(1e-2 if regression else 1e2)
    best.fit(train, valid, run)
    assert same(searched, best) and "fitted_on" not in searched.describe()
    searched.refit(labelled(dataset), run)
    assert not same(searched, best)
    best.fit(labelled(dataset), valid, run)
    assert same(searched, best)
