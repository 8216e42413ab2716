"""Small random trees and DAGs with all their closed sets: what the rules are compared with."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Task

SAMPLES = 20


@dataclass
class Case:
    """Random scores (``SAMPLES``, C) and every closed set of their hierarchy, boolean (K, C)."""

    task: Task
    scores: np.ndarray
    closed: np.ndarray

    @property
    def hierarchy(self) -> Hierarchy:
        assert self.task.hierarchy is not None
        return self.task.hierarchy

    @property
    def accuracy(self) -> float:
        """Trees are exact; on DAGs the isotonic repair is iterative."""
        return 1e-6 if self.hierarchy.is_tree else 1e-3


def _hierarchy(rng: np.random.Generator, most_parents: int) -> Hierarchy:
    edges = []
    for i in range(int(rng.integers(1, 9))):
        above = {int(p) for p in rng.integers(0, i, rng.integers(0, most_parents + 1))} if i else set()
        edges += [(f"c{p}", f"c{i}") for p in sorted(above)] or [("", f"c{i}")]
    return Hierarchy.from_edges(edges)


def _cases(most_parents: int) -> Iterator[Case]:
    rng = np.random.default_rng(most_parents)
    for i in range(100):
        h = _hierarchy(rng, most_parents)
        shape = (SAMPLES, h.n)
        scores = rng.integers(0, 6, shape) / 5 if i % 3 == 0 else rng.random(shape)  # with ties, without
        every = np.array(list(itertools.product([False, True], repeat=h.n)))
        task = Task(paths="multiple", depth="ragged", hierarchy=h)
        yield Case(task, scores.astype(np.float32 if i % 2 else np.float64), every[h.closed_rows(every)])


@pytest.fixture(params=[1, 3], ids=["trees", "DAGs"], scope="session")
def cases(request: pytest.FixtureRequest) -> list[Case]:
    """100 hierarchies with 20 samples each."""
    return list(_cases(request.param))
