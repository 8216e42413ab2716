"""Sets of at most k classes: against a search of all collections of nodes, and their promise, simulated."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Task
from hmcbench.metrics import bounded
from hmcbench.metrics.bounded import bounded_sets, entries
from hmcbench.metrics.builtin import SPECS
from hmcbench.metrics.computing import compute
from hmcbench.metrics.ends import Ends, ends_of
from hmcbench.metrics.evaluation import Apart, Evaluation
from hmcbench.metrics.fixtures import with_calibration

ALPHA = 0.1


def nodes_of(hierarchy: Hierarchy, ends: list[int]) -> list[frozenset[int]]:
    """What the virtual root, every class, and an inner class by itself describe: places among the ends."""
    above = hierarchy.ancestors[ends].toarray()
    below = [frozenset(np.flatnonzero(above[:, v]).tolist()) for v in range(hierarchy.n)]
    return [frozenset(range(len(ends))), *below, *(frozenset([k]) for k in range(len(ends)))]


def slow_entries(nodes: list[frozenset[int]], q: list[float], most: int, fast: list[float]) -> list[float]:
    """The chain of smallest sets; where several are as good as each other, the one that was chosen."""
    usable = {s for s in nodes if s}
    described = {
        frozenset().union(*some)
        for size in range(1, most + 1)
        for some in itertools.combinations(usable, size)
    }
    entered: dict[int, float] = {}
    for end in sorted(range(len(q)), key=lambda k: -q[k]):
        if end in entered:
            continue
        wanted = {*entered, end}
        fitting = [s for s in described if s >= wanted]
        least = min(map(len, fitting))
        best = max(sum(q[k] for k in s) for s in fitting if len(s) == least)
        chosen = [s for s in fitting if len(s) == least and sum(q[k] for k in s) > best - 1e-9]
        after = {k for k, value in enumerate(fast) if value >= q[end]}
        widened = next((s for s in chosen if s <= after), chosen[0])
        entered |= dict.fromkeys(widened - entered.keys(), q[end])
    return [entered[k] for k in range(len(q))]


def check_entries(ends: Ends, hierarchy: Hierarchy, q: np.ndarray, most: int) -> None:
    fast = entries(ends, q, most)
    nodes = nodes_of(hierarchy, ends.columns.tolist())
    for row, entered in zip(q.tolist(), fast.tolist(), strict=True):
        assert entered == slow_entries(nodes, row, most, entered)
    for value in np.unique(fast):
        assert ends.described_by(fast >= value).max() <= most
    assert (fast >= q).all(), "no end enters after its turn"


@given(data=st.data(), most=st.integers(1, 3), seed=st.integers(0, 2**32))
def test_the_chain_is_that_of_the_smallest_sets(
    most: int, data: st.DataObject, seed: int, problems: Any
) -> None:
    problem = data.draw(problems(("tree",), ("single",)))
    ends = ends_of(problem.task)
    q = np.random.default_rng(seed).dirichlet(np.full(len(ends.columns), 0.7), 3)
    check_entries(ends, problem.hierarchy, q, most)


@given(seed=st.integers(0, 2**32), most=st.integers(1, 3))
def test_the_chain_is_exact_on_dags(seed: int, most: int) -> None:
    """Of a DAG only classes with one line of ancestors are ends."""
    rng = np.random.default_rng(seed)
    edges = [("", "c0"), ("", "c1")]
    edges += [
        (f"c{p}", f"c{i}") for i in range(2, 8) for p in {*rng.integers(0, i, rng.integers(1, 3)).tolist()}
    ]
    hierarchy = Hierarchy.from_edges(edges)
    ends = ends_of(Task("hmc", "single", "ragged", hierarchy))
    check_entries(ends, hierarchy, rng.dirichlet(np.full(len(ends.columns), 0.7), 3), most)


def test_equal_numbers_enter_in_the_order_of_their_columns() -> None:
    hierarchy = Hierarchy.from_paths([(a, f"{a}{i}") for a in "ab" for i in range(3)])
    ends = ends_of(Task(hierarchy=hierarchy))
    q = np.array([[0.25, 0.0, 0.25, 0.25, 0.25, 0.0]])
    assert entries(ends, q, 1).tolist() == [[0.25] * 6]
    assert entries(ends, q, 2).tolist() == [[0.25] * 6]
    assert entries(ends, q, 4).tolist() == [[0.25, 0.0, 0.25, 0.25, 0.25, 0.0]]


def test_what_is_not_asked_for_changes_nothing_else() -> None:
    rng = np.random.default_rng(0)
    hierarchy = Hierarchy.from_paths([(a, f"{a}{i}") for a in "abc" for i in range(4)])
    ends = ends_of(Task(hierarchy=hierarchy))
    q = rng.dirichlet(np.full(12, 0.5), 50)
    whole = entries(ends, q, 2)
    part = entries(ends, q, 2, least=0.1)
    assert np.array_equal(part[whole >= 0.1], whole[whole >= 0.1])
    true = rng.integers(0, 12, 50)
    rows = np.arange(50)
    assert np.array_equal(entries(ends, q, 2, until=true)[rows, true], whole[rows, true])


def with_apart(e: Evaluation, apart: Evaluation) -> Evaluation:
    return Evaluation.of(e.task, e.truth, e.scores, apart=Apart(e.apart.ids, apart, ALPHA))


def drawn(rng: np.random.Generator, n: int, *, coarse: bool = False, sharper: float = 1.0) -> Evaluation:
    """Twelve ends below three classes; labels come from known shares, the scores are as sharp or sharper."""
    hierarchy = Hierarchy.from_paths([(a, f"{a}{i}") for a in "abc" for i in range(4)])
    shares = rng.dirichlet(np.full(12, 0.3), n)
    true = (shares.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    said = shares**sharper
    said /= said.sum(axis=1, keepdims=True)
    scores = np.concatenate([np.ones((n, 3)), said.round(1) if coarse else said], axis=1)
    truth = hierarchy.ancestors[hierarchy.leaves[true]].toarray()
    return Evaluation.of(
        Task(hierarchy=hierarchy), truth, scores, apart=Apart([f"{rng.integers(2**60)}" for _ in range(n)])
    )


def means(name: str, repeats: int, test: dict[str, Any], apart: dict[str, Any]) -> tuple[float, float]:
    """A metric over repeated draws of both sides: mean and its standard error."""
    values = []
    for i in range(repeats):
        rng = np.random.default_rng(i)
        values.append(
            compute(SPECS, with_apart(drawn(rng, 150, **test), drawn(rng, 79, **apart)), [name])[name]
        )
    return float(np.mean(values)), float(np.std(values) / math.sqrt(repeats))


@pytest.mark.parametrize("most", [1, 2, 3])
@pytest.mark.parametrize("how", [{}, {"coarse": True}, {"sharper": 3.0}])
def test_sets_cover_what_is_promised_and_no_more(most: int, how: dict[str, Any]) -> None:
    mean, error = means(f"bounded_coverage_at_{most}", 100, how, how)
    assert mean == pytest.approx(math.ceil(80 * 0.9) / 80, abs=4 * error)


def test_a_broken_promise_is_seen() -> None:
    mean, error = means("bounded_coverage_at_2", 30, {"sharper": 4.0}, {})
    assert mean < 0.9 - 4 * error


def test_more_classes_make_smaller_sets_and_many_make_those_without_a_bound() -> None:
    rng = np.random.default_rng(0)
    e = with_apart(drawn(rng, 400), drawn(rng, 399))
    names = ["conformal_size", *(f"bounded_size_at_{k}" for k in (1, 2, 3))]
    sizes = compute(SPECS, e, names)
    assert sizes["bounded_size_at_1"] > sizes["bounded_size_at_2"] > sizes["bounded_size_at_3"]
    assert sizes["bounded_size_at_3"] > sizes["conformal_size"]
    assert np.count_nonzero(bounded_sets(e, 12), axis=1).mean() == pytest.approx(sizes["conformal_size"])
    for most in (1, 2, 3):
        assert e.likeliest.ends.described_by(bounded_sets(e, most)).max() <= most


def test_the_sets_of_a_size_are_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    found = bounded.bounded_sets
    monkeypatch.setattr(bounded, "bounded_sets", lambda e, most: sizes.append(most) or found(e, most))
    names = [f"bounded_{what}_at_{k}" for what in ("coverage", "size") for k in (1, 2, 3)]
    assert set(compute(SPECS, with_calibration(), names)) == set(names)
    assert sorted(sizes) == [1, 2, 3]


def test_they_need_samples_put_apart_and_single_paths() -> None:
    e = drawn(np.random.default_rng(0), 20)
    assert "calibration = 0.1" in compute(SPECS, e, ["bounded_size_at_1"]).left_out["bounded_size_at_1"]
    few = with_apart(e, drawn(np.random.default_rng(1), 5))
    assert "calibration samples" in compute(SPECS, few, ["bounded_size_at_1"]).left_out["bounded_size_at_1"]
