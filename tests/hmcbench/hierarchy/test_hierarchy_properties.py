"""Hierarchies against slow versions on Python sets, on random trees and DAGs."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

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
    found = {name}
    while True:
        more = {parent for parent, child in edges if child in found and parent} - found
        if not more:
            return found
        found |= more


def level_of(edges: list[tuple[str, str]], name: str) -> int:
    above = [parent for parent, child in edges if child == name and parent]
    return 1 + max((level_of(edges, parent) for parent in above), default=0)


def sets_of(made: Hierarchy, matrix: Any) -> list[set[str]]:
    dense = matrix.toarray() if sparse.issparse(matrix) else matrix
    return [{made.classes[j] for j in np.flatnonzero(row)} for row in dense]


@given(edge_lists())
def test_structure(edges: list[tuple[str, str]]) -> None:
    made = Hierarchy.from_edges(edges)
    names = {child for _, child in edges}
    assert set(made.classes) == names
    assert {name: made.levels[made.index(name)] for name in names} == {n: level_of(edges, n) for n in names}
    assert list(made.classes) == sorted(names, key=lambda name: (level_of(edges, name), name))
    assert set(made.edges) == set(edges)
    assert [made.classes[i] for i in made.leaves] == [c for c in made.classes if not made.children(c)]
    for name, row in zip(made.classes, sets_of(made, made.ancestors), strict=True):
        assert row == ancestors_of(edges, name)
        assert {p for path in made.paths(name) for p in path} == row
        below = [made.heights[made.index(child)] for child in made.children(name)]
        assert made.heights[made.index(name)] == 1 + max(below, default=-1)
    assert (made.descendants.toarray() == made.ancestors.toarray().T).all()
    assert lint(edges) == []


@given(edge_lists(), st.data())
def test_sets(edges: list[tuple[str, str]], data: st.DataObject) -> None:
    made = Hierarchy.from_edges(edges)
    dense = data.draw(hnp.arrays(bool, (data.draw(st.integers(0, 5)), made.n)))
    given_sets = sets_of(made, dense)
    closed = [set().union(*(ancestors_of(edges, name) for name in row)) for row in given_sets]
    parents = [{parent for parent, child in edges if child in row} for row in given_sets]
    for form in (dense, sparse.csr_array(dense)):
        assert sets_of(made, made.close(form)) == closed
        assert sparse.issparse(made.close(form)) == sparse.issparse(form)
        assert made.closed_rows(form).tolist() == [a == b for a, b in zip(closed, given_sets, strict=True)]
        assert made.is_closed(form) == (closed == given_sets)
        assert made.is_closed(made.close(form))
        specific = sets_of(made, made.most_specific(form))
        assert specific == [row - above for row, above in zip(given_sets, parents, strict=True)]
    assert sets_of(made, made.encode(given_sets)) == closed
    decoded = [made.decode(row) for row in made.close(dense)]
    assert (made.encode(decoded) != made.encode(given_sets)).nnz == 0


@given(edge_lists(), st.data())
def test_cohere(edges: list[tuple[str, str]], data: st.DataObject) -> None:
    made = Hierarchy.from_edges(edges)
    scores = data.draw(hnp.arrays(np.float32, (3, made.n), elements=st.floats(0, 1, width=32)))
    result = made.cohere(scores)
    assert result.dtype == np.float32
    for j, name in enumerate(made.classes):
        below = [i for i, other in enumerate(made.classes) if name in ancestors_of(edges, other)]
        assert (result[:, j] == scores[:, below].max(axis=1)).all()
    parent, child = made.edge_index.T
    assert (result[:, child] <= result[:, parent]).all()
    assert (made.cohere(result) == result).all()


@given(edge_lists(dag=False), st.data())
def test_single_paths(edges: list[tuple[str, str]], data: st.DataObject) -> None:
    made = Hierarchy.from_edges(edges)
    ends = data.draw(st.lists(st.sampled_from(["", *made.classes]), min_size=1, max_size=5))
    sets = made.encode([[name] if name else [] for name in ends])
    positions = made.level_targets(sets)
    assert (made.level_sets(positions) == sets.toarray()).all()
    for end, row in zip(ends, positions, strict=True):
        path = next(made.paths(end)) if end else ()
        for k in range(made.depth):
            level = [made.classes[i] for i in made.level_classes(k + 1)]
            assert row[k] == (level.index(path[k]) if k < len(path) else len(level))
    assert made.label_shape(sets)[0] == "single"


@given(edge_lists(), st.data())
def test_common_ancestors(edges: list[tuple[str, str]], data: st.DataObject) -> None:
    made = Hierarchy.from_edges(edges)
    first, second = (data.draw(st.sampled_from(made.classes)) for _ in range(2))
    common = ancestors_of(edges, first) & ancestors_of(edges, second)
    nearest = {c for c in common if not any(c in ancestors_of(edges, d) for d in common - {c})}
    assert set(made.nca(first, second)) == nearest
    (lowest,) = made.lca(np.array([made.index(first)]), np.array([made.index(second)]))
    if not common:
        assert lowest == -1
    else:
        assert made.classes[lowest] in nearest
        assert made.levels[lowest] == max(level_of(edges, name) for name in common)


@given(edge_lists(), st.data())
def test_an_edge_back_to_an_ancestor_is_a_cycle(edges: list[tuple[str, str]], data: st.DataObject) -> None:
    below = data.draw(st.sampled_from(sorted({child for _, child in edges})))
    above = data.draw(st.sampled_from(sorted(ancestors_of(edges, below))))
    kinds = {problem.kind for problem in lint([*edges, (below, above)]) if problem.fatal}
    assert ("self-ancestor" if above == below else "cycle") in kinds
