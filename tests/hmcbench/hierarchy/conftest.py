"""One tree and one DAG that all tests of hierarchies use."""

from __future__ import annotations

import pytest

from hmcbench.hierarchy.hierarchy import Hierarchy

FIXTURE = [("a", "b"), ("a", "e"), ("b", "c"), ("b", "d"), ("x", "y"), ("y", "z")]


DAG = [("", "a"), ("", "b"), ("a", "c"), ("b", "c"), ("a", "d"), ("c", "e"), ("d", "e"), ("b", "f")]


@pytest.fixture
def tree() -> Hierarchy:
    return Hierarchy.from_edges(FIXTURE)


@pytest.fixture
def dag() -> Hierarchy:
    return Hierarchy.from_edges(DAG)
