"""Maximum, minimum and product against their definitions, class by class."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hmcbench.errors import BadInput
from hmcbench.interfaces import Task
from hmcbench.metrics.rules.repairs import maximum, minimum, product


def test_each_is_its_definition(cases: list[Any]) -> None:
    for case in cases:
        h, scores, task = case.hierarchy, case.scores, case.task
        for c in range(h.n):
            above, below = h.ancestors[[c]].indices, h.descendants[[c]].indices
            assert (maximum(scores, task)[:, c] == scores[:, below].max(axis=1)).all()
            assert (minimum(scores, task)[:, c] == scores[:, above].min(axis=1)).all()
            np.testing.assert_allclose(product(scores, task)[:, c], scores[:, above].prod(axis=1), atol=1e-6)


def test_each_respects_every_edge_and_the_type_of_the_scores(cases: list[Any]) -> None:
    for case in cases:
        parents, children = case.hierarchy.edge_index.T
        for rule in (maximum, minimum, product):
            repaired = rule(case.scores, case.task)
            assert repaired.dtype == case.scores.dtype
            assert (repaired[:, parents] >= repaired[:, children]).all()


def test_regression_has_no_rules() -> None:
    with pytest.raises(BadInput, match="a regression task has no decisions"):
        maximum(np.zeros((1, 2)), Task(kind="regression", targets=("x", "y")))
