"""Heads: shapes, probabilities that add up, coherence, and slow versions of their formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from hmcbench.errors import BadInput, NotApplicable
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Task
from hmcbench.torchkit.heads import ConditionalHead, LeafHead, MaxHead, make_head
from hmcbench.torchkit.layout import Layout, Masked
from hmcbench.torchkit.losses import LevelLoss
from hmcbench.torchkit.maximum import DescendantMaximum
from hmcbench.torchkit.recipes import Recipe

pytestmark = pytest.mark.torch
PLAIN = Recipe(loss="cross_entropy", label_smoothing=0.0)
CPU = torch.device("cpu")
Tasks = dict[str, Task]
NAMES = ("tree", "ragged", "uneven", "multiple", "dag")


@pytest.mark.parametrize("head", ["levels", "leaf", "conditional"])
@pytest.mark.parametrize("name", NAMES)
def test_heads_give_logits_whose_probabilities_add_up(head: str, name: str, tasks: Tasks) -> None:
    torch.manual_seed(0)
    task = tasks[name]
    levels = make_head(head, 4, task)(torch.randn(6, 4) * 5)
    layout = Layout(task, CPU)
    layout.check(levels)
    values, stop = layout.probabilities(levels)
    assert values.shape == (6, layout.hierarchy.n) and bool(((values >= 0) & (values <= 1)).all())
    assert (stop is not None) == (name in ("ragged", "uneven"))
    if task.paths == "single":
        total = torch.stack([values[:, columns].sum(1) for columns in layout.columns], dim=1)
        torch.testing.assert_close(total if stop is None else total + stop, torch.ones_like(total))


@pytest.mark.parametrize("name", NAMES)
def test_leaf_head_never_contradicts_the_hierarchy(name: str, tasks: Tasks) -> None:
    torch.manual_seed(1)
    layout = Layout(tasks[name], CPU)
    values, _ = layout.probabilities(LeafHead(4, tasks[name])(torch.randn(8, 4) * 20))
    parent, child = layout.hierarchy.edge_index.T.copy()
    assert bool((values[:, child] <= values[:, parent] + 1e-6).all())


def test_leaf_head_sums_leaves(tasks: Tasks) -> None:
    head = LeafHead(4, tasks["tree"])
    x = torch.randn(3, 4)
    leaves = head.linear(x).softmax(1)
    top, bottom = (level.exp() for level in head(x))
    torch.testing.assert_close(bottom, leaves)
    torch.testing.assert_close(top, torch.stack([leaves[:, :2].sum(1), leaves[:, 2:].sum(1)], dim=1))


def test_leaf_head_of_several_paths_is_the_chance_of_any_leaf(tasks: Tasks) -> None:
    head = LeafHead(4, tasks["multiple"])
    x = torch.randn(3, 4) * 3
    leaves = head.linear(x).sigmoid()
    top, bottom = (level.sigmoid() for level in head(x))
    torch.testing.assert_close(bottom, leaves)
    torch.testing.assert_close(top[:, 0], 1 - (1 - leaves[:, 0]) * (1 - leaves[:, 1]))


def test_leaf_head_gradients_are_finite_far_from_the_truth(tasks: Tasks) -> None:
    for name in tasks:
        head = LeafHead(1, tasks[name])
        with torch.no_grad():
            head.linear.weight.copy_(torch.linspace(-60, 60, len(head.linear.weight))[:, None])
        (gradient,) = torch.autograd.grad(torch.cat(head(torch.ones(2, 1)), dim=1).sum(), head.linear.weight)
        assert bool(gradient.isfinite().all()), name


def test_an_unknown_head_is_refused(tasks: Tasks) -> None:
    with pytest.raises(BadInput, match="levels, leaf, conditional, max"):
        make_head("root", 4, tasks["tree"])


@st.composite
def hierarchies(draw: Any, tree: bool) -> Hierarchy:
    """Up to 12 classes; each has earlier classes, or none, as parents."""
    edges = []
    for i in range(draw(st.integers(2, 12))):
        above = draw(st.sets(st.integers(0, i - 1), max_size=1 if tree else 3)) if i else set()
        edges += [(f"c{a:02}", f"c{i:02}") for a in above] or [("", f"c{i:02}")]
    return Hierarchy.from_edges(edges)


def scores(head: str, task: Task, seed: int, scale: float = 4.0) -> torch.Tensor:
    torch.manual_seed(seed)
    module = make_head(head, 3, task).eval()
    return Layout(task, CPU).probabilities(module(torch.randn(5, 3) * scale))[0]


def coherent(hierarchy: Hierarchy, values: torch.Tensor) -> bool:
    parent, child = hierarchy.edge_index.T.copy()
    return bool((values[:, child] <= values[:, parent] + 1e-6).all())


@settings(max_examples=40, deadline=None)
@given(hierarchies(tree=True), st.sampled_from(["full", "ragged"]), st.integers(0, 99))
def test_trees_are_coherent_and_levels_add_up(hierarchy: Hierarchy, depth: Any, seed: int) -> None:
    task = Task(paths="single", depth=depth, hierarchy=hierarchy)
    assert coherent(hierarchy, scores("max", task, seed))
    torch.manual_seed(seed)
    layout = Layout(task, CPU)
    values, stop = layout.probabilities(make_head("conditional", 3, task)(torch.randn(5, 3) * 4))
    assert coherent(hierarchy, values)
    for k, columns in enumerate(layout.columns):
        total = values[:, columns].sum(1) + (0 if stop is None else stop[:, k])
        torch.testing.assert_close(total, torch.ones(5))


@settings(max_examples=40, deadline=None)
@given(hierarchies(tree=False), st.sampled_from(["conditional", "max"]), st.integers(0, 99))
def test_graphs_and_several_paths_are_coherent(hierarchy: Hierarchy, head: str, seed: int) -> None:
    task = Task(paths="multiple", depth="ragged", hierarchy=hierarchy)
    assert coherent(hierarchy, scores(head, task, seed, scale=20))


@settings(max_examples=25, deadline=None)
@given(hierarchies(tree=True), st.integers(0, 99))
def test_conditional_is_the_chain_rule(hierarchy: Hierarchy, seed: int) -> None:
    """Against loops over parents, with ``stop`` as one more child of every inner class."""
    torch.manual_seed(seed)
    task = Task(paths="single", depth="ragged", hierarchy=hierarchy)
    head, x = ConditionalHead(3, task).requires_grad_(False), torch.randn(1, 3) * 3
    logits = head.linear(x)[0].double()
    parent: dict[int, int] = {int(c): int(p) for p, c in hierarchy.edge_index}
    inner = sorted(set(parent.values()))
    chance: dict[int, float] = {-1: 1.0}
    end = {int(leaf): 1.0 for leaf in hierarchy.leaves}
    for above in (-1, *range(hierarchy.n)):
        below = [c for c in range(hierarchy.n) if parent.get(c, -1) == above]
        slots = below + ([hierarchy.n + inner.index(above)] if above in inner else [])
        if slots:
            shares = torch.softmax(logits[slots], 0).tolist()
            chance.update({c: chance[above] * share for c, share in zip(below, shares, strict=False)})
            if above in inner:
                end[above] = shares[-1]
    values, stop = Layout(task, CPU).probabilities(head(x))
    np.testing.assert_allclose(
        values[0].detach(), [chance[c] for c in range(hierarchy.n)], rtol=1e-4, atol=1e-7
    )
    assert stop is not None
    for k in range(1, hierarchy.depth + 1):
        over = sum(chance[c] * share for c, share in end.items() if hierarchy.levels[c] < k)
        assert float(stop[0, k - 1]) == pytest.approx(over, rel=1e-3, abs=1e-6)


def test_conditional_of_several_paths_multiplies_all_ancestors() -> None:
    diamond = Hierarchy.from_edges([("", "a"), ("", "b"), ("a", "c"), ("b", "c")])
    task = Task(paths="multiple", depth="ragged", hierarchy=diamond)
    head, x = ConditionalHead(3, task), torch.randn(4, 3)
    own = head.linear(x).sigmoid()
    values, _ = Layout(task, CPU).probabilities(head(x))
    expected = torch.stack([own[:, 0], own[:, 1], own.prod(1)], dim=1)
    torch.testing.assert_close(values, expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(NotApplicable, match="needs a tree"):
        ConditionalHead(3, Task(paths="single", hierarchy=diamond))


@settings(max_examples=25, deadline=None)
@given(hierarchies(tree=False), st.integers(0, 99))
def test_the_loss_of_max_is_that_of_its_paper(hierarchy: Hierarchy, seed: int) -> None:
    """MCLoss = sum_a -y_a ln(max_{b in D_a} y_b h_b) - (1 - y_a) ln(1 - MCM_a), here with means per level."""
    rng = np.random.default_rng(seed)
    sets = hierarchy.close(rng.random((4, hierarchy.n)) < 0.3)
    task = Task(paths="multiple", depth="ragged", hierarchy=hierarchy)
    torch.manual_seed(seed)
    head, x = MaxHead(3, task), torch.randn(4, 3)
    layout, below = Layout(task, CPU), hierarchy.descendants.toarray()
    got = LevelLoss(layout, PLAIN)(head.train()(x), layout.encode(sets))
    h, y = head.linear(x).sigmoid().detach().double().numpy(), sets.astype(float)
    expected = 0.0
    for k in range(1, hierarchy.depth + 1):
        terms = []
        for i in range(4):
            for a in hierarchy.level_classes(k):
                given_truth = max(y[i, b] * h[i, b] for b in np.flatnonzero(below[a]))
                mcm = max(h[i, b] for b in np.flatnonzero(below[a]))
                terms.append(-np.log(given_truth) if y[i, a] else -np.log(1 - mcm))
        expected += k * float(np.mean(terms))
    assert float(got.detach()) == pytest.approx(expected, rel=1e-4)


def test_a_child_that_is_absent_does_not_serve_its_parent() -> None:
    """Without the mask, a wrong child would be pushed up."""
    pair = DescendantMaximum(Hierarchy.from_edges([("a", "b")]))
    logits = torch.tensor([[-1.0, 2.0]], requires_grad=True)
    masked, truth = Masked(logits, pair), torch.tensor([[True, False]])
    assert masked.highest().tolist() == [[2.0, 2.0]]
    assert masked.highest(truth).tolist() == [[-1.0, 2.0]]
    loss = F.binary_cross_entropy_with_logits(masked.highest(truth), truth.float())
    (gradient,) = torch.autograd.grad(loss, logits)
    assert gradient[0, 0] < 0 < gradient[0, 1]


@pytest.mark.parametrize("head", ["conditional", "max"])
@pytest.mark.parametrize("paths", ["single", "multiple"])
def test_gradients_are_finite_and_reach_every_class(head: str, paths: Any) -> None:
    tree = Hierarchy.from_edges([("", "a"), ("", "b"), ("b", "c"), ("b", "d"), ("d", "e")])
    task = Task(paths=paths, depth="ragged", hierarchy=tree)
    layout, sets = Layout(task, CPU), tree.close(np.eye(5, dtype=bool))
    for size in (1.0, 60.0):  # also far from the truth
        torch.manual_seed(0)
        module = make_head(head, 4, task).train()
        x = torch.randn(5, 4) * size
        loss = LevelLoss(layout, Recipe())(module(x), layout.encode(sets))
        (gradient,) = torch.autograd.grad(loss, [module.linear.weight])
        assert bool(gradient.isfinite().all())
        assert size > 1 or bool((gradient.abs().sum(1) > 0).all())
