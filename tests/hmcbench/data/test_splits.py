"""Splits: their partitions, notes and errors, and that they never change."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from hmcbench.data.protocol import Protocol
from hmcbench.data.splits import Split, make_split, side
from hmcbench.errors import BadInput
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Dataset, Task
from hmcbench.testing.helpers import Kind, tiny_dataset, tiny_hierarchy

Counted = Callable[..., Dataset]
HOLDOUT = Protocol("holdout", test=0.2, validation=0.25)
KFOLD = Protocol("kfold", folds=5)


def ids_of(dataset: Dataset, split: Split) -> dict[str, list[str]]:
    return {side: [dataset.ids[i] for i in rows] for side, rows in split.sides.items()}


def shuffled(dataset: Dataset, seed: int) -> Dataset:
    """The same dataset with its rows in another order."""
    order = np.random.default_rng(seed).permutation(len(dataset.ids))
    keys: dict[str, Any] = {
        name: [getattr(dataset, name)[i] for i in order]
        for name in ("ids", "groups", "duplicates", "split")
        if getattr(dataset, name) is not None
    }
    return replace(dataset, targets=dataset.targets[order], **keys)


def assert_partition(dataset: Dataset, split: Split) -> None:
    rows = np.concatenate(list(split.sides.values()))
    assert sorted(rows.tolist()) == list(range(len(dataset.ids)))


# --------------------------------------------------------------------------- properties


@st.composite
def datasets(draw: st.DrawFn) -> Dataset:
    n = draw(st.integers(25, 70))
    kind: Kind = draw(st.sampled_from(["tree", "ragged", "multiple", "dag", "regression"]))
    dataset = tiny_dataset(n, kind, seed=draw(st.integers(0, 5)))
    keys = st.lists(st.integers(0, 3 * n), min_size=n, max_size=n)
    names: dict[str, Any] = {}
    if draw(st.booleans()):
        names["groups"] = [f"g{g}" if g % 4 else "" for g in draw(keys)]
    if draw(st.booleans()):
        names["duplicates"] = [f"d{d}" for d in draw(keys)]
    if draw(st.booleans()):
        dataset = replace(dataset, targets=sparse.csr_array(dataset.targets))
    return replace(dataset, **names)


@given(datasets(), st.sampled_from([HOLDOUT, KFOLD]), st.integers(0, 3))
@settings(max_examples=60)
def test_sides_are_disjoint_complete_whole_and_the_same_in_any_order(
    dataset: Dataset, protocol: Protocol, seed: int
) -> None:
    split = make_split(dataset, replace(protocol, seed=seed), fold=seed if protocol is KFOLD else 0)
    assert list(split.sides) == ["train", "validation", "test"]
    assert all(len(rows) for rows in split.sides.values())
    assert_partition(dataset, split)
    side_of = {i: side for side, rows in split.sides.items() for i in rows.tolist()}
    for keys in (dataset.groups, dataset.duplicates):
        for key in set(keys or ()) - {""}:
            assert len({side_of[i] for i, k in enumerate(keys or ()) if k == key}) == 1
    other = shuffled(dataset, seed)
    again = make_split(other, replace(protocol, seed=seed), fold=seed if protocol is KFOLD else 0)
    assert ids_of(other, again) == ids_of(dataset, split)
    assert (again.fingerprint, again.notes) == (split.fingerprint, split.notes)
    for names in ids_of(dataset, split).values():
        assert names == sorted(names)


def test_every_fold_is_the_test_side_once(counted: Counted) -> None:
    dataset = counted([10, 5, 15, 5, 20])
    splits = [make_split(dataset, KFOLD, fold) for fold in range(5)]
    tests = [s.sides["test"] for s in splits]
    assert sorted(np.concatenate(tests).tolist()) == list(range(55))
    for split in splits:
        held = dataset.targets[split.sides["test"]].sum(0).tolist()
        assert held == [3, 8, 2, 1, 3, 1, 4]
        assert len(split.sides["validation"]) == 4  # a tenth of the 44 others
        assert_partition(dataset, split)
    assert len({s.fingerprint for s in splits}) == 5


def test_the_seed_matters_and_validation_may_be_switched_off(counted: Counted) -> None:
    dataset = counted([20] * 5)
    fingerprints = {make_split(dataset, Protocol("holdout", seed=seed)).fingerprint for seed in range(5)}
    assert len(fingerprints) == 5
    assert len(make_split(dataset, Protocol("holdout", validation=0.0)).sides["validation"]) == 0


def test_repeats_are_the_holdouts_of_the_following_seeds(counted: Counted) -> None:
    dataset = counted([20] * 5)
    protocol = Protocol("holdout", seed=3, repeats=4)
    fingerprints = [make_split(dataset, protocol, fold).fingerprint for fold in range(4)]
    assert fingerprints == [
        make_split(dataset, Protocol("holdout", seed=3 + k)).fingerprint for k in range(4)
    ]
    with pytest.raises(BadInput, match="folds 0 to 3"):
        make_split(dataset, protocol, fold=4)


# --------------------------------------------------------------------------- predefined


def test_predefined_sides_are_kept_and_validation_is_drawn_from_train(counted: Counted) -> None:
    given_sides = ["train", "train", "train", "", "test"] * 20
    split = make_split(counted([20] * 5, split=given_sides), Protocol("predefined", validation=0.25))
    assert split.sides["test"].tolist() == list(range(4, 100, 5))
    assert (len(split.sides["train"]), len(split.sides["validation"])) == (60, 20)
    given_sides = ["train", "validation", "test", "shifted", "test"] * 20
    split = make_split(counted([20] * 5, split=given_sides), Protocol("predefined"))
    assert list(split.sides) == ["train", "validation", "test", "shifted"]
    assert split.sides["validation"].tolist() == list(range(1, 100, 5))


def test_test_is_drawn_from_undecided_samples_only(counted: Counted) -> None:
    dataset = counted([20] * 5, split=["train", ""] * 50)
    split = make_split(dataset, Protocol("predefined", test=0.2))
    assert len(split.sides["test"]) == 10
    assert all(i % 2 for i in split.sides["test"])
    with pytest.raises(BadInput, match="no test side"):
        make_split(replace(dataset, split=["train", "validation"] * 50), Protocol("predefined"))


def test_without_own_sides_predefined_holds_out(counted: Counted) -> None:
    dataset = counted([20] * 5)
    split = make_split(dataset, Protocol("predefined"))
    assert split.fingerprint == make_split(dataset, Protocol("holdout")).fingerprint
    assert "no sides of its own" in split.notes[0]


@pytest.mark.parametrize("protocol", [HOLDOUT, KFOLD])
def test_a_further_test_set_is_never_trained_on(protocol: Protocol, counted: Counted) -> None:
    dataset = counted([20] * 5, split=["shifted", "test", "train", "", ""] * 20)
    split = make_split(dataset, protocol)
    assert split.sides["shifted"].tolist() == list(range(0, 100, 5))
    assert "own sides were set aside" in split.notes[0]
    assert_partition(dataset, split)


def test_copies_in_two_test_sets_are_no_leak(counted: Counted) -> None:
    keys = [f"{i // 5}" if i % 5 < 2 else f"own {i}" for i in range(100)]
    dataset = counted([20] * 5, split=["shifted", "test", "train", "", ""] * 20, duplicates=keys)
    assert not any("lie in" in note for note in make_split(dataset, Protocol("predefined")).notes)


def test_leaks_of_a_predefined_split_are_reported_and_dropped_on_request(counted: Counted) -> None:
    given_sides = ["train", "test", "validation", "train", "shifted"] * 20
    duplicates = [str(i) for i in range(100)]
    for copy, original in ((0, 1), (3, 2), (7, 6), (4, 9), (11, 16)):
        duplicates[copy] = duplicates[original]
    dataset = counted([20] * 5, split=given_sides, duplicates=duplicates)
    noted = make_split(dataset, Protocol("predefined"))
    assert "1 times identical copies lie in train and test" in noted.notes
    assert "1 times identical copies lie in train and validation" in noted.notes
    assert "1 times identical copies lie in validation and test" in noted.notes
    assert sum("identical copies" in note for note in noted.notes) == 3  # 4 and 9 are both shifted
    assert_partition(dataset, noted)
    dropped = make_split(dataset, Protocol("predefined", drop_leaks=True))
    left = set(range(100)) - {i for rows in dropped.sides.values() for i in rows.tolist()}
    assert left == {0, 3, 7}
    counts = "2 of train, 1 of validation"
    assert f"identical copies of samples of other sides, left out: {counts}" in dropped.notes
    assert dropped.fingerprint != noted.fingerprint


def test_groups_torn_by_a_predefined_split_are_noted_but_kept(counted: Counted) -> None:
    groups = ["g"] * 5 + [""] * 95
    dataset = counted([20] * 5, split=["train", "test"] * 50, groups=groups)
    split = make_split(dataset, Protocol("predefined", drop_leaks=True))
    assert "1 times samples of one group lie in train and test" in split.notes
    assert_partition(dataset, split)


# --------------------------------------------------------------------------- what cannot be done


def test_too_little_data_is_one_clear_error(counted: Counted) -> None:
    two = counted([1, 1, 0, 0, 0])
    with pytest.raises(BadInput, match="1 samples in 1 units cannot be divided into train, validation"):
        make_split(two, HOLDOUT)
    one_group = counted([20] * 5, groups=["g"] * 100)
    with pytest.raises(BadInput, match="100 samples in 1 units cannot be divided into train, test"):
        make_split(one_group, HOLDOUT)
    with pytest.raises(BadInput, match="at least one unit per side"):
        make_split(counted([1, 1, 1, 1, 0]), KFOLD)
    with pytest.raises(BadInput, match="0 samples"):
        make_split(counted([1] * 5, split=["test"] * 5), Protocol("predefined"))
    with pytest.raises(BadInput, match="folds 0 to 4"):
        make_split(counted([20] * 5), KFOLD, fold=5)
    with pytest.raises(BadInput, match="no sample to train on"):
        everything = ["train", "test", "validation"] * 33 + ["test"]
        copies = [str(i // 3) for i in range(100)]
        dataset = counted([20] * 5, split=everything, duplicates=copies)
        make_split(dataset, Protocol("predefined", drop_leaks=True))


# --------------------------------------------------------------------------- the same for ever


GOLDEN = {
    ("tree", "holdout"): "b240d222f83c8ad6",
    ("ragged", "predefined"): "d353f8a33cc49b22",
    ("dag", "kfold"): "5f071b40ec2a6426",
}


@pytest.mark.parametrize(("kind", "protocol"), GOLDEN)
def test_golden(kind: Kind, protocol: Any) -> None:
    """Changing these breaks every stored result: it needs a new version of every suite."""
    hierarchy = tiny_hierarchy(kind)
    ends = hierarchy.leaves if kind == "tree" else np.arange(hierarchy.n)
    labels = [{hierarchy.classes[ends[i * i % len(ends)]]} for i in range(150)]
    if kind == "dag":
        labels = [{*labels[i], *labels[i // 2]} for i in range(150)]
    dataset = Dataset(
        ids=[f"image {i}" for i in range(150)],
        views={},
        targets=hierarchy.encode(labels),
        task=Task(hierarchy=hierarchy, paths="multiple" if kind == "dag" else "single"),
        fingerprint="",
        groups=[f"g{i % 37}" if i % 3 else "" for i in range(150)],
        split=["", "test", "", "", "shifted"] * 30,
    )
    split = make_split(dataset, Protocol(protocol, seed=7))
    assert split.fingerprint[:16] == GOLDEN[kind, protocol]


def test_another_process_finds_the_same_sides() -> None:
    program = (
        "from hmcbench.data.protocol import Protocol; from hmcbench.data.splits import make_split\n"
        "from hmcbench.testing.helpers import tiny_dataset\n"
        "print(make_split(tiny_dataset(150, 'dag'), Protocol('kfold', seed=1), 2).fingerprint)"
    )
    here = make_split(tiny_dataset(150, "dag"), Protocol("kfold", seed=1), 2).fingerprint
    there = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == here


# --------------------------------------------------------------------------- samples for a model


@pytest.mark.parametrize("grouped", [True, False])
def test_a_model_gets_the_samples_of_a_side(counted: Counted, grouped: bool) -> None:
    dataset = counted([2] * 5, groups=[f"g{i // 2}" for i in range(10)] if grouped else None)
    split = Split({"train": np.array([3, 4, 8])}, "", ())
    samples = side(dataset, {"table": np.arange(20.0).reshape(10, 2)}, split, "train")
    assert samples.ids == ["i0003", "i0004", "i0008"]
    assert samples.views["table"][:].tolist() == [[6, 7], [8, 9], [16, 17]]
    assert np.array_equal(samples.targets, dataset.targets[[3, 4, 8]])
    assert samples.groups == (["g1", "g2", "g4"] if grouped else None)


# --------------------------------------------------------------------------- a side that is put apart


@pytest.mark.parametrize("kind", ["holdout", "kfold", "predefined"])
def test_the_calibration_side_is_apart_and_takes_from_training_alone(kind: Any) -> None:
    names = ["test", "validation", "", "", ""] * 30 if kind == "predefined" else None
    dataset = tiny_dataset(150, "ragged", split=names)
    plain, apart = (make_split(dataset, Protocol(kind, calibration=share)).sides for share in (0.0, 0.2))
    assert "calibration" not in plain
    assert apart["test"].tolist() == plain["test"].tolist()
    rows = np.concatenate(list(apart.values()))
    assert len(set(rows.tolist())) == len(rows) == 150
    trained = 150 - len(plain["test"]) - (len(plain["validation"]) if kind == "predefined" else 0)
    assert len(apart["calibration"]) == pytest.approx(0.2 * trained, abs=1)
    labels = dataset.targets[apart["calibration"]].sum(axis=0)
    assert (labels > 0).all()


def test_groups_stay_out_of_the_calibration_side_or_in_it() -> None:
    dataset = tiny_dataset(150, groups=[f"g{i % 40}" for i in range(150)])
    sides = make_split(dataset, Protocol(calibration=0.3)).sides
    groups = {side: {dataset.groups[i] for i in rows} for side, rows in sides.items() if dataset.groups}
    assert not groups["calibration"] & (groups["train"] | groups["validation"] | groups["test"])


def test_a_dataset_may_bring_its_own_calibration_side() -> None:
    dataset = tiny_dataset(50, split=["test", "calibration", "", "", ""] * 10)
    for protocol in (Protocol("predefined"), Protocol("predefined", calibration=0.5)):
        assert make_split(dataset, protocol).sides["calibration"].tolist() == list(range(1, 50, 5))


@pytest.mark.parametrize(("n", "more"), [(8, ""), (9, " and 1 more")])
def test_absent_classes_are_named_up_to_eight(n: int, more: str) -> None:
    names = [f"c{i}" for i in range(n)]
    hierarchy = Hierarchy.from_edges([("", name) for name in ["common", *names]])
    labels = [["common"]] * 4 + [[name] for name in names]
    dataset = Dataset(
        ids=[str(i) for i in range(len(labels))],
        views={},
        targets=hierarchy.encode(labels),
        task=Task(hierarchy=hierarchy),
        fingerprint="",
        split=["train", "validation", "test", "train", *["train"] * n],
    )
    notes = make_split(dataset, Protocol("predefined", test=0.2, validation=0.2)).notes
    assert f"classes absent from test: {', '.join(names[:8])}{more}" in notes


def test_a_copy_of_a_test_sample_leaves_the_calibration_side(counted: Counted) -> None:
    """And of a copy in calibration the one in train goes: each has the last of its sides."""
    sides = ["train", "train", "validation", "calibration", "calibration", "test"]
    dataset = counted([20, 20, 20, 20, 20], split=[*sides, *["train"] * 94])
    copies = ["a", "b", "", "b", "a", "a", *[""] * 94]
    split = make_split(replace(dataset, duplicates=copies), Protocol("predefined", drop_leaks=True))
    assert split.sides["calibration"].tolist() == [3] and split.sides["test"].tolist() == [5]
    assert not {0, 1} & set(split.sides["train"].tolist())
    counts = "2 of train, 1 of calibration"
    assert f"identical copies of samples of other sides, left out: {counts}" in split.notes
