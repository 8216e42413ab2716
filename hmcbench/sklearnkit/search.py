"""A small search for hyperparameters, with the same number of candidates for every model.

Candidates are drawn from a finite space, the defaults first, and scored on the validation partition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from hmcbench.interfaces import Scores, Task, Value
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.rankings import auprc_micro
from hmcbench.metrics.sets import hf1_samples

Space = Mapping[str, Sequence[Value]]
"""Keyword of ``make`` -> the values that are tried."""

Choice = Mapping[str, Value]


def candidates(space: Space, defaults: Choice, budget: int, seed: int) -> list[Choice]:
    """The defaults, then random points of the space without repetition, at most ``budget`` in all."""
    points = [dict(defaults, **dict(zip(space, point, strict=True))) for point in product(*space.values())]
    others = [point for point in points if point != defaults]
    order = np.random.default_rng(seed).permutation(len(others))[: budget - 1]
    return [dict(defaults), *(others[i] for i in order)]


def losses(task: Task, truth: Any, scores: Scores) -> np.ndarray:
    """The losses that the search minimises.

    Regression: 1 - R2 of every target, (T,); the sum of squared errors for a constant target.
    Single paths: 1 - ``hf1_samples_raw``, multiple paths: 1 - ``auprc_micro`` (without a
    threshold), both (1,).
    """
    if task.kind == "regression":
        truth = np.asarray(truth, dtype=np.float64)
        spread = ((truth - truth.mean(axis=0)) ** 2).sum(axis=0)
        residual = ((truth - scores.values) ** 2).sum(axis=0)
        ratio: np.ndarray = residual / np.where(spread > 0, spread, 1.0)
        return ratio
    evaluation = Evaluation.of(task, truth, scores.values, scores.stop)
    value = hf1_samples(evaluation.with_raw()) if task.paths == "single" else auprc_micro(evaluation)
    return np.array([1 - value])


def describe(choice: Choice, space: Space) -> str:
    """The searched keywords of a choice, as ``C=10, gamma=0.1``."""
    return ", ".join(f"{name}={choice[name]}" for name in space)
