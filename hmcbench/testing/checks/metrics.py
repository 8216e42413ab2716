"""What a metric promises, on the fixtures of :mod:`hmcbench.metrics.fixtures` and on random problems."""

from __future__ import annotations

import doctest
import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.metrics import fixtures
from hmcbench.metrics.base import ClassMetric, LevelMetric, PooledMetric, SampleMetric, summed
from hmcbench.metrics.computing import compute
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.registry.registry import load_object
from hmcbench.testing.checks.base import Check, Skip, Subject, need
from hmcbench.testing.checks.state import unchanged
from hmcbench.testing.helpers import tiny_dataset

TOLERANCE = 1e-9
SHAPES = ("tree", "ragged", "multiple", "dag", "regression")


def problems(kind: str) -> Iterator[tuple[str, Evaluation]]:
    """Fixtures and random predictions of one kind of task, with a name for each."""
    if kind == "hmc":
        yield "three_samples", fixtures.three_samples()
        yield "four_scores", fixtures.four_scores()
        yield "confusion_matrices", fixtures.confusion_matrices()
    else:
        yield "two_alloys", fixtures.two_alloys()
    for shape in SHAPES:
        if (shape == "regression") == (kind == "regression"):
            yield f"random scores on {shape}", drawn(shape)


def drawn(
    shape: Any, scores: np.ndarray | None = None, rows: Any = slice(None), samples: int = 40
) -> Evaluation:
    """Tiny targets and random scores on a coarse grid, so that there are ties."""
    dataset = tiny_dataset(samples, shape)
    truth = np.asarray(dataset.targets)
    if scores is None:
        noise = np.random.default_rng(1).integers(0, 5, truth.shape) / 4
        scores = truth + noise if shape == "regression" else (0.5 * truth + 0.5 * noise)
    return Evaluation.of(dataset.task, truth[rows], np.asarray(scores, dtype=np.float32)[rows])


def values(subject: Subject, evaluation: Evaluation) -> dict[str, float]:
    """All ids of the metric; raises AssertionError where it fails or leaves its bounds."""
    found = compute([subject.spec], evaluation)
    need(not found.failures, "; ".join(f"{k}: {v}" for k, v in list(found.failures.items())[:2]))
    return dict(found)


def close(one: dict[str, float], two: dict[str, float], what: str) -> None:
    need(set(one) == set(two), f"{what}: other ids")
    for name, value in one.items():
        need(
            abs(value - two[name]) <= TOLERANCE * max(1, abs(value)),
            f"{what}: {name} {value} and {two[name]}",
        )


def fits(subject: Subject, evaluation: Evaluation) -> bool:
    return evaluation.task.kind == "regression" or evaluation.task.paths in subject.spec.paths


# --------------------------------------------------------------------------- the checks


def bounds(subject: Subject) -> None:
    count = 0
    for name, evaluation in problems(subject.spec.task):
        try:
            count += len(values(subject, evaluation))
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from None
    need(count, "it has a value for none of the fixtures")


def examples(subject: Subject) -> None:
    metric = load_object(subject.spec.factory)
    text = getattr(metric, "__doc__", None) or ""
    where = vars(importlib.import_module(_module(subject.spec.factory)))
    parsed = doctest.DocTestParser().get_doctest(text, dict(where), subject.spec.name, None, 0)
    need(parsed.examples, "its docstring has no example (>>>) that works a value out")
    out: list[str] = []
    result = doctest.DocTestRunner(verbose=False).run(parsed, out=out.append)
    need(not result.failed, "its example gives something else: " + " ".join("".join(out).split())[-200:])


def _module(factory: Any) -> str:
    return factory.partition(":")[0] if isinstance(factory, str) else str(factory.__module__)


def permutation(subject: Subject) -> None:
    for shape in SHAPES:
        evaluation = drawn(shape)
        if evaluation.task.kind == subject.spec.task and fits(subject, evaluation):
            order = np.random.default_rng(2).permutation(len(evaluation))
            close(
                values(subject, evaluation),
                values(subject, drawn(shape, rows=order)),
                "samples in another order",
            )


def empty(subject: Subject) -> None:
    """Scores of zero, sets that are empty, no sample at all."""
    for shape in SHAPES:
        whole = drawn(shape)
        if whole.task.kind != subject.spec.task:
            continue
        values(subject, drawn(shape, scores=np.zeros(whole.truth.shape)))
        values(subject, drawn(shape, rows=slice(0, 0)))
    if subject.spec.task == "hmc":
        hierarchy = Hierarchy.from_edges([("a", "b"), ("a", "c")])
        nothing = np.zeros((3, hierarchy.n), dtype=bool)
        said = hierarchy.encode([["b"], [], ["c"]]).toarray()
        for pair in ((said, nothing), (nothing, said), (nothing, nothing)):
            values(subject, Evaluation.of_sets(hierarchy, *pair))


def perfect(subject: Subject) -> None:
    """The truth as prediction is the best there is, on tasks where every class has a sample."""
    spec = subject.spec
    best = {"higher": spec.high, "lower": spec.low}.get(spec.better)
    if best is None:
        raise Skip("it has no best value")
    for shape in SHAPES:
        dataset = tiny_dataset(40, shape)  # type: ignore[arg-type]
        if dataset.task.kind == spec.task:
            truth = np.asarray(dataset.targets)
            found = values(subject, Evaluation.of(dataset.task, truth, truth.astype(np.float64)))
            for name, value in found.items():
                need(abs(value - best) < 1e-6, f"{name} is {value} for the truth itself, not {best}")


def sums(subject: Subject) -> None:
    """Statistics per sample: their short cut, and rows that know of no other row."""
    metric = load_object(subject.spec.factory)
    if isinstance(metric, PooledMetric):
        _counts(metric, subject)
        return
    if not isinstance(metric, (SampleMetric, LevelMetric, ClassMetric)):
        raise Skip("it is no function of sums over samples")
    for shape in SHAPES:
        whole = drawn(shape)
        if whole.task.kind != subject.spec.task or not fits(subject, whole):
            continue
        some = np.arange(0, 40, 3)
        for key in _keys(metric, whole):
            stats = metric.stats(whole, *key)
            part = metric.stats(drawn(shape, rows=some), *key)
            alone = np.asarray((stats.toarray() if hasattr(stats, "toarray") else stats)[some])
            np.testing.assert_allclose(
                alone,
                part.toarray() if hasattr(part, "toarray") else part,
                err_msg="a row depends on other rows",
            )
            value = float(metric.reduce(summed(stats)))
            told = metric(whole)[key[0]] if isinstance(metric, ClassMetric) else metric(whole, *key)
            need(
                np.isclose(value, told, equal_nan=True), f"{value} from sums of rows, {told} by the short cut"
            )


def _counts(metric: PooledMetric, subject: Subject) -> None:
    """Counts at shared thresholds give the value of any sample that is drawn from these."""
    for shape in SHAPES:
        whole = drawn(shape)
        if whole.task.kind != subject.spec.task or not fits(subject, whole):
            continue
        stats, reduce = metric.counts(whole)
        need(stats.shape[0] == len(whole), f"counts of {stats.shape[0]} samples, not of {len(whole)}")
        times = np.random.default_rng(3).integers(1, 4, len(whole))
        value, told = float(reduce(times @ stats)), metric(drawn(shape, rows=np.repeat(np.arange(40), times)))
        need(
            np.isclose(value, told, equal_nan=True), f"{value} from counts of repeated rows, but it is {told}"
        )


def _keys(metric: Any, evaluation: Evaluation) -> list[tuple[Any, ...]]:
    if isinstance(metric, LevelMetric):
        return [(k,) for k in range(1, evaluation.levels + 1)]
    return [(0,), (1,)] if isinstance(metric, ClassMetric) else [()]


def slow(subject: Subject) -> None:
    """The same values as the version that ``MetricSpec.slow`` names, called in the same way."""
    spec = subject.spec
    if not spec.slow:
        raise Skip("it names no slow version (MetricSpec.slow)")
    quick, plain = load_object(spec.factory), load_object(spec.slow)
    compared = 0
    for name, evaluation in problems(spec.task):
        if not fits(subject, evaluation) or not values(subject, evaluation):
            continue
        keys = range(1, evaluation.levels + 1) if spec.over == "levels" else [None]
        for k in keys:
            one, two = (m(evaluation) if k is None else m(evaluation, k) for m in (quick, plain))
            same = np.allclose(np.asarray(one), np.asarray(two), rtol=0, atol=TOLERANCE, equal_nan=True)
            need(same, f"{name}: {one}, and {two} by the slow version")
            compared += 1
    need(compared, "no problem to compare the two versions on")


def state(subject: Subject) -> None:
    with unchanged():
        for _, evaluation in problems(subject.spec.task):
            compute([subject.spec], evaluation)


def inputs_kept(subject: Subject) -> None:
    for name, evaluation in problems(subject.spec.task):
        truth = np.array(evaluation.truth)
        first = dict(compute([subject.spec], evaluation))
        need(np.array_equal(truth, evaluation.truth), f"{name}: it wrote into the truth")
        close(first, dict(compute([subject.spec], evaluation)), f"{name}, computed twice")


CHECKS: list[Check] = [
    Check(
        "finite, within its bounds", "a value outside its bounds is dropped from every leaderboard", bounds
    ),
    Check("the example in its docstring", "a reader cannot check a formula without a worked value", examples),
    Check(
        "best for the truth itself", "a metric that perfection does not maximise ranks the wrong way", perfect
    ),
    Check("samples in any order", "the order of a file would change the ranking", permutation),
    Check("nothing predicted, no sample", "a model may say nothing, a side may be empty", empty),
    Check("sums of rows", "intervals are made from them: they would belong to another number", sums),
    Check("agrees with a slow version", "two programs that agree are rarely wrong together", slow),
    Check("data left as they are", "the metrics after it would read what it wrote", inputs_kept),
    Check("no global state left behind", "what runs after it in the process would be another thing", state),
]
