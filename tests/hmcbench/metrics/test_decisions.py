"""Decisions by hand, and against slow versions on random trees and DAGs."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from hmcbench.errors import BadInput
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Task
from hmcbench.metrics.decisions import (
    Thresholds,
    coherent,
    fit_threshold,
    path_shares,
    raw,
    repair,
    rule_name,
    thresholds_of,
)

TREE = Hierarchy.from_edges([("", "a"), ("", "b"), ("a", "a1"), ("a", "a2"), ("b", "b1"), ("b", "b2")])
UNEVEN = Hierarchy.from_edges([("", "a"), ("", "b"), ("a", "a1"), ("a", "a2")])
TREE_OF_LEAVES = Hierarchy.from_edges([("", "a"), ("", "b"), ("a", "a1"), ("b", "b1")])
FIXTURE = Hierarchy.from_edges([("a", "b"), ("a", "e"), ("b", "c"), ("b", "d"), ("x", "y"), ("y", "z")])
Depth = Literal["full", "ragged"]


def sets(hierarchy: Hierarchy, decided: np.ndarray) -> list[str]:
    """Classes of each sample, joined."""
    assert decided.dtype == bool
    return [" ".join(hierarchy.classes[j] for j in np.flatnonzero(row)) for row in decided]


def single(hierarchy: Hierarchy, depth: Depth = "full") -> Task:
    return Task(paths="single", depth=depth, hierarchy=hierarchy)


def multiple(hierarchy: Hierarchy) -> Task:
    return Task(paths="multiple", depth="ragged", hierarchy=hierarchy)


# --------------------------------------------------------------------------- single path


def test_full_depth_takes_the_argmax_of_every_level_and_the_likeliest_leaf() -> None:
    #                   a    b    a1   a2   b1   b2
    scores = np.array([[0.6, 0.4, 0.1, 0.2, 0.7, 0.0], [0.9, 0.1, 0.3, 0.2, 0.4, 0.1]], dtype=np.float32)
    assert sets(TREE, raw(scores, None, single(TREE))) == ["a b1", "a b1"]
    # a a2 .12 < b b1 .28; a a1 .27 > b b1 .04
    assert sets(TREE, coherent(scores, None, single(TREE))) == ["b b1", "a a1"]


def test_stop_competes_at_every_level() -> None:
    task = single(TREE, "ragged")
    scores = np.array([[0.6, 0.3, 0.1, 0.2, 0.3, 0.0]] * 3)
    stop = np.array([[0.1, 0.4], [0.1, 0.25], [0.7, 0.3]])
    assert sets(TREE, raw(scores, stop, task)) == ["a", "a b1", "b1"]
    # a and stop .24 > a a2 .12; .15 > .12; nothing at all .21 > .18
    assert sets(TREE, coherent(scores, stop, task)) == ["a", "a", ""]
    # where every path ends at a leaf, stop at the deepest level ends none
    assert sets(TREE, coherent(scores, stop, single(TREE))) == ["a a2", "a a2", "a a2"]


def test_stop_below_the_end_of_a_path_is_a_factor_at_every_level() -> None:
    chain = Hierarchy.from_edges([("", "a"), ("a", "b"), ("b", "c")])
    scores, stop = np.array([[1.0, 0.4, 0.5]]), np.array([[0.0, 0.6, 0.5]])
    # a: 1 x .6 x .5 = .3;  a b: 1 x .4 x .5 = .2;  a b c: 1 x .4 x .5 = .2
    assert sets(chain, coherent(scores, stop, single(chain, "ragged"))) == ["a"]
    stop[0, 1] = 0.3
    scores[0, 2] = 0.6
    # a .15, a b .2, a b c .24
    assert sets(chain, coherent(scores, stop, single(chain, "ragged"))) == ["a b c"]


def test_without_stop_the_rest_of_a_level_is_the_stop() -> None:
    #                   a    b    a1   a2
    scores = np.array([[0.3, 0.6, 0.1, 0.2], [0.7, 0.3, 0.6, 0.1], [0.1, 0.2, 0.0, 0.0]])
    for depth in ("full", "ragged"):
        task = single(UNEVEN, depth)
        # level 1 is never stopped, though the third sample leaves .7 there
        assert sets(UNEVEN, raw(scores, None, task)) == ["b", "a a1", "b"]
        assert sets(UNEVEN, coherent(scores, None, task)) == ["b", "a a1", "b"]
    # one path that ends at a: .6 x .5 against a a1 .6 x .3 and b .4 x .5
    scores = np.array([[0.6, 0.4, 0.3, 0.2]])
    assert sets(UNEVEN, coherent(scores, None, single(UNEVEN, "ragged"))) == ["a"]
    assert sets(UNEVEN, coherent(scores, None, single(UNEVEN, "full"))) == ["b"]


def test_a_class_with_two_lines_of_ancestors_is_no_single_path() -> None:
    dag = Hierarchy.from_edges([("", "a"), ("", "b"), ("a", "c"), ("b", "c"), ("a", "d")])
    scores = np.array([[0.5, 0.5, 1.0, 0.0]])
    assert sets(dag, coherent(scores, None, single(dag))) == ["a d"]
    diamond = Hierarchy.from_edges([("a", "c"), ("b", "c")])
    with pytest.raises(BadInput, match="no single path"):
        coherent(np.ones((1, 3)), None, single(diamond))


def test_zero_probabilities_still_give_a_path() -> None:
    """Where every path has a factor 0, all products are equal: the first path."""
    assert sets(TREE, coherent(np.zeros((1, 6)), None, single(TREE))) == ["a a1"]
    assert sets(TREE, raw(np.zeros((1, 6)), None, single(TREE))) == ["a a1"]
    assert sets(TREE, coherent(np.array([[0.0, 0, 0, 0, 0, 1]]), None, single(TREE))) == ["a a1"]


def test_a_path_with_a_zero_loses_against_any_without() -> None:
    """Zeros were cut to 1e-38 once, which is more than what such a path may have."""
    deep = Hierarchy.from_edges([("", "a"), ("", "b"), ("a", "a1"), ("b", "b1")])
    scores = np.array([[1.0, 1e-30, 0.0, 1e-30]])
    assert sets(deep, coherent(scores, None, single(deep))) == ["b b1"]


def test_paths_of_equal_products_tie_whatever_the_order_of_their_factors() -> None:
    """Sums of their logarithms differ in the last bit: log .1 + log .3 + log .7 depends on the order."""
    chains = [("", "a"), ("", "b"), ("a", "a1"), ("b", "b1"), ("a1", "a2"), ("b1", "b2")]
    h = Hierarchy.from_edges(chains)
    values = [0.1, 0.3, 0.7, 0.6, 0.9, 1 / 3, 0.05, 0.11, 1e-12]
    rows = [
        np.ravel(np.column_stack([first, second]))  # level by level: a b, a1 b1, a2 b2
        for first in itertools.combinations(values, 3)
        for second in itertools.permutations(first)
    ]
    scores = np.array(rows)
    assert len(scores) == 504
    assert set(sets(h, coherent(scores, None, single(h)))) == {"a a1 a2"}
    assert set(sets(h, coherent(scores.astype(np.float32), None, single(h)))) == {"a a1 a2"}
    # 1/4 x 0.8 x 1/2 = 1/2 x 0.4 x 1/2, of other factors; and a product that is larger in its last bit
    equal = np.array([[0.25, 0.5, 0.8, 0.4, 0.5, 0.5]])
    assert sets(h, coherent(equal, None, single(h))) == ["a a1 a2"]
    equal[0, 5] = np.nextafter(0.5, 1)
    assert sets(h, coherent(equal, None, single(h))) == ["b b1 b2"]


def test_shares_of_paths_by_hand() -> None:
    scores = np.array([[0.6, 0.4, 0.3, 0.2], [0.5, 0.5, 0.0, 1.0]])
    stop = np.array([[0.1, 0.5], [0.25, 0.5]])
    ends, shares = path_shares(scores, stop, single(UNEVEN, "ragged"))
    assert ends.tolist() == [-1, 0, 1, 2, 3]
    # nothing .1 x .5, a .6 x .5, b .4 x .5, a a1 .6 x .3, a a2 .6 x .2: .85 together
    expected = np.array([[0.05, 0.3, 0.2, 0.18, 0.12], [0.125, 0.25, 0.25, 0, 0.5]])
    np.testing.assert_allclose(shares, expected / [[0.85], [1.125]])
    ends, shares = path_shares(scores[:1], None, single(TREE_OF_LEAVES, "full"))
    assert (ends.tolist(), shares.round(4).tolist()) == ([2, 3], [[0.6923, 0.3077]])


def test_paths_without_any_likely_one_share_alike() -> None:
    scores, stop = np.zeros((2, 4)), np.zeros((2, 2))
    scores[1] = [1.0, 0.0, 0.5, 0.5]
    _, shares = path_shares(scores, stop, single(UNEVEN, "ragged"))
    np.testing.assert_allclose(shares, [[0.2] * 5, [0, 0, 0, 0.5, 0.5]])


def test_shares_of_products_that_no_float_can_hold() -> None:
    scores = np.array([[3e-200, 1e-200, 1e-200, 1e-200]])  # products 3e-400 and 1e-400
    _, shares = path_shares(scores, None, single(TREE_OF_LEAVES))
    np.testing.assert_allclose(shares, [[0.75, 0.25]])


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("where", ["scores", "stop"])
def test_scores_that_are_no_numbers_are_never_decided(bad: float, where: str) -> None:
    scores, stop = np.full((3, 4), 0.5), np.full((3, 2), 0.5)
    {"scores": scores, "stop": stop}[where][1, 1] = bad
    for task in (single(UNEVEN, "ragged"), multiple(UNEVEN)):
        for rule in (raw, coherent):
            with pytest.raises(BadInput, match=r"scores of 1 of 3 samples are NaN or infinite .*row 1"):
                rule(scores, stop, task)
    if where == "scores":
        with pytest.raises(BadInput, match="NaN or infinite"):
            fit_threshold(scores, np.ones((3, 4), dtype=bool), UNEVEN)


def test_ties_go_to_a_class_before_stop() -> None:
    scores, stop = np.full((1, 4), 0.5), np.full((1, 2), 0.5)
    assert sets(UNEVEN, raw(scores, stop, single(UNEVEN, "ragged"))) == ["a a1"]


# --------------------------------------------------------------------------- multiple paths


def test_the_published_fixture_from_scores() -> None:
    scores = np.full((3, 8), 0.25)
    for i, name in enumerate("dez"):
        scores[i, FIXTURE.index(name)] = 0.75
    task = multiple(FIXTURE)
    decided = raw(scores, None, task)
    assert sets(FIXTURE, decided) == ["d", "e", "z"]
    assert [set(row.split()) for row in sets(FIXTURE, FIXTURE.close(decided))] == [
        set("abd"),
        set("ae"),
        set("xyz"),
    ]
    assert (coherent(scores, None, task) == FIXTURE.close(decided)).all()


def test_a_score_equal_to_its_threshold_reaches_it_in_any_precision() -> None:
    for dtype in (np.float32, np.float64):  # 0.7 is a little less in single precision
        scores = np.array([[0.7, 0.1, 0.6, 0.1]], dtype=dtype)
        for limits in (Thresholds(0.7), Thresholds(np.full(4, 0.7))):
            for rule in (raw, coherent):
                assert sets(UNEVEN, rule(scores, None, multiple(UNEVEN), limits)) == ["a"]


def test_a_rare_class_does_not_pull_its_ancestors_in() -> None:
    limits = np.array([0.5, 0.5, 0.1, 0.6])
    assert repair(limits, UNEVEN).tolist() == [0.5, 0.5, 0.5, 0.6]
    scores = np.array([[0.2, 0.0, 0.2, 0.0], [0.2, 0.0, 0.5, 0.0]])
    assert sets(UNEVEN, raw(scores, None, multiple(UNEVEN), Thresholds(limits))) == ["a1", "a1"]
    assert sets(UNEVEN, coherent(scores, None, multiple(UNEVEN), Thresholds(limits))) == ["", "a a1"]


def test_stop_is_not_read_for_multiple_paths() -> None:
    scores = np.array([[0.6, 0.2, 0.3, 0.7]])
    assert sets(UNEVEN, raw(scores, np.ones((1, 2)), multiple(UNEVEN))) == ["a a2"]


# --------------------------------------------------------------------------- thresholds


def test_shared_threshold_by_hand() -> None:
    truth = UNEVEN.encode([["a1"], ["b"]])
    #                   a    b    a1   a2
    scores = np.array([[0.2, 0.1, 0.8, 0.3], [0.4, 0.7, 0.0, 0.4]])
    # coherent scores .8 .1 .8 .3 / .4 .7 0 .4: a cut between .7 and .4 is free of errors
    assert fit_threshold(scores, truth, UNEVEN).values == pytest.approx(0.55)
    assert fit_threshold(scores, truth.toarray(), UNEVEN).values == pytest.approx(0.55)
    per_class = fit_threshold(scores, truth, UNEVEN, "per_class")
    # a2 has no positive: the shared one
    assert per_class.values == pytest.approx([0.6, 0.4, 0.4, 0.55])
    assert per_class.per_class


def test_thresholds_per_level() -> None:
    truth = UNEVEN.encode([["a1"], ["b"]])
    scores = np.array([[0.2, 0.1, 0.8, 0.3], [0.4, 0.7, 0.0, 0.4]])
    # coherent: level 1 .8 .1 / .4 .7, cut between .7 and .4; level 2 .8 .3 / 0 .4, between .8 and .4
    fitted = fit_threshold(scores, truth, UNEVEN, "per_level")
    assert fitted.values == pytest.approx([0.55, 0.55, 0.6, 0.6])
    assert "per-level" in rule_name(multiple(UNEVEN), fitted, "per_level")
    # no positive at level 2: the shared one
    assert fit_threshold(scores, UNEVEN.encode([["a"], ["b"]]), UNEVEN, "per_level").values[
        2
    ] == pytest.approx(0.55)  # type: ignore[index]


def test_unscored_classes_count_for_no_threshold_but_their_own() -> None:
    truth = UNEVEN.encode([["a1"], ["b"]])
    scores = np.array([[0.2, 0.1, 0.8, 0.3], [0.4, 0.7, 0.0, 0.4]])
    # level 2 without a2: .8 / 0
    per_level = fit_threshold(scores, truth, UNEVEN, "per_level", unscored=("a2",))
    assert per_level.values == pytest.approx([0.55, 0.55, 0.4, 0.4])
    per_class = fit_threshold(scores, truth, UNEVEN, "per_class", unscored=("a1",))
    assert per_class.values == pytest.approx([0.6, 0.4, 0.4, 0.55])


def test_thresholds_of_a_task() -> None:
    truth, scores = UNEVEN.encode([["a1"]]), np.array([[0.75, 0.25, 0.75, 0.25]])
    assert thresholds_of(scores, truth, single(UNEVEN)) is None
    assert thresholds_of(scores[:0], truth[:0], multiple(UNEVEN)).values == 0.5  # type: ignore[union-attr]
    assert thresholds_of(scores, truth, multiple(UNEVEN), "per_class").per_class  # type: ignore[union-attr]


def test_thresholds_without_anything_to_learn_from() -> None:
    nothing = sparse.csr_array((3, 4), dtype=bool)
    assert fit_threshold(np.full((3, 4), 0.2), nothing, UNEVEN).values == 0.5
    assert fit_threshold(np.zeros((0, 4)), nothing[:0], UNEVEN).values == 0.5
    assert fit_threshold(np.full((3, 4), 0.2), nothing, UNEVEN, "per_class").values.tolist() == [0.5] * 4  # type: ignore[union-attr]


def test_neighbouring_floats_are_still_told_apart() -> None:
    tree = Hierarchy.from_edges([("", "a")])
    high = np.float32(0.5)
    for _ in range(2):  # halfway rounds up for one pair and down for the next
        low = np.nextafter(high, np.float32(0))
        scores = np.array([[high], [low]], dtype=np.float32)
        fitted = fit_threshold(scores, np.array([[True], [False]]), tree)
        assert raw(scores, None, multiple(tree), fitted).tolist() == [[True], [False]]
        high = low


def test_a_single_pair_is_its_own_threshold() -> None:
    tree = Hierarchy.from_edges([("", "a")])
    assert fit_threshold(np.array([[0.25]]), np.array([[True]]), tree).values == 0.25


def test_equal_scores_are_cut_together() -> None:
    tree = Hierarchy.from_edges([("", "a")])
    truth = np.array([[True]] * 2 + [[False]] * 10 + [[True]])
    scores = np.array([[0.5]] * 12 + [[0.25]])
    # the first two alone would give .8, but .5 takes twelve (.27); .25 takes all (.375)
    assert fit_threshold(scores, truth, tree).values == 0.25


def test_thresholds_keep_in_json() -> None:
    assert Thresholds.from_json(Thresholds(0.25).to_json()).values == 0.25
    values = Thresholds.from_json(Thresholds(np.array([0.25, 0.5])).to_json()).values
    assert isinstance(values, np.ndarray)
    assert values.tolist() == [0.25, 0.5]


# --------------------------------------------------------------------------- bad input, edges


def test_misfits_are_told() -> None:
    with pytest.raises(BadInput, match="regression task has no decisions"):
        raw(np.zeros((1, 4)), None, Task(kind="regression", targets=("t",)))
    with pytest.raises(BadInput, match=r"scores of shape \(1, 5\)"):
        coherent(np.zeros((1, 5)), None, single(UNEVEN))
    with pytest.raises(BadInput, match=r"stop of shape \(1, 3\)"):
        raw(np.zeros((1, 4)), np.zeros((1, 3)), single(UNEVEN))
    with pytest.raises(BadInput, match=r"thresholds of shape \(3,\)"):
        raw(np.zeros((1, 4)), None, multiple(UNEVEN), Thresholds(np.zeros(3)))
    with pytest.raises(BadInput, match=r"truth of shape \(2, 4\)"):
        fit_threshold(np.zeros((1, 4)), np.zeros((2, 4)), UNEVEN)


@pytest.mark.parametrize("hierarchy", [TREE, UNEVEN])
def test_no_samples_give_no_decisions(hierarchy: Hierarchy) -> None:
    scores = np.zeros((0, hierarchy.n))
    for task in (single(hierarchy), single(hierarchy, "ragged"), multiple(hierarchy)):
        for stop in (None, np.zeros((0, hierarchy.depth))):
            for rule in (raw, coherent):
                assert rule(scores, stop, task).shape == (0, hierarchy.n)


def test_rules_have_names() -> None:
    names = [
        rule_name(single(TREE)),
        rule_name(single(TREE, "ragged")),
        rule_name(multiple(TREE), Thresholds(0.4)),
        rule_name(multiple(TREE), Thresholds(np.full(6, 0.4))),
    ]
    assert len(set(names)) == 4
    assert [name.rpartition("coherent: ")[2] for name in names[:2]] == [
        "likeliest path to a leaf",
        "likeliest path ending anywhere",
    ]
    assert rule_name(multiple(TREE)) == names[2]


# --------------------------------------------------------------------------- against slow versions


@st.composite
def hierarchies(draw: Any, *, dag: bool) -> Hierarchy:
    edges = []
    for i in range(draw(st.integers(1, 9))):
        above = draw(st.sets(st.integers(0, i - 1), max_size=2 if dag else 1)) if i else set()
        edges += [(f"c{p}", f"c{i}") for p in sorted(above)] or [("", f"c{i}")]
    return Hierarchy.from_edges(edges)


def coarse(rows: int, columns: int) -> Any:
    """Scores with many ties."""
    return hnp.arrays(np.float32, (rows, columns), elements=st.sampled_from([0, 0.125, 0.25, 0.5, 0.75, 1]))


def fine(rows: int, columns: int) -> Any:
    """Scores as models give them, from few values, so that factors are shared in another order."""
    values = [0.1, 0.3, 0.7, 1 / 3, 0.9, 1e-30, 0.0]
    return hnp.arrays(np.float64, (rows, columns), elements=st.sampled_from(values))


def product(path: tuple[int, ...], scores: np.ndarray, stop: np.ndarray | None) -> Fraction:
    """Exact: of its classes, and of ``stop`` at the levels below its end."""
    factors = [scores[c] for c in path] + ([] if stop is None else list(stop[len(path) :]))
    return math.prod((Fraction(float(factor)) for factor in factors), start=Fraction(1))


def admissible(h: Hierarchy, depth: Depth, may_be_empty: bool) -> list[tuple[int, ...]]:
    """All paths from the virtual root, step by step: the empty one first, then by their last column."""
    steps = [(h.index(c),) for c in h.classes if not h.parents(c)]
    for path in steps:
        steps.extend((*path, h.index(child)) for child in h.children(h.classes[path[-1]]))
    # in a DAG every parent of a class must lie on the path too, or the decision would not be closed
    closed = [
        path for path in steps if all(h.index(p) in path for c in path for p in h.parents(h.classes[c]))
    ]
    ended = [path for path in closed if depth == "ragged" or not h.children(h.classes[path[-1]])]
    return [()] * may_be_empty + sorted(ended, key=lambda path: path[-1])


@given(st.data(), st.sampled_from(["full", "ragged"]), st.booleans(), st.booleans())
def test_coherent_single_paths(data: st.DataObject, depth: Depth, told: bool, dag: bool) -> None:
    """The first of the largest exact products over all admissible paths, found by brute force."""
    h = data.draw(hierarchies(dag=dag))
    paths = admissible(h, depth, told and depth == "ragged")
    scores = data.draw(st.one_of(coarse(2, h.n), fine(2, h.n)))
    stop = data.draw(coarse(2, h.depth)) if told else None
    task = single(h, depth)
    if not any(paths):
        with pytest.raises(BadInput, match="no single path"):
            coherent(scores, stop, task)
        return
    decided = coherent(scores, stop, task)
    assert h.is_closed(decided)
    for i, row in enumerate(decided):
        level_stop: np.ndarray | None = None
        if stop is not None:
            level_stop = stop[i]
        elif depth == "ragged" or not h.even:
            sums = [scores[i, h.level_classes(k + 1)].astype(float).sum() for k in range(h.depth)]
            level_stop = np.array([0.0, *(max(0.0, 1 - total) for total in sums[1:])])
        best = max(paths, key=lambda path: product(path, scores[i], level_stop))
        assert tuple(np.flatnonzero(row).tolist()) == best


@given(st.data())
def test_raw_single_paths(data: st.DataObject) -> None:
    h = data.draw(hierarchies(dag=True))
    scores, stop = data.draw(coarse(2, h.n)), data.draw(coarse(2, h.depth))
    decided = raw(scores, stop, single(h, "ragged"))
    for row, s, e in zip(decided, scores, stop, strict=True):
        for k in range(h.depth):
            columns = h.level_classes(k + 1)
            winner = max([*columns, None], key=lambda c: e[k] if c is None else s[c])
            assert np.flatnonzero(row[columns]).tolist() == ([] if winner is None else [winner - columns[0]])


@given(st.data())
def test_multiple_paths(data: st.DataObject) -> None:
    h = data.draw(hierarchies(dag=True))
    task, scores = multiple(h), data.draw(coarse(3, h.n))
    values = data.draw(coarse(1, h.n))[0]
    limits = Thresholds(values.astype(float))
    assert (raw(scores, None, task, limits) == (scores >= values)).all()
    decided = coherent(scores, None, task, limits)
    below, above = h.descendants.toarray(), h.ancestors.toarray()
    for i, c in itertools.product(range(3), range(h.n)):
        assert decided[i, c] == (scores[i, below[c]].max() >= values[above[c]].max())
    assert h.is_closed(decided)
    shared = Thresholds(float(values[0]))
    same = Thresholds(np.full(h.n, values[0], dtype=float))
    assert (coherent(scores, None, task, shared) == h.close(raw(scores, None, task, shared))).all()
    assert (coherent(scores, None, task, shared) == coherent(scores, None, task, same)).all()
    for block in (slice(0, 1), slice(1, 3)):
        assert (coherent(scores[block], None, task, limits) == decided[block]).all()


def f1(decided: np.ndarray, truth: np.ndarray) -> float:
    total = decided.sum() + truth.sum()
    return float(2 * (decided & truth).sum() / total) if total else 0.0


@given(st.data())
def test_fitted_thresholds_are_the_best_there_are(data: st.DataObject) -> None:
    h = data.draw(hierarchies(dag=True))
    scores = data.draw(coarse(4, h.n))
    truth = h.close(data.draw(hnp.arrays(bool, (4, h.n))))
    tried = [*np.unique(scores).tolist(), 2.0]

    def closed_f1(value: float) -> float:
        return f1(h.close(raw(scores, None, multiple(h), Thresholds(value))), truth)

    shared = fit_threshold(scores, truth, h).values
    assert isinstance(shared, float)
    if truth.any():
        assert closed_f1(shared) == max(map(closed_f1, tried))
    per_class = np.asarray(fit_threshold(scores, truth, h, "per_class").values)
    cohered = h.cohere(scores)
    for c in np.flatnonzero(truth.any(axis=0)):
        best = max(f1(cohered[:, c] >= value, truth[:, c]) for value in tried)
        assert f1(cohered[:, c] >= per_class[c], truth[:, c]) == best
    assert (per_class[~truth.any(axis=0)] == shared).all()
