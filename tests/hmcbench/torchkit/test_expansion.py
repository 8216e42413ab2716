"""Category expansion: what stays, what new outputs start as, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hmcbench.errors import BadInput
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Task
from hmcbench.torchkit.expansion import expand, is_other_taxonomy, take_body
from hmcbench.torchkit.heads import LeafHead, LevelHeads, make_head
from hmcbench.torchkit.layout import Layout, level_rows, level_sizes

pytestmark = pytest.mark.torch
CPU = torch.device("cpu")
OLD = ["a/a1", "a/a2", "b/b1"]


def task(leaves: Sequence[str], **changes: Any) -> Task:
    return Task(hierarchy=Hierarchy.from_paths([leaf.split("/") for leaf in leaves]), **changes)


class Fused(nn.Module):
    """The family's fusion in small: features per level side by side, classifiers on all of them."""

    level_features = "features"

    def __init__(self, width: int, of: Task) -> None:
        super().__init__()
        sizes = level_sizes(of)
        self.features = nn.ModuleList(nn.Linear(width, 5) for _ in sizes)
        self.classifiers = nn.ModuleList(nn.Linear(5 * len(sizes), n) for n in sizes)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        fused = torch.cat([torch.tanh(layer(x)) for layer in self.features], dim=1)
        return [layer(fused) for layer in self.classifiers]

    def output_rows(self, of: Task) -> dict[str, Any]:
        return {f"classifiers.{k}": rows for k, rows in enumerate(level_rows(of))}


class Net(nn.Module):
    def __init__(self, head: Any, of: Task, width: int = 7) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, width), nn.BatchNorm1d(width), nn.ReLU())
        self.head = head(width, of)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        levels: list[torch.Tensor] = self.head(self.body(x))
        return levels

    def parts(self) -> tuple[list[nn.Module], nn.Module]:
        return [self.head], self.body


HEADS = [LevelHeads, Fused]
GROWN = {
    "within a level": [*OLD, "a/a3", "b/b2"],
    "a new branch": [*OLD, "c/c1"],
    "a level below": ["a/a1/x", "a/a1/y", "a/a2/x", "b/b1/x"],
    "a level above": ["r/a/a1", "r/a/a2", "s/b/b1"],
    "all at once": ["r/a/a1/x", "r/a/a1/y", "r/a/a2/x", "r/a/a3/x", "s/b/b1/x", "s/c/c1/x"],
}


def grown(head: Any, large: Sequence[str], **changes: Any) -> tuple[Net, Net, Task, Task]:
    torch.manual_seed(0)
    old, new = task(OLD, **changes), task(large, **changes)
    before = Net(head, old).eval()
    after = Net(head, new).eval()
    expand(after, before.state_dict(), old, new)
    return before, after, old, new


def outputs(net: Net, of: Task) -> dict[tuple[int, str], torch.Tensor]:
    """Logits (64,) by what they stand for: the level counted from 0, and the last name of the path."""
    images = torch.randn(64, 4, generator=torch.Generator().manual_seed(1))
    levels = zip(net(images), level_rows(of), strict=True)
    with torch.no_grad():
        return {
            (k, name): x for out, rows in levels for (k, name), x in zip(rows, out.T.detach(), strict=True)
        }


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("way", GROWN)
@pytest.mark.parametrize("paths", ["single", "multiple"])
def test_old_logits_stay(head: Any, way: str, paths: Any) -> None:
    before, after, old, new = grown(head, GROWN[way], paths=paths)
    now = {name.rpartition("/")[2]: x for (_, name), x in outputs(after, new).items()}
    for (_, name), logits in outputs(before, old).items():
        torch.testing.assert_close(now[name.rpartition("/")[2]], logits, rtol=0, atol=1e-5)


@pytest.mark.parametrize("head", HEADS)
def test_probabilities_among_old_classes_and_decisions_stay(head: Any) -> None:
    before, after, old, new = grown(head, GROWN["all at once"])
    images = torch.randn(500, 4)
    shift = 1  # of the levels, by the one above
    for k, (was, now) in enumerate(zip(before(images), after(images)[shift:], strict=False)):
        names = [name.rpartition("/")[2] for _, name in level_rows(new)[k + shift]]
        kept = [names.index(name.rpartition("/")[2]) for _, name in level_rows(old)[k]]
        share = now.softmax(1)[:, kept]
        torch.testing.assert_close(share / share.sum(1, keepdim=True), was.softmax(1), rtol=0, atol=1e-5)
        assert torch.equal(torch.tensor(kept)[was.argmax(1)], now.argmax(1))  # for every image


def test_new_classes_start_below_the_mean_of_their_siblings() -> None:
    before, after, old, new = grown(LevelHeads, GROWN["within a level"])
    was, now = outputs(before, old), outputs(after, new)
    torch.testing.assert_close(now[1, "a/a3"], (was[1, "a/a1"] + was[1, "a/a2"]) / 2 - 1)
    torch.testing.assert_close(now[1, "b/b2"], was[1, "b/b1"] - 1)


def test_new_levels_start_as_their_relatives() -> None:
    before, after, old, new = grown(Fused, GROWN["a level below"])
    was, now = outputs(before, old), outputs(after, new)
    torch.testing.assert_close(now[2, "a/a1/y"], was[1, "a/a1"])
    before, after, old, new = grown(Fused, GROWN["a level above"])
    was, now = outputs(before, old), outputs(after, new)
    torch.testing.assert_close(now[0, "r"], was[0, "a"])


def test_features_of_a_new_level_can_be_learnt() -> None:
    _, after, _, _ = grown(Fused, GROWN["a level below"])
    fresh = after.head.features[2]
    assert not bool(after.head.classifiers[0].weight[:, 10:].any())
    after(torch.randn(8, 4))[0].square().sum().backward()
    assert bool(after.head.classifiers[0].weight.grad[:, 10:].any())  # which then let the gradient through
    assert fresh.weight.grad is not None


def test_ends_of_paths_hand_their_share_to_their_heirs() -> None:
    before, after, old, new = grown(LeafHead, GROWN["a level below"])
    images = torch.randn(20, 4)
    was, _ = Layout(old, CPU).probabilities(before(images))
    now, _ = Layout(new, CPU).probabilities(after(images))
    assert old.hierarchy is not None and new.hierarchy is not None
    kept = [new.hierarchy.index(name) for name in old.hierarchy.classes]
    torch.testing.assert_close(now[:, kept], was, rtol=0, atol=1e-5)


def test_stop_is_taken_along_and_may_be_new() -> None:
    before, after, old, new = grown(LevelHeads, [*OLD, "a"], depth="ragged")
    assert np.allclose(outputs(before, old)[1, ""], outputs(after, new)[1, ""])
    torch.manual_seed(0)
    full, ragged = task(OLD), task(["a/a1/x", *OLD[1:]])
    first, second = Net(LevelHeads, full).eval(), Net(LevelHeads, ragged).eval()
    expand(second, first.state_dict(), full, ragged)
    was, now = outputs(first, full), outputs(second, ragged)
    assert (now[1, ""] < torch.stack([was[row] for row in was if row[0] == 1]).amax(0)).all()


def test_same_hierarchy_gives_the_same_network() -> None:
    before, after, _, _ = grown(Fused, OLD)
    for name, value in before.state_dict().items():
        assert torch.equal(value, after.state_dict()[name])


@pytest.mark.parametrize(
    ("paths", "changes", "says"),
    [
        (["a/a1", "b/b1"], {}, r"lacks 1 of its classes: a/a2"),
        (["x/a/a1", "y/a/a1", "x/a/a2", "x/b/b1"], {}, "lacks .* of its classes: a, a/a1"),
        (OLD, {"paths": "multiple"}, "trained for single label paths, the data have multiple"),
    ],
)
def test_what_is_no_larger_hierarchy_is_refused(paths: list[str], changes: Any, says: str) -> None:
    old, new = task(OLD), task(paths, **changes)
    with pytest.raises(BadInput, match=says):
        expand(Net(LevelHeads, new), Net(LevelHeads, old).state_dict(), old, new)


def test_levels_that_are_torn_apart_are_refused() -> None:
    old = Task(hierarchy=Hierarchy.from_edges([("", "a"), ("", "b")]))
    new = Task(hierarchy=Hierarchy.from_edges([("", "a"), ("", "r"), ("r", "b")]))
    with pytest.raises(BadInput, match="classes of level 1 are on the levels 1, 2"):
        expand(Net(LevelHeads, new), Net(LevelHeads, old).state_dict(), old, new)


def test_other_networks_are_refused() -> None:
    old, new = task(OLD), task(GROWN["within a level"])
    state = Net(LevelHeads, old).state_dict()
    with pytest.raises(BadInput, match=r"other sizes: head.levels.0.weight has shape \(2, 7\), \(2, 9\)"):
        expand(Net(LevelHeads, new, width=9), state, old, new)
    with pytest.raises(BadInput, match="another network"):
        expand(Net(LeafHead, new), state, old, new)
    with pytest.raises(BadInput, match="another network"):
        expand(Net(LevelHeads, new), {**state, "extra": torch.ones(1)}, old, new)


@pytest.mark.parametrize("kind", ["conditional", "max"])
def test_heads_that_cannot_grow_say_so(kind: str) -> None:
    def head(width: int, of: Task) -> nn.Module:
        return make_head(kind, width, of)

    old, new = task(OLD), task(GROWN["within a level"])
    with pytest.raises(BadInput, match="cannot be expanded"):
        expand(Net(head, new), Net(head, old).state_dict(), old, new)
    same = Net(head, old)
    expand(same, Net(head, old).state_dict(), old, old)  # nothing has to grow


REGRESSION = Task(kind="regression", targets=("x",))


@pytest.mark.parametrize(
    ("new", "other"),
    [
        (task(OLD), False),
        (task(GROWN["a level above"]), False),
        (task(["a/a1", "c/c1"]), False),  # classes are missing: refused
        (task(["a/z", "b/y"]), True),
        (task(["p/q", "p/r"], paths="multiple"), True),
        (REGRESSION, True),
    ],
)
def test_another_taxonomy_has_no_common_end(new: Task, other: bool) -> None:
    assert is_other_taxonomy(task(OLD), new) == other


@pytest.mark.parametrize("new", [task(["a/z", "b/y"]), REGRESSION])
def test_the_body_is_taken_over_and_the_head_is_new(new: Task) -> None:
    torch.manual_seed(0)
    before, after = Net(LevelHeads, task(OLD)), Net(LevelHeads, new)
    drawn = {name: value.clone() for name, value in after.head.state_dict().items()}
    assert take_body(after, before.state_dict()) == "body"
    for name, value in after.body.state_dict().items():
        assert torch.equal(value, before.body.state_dict()[name])
    assert all(torch.equal(drawn[name], value) for name, value in after.head.state_dict().items())


def test_what_stands_before_the_body_is_taken_over_too() -> None:
    class Patched(Net):
        def __init__(self, of: Task) -> None:
            super().__init__(LevelHeads, of)
            self.patches, self.place = nn.Linear(4, 4), nn.Parameter(torch.randn(4))
            self.norm = nn.LayerNorm(7)

        def parts(self) -> tuple[list[nn.Module], nn.Module]:
            return [self.norm, self.head], self.body

    before, after = Patched(task(OLD)), Patched(task(["a/z", "b/y"]))
    nn.init.constant_(before.norm.bias, 3.0)
    assert take_body(after, before.state_dict()) == "all but norm, head"
    assert torch.equal(after.place, before.place) and torch.equal(after.patches.weight, before.patches.weight)
    assert torch.equal(after.body[0].weight, before.body[0].weight) and not after.norm.bias.any()


def test_a_body_of_other_sizes_or_without_a_name_is_refused() -> None:
    state = Net(LevelHeads, task(OLD)).state_dict()
    with pytest.raises(BadInput, match=r"other sizes: body.0.weight has shape"):
        take_body(Net(LevelHeads, REGRESSION, width=9), state)
    with pytest.raises(BadInput, match="does not say what its body is"):
        take_body(nn.Linear(2, 2), state)
