"""Fewer samples, wrong labels, classes never shown: nested, on the same test partition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from hmcbench.data.protocol import Protocol
from hmcbench.data.splits import make_split
from hmcbench.data.variants import can_be_unknown, divide
from hmcbench.errors import BadInput
from hmcbench.interfaces import Dataset
from hmcbench.testing.helpers import tiny_dataset, tiny_hierarchy


def share(dataset: Dataset, part: float, **more: Any) -> set[int]:
    """The training rows of a share; the other partitions are those of the whole."""
    protocol = Protocol(train_share=(part,), **more)
    same, split = divide(dataset, protocol)
    whole = make_split(dataset, protocol)
    assert same is dataset
    for side in ("validation", "test"):
        assert split.sides[side].tolist() == whole.sides[side].tolist()
    assert set(split.sides["train"]) <= set(whole.sides["train"])
    assert split.fingerprint != whole.fingerprint
    return set(split.sides["train"].tolist())


@given(seed=st.integers(0, 1000), kind=st.sampled_from(["multiple", "dag"]))
def test_smaller_shares_are_contained_in_larger_ones(seed: int, kind: Any) -> None:
    dataset = tiny_dataset(120, kind)
    sizes = []
    before: set[int] = set()
    for part in (0.1, 0.25, 0.5, 0.9):
        rows = share(dataset, part, seed=seed)
        assert before <= rows
        before = rows
        sizes.append(len(rows))
    whole = len(make_split(dataset, Protocol(seed=seed)).sides["train"])
    assert sizes == [max(1, round(part * whole)) for part in (0.1, 0.25, 0.5, 0.9)]


def test_shares_are_stratified_and_keep_groups_together(counted: Callable[..., Dataset]) -> None:
    dataset = counted([100, 60, 40, 20, 20])
    rows = sorted(share(dataset, 0.2))
    classes = dataset.targets[rows][:, dataset.task.hierarchy.leaves].sum(axis=0)  # type: ignore[union-attr]
    whole = make_split(dataset, Protocol()).sides["train"]
    expected = 0.2 * dataset.targets[whole][:, dataset.task.hierarchy.leaves].sum(axis=0)  # type: ignore[union-attr]
    assert np.abs(classes - expected).max() <= 1.5
    grouped = tiny_dataset(120, groups=[f"g{i % 24}" for i in range(120)])
    chosen = share(grouped, 0.3)
    split = make_split(grouped, Protocol())
    assert grouped.groups is not None
    names = {grouped.groups[row] for row in chosen}
    assert {row for row in split.sides["train"].tolist() if grouped.groups[row] in names} == chosen


def test_a_share_that_leaves_a_class_empty_is_refused_with_one_that_does_not() -> None:
    dataset = tiny_dataset(60)
    with pytest.raises(BadInput, match=r"train_share = 0\.05 leaves \d classes without") as error:
        divide(dataset, Protocol(train_share=(0.05,)))
    least = float(str(error.value).partition("from ")[2].split()[0])
    divide(dataset, Protocol(train_share=(least,)))
    with pytest.raises(BadInput, match="without a training sample"):
        divide(dataset, Protocol(train_share=(least - 0.03,)))
    _, split = divide(tiny_dataset(60, "dag"), Protocol(train_share=(0.04,)))  # several paths: a note
    assert any("classes without a training sample" in note for note in split.notes)


@pytest.mark.parametrize("kind", ["tree", "ragged", "multiple", "dag"])
@pytest.mark.parametrize("to", ["sibling", "any"])
@pytest.mark.parametrize("sparse", [False, True])
def test_wrong_labels_are_nested_and_only_in_training(kind: Any, to: str, sparse: bool) -> None:
    dataset = tiny_dataset(100, kind)
    if sparse:
        dataset = tiny_dataset(100, kind, views={}, fingerprint="")
        dataset = Dataset(**{**vars(dataset), "targets": csr_array(dataset.targets)})
    hierarchy = dataset.task.hierarchy
    assert hierarchy is not None
    before = np.asarray(dataset.targets.toarray() if sparse else dataset.targets)
    changed: set[int] = set()
    for rate in (0.1, 0.3):
        noisy, split = divide(dataset, Protocol(label_noise=(rate,), noise_to=to))
        after = np.asarray(noisy.targets.toarray() if sparse else noisy.targets)
        assert hierarchy.is_closed(after)
        rows = set(np.flatnonzero((after != before).any(axis=1)).tolist())
        assert changed <= rows <= set(split.sides["train"].tolist())
        assert len(rows) <= round(rate * len(split.sides["train"]))
        assert len(rows) >= (round(rate * len(split.sides["train"])) if kind in ("tree", "ragged") else 1)
        changed = rows
        if kind == "tree":
            leaves = hierarchy.leaves
            assert (after[:, leaves].sum(axis=1) == 1).all()
            kept = (after[:, :2] == before[:, :2]).all(axis=1)[sorted(rows)]
            assert kept.all() == (to == "sibling")
        assert "label noise" in split.notes[-1]


@pytest.mark.parametrize("kind", ["tree", "ragged", "multiple", "dag"])
def test_unknown_classes_are_never_shown(kind: Any) -> None:
    dataset = tiny_dataset(120, kind)
    name = "e" if kind == "dag" else "a1"
    protocol = Protocol(calibration=0.2, unknown=(name,))
    reduced, split = divide(dataset, protocol)
    whole = make_split(dataset, protocol)
    before, after = dataset.task.hierarchy, reduced.task.hierarchy
    assert before is not None and after is not None
    gone = {
        c for c in before.classes if name in before.decode(before.encode([[c]])) or c.startswith(f"{name}x")
    }
    assert name not in after and set(after.classes) <= set(before.classes) - {name}
    rows = set(np.flatnonzero(dataset.targets[:, before.index(name)]).tolist())
    assert rows <= split.unknown
    for side in ("train", "validation", "calibration"):
        assert not split.unknown & set(split.sides[side].tolist())
        assert set(split.sides[side]) == set(whole.sides[side]) - split.unknown
    assert split.sides["test"].tolist() == whole.sides["test"].tolist()
    columns = [before.index(c) for c in after.classes]
    np.testing.assert_array_equal(reduced.targets, dataset.targets[:, columns])
    assert after.is_closed(reduced.targets)
    assert gone
    several = dataset.task.paths != "single"
    assert any("no metric of unknown classes" in note for note in split.notes) == several


@pytest.mark.parametrize(
    ("kind", "protocol", "says"),
    [
        ("chain", {"unknown": ("a1",)}, "the only class of a that would be shown"),
        ("tree", {"unknown": ("a1", "a2")}, "the only class of a that would be shown"),
        ("tree", {"unknown": ("a", "b")}, "the only class at the top"),
        ("tree", {"unknown": ("a11",)}, "did you mean 'a1'"),
        ("regression", {"label_noise": (0.1,)}, "need classes"),
        ("regression", {"unknown": ("a",)}, "need classes"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(kind: Any, protocol: Any, says: str) -> None:
    with pytest.raises(BadInput, match=says) as error:
        divide(tiny_dataset(60, kind), Protocol(**protocol))
    assert "\n" not in str(error.value)


def test_a_class_with_a_sibling_can_be_unknown() -> None:
    chain = tiny_hierarchy("chain")
    assert [c for c in chain.classes if can_be_unknown(chain, c)] == ["a", "b", "b1x", "b1y"]


def test_a_plain_protocol_changes_nothing() -> None:
    dataset = tiny_dataset(60)
    same, split = divide(dataset, Protocol())
    assert same is dataset
    assert split.fingerprint == make_split(dataset, Protocol()).fingerprint


def test_one_protocol_stands_for_several() -> None:
    protocol = Protocol(train_share=(0.1, 1), label_noise=(0, 0.2), noise_to="any", unknown=("each",))
    each = protocol.variants(["x", "y"])
    assert len(each) == 2 * 3
    assert [(v.unknown, v.train_share, v.label_noise) for v in each[:3]] == [
        (("x",), (0.1,), ()),
        (("x",), (), ()),
        (("x",), (), (0.2,)),
    ]
    assert Protocol().variants() == [Protocol()]
    beside = Protocol(unknown=("none", "each"), train_share=(0.1, 1.0), label_noise=(0.2,))
    assert [(v.unknown, v.train_share, v.label_noise) for v in beside.variants(["x", "y"])] == [
        ((), (0.1,), ()),
        ((), (), ()),
        ((), (), (0.2,)),
        (("x",), (), ()),
        (("y",), (), ()),
    ]
    named = Protocol(unknown=("none", "x", "y"))
    assert [v.unknown for v in named.variants()] == [(), ("x", "y")]
    assert [v.unknown for v in Protocol(unknown=("none",)).variants()] == [()]
    for variant in each:
        assert Protocol.of_record(variant.to_json()) == variant
        assert set(variant.to_json()) - set(Protocol().to_json()) <= {
            *("unknown", "train_share", "label_noise", "noise_to"),
        }


# --------------------------------------------------------------------------- copies in further test sets


@pytest.mark.parametrize("kind", ["holdout", "kfold"])
def test_a_random_split_leaves_a_further_test_set_no_copy_of_what_a_model_sees(
    kind: str, counted: Callable[..., Dataset]
) -> None:
    protocol = Protocol(kind, test=0.2, validation=0.25, calibration=0.1)
    keys = [f"{i // 5}" if i % 5 < 2 else f"own {i}" for i in range(100)]  # shifted ones show those of test
    dataset = counted([20] * 5, split=["shifted", "test", "train", "", ""] * 20, duplicates=keys)
    whole, (_, split) = make_split(dataset, protocol), divide(dataset, protocol)
    tested = {keys[row] for row in split.sides["test"]}
    assert [keys[row] for row in split.sides["shifted"]] == [key for key in keys[::5] if key in tested]
    left = 20 - len(split.sides["shifted"])
    assert f"left out of shifted: {left} of 20 samples, copies of what a model sees" in split.notes
    assert not any("lie in" in note for note in split.notes)
    assert split.fingerprint != whole.fingerprint
    for side in ("train", "validation", "calibration", "test"):
        assert split.sides[side].tolist() == whole.sides[side].tolist()
    own = divide(dataset, Protocol("predefined"))[1]
    assert own.sides["shifted"].tolist() == list(range(0, 100, 5))


def test_a_further_test_set_that_is_trained_on_is_gone(counted: Callable[..., Dataset]) -> None:
    dataset = counted([20] * 5, split=["shifted"] + ["train"] * 99, duplicates=["a"] * 2 + [""] * 98)
    sides = [divide(dataset, Protocol("kfold", seed=seed))[1].sides for seed in range(9)]
    there = ["shifted" in parts for parts in sides]
    assert there == [1 in parts["test"] for parts in sides] and set(there) == {False, True}


def test_without_copies_the_split_is_that_of_all_samples(counted: Callable[..., Dataset]) -> None:
    dataset = counted([20] * 5, split=["shifted", "test", "train", "", ""] * 20, duplicates=[""] * 100)
    for kind in ("holdout", "kfold"):
        assert (
            divide(dataset, Protocol(kind))[1].fingerprint == make_split(dataset, Protocol(kind)).fingerprint
        )
