"""Arithmetic of hierarchies: on random trees and DAGs against slow versions on Python sets, and by hand."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from hmcbench.errors import BadInput
from hmcbench.hierarchy.hierarchy import Hierarchy, lint


@st.composite
def edge_lists(draw: Any, *, dag: bool = True, most: int = 12) -> list[tuple[str, str]]:
    """Edges of a random tree or DAG, ids in an order that has nothing to do with the levels."""
    n = draw(st.integers(1, most))
    names = draw(st.permutations([chr(ord("a") + i) for i in range(n)]))
    edges = []
    for i, name in enumerate(names):
        above = draw(st.sets(st.integers(0, i - 1), max_size=3 if dag else 1)) if i else set()
        edges += [(names[p], name) for p in sorted(above)] or [("", name)]
    return draw(st.permutations(edges))  # type: ignore[no-any-return]


def ancestors_of(edges: list[tuple[str, str]], name: str) -> set[str]:
    """A class and everything above it."""
    ancestors = {name}
    while True:
        more = {parent for parent, child in edges if child in ancestors and parent} - ancestors
        if not more:
            return ancestors
        ancestors |= more


def level_of(edges: list[tuple[str, str]], name: str) -> int:
    above = [parent for parent, child in edges if child == name and parent]
    return 1 + max((level_of(edges, parent) for parent in above), default=0)


def sets_of(graph: Hierarchy, matrix: Any) -> list[set[str]]:
    dense = matrix.toarray() if sparse.issparse(matrix) else matrix
    return [{graph.classes[j] for j in np.flatnonzero(row)} for row in dense]


@given(edge_lists())
def test_structure(edges: list[tuple[str, str]]) -> None:
    graph = Hierarchy.from_edges(edges)
    names = {child for _, child in edges}
    assert set(graph.classes) == names
    assert {name: graph.levels[graph.index(name)] for name in names} == {n: level_of(edges, n) for n in names}
    assert list(graph.classes) == sorted(names, key=lambda name: (level_of(edges, name), name))
    assert set(graph.edges) == set(edges)
    levels = [level_of(edges, name) for name in names]
    assert graph.level_sizes.tolist() == [levels.count(k) for k in range(1, max(levels) + 1)]
    assert graph.is_tree == (len(edges) == len(names))
    assert [graph.classes[i] for i in graph.leaves] == [c for c in graph.classes if not graph.children(c)]
    for name, row in zip(graph.classes, sets_of(graph, graph.ancestors), strict=True):
        assert row == ancestors_of(edges, name)
        assert {p for path in graph.paths(name) for p in path} == row
        below = [graph.heights[graph.index(child)] for child in graph.children(name)]
        assert graph.heights[graph.index(name)] == 1 + max(below, default=-1)
    assert (graph.descendants.toarray() == graph.ancestors.toarray().T).all()
    assert lint(edges) == []


@given(edge_lists(), st.data())
def test_sets(edges: list[tuple[str, str]], data: st.DataObject) -> None:
    graph = Hierarchy.from_edges(edges)
    dense = data.draw(hnp.arrays(bool, (data.draw(st.integers(0, 5)), graph.n)))
    given_sets = sets_of(graph, dense)
    closed = [set().union(*(ancestors_of(edges, name) for name in row)) for row in given_sets]
    parents = [{parent for parent, child in edges if child in row} for row in given_sets]
    for form in (dense, sparse.csr_array(dense)):
        assert sets_of(graph, graph.close(form)) == closed
        assert sparse.issparse(graph.close(form)) == sparse.issparse(form)
        assert graph.closed_rows(form).tolist() == [a == b for a, b in zip(closed, given_sets, strict=True)]
        assert graph.is_closed(form) == (closed == given_sets)
        assert graph.is_closed(graph.close(form))
        specific = sets_of(graph, graph.most_specific(form))
        assert specific == [row - above for row, above in zip(given_sets, parents, strict=True)]
    assert sets_of(graph, graph.encode(given_sets)) == closed
    decoded = [graph.decode(row) for row in graph.close(dense)]
    assert (graph.encode(decoded) != graph.encode(given_sets)).nnz == 0


@given(edge_lists())
def test_rounds_have_every_edge_once_and_are_few(edges: list[tuple[str, str]]) -> None:
    graph = Hierarchy.from_edges(edges)
    every = [(parent, child) for parent, child in graph.edge_index.tolist()]
    for rounds, end, deepest_first in ((graph.rounds_up, 0, True), (graph.rounds_down, 1, False)):
        groups = [list(zip(*(columns.tolist() for columns in group), strict=True)) for group in rounds]
        assert sorted(edge for group in groups for edge in group) == sorted(every)
        order = [int(graph.levels[group[0][end]]) for group in groups]
        assert order == sorted(order, reverse=deepest_first)
        for group, level in zip(groups, order, strict=True):
            ends = [edge[end] for edge in group]
            assert len(set(ends)) == len(ends)
            assert (graph.levels[ends] == level).all()
        for level in set(order):  # no more than the edges of the class that has the most
            ends = [edge[end] for edge in every if graph.levels[edge[end]] == level]
            assert order.count(level) == max(ends.count(column) for column in ends)


@given(edge_lists(), st.data())
def test_cohere(edges: list[tuple[str, str]], data: st.DataObject) -> None:
    graph = Hierarchy.from_edges(edges)
    scores = data.draw(hnp.arrays(np.float32, (3, graph.n), elements=st.floats(0, 1, width=32)))
    result = graph.cohere(scores)
    assert result.dtype == np.float32
    for j, name in enumerate(graph.classes):
        below = [i for i, other in enumerate(graph.classes) if name in ancestors_of(edges, other)]
        assert (result[:, j] == scores[:, below].max(axis=1)).all()
    parent, child = graph.edge_index.T
    assert (result[:, child] <= result[:, parent]).all()
    assert (graph.cohere(result) == result).all()


@given(edge_lists(dag=False), st.data())
def test_single_paths(edges: list[tuple[str, str]], data: st.DataObject) -> None:
    graph = Hierarchy.from_edges(edges)
    ends = data.draw(st.lists(st.sampled_from(["", *graph.classes]), min_size=1, max_size=5))
    sets = graph.encode([[name] if name else [] for name in ends])
    positions = graph.level_targets(sets)
    assert (graph.level_sets(positions) == sets.toarray()).all()
    for end, row in zip(ends, positions, strict=True):
        path = next(graph.paths(end)) if end else ()
        for k in range(graph.depth):
            level = [graph.classes[i] for i in graph.level_classes(k + 1)]
            assert row[k] == (level.index(path[k]) if k < len(path) else len(level))
    assert graph.label_shape(sets)[0] == "single"


@given(edge_lists(), st.data())
def test_levels_with_several_classes_are_crowded(edges: list[tuple[str, str]], data: st.DataObject) -> None:
    graph = Hierarchy.from_edges(edges)
    sets = data.draw(hnp.arrays(bool, (data.draw(st.integers(0, 3)), graph.n)))
    positions, crowded = graph.level_positions(sets)
    assert positions.shape == crowded.shape == (len(sets), graph.depth)
    for k in range(graph.depth):
        of_level = sets[:, graph.level_classes(k + 1)]
        assert crowded[:, k].tolist() == (of_level.sum(axis=1) > 1).tolist()
        for row, position in zip(of_level, positions[:, k], strict=True):
            assert row[position] if row.any() else position == len(row)


@given(edge_lists(), st.data())
def test_common_ancestors(edges: list[tuple[str, str]], data: st.DataObject) -> None:
    graph = Hierarchy.from_edges(edges)
    first, second = (data.draw(st.sampled_from(graph.classes)) for _ in range(2))
    common = ancestors_of(edges, first) & ancestors_of(edges, second)
    nearest = {c for c in common if not any(c in ancestors_of(edges, d) for d in common - {c})}
    assert set(graph.nca(first, second)) == nearest
    (lowest,) = graph.lca(np.array([graph.index(first)]), np.array([graph.index(second)]))
    if not common:
        assert lowest == -1
    else:
        assert graph.classes[lowest] in nearest
        assert graph.levels[lowest] == max(level_of(edges, name) for name in common)


@given(edge_lists(), st.data())
def test_an_edge_back_to_an_ancestor_is_a_cycle(edges: list[tuple[str, str]], data: st.DataObject) -> None:
    below = data.draw(st.sampled_from(sorted({child for _, child in edges})))
    above = data.draw(st.sampled_from(sorted(ancestors_of(edges, below))))
    kinds = {problem.kind for problem in lint([*edges, (below, above)]) if problem.fatal}
    assert ("self-ancestor" if above == below else "cycle") in kinds


# --------------------------------------------------------------------------- by hand


def test_level_of_a_dag_class_is_its_longest_distance(dag: Hierarchy) -> None:
    extended = Hierarchy.from_edges([*dag.edges, ("a", "e")])
    assert not dag.is_tree
    assert extended.levels[extended.index("e")] == 3
    assert dag.parents("e") == ("c", "d")
    assert dag.children("b") == ("c", "f")
    assert dag.children("e") == ()
    assert sorted(dag.paths("e")) == [("a", "c", "e"), ("a", "d", "e"), ("b", "c", "e")]


def test_a_flat_hierarchy_works() -> None:
    flat = Hierarchy.from_edges([("", "b"), ("", "a")])
    assert flat.classes == ("a", "b")
    assert flat.ancestors.toarray().tolist() == [[True, False], [False, True]]
    assert flat.close(np.eye(2, dtype=bool)).tolist() == [[True, False], [False, True]]
    assert flat.cohere(np.array([[0.25, 0.5]])).tolist() == [[0.25, 0.5]]
    assert flat.even


def test_closing_the_published_fixture(tree: Hierarchy) -> None:
    true, predicted = tree.encode([["c"], ["d"], ["y"]]), tree.encode([["d"], ["e"], ["z"]])
    sets = [{tree.classes[j] for j in row.nonzero()[0]} for row in predicted.toarray()]
    assert sets == [set("abd"), set("ae"), set("xyz")]
    both = true.multiply(predicted).sum()
    assert (both / predicted.sum(), both / true.sum()) == (0.625, 0.625)


def test_arrays_cannot_be_changed(tree: Hierarchy) -> None:
    for array in (tree.levels, tree.edge_index):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 7


def test_sets_of_another_hierarchy_are_refused(tree: Hierarchy) -> None:
    for wrong in (np.zeros((2, 7), bool), np.zeros(8, bool), sparse.csr_array((2, 9), dtype=bool)):
        with pytest.raises(BadInput, match=r"shape \(N, 8\)"):
            tree.close(wrong)


def test_sparse_input_is_left_alone(tree: Hierarchy) -> None:
    messy = sparse.csr_matrix((np.array([1, 0, 1]), np.array([5, 1, 2]), np.array([0, 3])), shape=(1, 8))
    closed = tree.close(messy)
    assert closed.indices.tolist() == [0, 2, 5]
    assert messy.indices.tolist() == [5, 1, 2]
    assert messy.data.tolist() == [1, 0, 1]


def test_pairwise_lowest_common_ancestors(tree: Hierarchy) -> None:
    first, second = (np.array([tree.index(name) for name in names]) for names in ("cccx", "cdzz"))
    assert tree.lca(first, second).tolist() == [5, 2, -1, 1]
    assert tree.lca(first[:0], second[:0]).tolist() == []
    levels = np.append(tree.levels, 0)[tree.lca(first, second)]
    assert levels.tolist() == [3, 2, 0, 1]
    assert np.append(tree.heights, tree.depth)[tree.lca(first, second)].tolist() == [0, 1, 3, 2]


def test_a_long_chain_needs_no_recursion_and_no_cube_of_its_length() -> None:
    chain = Hierarchy.from_edges([(f"n{i}", f"n{i + 1}") for i in range(3000)])
    assert chain.depth == 3001
    assert len(next(chain.paths("n3000"))) == 3001
    assert chain.encode([["n3000"]]).sum() == 3001


@pytest.mark.slow
def test_fifty_thousand_classes_stay_sparse() -> None:
    rng = np.random.default_rng(0)
    edges = [("", "c0")]
    for i in range(1, 50_000):
        edges += [(f"c{p}", f"c{i}") for p in set((i * rng.random(1 + i % 2) / 4).astype(int).tolist())]
    graph = Hierarchy.from_edges(edges)
    columns = rng.integers(0, graph.n, 20_000)
    sets = sparse.csr_array(
        (np.ones(20_000, bool), columns, np.arange(0, 20_001, 2)), shape=(10_000, graph.n)
    )
    tracemalloc.start()
    closed = graph.close(sets)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert graph.n == 50_000
    assert graph.ancestors.nnz < 50_000 * 40
    assert peak < 200 * 2**20
    assert graph.is_closed(closed)
    some = np.arange(0, 10_000, 500)
    assert (graph.close(sets[some].toarray()) == closed[some].toarray()).all()
    assert (graph.most_specific(closed[some].toarray()) == graph.most_specific(closed[some]).toarray()).all()
