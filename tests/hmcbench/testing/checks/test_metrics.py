"""A wrong metric for every check, and a right one that passes them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hmcbench import MetricSpec, PooledMetric, SampleMetric
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.rankings import auprc_macro, auprc_micro
from hmcbench.testing.checks import metrics


def right(evaluation: Evaluation) -> float:
    """Share of samples whose sets are equal.

    >>> from hmcbench.metrics.fixtures import three_samples
    >>> right(three_samples())
    0.0
    """
    same = np.all(np.asarray(evaluation.closed) == np.asarray(evaluation.truth), axis=1)
    return float(same.mean()) if len(same) else 0.0


def wrong_example(evaluation: Evaluation) -> float:
    """
    >>> 1 + 1
    3
    """
    return right(evaluation)


def first_sample(evaluation: Evaluation) -> float:
    return float(np.asarray(evaluation.closed)[0].mean()) if len(evaluation) else 0.0


def modifies_truth(evaluation: Evaluation) -> float:
    value = right(evaluation)
    evaluation.truth[:] = True
    return value


def ignores_warnings(evaluation: Evaluation) -> float:
    np.seterr(all="ignore")
    return right(evaluation)


def predicted_share(evaluation: Evaluation) -> float:
    predicted = int(np.asarray(evaluation.closed).sum())
    return int((np.asarray(evaluation.closed) & np.asarray(evaluation.truth)).sum()) / predicted


def metric_spec(factory: Any = right, **changes: Any) -> MetricSpec:
    return MetricSpec(
        **{
            "name": "wrong",
            "version": "1",
            "summary": "one line",
            "factory": factory,
            "decided": False,
            **changes,
        }
    )


def same_rows(evaluation: Evaluation) -> np.ndarray:
    equal = np.all(np.asarray(evaluation.closed) == np.asarray(evaluation.truth), axis=1)
    return np.stack([equal, np.ones(len(equal))], axis=1).astype(float)


def share(sums: np.ndarray) -> np.ndarray:
    return np.divide(sums[..., 0], sums[..., 1], out=np.zeros(sums.shape[:-1]), where=sums[..., 1] > 0)


WRONG: dict[str, tuple[Any, str]] = {
    "finite, within its bounds": (lambda e: right(e) + 2, "outside"),
    "the example in its docstring": (wrong_example, "another value"),
    "best for the truth itself": (lambda e: 1 - right(e), "for the truth itself"),
    "samples in any order": (first_sample, "another order"),
    "nothing predicted, no sample": (predicted_share, "ZeroDivisionError"),
    "sums of rows": (SampleMetric(same_rows, share, lambda e: np.array([1.0, 2.0])), "when called"),
    "agrees with a slow version": (metric_spec(slow=first_sample), "slow version"),
    "inputs unchanged": (modifies_truth, "writes into its inputs"),
    "global state unchanged": (ignores_warnings, "error handling"),
}


def test_every_check_has_a_wrong_metric() -> None:
    assert set(WRONG) == {check.name for check in metrics.CHECKS}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_metric_fails(name: str, assert_fails: Callable[..., None]) -> None:
    factory, pattern = WRONG[name]
    assert_fails(
        "metrics", name, factory if isinstance(factory, MetricSpec) else metric_spec(factory), pattern
    )


@pytest.mark.parametrize("name", WRONG)
def test_the_right_metric_passes(
    name: str, outcome: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, right.__module__, type("Module", (), {"right": right}))
    slow = {"slow": right} if name == "agrees with a slow version" else {}
    result = outcome("metrics", name, metric_spec(**slow))
    assert result.status != "failed", result


@pytest.mark.parametrize(
    ("metric", "status", "says"),
    [
        (auprc_macro, "ok", ""),
        (PooledMetric(auprc_micro, auprc_macro.counts), "failed", "from counts of repeated rows"),
        (PooledMetric(auprc_micro, lambda e: (np.ones((3, 1)), share)), "failed", "counts of 3 samples"),
    ],
)
def test_counts_of_pooled_metrics(
    metric: PooledMetric, status: str, says: str, outcome: Callable[..., Any]
) -> None:
    result = outcome("metrics", "sums of rows", metric_spec(metric))
    assert result.status == status and says in result.detail, result
