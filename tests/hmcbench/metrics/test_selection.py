"""Selection along paths: against direct transcriptions of the definitions, and the promise of back-off."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Task
from hmcbench.metrics import pooled
from hmcbench.metrics.builtin import SPECS
from hmcbench.metrics.computing import compute, pooled_counts
from hmcbench.metrics.evaluation import Apart, Evaluation
from hmcbench.metrics.fixtures import selected, with_calibration
from hmcbench.metrics.ids import find_spec
from hmcbench.metrics.promise import least_samples
from hmcbench.metrics.selection import curve, least_theta, risk_at


class Slow:
    """Hierarchical selective classification of single paths, written from its definition [Goren et al. 2024].

    It works with names, sets and exact fractions, and shares no code with hmcbench.metrics.
    """

    def __init__(self, problem: Any, chosen: list[frozenset[str]]) -> None:
        self.classes = problem.hierarchy.classes
        self.up = {c: self.ancestors(c, problem.parents) for c in self.classes}
        self.ends = [c for c in self.classes if problem.task.depth == "ragged" or self.is_leaf(c)]
        self.truth, self.chosen = problem.sets(problem.truth), chosen
        self.q = [
            self.confidence(dict(zip(self.classes, row, strict=True))) for row in problem.scores.tolist()
        ]

    def ancestors(self, c: str, parents: dict[str, list[str]]) -> list[str]:
        return [a for p in parents[c] for a in self.ancestors(p, parents)] + [c]

    def is_leaf(self, c: str) -> bool:
        return not any(c in self.up[d][:-1] for d in self.classes)

    def below(self, v: str) -> list[str]:
        return [y for y in self.ends if v in self.up[y]]

    def confidence(self, scores: dict[str, float]) -> dict[str, Fraction]:
        depth = max(len(path) for path in self.up.values())
        left = {
            k: max(
                Fraction(0),
                1 - sum((Fraction(scores[c]) for c in self.classes if len(self.up[c]) == k), Fraction(0)),
            )
            for k in range(1, depth + 1)
        }
        even = all(len(self.up[y]) == depth for y in self.ends)
        products: dict[str, Fraction] = {}
        for y in self.ends:
            factors = [Fraction(scores[c]) for c in self.up[y]]
            factors += [] if even else [left[k] for k in range(len(self.up[y]) + 1, depth + 1)]
            products[y] = math.prod(factors, start=Fraction(1))
        total = sum(products.values(), Fraction(0))
        shares = {y: p / total if total else Fraction(1, len(self.ends)) for y, p in products.items()}
        return {v: sum((shares[y] for y in self.below(v)), Fraction(0)) for v in self.classes}

    def answer(self, i: int, theta: Fraction) -> str:
        """The deepest class of the path with q >= theta; empty for the virtual root."""
        sure = [v for v in self.chosen[i] if self.q[i][v] >= theta]
        return max(sure, key=lambda v: len(self.up[v]), default="")

    def information(self, v: str) -> float:
        return 1 - math.log2(len(self.below(v))) / math.log2(len(self.ends)) if v else 0.0

    def wrong(self, i: int, theta: Fraction) -> bool:
        answer = self.answer(i, theta)
        return bool(answer) and answer not in self.truth[i]

    def point(self, theta: Fraction) -> tuple[float, float]:
        n = len(self.truth)
        coverage = sum(self.information(self.answer(i, theta)) for i in range(n)) / n
        return coverage, sum(self.wrong(i, theta) for i in range(n)) / n

    def thetas(self) -> list[Fraction]:
        scores = {self.q[i][v] for i, path in enumerate(self.chosen) for v in path}
        return sorted(scores, reverse=True)

    def curve(self) -> list[tuple[float, float]]:
        return [(0.0, 0.0), *(self.point(theta) for theta in self.thetas())]

    def area(self) -> float:
        points = self.curve()
        return sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in itertools.pairwise(points))

    def theta(self, alpha: Fraction) -> Fraction:
        """The least one that keeps the promise, of 0 and those just above some q."""
        tiny = Fraction(1, 10**15)
        n = len(self.truth)
        for theta in sorted([Fraction(0), *(q + tiny for q in self.thetas())]):
            if Fraction(sum(self.wrong(i, theta) for i in range(n)) + 1, n + 1) <= alpha:
                return theta
        raise AssertionError("too few samples")


@given(data=st.data())
def test_the_area_is_the_one_of_the_definition(
    data: st.DataObject, problems: Any, slow_coherent: Any
) -> None:
    problem = data.draw(problems(("tree",), ("single",), least=1))
    values = compute(SPECS, problem.evaluation(), ["hierarchical_aurc"])
    if len(problem.hierarchy) < 2:
        assert values.left_out == {"hierarchical_aurc": "paths can end at one class only."}
        return
    slow = Slow(problem, slow_coherent(problem))
    assert values["hierarchical_aurc"] == pytest.approx(slow.area(), abs=1e-12)


def read_at(points: list[tuple[float, float]], wanted: float) -> float:
    """Risk where the line through the points of a curve reaches a coverage; nan where it does not."""
    for (c, r), (d, s) in itertools.pairwise(points):
        if c < wanted - 1e-12 <= d:
            return r + (s - r) * min((wanted - c) / (d - c), 1)
    return math.nan


@given(data=st.data())
def test_risk_at_a_coverage_is_read_from_the_curve(
    data: st.DataObject, problems: Any, slow_coherent: Any
) -> None:
    problem = data.draw(problems(("tree",), ("single",), least=1))
    values = compute(SPECS, problem.evaluation(), ["risk_at_90"])
    points = []
    if len(problem.hierarchy) > 1:
        points = Slow(problem, slow_coherent(problem)).curve()
    expected = read_at(points, 0.9) if points else math.nan
    assert values.get("risk_at_90", math.nan) == pytest.approx(expected, abs=1e-9, nan_ok=True)


@given(data=st.data(), tenths=st.integers(1, 9))
def test_back_off_is_the_one_of_the_definition(
    data: st.DataObject, tenths: int, problems: Any, slow_coherent: Any
) -> None:
    problem, alpha = data.draw(problems(("tree",), ("single",), least=1)), Fraction(tenths, 10)
    e, slow = problem.evaluation(), Slow(problem, slow_coherent(problem))
    apart = Apart(calibration=e, alpha=tenths / 10)
    whole = Evaluation.of(e.task, e.truth, e.scores, apart=apart)
    levels = range(1, e.levels + 1)
    names = ["backoff_risk", "backoff_coverage", *(f"level{k}_coverage" for k in levels)]
    values = compute(SPECS, whole, names)
    if Fraction(1, len(e) + 1) > alpha:
        assert "calibration samples, not" in values.left_out["backoff_risk"]
        return
    theta = slow.theta(alpha)
    answers = [slow.answer(i, theta) for i in range(len(e))]
    assert values["backoff_risk"] == pytest.approx(sum(slow.wrong(i, theta) for i in range(len(e))) / len(e))
    for k in levels:
        deep = [bool(v) and len(slow.up[v]) >= k for v in answers]
        assert values[f"level{k}_coverage"] == pytest.approx(sum(deep) / len(e))
    if len(problem.hierarchy) > 1:
        mean = sum(map(slow.information, answers)) / len(e)
        assert values["backoff_coverage"] == pytest.approx(mean, abs=1e-12)


@given(data=st.data())
def test_several_paths_follow_precision_and_recall_along_one_threshold(
    data: st.DataObject, problems: Any
) -> None:
    problem = data.draw(problems(paths=("multiple",)))
    e = problem.evaluation()
    values = compute(SPECS, e, ["hierarchical_aurc"])
    truth = problem.sets(problem.truth)
    if not any(truth):
        assert values.left_out == {"hierarchical_aurc": "no sample has a class."}
        return
    points = [(0.0, 0.0)]
    for t in sorted(set(problem.scores.ravel().tolist()), reverse=True):
        sets = problem.sets(problem.hierarchy.close(problem.scores >= t))
        hits = sum(len(y & p) for y, p in zip(truth, sets, strict=True))
        points.append((hits / sum(map(len, truth)), 1 - hits / sum(map(len, sets))))
    area = sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in itertools.pairwise(points))
    assert values["hierarchical_aurc"] == pytest.approx(area, abs=1e-9)


@given(data=st.data(), seed=st.integers(0, 2**32))
@pytest.mark.parametrize("name", ["hierarchical_aurc", "risk_at_90"])
def test_weights_are_repetitions(name: str, data: st.DataObject, seed: int, problems: Any) -> None:
    problem = data.draw(problems(least=1))
    weights = np.random.default_rng(seed).integers(0, 4, (3, len(problem.scores)))
    weights[:, 0] = np.maximum(weights[:, 0], 1)
    counts = pooled_counts(find_spec(SPECS, name), problem.evaluation())
    if counts is None and name == "risk_at_90":
        return  # undefined for all samples together, but perhaps not for some of them
    values = [np.nan] * 3 if counts is None else counts[1](weights @ counts[0])
    for row, value in zip(weights, values, strict=True):
        repeated = problem.evaluation(np.repeat(np.arange(len(row)), row))
        expected = compute(SPECS, repeated, [name]).get(name, np.nan)
        assert value == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_many_thresholds_are_a_grid_that_hardly_moves_a_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    e = simulated(rng, 1500)
    weights = rng.multinomial(len(e), np.full(len(e), 1 / len(e)), size=30)
    spec = find_spec(SPECS, "hierarchical_aurc")

    def draws() -> np.ndarray:
        counts = pooled_counts(spec, e)
        assert counts is not None
        return np.asarray(counts[1](weights @ counts[0]))

    monkeypatch.setattr(pooled, "MOST_EXACT", 10**6)
    exact = draws()
    monkeypatch.setattr(pooled, "MOST_EXACT", 100)
    near = draws()
    assert not np.allclose(exact, near, atol=1e-12)
    assert np.abs(exact - near).max() < 0.1 * exact.std()


# --------------------------------------------------------------------------- promises, simulated


def simulated(rng: np.random.Generator, n: int, sharper: float = 1.0) -> Evaluation:
    """Labels drawn from known shares of six ends; ``sharper`` > 1: the model is surer than it may be."""
    hierarchy = Hierarchy.from_paths([(a, f"{a}{i}") for a in "ab" for i in range(3)])
    shares = rng.dirichlet(np.full(6, 0.4), n)
    true = (shares.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    said = shares**sharper
    said /= said.sum(axis=1, keepdims=True)
    branches = np.stack([said[:, :3].sum(axis=1), said[:, 3:].sum(axis=1)], axis=1)
    below = said / np.maximum(np.repeat(branches, 3, axis=1), 1e-300)
    truth = hierarchy.ancestors[hierarchy.leaves[true]].toarray()
    scores = np.concatenate([branches, below], axis=1)
    ids = [f"{rng.integers(2**60)}" for _ in range(n)]
    return Evaluation.of(Task(hierarchy=hierarchy), truth, scores, apart=Apart(ids))


def with_apart(test: Evaluation, calibration: Evaluation, alpha: float) -> Evaluation:
    return Evaluation.of(test.task, test.truth, test.scores, apart=Apart(test.apart.ids, calibration, alpha))


def mean_of(
    name: str, repeats: int, make: Callable[[np.random.Generator], Evaluation]
) -> tuple[float, float]:
    """Mean of a metric over repeated draws, and its standard error."""
    values = [compute(SPECS, make(np.random.default_rng(i)), [name])[name] for i in range(repeats)]
    return float(np.mean(values)), float(np.std(values) / math.sqrt(repeats))


@pytest.mark.parametrize("sharper", [1.0, 3.0])
def test_the_risk_of_back_off_is_what_was_promised(sharper: float) -> None:
    """Whether or not the scores are calibrated: that costs coverage, not the promise."""
    risk, error = mean_of(
        "backoff_risk",
        120,
        lambda rng: with_apart(simulated(rng, 200, sharper), simulated(rng, 59, sharper), 0.1),
    )
    assert 0.1 - 1 / 60 - 4 * error < risk < 0.1 + 4 * error


def test_a_broken_promise_is_seen() -> None:
    """Calibrated on samples like those of the training, tested on others, of which the model is too sure."""
    risk, error = mean_of(
        "backoff_risk", 30, lambda rng: with_apart(simulated(rng, 200, 4.0), simulated(rng, 59), 0.1)
    )
    assert risk > 0.13 + 4 * error


# --------------------------------------------------------------------------- by hand, and at the edges


def test_the_curve_of_the_fixture() -> None:
    coverage, risk = curve(selected())
    assert coverage.round(12).tolist() == [0.0, 0.2, 0.3, 0.6, 0.8, 1.0]
    assert risk.round(12).tolist() == [0.0, 0.0, 0.0, 0.0, 0.2, 0.4]


def test_risk_is_read_up_to_the_point_that_reaches_the_coverage() -> None:
    risk = np.array([0.0, 0.25, 0.5])
    assert risk_at(np.array([0.0, 0.5, 0.9]), risk) == 0.5
    assert risk_at(np.array([0.0, 0.8, 1.0]), risk) == pytest.approx(0.375)
    assert np.isnan(risk_at(np.array([0.0, 0.5, 0.89]), risk))
    assert np.isnan(risk_at(np.zeros(1), np.zeros(1)))
    # sums round: what lacks 1e-12 reaches it, and no line is drawn beyond its end
    assert risk_at(0.9 - np.array([0.9, 1.5e-12, 1e-12]), risk) == 0.5


def test_two_ends_are_enough_for_coverage() -> None:
    hierarchy = Hierarchy.from_edges([("", "a"), ("", "b")])
    truth, scores = np.array([[True, False]] * 2), np.array([[0.75, 0.25], [0.25, 0.75]])
    e = Evaluation.of(Task(hierarchy=hierarchy), truth, scores)
    counts = pooled_counts(find_spec(SPECS, "hierarchical_aurc"), e)  # from (0, 0) to (1, .5)
    assert counts is not None
    assert counts[1](np.ones((3, 2)) @ counts[0]).tolist() == [0.25] * 3
    assert compute(SPECS, with_apart(e, e, 0.7))["backoff_coverage"] == 1.0


def test_all_may_be_wrong_or_none() -> None:
    assert least_theta(selected(), 0.5) == 0.0
    assert least_theta(selected(), 1 / 6) == np.nextafter(0.625, 1)


@pytest.mark.parametrize("alpha", [0.01, 0.03, 0.05, 0.1, 0.2, 0.5])
def test_the_least_number_of_samples(alpha: float) -> None:
    n = least_samples(alpha)
    assert 1 / (n + 1) <= alpha + 1e-12
    assert 1 / n > alpha


def test_what_cannot_be_promised_says_why() -> None:
    e = selected()
    values = compute(SPECS, e)
    assert "calibration = 0.1 under [protocol]" in values.left_out["backoff_risk"]
    few = Evaluation.of(e.task, e.truth, e.scores, apart=Apart(calibration=e, alpha=0.05))
    left_out = compute(SPECS, few).left_out
    assert left_out["backoff_coverage"] == "alpha = 0.05 needs 19 calibration samples, not 5."


def test_a_stop_output_makes_the_empty_path_an_end_of_the_root() -> None:
    hierarchy = Hierarchy.from_edges([("a", "a1"), ("a", "a2")])
    task = Task("hmc", "single", "ragged", hierarchy)
    scores = np.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]])
    stop = np.array([[0.5, 0.5], [0.75, 0.25]])
    e = Evaluation.of(task, np.zeros((2, 3), bool), scores, stop)
    # products: empty .25, a .25, a1 .125, a2 .125; and .1875, .0625, .125, .0625
    assert e.likeliest.path.tolist() == [[-1, -1], [-1, -1]]
    np.testing.assert_allclose(e.likeliest.shares.sum(axis=1), [2 / 3, 4 / 7])
    assert e.likeliest.chosen.tolist() == [0.0, 0.0]
    assert with_calibration().likeliest.climbed(2.0).tolist() == [-1] * 5
