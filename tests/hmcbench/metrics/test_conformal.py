"""Conformal sets: against plain loops, and their promises on synthetic scores with known truth."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Task
from hmcbench.metrics.builtin import SPECS
from hmcbench.metrics.computing import compute
from hmcbench.metrics.conformal import end_sets
from hmcbench.metrics.ends import ends_of
from hmcbench.metrics.evaluation import Apart, Evaluation
from hmcbench.testing.helpers import tiny_hierarchy

OWN = [spec for spec in SPECS if str(spec.factory).startswith("hmcbench.metrics.conformal:")]


def tie_number(name: str) -> float:
    return int(hashlib.sha256(name.encode()).hexdigest()[:12], 16) / 16**12


def slow_sets(e: Evaluation, per_end: bool) -> list[set[int]]:
    """Split conformal prediction with loops: rank the truths of the calibration side."""
    apart, alpha = e.apart.calibration, e.apart.alpha
    assert apart is not None
    assert apart.apart.ids is not None
    assert e.apart.ids is not None
    ends = e.likeliest.ends.columns.tolist()
    known: list[tuple[int, tuple[float, float]]] = []
    for i, name in enumerate(apart.apart.ids):
        label = max(np.flatnonzero(apart.truth[i]).tolist(), default=-1)
        if label in ends:
            k = ends.index(label)
            known.append((k, (1 - apart.likeliest.shares[i, k], tie_number(name))))

    def limit(scores: list[tuple[float, float]]) -> tuple[float, float]:
        rank = math.ceil((len(scores) + 1) * (1 - alpha) - 1e-9)
        return sorted(scores)[rank - 1] if rank <= len(scores) else (math.inf, math.inf)

    limits = [limit([s for k, s in known if k == end or not per_end]) for end in range(len(ends))]
    return [
        {k for k in range(len(ends)) if (1 - e.likeliest.shares[i, k], tie_number(name)) <= limits[k]}
        for i, name in enumerate(e.apart.ids)
    ]


def divided(problem: Any, cut: int, alpha: float) -> Evaluation:
    """The first ``cut`` samples put apart, the others tested."""
    ids = [f"s{i}" for i in range(len(problem.scores))]
    first, rest = slice(0, cut), slice(cut, None)
    apart = Evaluation.of(problem.task, problem.truth[first], problem.scores[first], apart=Apart(ids[first]))
    return Evaluation.of(
        problem.task, problem.truth[rest], problem.scores[rest], apart=Apart(ids[rest], apart, alpha)
    )


@given(data=st.data(), cut=st.integers(0, 7), alpha=st.sampled_from([0.2, 0.34, 0.5, 0.8]))
@pytest.mark.parametrize("per_end", [False, True])
def test_sets_are_those_of_the_definition(
    per_end: bool, data: st.DataObject, cut: int, alpha: float, problems: Any
) -> None:
    problem = data.draw(problems(("tree",), ("single",)))
    e = divided(problem, min(cut, len(problem.scores)), alpha)
    prefix = "mondrian" if per_end else "conformal"
    values = compute(OWN, e)
    assert not values.failures
    if f"{prefix}_size" not in values:
        assert "needs" in values.left_out[f"{prefix}_size"]
        return
    sets = slow_sets(e, per_end)
    ends = e.likeliest.ends.columns.tolist()
    assert [set(np.flatnonzero(row).tolist()) for row in end_sets(e, per_end=per_end)] == sets
    labels = [max(np.flatnonzero(row).tolist(), default=-1) for row in e.truth]
    inside = [ends.index(c) in s for c, s in zip(labels, sets, strict=True) if c >= 0]
    n = max(1, len(sets))
    assert values[f"{prefix}_size"] == pytest.approx(sum(map(len, sets)) / n)
    assert values[f"{prefix}_coverage"] == pytest.approx(sum(inside) / max(1, len(inside)))
    if not per_end:
        fewest = [slow_fewest(problem.hierarchy, ends, s) for s in sets]
        assert values["conformal_nodes"] == pytest.approx(sum(fewest) / n)
        return
    for k, end in enumerate(ends):
        held = [k in s for c, s in zip(labels, sets, strict=True) if c == end]
        name = f"class_mondrian_coverage[{e.hierarchy.classes[end]}]"
        assert values.get(name) == (pytest.approx(sum(held) / len(held)) if held else None)


def slow_fewest(hierarchy: Hierarchy, ends: list[int], wanted: set[int]) -> int:
    """The fewest of all collections of nodes whose ends together are those wanted."""
    below = [
        {k for k, end in enumerate(ends) if hierarchy.ancestors[[end]].toarray()[0, v]}
        for v in range(len(hierarchy))
    ]
    described = {frozenset(s) for s in [set(range(len(ends))), *below, *({k} for k in range(len(ends)))]}
    usable = [s for s in described if s and s <= wanted]
    return next(
        size
        for size in range(len(ends) + 1)
        for nodes in itertools.combinations(usable, size)
        if set().union(*nodes) == wanted
    )


@given(seed=st.integers(0, 2**32))
def test_nodes_of_dags_are_the_fewest(seed: int) -> None:
    """Of a DAG only classes with one line of ancestors are ends."""
    rng = np.random.default_rng(seed)
    edges = [("", "c0"), ("", "c1")]
    edges += [
        (f"c{p}", f"c{i}") for i in range(2, 8) for p in {*rng.integers(0, i, rng.integers(1, 3)).tolist()}
    ]
    hierarchy = Hierarchy.from_edges(edges)
    ends = ends_of(Task("hmc", "single", "ragged", hierarchy))
    sets = rng.random((4, len(ends.columns))) < 0.7
    expected = [
        slow_fewest(hierarchy, ends.columns.tolist(), set(np.flatnonzero(row).tolist())) for row in sets
    ]
    assert ends.described_by(sets).tolist() == expected


@given(data=st.data(), cut=st.integers(0, 7), alpha=st.sampled_from([0.2, 0.34, 0.5, 0.8]))
def test_several_paths_control_what_is_missed(
    data: st.DataObject, cut: int, alpha: float, problems: Any
) -> None:
    problem = data.draw(problems(paths=("multiple",)))
    cut = min(cut, len(problem.scores))
    e = divided(problem, cut, alpha)
    values = compute(OWN, e)
    assert not values.failures
    if 1 / (cut + 1) > alpha + 1e-9:
        assert "conformal_size" in values.left_out
        return
    truth = problem.sets(problem.truth)

    def sets_at(t: float) -> list[frozenset[str]]:
        sets: list[frozenset[str]] = problem.sets(problem.hierarchy.close(problem.scores >= t))
        return sets

    def kept(t: float, i: int) -> float:
        return len(truth[i] & sets_at(t)[i]) / len(truth[i]) if truth[i] else 1.0

    grid = [math.inf, *sorted(set(problem.scores[:cut].ravel().tolist()), reverse=True), -math.inf]
    fits = (t for t in grid if (sum(1 - kept(t, i) for i in range(cut)) + 1) / (cut + 1) <= alpha + 1e-9)
    threshold = next(fits)
    rows = range(cut, len(problem.scores))
    sets = sets_at(threshold)
    n = max(1, len(rows))
    assert values["conformal_coverage"] == pytest.approx(sum(kept(threshold, i) for i in rows) / n)
    assert values["conformal_size"] == pytest.approx(sum(len(sets[i]) for i in rows) / n)
    specific = [problem.hierarchy.most_specific(problem.hierarchy.encode([sets[i]])).sum() for i in rows]
    assert values["conformal_nodes"] == pytest.approx(sum(specific) / n)
    for k in range(1, e.levels + 1):
        here = {c for c, level in zip(e.hierarchy.classes, e.hierarchy.levels, strict=True) if level == k}
        shares = [len(truth[i] & sets[i] & here) / len(truth[i] & here) for i in rows if truth[i] & here]
        value = values.get(f"level{k}_conformal_coverage")
        assert value == (pytest.approx(sum(shares) / len(shares)) if shares else None)
    for c in e.hierarchy.classes:
        held = [c in sets[i] for i in rows if c in truth[i]]
        value = values.get(f"class_conformal_coverage[{c}]")
        assert value == (pytest.approx(sum(held) / len(held)) if held else None)


# --------------------------------------------------------------------------- promises, simulated

ALPHA = 0.1


def drawn(rng: np.random.Generator, n: int, *, steps: int = 0, sharper: float = 1.0) -> Evaluation:
    """Six ends; labels come from known shares, of which the scores are a sharper version or a coarse one."""
    hierarchy = Hierarchy.from_paths([(a, f"{a}{i}") for a in "ab" for i in range(3)])
    shares = rng.dirichlet(np.full(6, 0.5), n)
    true = (shares.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    said = shares**sharper
    said /= said.sum(axis=1, keepdims=True)
    scores = np.concatenate([np.ones((n, 2)), said.round(1) if steps else said], axis=1)
    truth = hierarchy.ancestors[hierarchy.leaves[true]].toarray()
    ids = [f"{rng.integers(2**60)}" for _ in range(n)]
    return Evaluation.of(Task(hierarchy=hierarchy), truth, scores, apart=Apart(ids))


def pairs(rng: np.random.Generator, n: int, *, shift: float = 0.0) -> Evaluation:
    """Several paths: every class is there with the probability that its score says, less a shift."""
    hierarchy = tiny_hierarchy("dag")
    scores = rng.random((n, hierarchy.n)).astype(np.float32)
    truth = hierarchy.close(rng.random(scores.shape) < scores + shift)
    ids = [f"{i}" for i in range(n)]
    return Evaluation.of(Task("hmc", "multiple", "ragged", hierarchy), truth, scores, apart=Apart(ids))


def coverages(
    name: str, test: Callable[[Any], Evaluation], apart: Callable[[Any], Evaluation], repeats: int = 120
) -> tuple[float, float]:
    """The mean of a metric over repeated draws of both sides, and its standard error."""
    values = []
    for i in range(repeats):
        rng = np.random.default_rng(i)
        e = test(rng)
        whole = Evaluation.of(e.task, e.truth, e.scores, apart=Apart(e.apart.ids, apart(rng), ALPHA))
        values.append(compute(SPECS, whole, [name])[name])
    return float(np.mean(values)), float(np.std(values) / math.sqrt(repeats))


@pytest.mark.parametrize("steps", [0, 1])
@pytest.mark.parametrize("sharper", [1.0, 3.0])
def test_leaf_sets_cover_what_is_promised_and_no_more(steps: int, sharper: float) -> None:
    """Ties are decided at random, so that coarse scores do not over-cover either."""
    make: dict[str, Any] = {"steps": steps, "sharper": sharper}
    mean, error = coverages(
        "conformal_coverage", lambda rng: drawn(rng, 150, **make), lambda rng: drawn(rng, 79, **make)
    )
    assert mean == pytest.approx(math.ceil(80 * 0.9) / 80, abs=4 * error)


def test_without_random_ties_coarse_sets_would_cover_too_much() -> None:
    def same_ties(e: Evaluation) -> Evaluation:
        return Evaluation.of(e.task, e.truth, e.scores, apart=Apart(["same"] * len(e)))

    mean, error = coverages(
        "conformal_coverage",
        lambda rng: same_ties(drawn(rng, 150, steps=1)),
        lambda rng: same_ties(drawn(rng, 79, steps=1)),
        40,
    )
    assert mean > 0.9 + 1 / 80 + 2 * error


def test_mondrian_sets_cover_every_class() -> None:
    for name in ("a/a0", "b/b2"):
        mean, error = coverages(
            f"class_mondrian_coverage[{name}]", lambda rng: drawn(rng, 300), lambda rng: drawn(rng, 300), 60
        )
        assert ALPHA - 0.1 + 0.9 - 4 * error < mean < 0.9 + 1 / 20 + 4 * error


def test_the_share_of_missed_classes_is_at_most_what_is_promised() -> None:
    mean, error = coverages("conformal_coverage", lambda rng: pairs(rng, 150), lambda rng: pairs(rng, 79))
    assert 0.9 - 4 * error < mean < 0.96


def test_a_broken_promise_is_seen() -> None:
    mean, error = coverages(
        "conformal_coverage", lambda rng: drawn(rng, 150, sharper=4.0), lambda rng: drawn(rng, 79), 30
    )
    assert mean < 0.87 - 4 * error
