"""Stratification: every partition gets its share of every class."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hmcbench.data.protocol import Protocol
from hmcbench.data.splits import make_split
from hmcbench.data.stratify import Bundle, SplitUnits, _Assignment, _rounded, _set_aside
from hmcbench.errors import BadInput
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Dataset, Task
from hmcbench.testing.helpers import Kind, tiny_dataset

Counted = Callable[..., Dataset]


@given(
    st.integers(10, 300),
    st.sampled_from(["tree", "ragged", "multiple", "dag", "regression"]),
    st.floats(0.05, 0.6),
    st.floats(0.05, 0.6),
)
@settings(max_examples=60)
def test_single_units_fill_the_partitions_to_within_one_sample(
    n: int, kind: Kind, test: float, valid: float
) -> None:
    split = make_split(tiny_dataset(n, kind), Protocol("holdout", test=test, validation=valid))
    sizes = {side: len(rows) for side, rows in split.sides.items()}
    assert abs(sizes["test"] - max(1, test * n)) <= 1
    assert abs(sizes["validation"] - max(1, valid * (n - sizes["test"]))) <= 1


@given(st.lists(st.integers(1, 30), min_size=5, max_size=5), st.sampled_from([0.1, 0.2, 0.25, 1 / 3]))
@example([1, 1, 1, 1, 3], 0.25)
@settings(max_examples=60)
def test_every_leaf_gets_its_share_to_within_one_sample(
    counted: Counted, counts: list[int], test: float
) -> None:
    dataset = counted(counts)
    split = make_split(dataset, Protocol("holdout", test=test, validation=0.2))
    held = dataset.targets[split.sides["test"]].sum(0)
    for k, n in zip(dataset.task.hierarchy.leaves, counts, strict=True):  # type: ignore[union-attr]
        given_by_others = test * counts.count(1)  # a leaf of one sample stays in training
        assert abs(held[k] - test * n) < 1 + given_by_others + 1e-5 or n == 1 or sum(counts) * test < 1


def test_stratification_is_exact_where_it_can_be(counted: Counted) -> None:
    dataset = counted([100, 60, 20, 20, 40])
    split = make_split(dataset, Protocol("holdout", test=0.1, validation=1 / 3))
    leaves = dataset.task.hierarchy.leaves  # type: ignore[union-attr]
    assert dataset.targets[split.sides["test"]][:, leaves].sum(0).tolist() == [10, 6, 2, 2, 4]
    assert dataset.targets[split.sides["validation"]][:, leaves].sum(0).tolist() == [30, 18, 6, 6, 12]
    assert split.notes == ()


def test_many_labels_per_sample_stay_close_to_their_shares() -> None:
    rng = np.random.default_rng(3)
    names = [f"c{i}" for i in range(20)]
    hierarchy = Hierarchy.from_edges([("", name) for name in names])
    labels = [[names[k] for k in np.flatnonzero(rng.random(20) < 0.2)] for _ in range(600)]
    dataset = Dataset(
        ids=[str(i) for i in range(600)],
        views={},
        targets=hierarchy.encode(labels),
        task=Task(paths="multiple", hierarchy=hierarchy),
        fingerprint="",
    )
    split = make_split(dataset, Protocol("holdout", test=0.2, validation=0.25))
    total = np.asarray(dataset.targets.sum(0))
    for side, share in (("train", 0.6), ("validation", 0.2), ("test", 0.2)):
        held = np.asarray(dataset.targets[split.sides[side]].sum(0))
        assert np.abs(held - share * total).max() < 4  # a random split is off by 10 and more


def test_a_class_of_one_unit_trains_and_is_noted(counted: Counted) -> None:
    split = make_split(counted([1, 30, 30, 1, 30]), Protocol("holdout", test=0.3, validation=0.3))
    assert {0, 61} <= set(split.sides["train"].tolist())
    assert "classes absent from test: a0, b1" in split.notes
    assert "classes absent from validation: a0, b1" in split.notes
    group = ["pair"] * 2 + [""] * 90
    split = make_split(counted([2, 30, 30, 1, 29], groups=group), Protocol("holdout", test=0.4))
    assert {0, 1} <= set(split.sides["train"].tolist())


def test_large_groups_are_balanced_as_well_as_possible_and_deviations_noted(counted: Counted) -> None:
    dataset = counted([20] * 5, groups=[f"g{i // 10}" for i in range(100)])
    split = make_split(dataset, Protocol("holdout", test=0.2, validation=0.25))
    assert {side: len(rows) for side, rows in split.sides.items()} == {
        "train": 60,
        "validation": 20,
        "test": 20,
    }
    assert any(note.startswith("classes absent from test: ") for note in split.notes)
    assert any(note.startswith("not exactly stratified: ") for note in split.notes)


def sides_with(
    counted: Counted, counts: list[int], tested: list[int]
) -> tuple[SplitUnits, dict[str, list[int]]]:
    """``tested`` of ``counts`` samples of each leaf are for testing, the others for training."""
    starts = np.cumsum([0, *counts])
    test = [int(start) + i for start, n in zip(starts, tested, strict=False) for i in range(n)]
    train = [row for row in range(sum(counts)) if row not in test]
    return SplitUnits(counted(counts), 0), {"train": train, "test": test}


def test_a_deviation_is_told_with_its_numbers(counted: Counted) -> None:
    shares = {"train": 4, "test": 1}
    units, sides = sides_with(counted, [10] * 5, [4, 0, 2, 2, 2])
    text = "not exactly stratified: a/a0 in train: 6, expected 8.0 (other counts like this: 3)"
    assert units._deviations(sides, shares) == [text.replace("a/a0", units.dataset.task.hierarchy.classes[2])]  # type: ignore[union-attr]
    units, sides = sides_with(counted, [50, 10, 10, 10, 10], [8, 3, 3, 2, 2])
    (note,) = units._deviations(sides, shares)
    assert note.endswith("in test: 8, expected 10.0"), "one alone has no others"
    units, sides = sides_with(counted, [50, 50, 10, 10, 10], [8, 12, 2, 2, 2])
    (note,) = units._deviations(sides, shares)
    assert note.endswith("in test: 8, expected 10.0 (other counts like this: 1)")


@pytest.mark.parametrize(
    ("tested", "told"),
    [([4, 4, 0, 1, 1], "a in train: 12, expected 16.0"), ([4] * 5, "samples in train: 30, expected 40.0")],
)
def test_the_first_class_and_the_number_of_samples_may_deviate_most(
    counted: Counted, tested: list[int], told: str
) -> None:
    units, sides = sides_with(counted, [10] * 5, tested)
    (note,) = units._deviations(sides, {"train": 4, "test": 1})
    assert note.startswith(f"not exactly stratified: {told}")


def test_deviations_of_a_sample_or_a_tenth_are_none(counted: Counted) -> None:
    shares = {"train": 4, "test": 1}
    one_sample = sides_with(counted, [10] * 5, [3, 1, 2, 2, 2])
    a_tenth = sides_with(counted, [100, 10, 10, 10, 10], [18, 3, 3, 2, 2])
    for units, sides in (one_sample, a_tenth):
        assert units._deviations(sides, shares) == []


def test_every_sample_has_the_columns_of_its_classes(counted: Counted) -> None:
    assert SplitUnits(counted([1, 0, 2, 0, 0]), 0).classes == [(0, 2), (1, 4), (1, 4)]
    assert SplitUnits(tiny_dataset(3, "regression"), 0).classes == [(), (), ()]


@pytest.mark.parametrize(
    ("parts", "named"), [(4, "fold 0, fold 1, fold 2, fold 3"), (5, "5 parts"), (6, "6 parts")]
)
def test_up_to_four_parts_are_named_where_units_are_too_few(counted: Counted, parts: int, named: str) -> None:
    units = SplitUnits(counted([2, 2, 0, 0, 2], groups=["g", "g", "h", "h", "i", "i"]), 0)
    with pytest.raises(BadInput, match=f"6 samples in 3 units cannot be divided into {named}"):
        units.divide(range(6), {f"fold {k}": 1 for k in range(parts)}, [])


@pytest.mark.parametrize(
    ("lone", "others", "shares"),
    [(1, 2, {"train": 1, "test": 3}), (2, 3, {"train": 1, "test": 5}), (2, 2, None), (1, 1, None)],
)
def test_units_are_set_aside_where_train_and_the_other_partitions_have_enough_left(
    lone: int, others: int, shares: dict[str, int] | None
) -> None:
    """Train and test have one half each; train keeps its lone units and gets the fewer of the others."""
    alone = [Bundle([[row]], [], 1) for row in range(lone)]
    rest = [Bundle([[lone + row] for row in range(others)], [], others + 1)]
    halves = {"train": 1, "test": 1}
    parts = _set_aside([*alone, *rest], halves)
    assert parts == ((alone, rest, shares) if shares else ([], [*alone, *rest], halves))


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [(10, [1, 1, 1], [4, 3, 3]), (10, [7, 2, 2], [6, 2, 2]), (5, [3, 8], [1, 4]), (6, [1, 2], [2, 4])],
)
def test_whole_numbers_in_proportion_have_the_largest_remainders(
    total: int, weights: list[int], parts: list[int]
) -> None:
    assert _rounded(total, weights) == parts


def test_the_room_of_a_partition_is_counted_in_samples() -> None:
    pairs = Bundle([[2 * i, 2 * i + 1] for i in range(5)], [(0, 2), (-1, 2)], 5)
    assignment = _Assignment([pairs], {"train": 1, "test": 1}, 2)
    assert assignment.room == [1, 1]  # five samples each, without two pairs
    assignment.add(pairs)
    assert assignment.room == [-1, 1]
    assert assignment.sides() == {"train": [0, 1, 2, 3, 8, 9], "test": [4, 5, 6, 7]}


def test_a_partition_with_its_exact_share_of_a_bundle_gets_no_further_unit() -> None:
    """Train lacks the class of the first two bundles most when the second is divided: 1, 1/2 and 1/2."""
    bundles = [
        Bundle([[0], [1], [2]], [(0, 1), (1, 1), (-1, 1)], 3),
        Bundle([[3], [4]], [(0, 1), (2, 1), (-1, 1)], 2),
        Bundle([[5], [6], [7]], [(3, 1), (4, 1), (-1, 1)], 3),
    ]
    assignment = _Assignment(bundles, {"train": 2, "validation": 1, "test": 1}, 6)
    for bundle in bundles:
        assignment.add(bundle)
    sides = assignment.sides()
    assert len({3, 4} & set(sides["train"])) == 1
    assert [len(rows) for rows in sides.values()] == [4, 2, 2]


def test_folds_take_a_class_of_one_unit_too(counted: Counted) -> None:
    notes: list[str] = []
    units = SplitUnits(counted([1, 9, 9, 9, 9]), 0)
    folds = units.divide(range(37), {"0": 1, "1": 1, "2": 1}, notes)
    assert sorted(len(rows) for rows in folds.values()) == [12, 12, 13]


@given(st.lists(st.integers(1, 12), min_size=4, max_size=30), st.integers(0, 4))
@settings(max_examples=80)
def test_units_of_any_size_are_divided_once_each(counted: Counted, sizes: list[int], test: int) -> None:
    n = sum(sizes)
    counts = [n // 5 + (i < n % 5) for i in range(5)]
    groups = [f"g{i}" for i, size in enumerate(sizes) for _ in range(size)]
    shares = {"train": 5 - test, "validation": 1, "test": test}
    sides = SplitUnits(counted(counts, groups=groups), 0).divide(range(n), shares, [])
    assert sorted(row for rows in sides.values() for row in rows) == list(range(n))
    for side, share in shares.items():
        assert abs(len(sides[side]) - share * n / sum(shares.values())) <= 2 * max(sizes)


def test_no_partition_stays_empty(counted: Counted) -> None:
    dataset = counted([20] * 5, groups=[f"g{i // 34}" for i in range(100)])
    split = make_split(dataset, Protocol("holdout", test=0.01, validation=0.01))
    assert sorted(len(rows) for rows in split.sides.values()) == [32, 34, 34]


def test_groups_and_duplicates_merge_into_one_unit(counted: Counted) -> None:
    groups = ["a", "a", "b", "b", "", "", "", "", "", ""]
    duplicates = ["1", "2", "2", "3", "3", "4", "5", "6", "7", "8"]  # binds both groups and sample 4
    dataset = counted([2] * 5, groups=groups, duplicates=duplicates)
    for seed in range(10):
        sides = make_split(dataset, Protocol("holdout", test=0.3, validation=0.3, seed=seed)).sides
        assert any({0, 1, 2, 3, 4} <= set(rows.tolist()) for rows in sides.values())


def test_time_grows_with_the_number_of_samples(growth: Callable[..., float]) -> None:
    hierarchy = Hierarchy.from_edges([(f"p{i // 5}", f"c{i}") for i in range(125)])
    leaves = hierarchy.leaves

    def prepare(samples: int) -> Callable[[], object]:
        rng = np.random.default_rng(0)
        labels = [[hierarchy.classes[leaves[k]]] for k in rng.integers(0, 125, samples)]
        dataset = Dataset(
            ids=[f"{i:06d}" for i in range(samples)],
            views={},
            targets=hierarchy.encode(labels),
            task=Task(hierarchy=hierarchy),
            fingerprint="",
        )
        return lambda: make_split(dataset, Protocol("holdout"))

    assert growth(prepare, 1_250, 20_000) < 64
