"""What is accepted from a model, and what is made of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import expit, softmax

from hmcbench.errors import PluginError
from hmcbench.execute.predict import check_scores
from hmcbench.interfaces import ModelSpec, Scores
from hmcbench.testing.helpers import tiny_dataset


def spec(**values: Any) -> ModelSpec:
    return ModelSpec(name="m", version="1", summary="", factory=str, **values)


def task(kind: Any = "tree") -> Any:
    return tiny_dataset(6, kind).task


@pytest.mark.parametrize(
    ("scores", "error", "says"),
    [
        (np.zeros((2, 2)), PluginError, "not Scores"),
        (Scores(np.zeros((3, 1))), PluginError, "shape"),
        (Scores(np.full((2, 7), 1.5)), PluginError, "outside"),
        (Scores(np.full((2, 7), -0.5)), PluginError, "outside"),
        (Scores(np.full((2, 7), np.nan)), FloatingPointError, "2 of 2"),
        (Scores(np.zeros((2, 7)), np.zeros((2, 9))), PluginError, "stop"),
        (Scores(np.zeros((2, 7)), novelty=np.zeros((2, 1))), PluginError, "novelty of shape"),
        (Scores(np.zeros((2, 7)), novelty=np.array([0, np.inf])), FloatingPointError, "1 of 2"),
    ],
)
def test_what_a_model_returns_is_checked(scores: Any, error: type[Exception], says: str) -> None:
    assert task().hierarchy.n == 7
    with pytest.raises(error, match=says):
        check_scores(scores, 2, task(), spec())


def test_rounding_at_the_bounds_is_forgiven() -> None:
    out = check_scores(Scores(np.full((2, 7), 1 + 1e-9)), 2, task(), spec())
    assert out.values.max() == 1.0
    assert out.values.dtype == np.float32


def test_logits_become_a_softmax_per_level_or_a_sigmoid() -> None:
    rng = np.random.default_rng(0)
    single = task("tree")
    logits = rng.normal(size=(4, 7))
    out = check_scores(Scores(logits), 4, single, spec(scores="logit")).values
    for k in (1, 2):
        columns = single.hierarchy.level_classes(k)
        assert np.allclose(out[:, columns], softmax(logits[:, columns], axis=1), atol=1e-6)
    several = task("dag")
    logits = rng.normal(size=(4, several.hierarchy.n))
    assert np.allclose(
        check_scores(Scores(logits), 4, several, spec(scores="logit")).values, expit(logits), atol=1e-6
    )


def test_the_stop_output_takes_part_in_the_softmax() -> None:
    ragged = task("ragged")
    rng = np.random.default_rng(0)
    logits, stop = rng.normal(size=(3, ragged.hierarchy.n)), rng.normal(size=(3, ragged.hierarchy.depth))
    out = check_scores(Scores(logits, stop), 3, ragged, spec(scores="logit"))
    assert out.stop is not None
    for k in range(1, ragged.hierarchy.depth + 1):
        total = out.values[:, ragged.hierarchy.level_classes(k)].sum(axis=1) + out.stop[:, k - 1]
        assert np.allclose(total, 1, atol=1e-6)
