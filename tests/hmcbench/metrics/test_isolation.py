"""A metric of a third-party plugin changes nothing but its own value."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from hmcbench.interfaces import MetricSpec
from hmcbench.metrics import computing
from hmcbench.metrics.builtin import SPECS
from hmcbench.metrics.computing import compute, is_pooled, pooled_counts, sample_stats
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.fixtures import four_scores

NAMES = ["hf1_micro", "violation_rate", "auprc_micro", "class_f1"]


def spec(factory: Any) -> MetricSpec:
    return MetricSpec(name="aaa", version="1", summary="", factory=factory, decided=False)


def writer(change: Callable[[Evaluation], None]) -> MetricSpec:
    def metric(evaluation: Evaluation) -> float:
        change(evaluation)
        return 0.5

    return spec(metric)


def fill(name: str) -> Callable[[Evaluation], None]:
    def change(evaluation: Evaluation) -> None:
        getattr(evaluation, name)[:] = 0

    change.__name__ = name
    return change


ARRAYS = ("truth", "scores", "raw", "closed", "coherent", "matched", "counts", "class_counts", "violations")


@pytest.mark.parametrize("name", ARRAYS)
def test_a_metric_cannot_write_into_what_others_read(name: str) -> None:
    expected = compute(SPECS, four_scores(), NAMES)
    evaluation = four_scores()
    results = compute([writer(fill(name)), *SPECS], evaluation, ["aaa", *NAMES])
    assert "read-only" in results.failures["aaa"]
    assert dict(results) == dict(expected)


@pytest.mark.parametrize("name", ["truth", "_scores", "task", "other"])
def test_a_metric_cannot_replace_what_others_read(name: str) -> None:
    results = compute([writer(lambda e: setattr(e, name, None)), *SPECS], four_scores(), ["aaa", *NAMES])
    assert results.failures["aaa"] == f"AttributeError: an evaluation cannot be changed: {name}"
    assert dict(results) == dict(compute(SPECS, four_scores(), NAMES))


def test_sparse_sets_cannot_be_written_to_and_the_callers_arrays_stay_writeable() -> None:
    example = four_scores()
    truth, predicted = (csr_array(np.array(sets)) for sets in (example.truth, example.closed))
    evaluation = Evaluation.of_sets(example.hierarchy, truth, predicted)
    for sets in (evaluation.truth, evaluation.raw, evaluation.closed, evaluation.matched):
        with pytest.raises(ValueError, match="read-only"):
            sets.data[:] = False
    dense, scores = np.array(example.truth), np.array(example.scores)
    assert not Evaluation.of(example.task, dense, scores).truth.flags.writeable
    dense[:], scores[:] = False, 0.0


def leave(*_: Any) -> float:
    raise SystemExit(3)


def test_a_metric_that_ends_the_process_is_a_failure_of_its_own() -> None:
    results = compute([spec(leave), *SPECS], four_scores(), ["aaa", *NAMES])
    assert results.failures == {"aaa": "SystemExit: 3"}
    assert dict(results) == dict(compute(SPECS, four_scores(), NAMES))
    sampled = spec(computing.SampleMetric(leave, leave))
    assert sample_stats(sampled, four_scores(), "aaa") is None
    assert pooled_counts(spec(computing.PooledMetric(leave, leave)), four_scores()) is None
    assert not is_pooled(sampled)


def test_an_interrupt_by_the_user_still_ends_the_command() -> None:
    def stop(_evaluation: Evaluation) -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compute([spec(stop)], four_scores())


@pytest.mark.parametrize("catches", [False, True])
def test_an_endless_metric_is_ended_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, catches: bool
) -> None:
    monkeypatch.setattr(computing, "METRIC_S", 0.1)

    def endless(_evaluation: Evaluation) -> float:
        while True:
            try:
                time.sleep(0.01)
            except Exception:
                if not catches:
                    raise

    began = time.monotonic()
    results = compute([spec(endless), *SPECS], four_scores(), ["aaa", *NAMES])
    assert time.monotonic() - began < 5
    assert results.failures == {"aaa": "took more than 0.1 s"}
    assert dict(results) == dict(compute(SPECS, four_scores(), NAMES))
    assert results.seconds["aaa"] >= 0.1 > results.seconds["hf1_micro"]


def test_where_no_time_is_left_further_ids_are_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(computing, "METRIC_S", 0.1)
    began: list[int] = []

    def metric(_evaluation: Evaluation, k: int) -> float:
        began.append(k)
        while k == 1:
            time.sleep(0.01)
        return 0.5

    per_level = MetricSpec(
        name="aaa{k}", version="1", summary="", factory=metric, over="levels", decided=False
    )
    results = compute([per_level], four_scores())
    assert began == [1] and len(results.failures) == four_scores().levels > 1
    assert set(results.failures.values()) == {"took more than 0.1 s"}


def test_a_limit_that_ends_before_a_metric_begins_is_its_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    set_timer = signal.setitimer

    def at_once(which: int, seconds: float, interval: float = 0.0) -> None:
        set_timer(which, seconds, interval)
        handler: Any = signal.getsignal(signal.SIGALRM)
        if seconds:
            handler(signal.SIGALRM, None)

    monkeypatch.setattr(signal, "setitimer", at_once)
    results = compute([spec(lambda _evaluation: 0.5)], four_scores())
    assert results.failures == {"aaa": "took more than 300 s"}
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
