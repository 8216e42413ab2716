"""Checks of metrics, on the fixtures of :mod:`hmcbench.metrics.fixtures` and on random problems."""

from __future__ import annotations

import doctest
import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from hmcbench.execute.predict import training_counts
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.hierarchy.label_maps import LabelMaps
from hmcbench.interfaces import Task
from hmcbench.metrics import fixtures
from hmcbench.metrics.base import ClassMetric, LevelMetric, PooledMetric, SampleMetric, summed
from hmcbench.metrics.computing import compute
from hmcbench.metrics.evaluation import Apart, Evaluation
from hmcbench.metrics.pooled import PooledLevelMetric
from hmcbench.registry.registry import load_object
from hmcbench.testing.checks.base import Check, Skip, Subject, need
from hmcbench.testing.checks.state import state_check, unchanged
from hmcbench.testing.helpers import tiny_dataset

TOLERANCE = 1e-9
SHAPES = ("tree", "ragged", "multiple", "dag", "regression")
PIXELS = "pixels"
FAR = 5  # samples of other data


def problems(subject: Subject) -> Iterator[tuple[str, Evaluation]]:
    """Names and evaluations: fixtures and random predictions of the metric's kind of task."""
    if subject.spec.unit == "pixel":
        yield "two_maps", fixtures.two_maps()
    elif subject.spec.task == "hmc":
        yield "three_samples", fixtures.three_samples()
        yield "four_scores", fixtures.four_scores()
        yield "confusion_matrices", fixtures.confusion_matrices()
        if subject.spec.name.startswith("unknown_"):
            yield "with_unknown", fixtures.with_unknown()
        if subject.spec.name.startswith("far_"):
            yield "with_far", fixtures.with_far()
    else:
        yield "two_alloys", fixtures.two_alloys()
    for shape, problem in random_problems(subject):
        yield f"random scores on {shape}", problem


def random_problem(
    shape: Any, scores: np.ndarray | None = None, rows: Any = slice(None), samples: int = 40
) -> Evaluation:
    """Tiny targets and random scores on a coarse grid, which gives ties."""
    if shape == PIXELS:
        return random_maps(scores, rows, samples)
    dataset = tiny_dataset(samples, shape)
    truth = np.asarray(dataset.targets)
    if scores is None:
        noise = np.random.default_rng(1).integers(0, 5, truth.shape) / 4
        scores = truth + noise if shape == "regression" else (0.5 * truth + 0.5 * noise)
    training = training_counts(dataset, np.arange(samples))
    scores = np.asarray(scores, dtype=np.float32)
    apart = None
    if dataset.task.kind == "hmc":  # some metrics need samples that were put apart
        calibration = Evaluation.of(dataset.task, truth, scores, apart=Apart(dataset.ids))
        nothing = np.zeros((FAR, truth.shape[1]), dtype=np.float32)
        far = Evaluation.of(dataset.task, nothing.astype(bool), nothing)  # of no class, and told so
        apart = Apart(np.array(dataset.ids, dtype=object)[rows].tolist(), calibration, far=far)
    return Evaluation.of(dataset.task, truth[rows], scores[rows], training=training, apart=apart)


def random_maps(scores: np.ndarray | None, rows: Any, images: int) -> Evaluation:
    """Label maps of 8 x 9 pixels, some not labelled; predicted at random, or the truth where scores are given
    that are not all zero, or one class."""
    rng = np.random.default_rng(1)
    hierarchy = Hierarchy.from_paths([("a", "x"), ("a", "y"), ("b",)])
    legend = hierarchy.encode([["a/x"], ["a/y"], ["b"]]).toarray()
    labels = rng.integers(0, 3, (images, 2, 3)).repeat(4, axis=1).repeat(3, axis=2).astype(np.uint8)
    guesses = np.where(rng.random(labels.shape) < 0.7, labels, rng.integers(0, 3, labels.shape))
    if scores is not None:
        guesses = labels * bool(scores.any())
    truth = np.where(rng.random(labels.shape) < 0.05, np.uint8(255), labels)
    task = Task("hmc", "single", "full", hierarchy, unit="pixel")
    maps = (LabelMaps(list(part), legend, objects=("b",)) for part in (truth, guesses.astype(np.uint8)))
    return Evaluation.of_maps(task, *(part[rows] for part in maps))


def samples_of(evaluation: Evaluation) -> int:
    """Samples, or images of label maps."""
    return len(evaluation) if evaluation.pairs is None else len(evaluation.pairs)


def values(subject: Subject, evaluation: Evaluation) -> dict[str, float]:
    """All ids of the metric; raises AssertionError where it fails or leaves its bounds."""
    computed = compute([subject.spec], evaluation)
    need(not computed.failures, "; ".join(f"{k}: {v}" for k, v in list(computed.failures.items())[:2]))
    return dict(computed)


def close(first: dict[str, float], second: dict[str, float], case: str) -> None:
    need(set(first) == set(second), f"{case}: other ids")
    for name, value in first.items():
        same = abs(value - second[name]) <= TOLERANCE * max(1, abs(value))
        need(same, f"{case}: {name} {value} and {second[name]}")


def applies(subject: Subject, evaluation: Evaluation) -> bool:
    return evaluation.task.kind == "regression" or evaluation.task.paths in subject.spec.paths


def random_problems(subject: Subject) -> Iterator[tuple[str, Evaluation]]:
    """Shape and problem for every shape of the metric's kind of task."""
    if subject.spec.unit == "pixel":
        yield PIXELS, random_problem(PIXELS)
        return
    for shape in SHAPES:
        if (shape == "regression") == (subject.spec.task == "regression"):
            yield shape, random_problem(shape)


def bounds(subject: Subject) -> None:
    count = 0
    for name, evaluation in problems(subject):
        try:
            count += len(values(subject, evaluation))
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from None
    need(count, "it has no value for any fixture")


def examples(subject: Subject) -> None:
    metric = load_object(subject.spec.factory)
    text = getattr(metric, "__doc__", None) or ""
    factory = subject.spec.factory
    module = factory.partition(":")[0] if isinstance(factory, str) else str(factory.__module__)
    names = dict(vars(importlib.import_module(module)))
    example = doctest.DocTestParser().get_doctest(text, names, subject.spec.name, None, 0)
    need(example.examples, "its docstring has no example (>>>) of a value")
    out: list[str] = []
    result = doctest.DocTestRunner(verbose=False).run(example, out=out.append)
    need(not result.failed, "its example gives another value: " + " ".join("".join(out).split())[-200:])


def permutation(subject: Subject) -> None:
    for shape, evaluation in random_problems(subject):
        if applies(subject, evaluation):
            order = np.random.default_rng(2).permutation(samples_of(evaluation))
            permuted = values(subject, random_problem(shape, rows=order))
            close(values(subject, evaluation), permuted, "samples in another order")


def empty(subject: Subject) -> None:
    """Scores of zero, empty label sets, no sample."""
    for shape, problem in random_problems(subject):
        values(subject, random_problem(shape, scores=np.zeros(problem.truth.shape)))
        values(subject, random_problem(shape, rows=slice(0, 0)))
    if subject.spec.task == "hmc" and subject.spec.unit == "sample":
        hierarchy = Hierarchy.from_edges([("a", "b"), ("a", "c")])
        nothing = np.zeros((3, hierarchy.n), dtype=bool)
        labels = hierarchy.encode([["b"], [], ["c"]]).toarray()
        for pair in ((labels, nothing), (nothing, labels), (nothing, nothing)):
            values(subject, Evaluation.of_sets(hierarchy, *pair))


def perfect(subject: Subject) -> None:
    """The truth as prediction must have the best value, on tasks where every class has a sample."""
    spec = subject.spec
    best = {"higher": spec.high, "lower": spec.low}.get(spec.better)
    if best is None:
        raise Skip("it has no best value")
    for shape, problem in random_problems(subject):
        truth = np.asarray(problem.truth, dtype=np.float64)
        for name, value in values(subject, random_problem(shape, scores=truth)).items():
            need(abs(value - best) < 1e-6, f"{name} is {value} for the truth itself, not {best}")


def sums(subject: Subject) -> None:
    """Sums of rows must give the metric, also those of a part of the samples.

    Rows may be shifted by what all samples share (R2 is centred), as long as the values are the same.
    """
    metric = load_object(subject.spec.factory)
    if isinstance(metric, (PooledMetric, PooledLevelMetric)):
        _counts(metric, subject)
        return
    if not isinstance(metric, (SampleMetric, LevelMetric, ClassMetric)):
        raise Skip("it is not a function of sums over samples")
    for shape, problem in random_problems(subject):
        if not applies(subject, problem):
            continue
        rows = np.arange(0, 40, 3)
        for key in _keys(metric, problem):
            stats = metric.stats(problem, *key)
            part = metric.stats(random_problem(shape, rows=rows), *key)
            of_rows, alone = (float(metric.reduce(summed(s))) for s in (dense(stats)[rows], part))
            same = np.isclose(of_rows, alone, rtol=1e-6, equal_nan=True)
            need(same, f"a row depends on other rows: {of_rows} of a part, {alone} of the part alone")
            value = float(metric.reduce(summed(stats)))
            direct = metric(problem)[key[0]] if isinstance(metric, ClassMetric) else metric(problem, *key)
            same = np.isclose(value, direct, equal_nan=True)
            need(same, f"{value} from sums of rows, {direct} when called")


def dense(matrix: Any) -> np.ndarray:
    return np.asarray(matrix.toarray() if hasattr(matrix, "toarray") else matrix)


def _counts(metric: PooledMetric | PooledLevelMetric, subject: Subject) -> None:
    """Counts at shared thresholds must give the value for samples drawn with replacement."""
    for shape, problem in random_problems(subject):
        if not applies(subject, problem):
            continue
        times = np.random.default_rng(3).integers(1, 4, len(problem))
        repeated = random_problem(shape, rows=np.repeat(np.arange(40), times))
        for key in _keys(metric, problem):
            stats, reduce = metric.counts(problem, *key)
            need(stats.shape[0] == len(problem), f"counts of {stats.shape[0]} samples, not of {len(problem)}")
            value, direct = float(reduce(times @ stats)), metric(repeated, *key)
            same = np.isclose(value, direct, equal_nan=True)
            need(same, f"{value} from counts of repeated rows, {direct} when called")


def _keys(metric: Any, evaluation: Evaluation) -> list[tuple[Any, ...]]:
    if isinstance(metric, (LevelMetric, PooledLevelMetric)):
        return [(k,) for k in range(1, evaluation.levels + 1)]
    return [(0,), (1,)] if isinstance(metric, ClassMetric) else [()]


def agreement(subject: Subject) -> None:
    """The values must be those of the slow version (``MetricSpec.slow``), called in the same way."""
    spec = subject.spec
    if not spec.slow:
        raise Skip("it names no slow version (MetricSpec.slow)")
    fast_metric, slow_metric = load_object(spec.factory), load_object(spec.slow)
    compared = 0
    for name, evaluation in problems(subject):
        if not applies(subject, evaluation) or not values(subject, evaluation):
            continue
        keys = [(k,) for k in range(1, evaluation.levels + 1)] if spec.over == "levels" else [()]
        for key in keys:
            fast, slow = fast_metric(evaluation, *key), slow_metric(evaluation, *key)
            same = np.allclose(np.asarray(fast), np.asarray(slow), rtol=0, atol=TOLERANCE, equal_nan=True)
            need(same, f"{name}: {fast}, and {slow} by the slow version")
            compared += 1
    need(compared, "no problem to compare the two versions on")


def state(subject: Subject) -> None:
    with unchanged():
        for _, evaluation in problems(subject):
            compute([subject.spec], evaluation)


def inputs_kept(subject: Subject) -> None:
    for name, evaluation in problems(subject):
        truth = np.array(evaluation.truth)
        first = compute([subject.spec], evaluation)
        writes = [reason for reason in first.failures.values() if "read-only" in reason]
        need(not writes, f"{name}: it writes into its inputs ({writes[:1]})")
        need(np.array_equal(truth, evaluation.truth), f"{name}: it modified the truth")
        close(dict(first), dict(compute([subject.spec], evaluation)), f"{name}, computed twice")


CHECKS: list[Check] = [
    Check("finite, within its bounds", "values outside are dropped from every leaderboard", bounds),
    Check("the example in its docstring", "readers check a formula by an example", examples),
    Check("best for the truth itself", "otherwise the metric ranks models wrongly", perfect),
    Check("samples in any order", "the order of a file would change the ranking", permutation),
    Check("nothing predicted, no sample", "predictions and partitions may be empty", empty),
    Check("sums of rows", "intervals are computed from them and would belong to another number", sums),
    Check("agrees with a slow version", "two implementations that agree are rarely both wrong", agreement),
    Check("inputs unchanged", "other metrics read the same arrays", inputs_kept),
    state_check(state),
]
