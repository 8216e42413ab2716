"""The maximum along the edges against the dense form: every class beside every descendant."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.torchkit.maximum import DescendantMaximum

pytestmark = pytest.mark.torch


def random_dag(classes: int, parents: int, seed: int) -> Hierarchy:
    """Every class has up to so many earlier classes as parents."""
    rng = np.random.default_rng(seed)
    edges = [("", "c0")]
    for i in range(1, classes):
        above = rng.choice(i, size=min(i, rng.integers(0, parents + 1)), replace=False)
        edges += [(f"c{a}", f"c{i}") for a in above] or [("", f"c{i}")]
    return Hierarchy.from_edges(edges)


def dense(hierarchy: Hierarchy, values: torch.Tensor, sets: torch.Tensor | None) -> torch.Tensor:
    """The definition, (N, C, C) at once."""
    counts = torch.as_tensor(hierarchy.descendants.toarray()).expand(len(values), -1, -1)
    if sets is not None:
        counts = counts & (~sets[:, :, None] | sets[:, None, :])
    return values[:, None, :].expand_as(counts).masked_fill(~counts, -math.inf).amax(2)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("with_sets", [False, True])
def test_values_and_gradients_are_those_of_the_dense_form(seed: int, with_sets: bool) -> None:
    hierarchy = random_dag(60, 1 + seed % 4, seed)
    torch.manual_seed(seed)
    values = torch.randn(7, hierarchy.n, requires_grad=True)
    sets = None
    if with_sets:
        sets = torch.as_tensor(hierarchy.close(np.random.default_rng(seed).random((7, hierarchy.n)) < 0.1))
    upstream = torch.randn(7, hierarchy.n)
    results = []
    for form in (DescendantMaximum(hierarchy), lambda x, y: dense(hierarchy, x, y)):
        result = form(values, sets)
        results.append((result, *torch.autograd.grad(result, values, upstream)))
    assert torch.equal(results[0][0], results[1][0])
    torch.testing.assert_close(results[0][1], results[1][1], rtol=1e-5, atol=1e-6)


def test_gradient_is_the_numerical_one() -> None:
    hierarchy = random_dag(12, 3, 5)
    torch.manual_seed(0)
    values = torch.randn(3, hierarchy.n, dtype=torch.float64, requires_grad=True)
    sets = torch.as_tensor(hierarchy.close(np.random.default_rng(1).random((3, hierarchy.n)) < 0.2))
    maximum = DescendantMaximum(hierarchy)
    assert torch.autograd.gradcheck(lambda x: maximum(x, sets), values)


def test_equal_values_share_the_gradient() -> None:
    values = torch.zeros(1, 3, requires_grad=True)
    maximum = DescendantMaximum(Hierarchy.from_edges([("a", "b"), ("a", "c")]))
    maximum(values)[0, 0].backward()
    assert values.grad is not None
    torch.testing.assert_close(values.grad, torch.full((1, 3), 1 / 3))


def test_a_level_alone_stays_as_it_is_and_weights_hold_no_edges() -> None:
    values = torch.randn(2, 3)
    maximum = DescendantMaximum(Hierarchy.from_edges([("", "a"), ("", "b"), ("", "c")]))
    assert torch.equal(maximum(values), values)
    assert not nn.Sequential(maximum).state_dict()
