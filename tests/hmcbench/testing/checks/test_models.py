"""A wrong model for every check, and a right one that passes them."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hmcbench import ModelSpec, Scores
from hmcbench.interfaces import Fit, Inputs, Labelled, Run
from hmcbench.testing import checks
from hmcbench.testing.checks import models


class Right:
    """Linear in the table; passes every check."""

    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        x, y = self.table(train), train.dense_targets.astype(float)
        self.hmc = run.task.hierarchy is not None
        self.middle, self.mean = x.mean(axis=0), y.mean(axis=0)
        self.weights = (x - self.middle).T @ (y - self.mean) / len(x)

    def predict(self, inputs: Inputs) -> Scores:
        values = self.mean + (self.table(inputs) - self.middle) @ self.weights
        return Scores(values.clip(0, 1) if self.hmc else values)

    def table(self, samples: Inputs) -> np.ndarray:
        return np.asarray(samples.views["table"], dtype=float)


class TooHigh(Right):
    def predict(self, inputs: Inputs) -> Scores:
        return Scores(super().predict(inputs).values + 1)


class Nan(Right):
    def predict(self, inputs: Inputs) -> Scores:
        return Scores(super().predict(inputs).values * np.nan)


class HasAVersion(Right):
    def describe(self) -> dict[str, Any]:
        return {"version": "2.0", "parameters": 7}


class OneColumnShort(Right):
    def predict(self, inputs: Inputs) -> Scores:
        return Scores(super().predict(inputs).values[:, 1:])


class RanksItsBatch(Right):
    def predict(self, inputs: Inputs) -> Scores:
        values = super().predict(inputs).values
        return Scores(values.argsort(axis=0).argsort(axis=0) / len(values))


class NeedsTwoClasses(Right):
    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        if np.asarray(train.targets).shape[1] < 2:
            raise ValueError("fewer than two classes")
        super().fit(train, valid, run)


class NeedsEveryClass(Right):
    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        if not np.asarray(train.targets).any(axis=0).all():
            raise ValueError("a class has no samples")
        super().fit(train, valid, run)


class KnowsNoNewLabels(Right):
    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        if (np.asarray(valid.targets).any(axis=0) & ~np.asarray(train.targets).any(axis=0)).any():
            raise KeyError("a label that was never seen")
        super().fit(train, valid, run)


class NeedsTwoSamples(Right):
    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        if len(train) < 2:
            raise ValueError("the variance of one sample")
        super().fit(train, valid, run)


class Squeezes(Right):
    def predict(self, inputs: Inputs) -> Scores:
        return Scores(super().predict(inputs).values.squeeze())


class ReadsTargetsAsAnArray(Right):
    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        np.asarray(train.targets, dtype=float)
        super().fit(train, valid, run)


class NeedsSiblings(Right):
    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        super().fit(train, valid, run)
        above = run.task.hierarchy.edge_index[:, 0] if run.task.hierarchy is not None else []
        if 1 in np.unique(above, return_counts=True)[1]:
            raise ValueError("a parent with one child")


class RollsDice(Right):
    def predict(self, inputs: Inputs) -> Scores:
        return Scores(np.random.default_rng().random((len(inputs), len(self.mean))))


class DrawsFromItsSeed(Right):
    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        super().fit(train, valid, run)
        self.weights = self.weights + np.random.default_rng(run.seed).random(self.weights.shape)


class SetsTheSeed(Right):
    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        np.random.seed(42)  # noqa: NPY002 (what is wrong with it)
        super().fit(train, valid, run)


class ScalesOverAllRows(Right):
    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        super().fit(train, valid, run)
        self.weights = self.weights / np.asarray(train.views["table"].base).std()  # type: ignore[attr-defined]


class LooksAtItsCaller(Right):
    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        super().fit(train, valid, run)
        dataset = sys._getframe(1).f_locals["dataset"]
        self.answers = dict(zip(dataset.ids, np.asarray(dataset.targets, dtype=float), strict=True))

    def predict(self, inputs: Inputs) -> Scores:
        return Scores(np.array([self.answers[i] for i in inputs.ids]))


class ScalesInPlace(Right):
    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        train.views["table"].base[:] *= 2
        super().fit(train, valid, run)


class LeavesTraces(Right):
    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        os.environ["MY_MODEL_WAS_HERE"] = "1"
        os.chdir("/")
        super().fit(train, valid, run)


class Sleeps(Right):
    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        time.sleep(0.2)
        super().fit(train, valid, run)


class Pickles(Right):
    def save(self, folder: Path) -> None:
        (folder / "model.pkl").write_bytes(b"whatever")

    def load(self, folder: Path, run: Run) -> None: ...


class StartsFromNothing(Right):
    def save(self, folder: Path) -> None:
        np.savetxt(folder / "weights.txt", self.weights)

    def load(self, folder: Path, run: Run) -> None: ...


class NeedsValidation(Right):
    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        if len(valid) == 0:
            raise ValueError("nothing to validate on")
        super().fit(train, valid, run)


class RefitsAtRandom(Right):
    def refit(self, train: Labelled, run: Run) -> None:
        # small, as scores that are cut at 0 and 1 may be the same
        self.weights = self.weights * np.random.default_rng().random() / 1000


def fit_nothing(fits: list[Fit]) -> list[Exception | None]:
    for fit in fits:
        fit.model.fit(fit.train, fit.train, fit.run)
        fit.model.weights *= 0
    return [None for _ in fits]


def spec(factory: Any = Right, **changes: Any) -> ModelSpec:
    usual: dict[str, Any] = {
        "name": "wrong",
        "version": "1",
        "summary": "one line",
        "factory": factory,
        "views": ("table",),
        "tasks": ("hmc", "regression"),
    }
    return ModelSpec(**{**usual, **changes})


SHAPES = models.SHAPES
WRONG: dict[str, tuple[ModelSpec, str]] = {
    "can be sent to a worker": (spec(), "not the path"),
    f"scores, {SHAPES['tree']}": (spec(TooHigh), r"outside \[0, 1\]"),
    f"scores, {SHAPES['ragged']}": (spec(Nan), "NaN"),
    f"scores, {SHAPES['multiple']}": (spec(OneColumnShort), "shape"),
    f"scores, {SHAPES['dag']}": (spec(RanksItsBatch), "values"),
    f"scores, {SHAPES['chain']}": (spec(NeedsSiblings), "one child"),
    f"scores, {SHAPES['one-class']}": (spec(NeedsTwoClasses), "two classes"),
    f"scores, {SHAPES['regression']}": (spec(Nan), "NaN"),
    "sparse targets": (spec(ReadsTargetsAsAnArray), ""),
    "missing values": (spec(missing=True), "NaN"),
    "a class without training samples": (spec(NeedsEveryClass), "no samples"),
    "a label only validation has": (spec(KnowsNoNewLabels), "never seen"),
    "one training sample": (spec(NeedsTwoSamples), "variance"),
    "one test sample": (spec(Squeezes), "shape"),
    "same seed, same scores": (spec(RollsDice), "different scores"),
    "deterministic as declared": (spec(DrawsFromItsSeed, deterministic=True), "two seeds"),
    "the seed is the run's": (spec(SetsTheSeed), "numpy.random"),
    "no leak from test rows": (spec(ScalesOverAllRows), "test rows"),
    "test targets unused": (spec(LooksAtItsCaller), "other predictions"),
    "inputs unchanged": (spec(ScalesInPlace), "view table"),
    "global state unchanged": (spec(LeavesTraces), "MY_MODEL_WAS_HERE"),
    "ends in time": (spec(Sleeps), "more than"),
    "what it says of itself": (spec(HasAVersion), "describe\\(\\) has version, which"),
    "weights kept and read": (spec(Pickles), "model.pkl"),
    "warm start": (spec(StartsFromNothing, expandable=True), "those without one"),
    "second fit": (spec(NeedsValidation), "nothing to validate on"),
    "fitted together as alone": (spec(fit_many=f"{__name__}:fit_nothing"), "fitted together"),
}


SKIPPED = (
    "deterministic as declared",
    "missing values",
    "what it says of itself",
    "weights kept and read",
    "warm start",
    "fitted together as alone",
)


def test_every_check_has_a_wrong_model() -> None:
    assert set(WRONG) == {check.name for check in models.CHECKS}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_model_fails(
    name: str, assert_fails: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "LIMIT_S", 0.1 if "time" in name else 60)
    monkeypatch.setitem(sys.modules, __name__, SimpleNamespace(**globals()))  # importlib mode leaves it out
    assert_fails("models", name, *WRONG[name])


def test_a_wrong_refit_fails(assert_fails: Callable[..., None]) -> None:
    assert_fails("models", "second fit", spec(RefitsAtRandom), "different scores")


@pytest.mark.parametrize("name", [name for name in WRONG if name != "can be sent to a worker"])
def test_the_right_model_passes(name: str, outcome: Callable[..., checks.Outcome]) -> None:
    result = outcome("models", name, spec())
    skipped = name in SKIPPED
    assert result.status == ("skipped" if skipped else "ok"), result


def test_a_model_that_is_deterministic_passes_and_its_parameters_exist(
    outcome: Callable[..., checks.Outcome], assert_fails: Callable[..., None]
) -> None:
    name = "deterministic as declared"
    assert outcome("models", name, spec(deterministic=True)).status == "ok"
    assert outcome("models", name, spec(DrawsFromItsSeed)).status == "skipped"
    assert_fails("models", name, spec(deterministic={"no_such": (1,)}), "no_such")
