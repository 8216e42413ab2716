"""The synthetic dataset: counts, labels, sides, seeds; every picture by itself."""

from __future__ import annotations

import pickle
from collections import Counter

import numpy as np
import pytest
from hmcbench_sem.fractographs.generate import fractographs
from hmcbench_sem.fractographs.taxonomy import LEAF_IDS, LEAVES

from hmcbench.errors import BadInput


@pytest.mark.parametrize("seed", [0, 7])
def test_counts_are_those_of_table_1(seed):
    data = fractographs(seed=seed)
    counts = Counter(zip(data.split, (label[0] for label in data.labels), strict=True))
    for leaf in LEAVES:
        assert counts["train", leaf.id] == leaf.train
        assert counts["test", leaf.id] == counts["shifted", leaf.id] == leaf.test
    assert Counter(data.split) == {"train": 1771, "test": 193, "shifted": 193}
    assert len(data.ids) == len(set(data.ids)) == len(data.images) == len(data.labels) == 2157
    assert all(id_.startswith("synthetic-") for id_ in data.ids)
    assert all(len(label) == 1 for label in data.labels)


def test_ids_tell_side_and_class():
    data = fractographs()
    for id_, side, label in zip(data.ids, data.split, data.labels, strict=True):
        assert id_.startswith(f"synthetic-{side}-{label[0].split('/')[1]}-")


def test_a_picture_depends_on_nothing_but_its_number():
    first, again = fractographs(size=48), fractographs(size=48)
    chosen = [0, 700, 1771, 2000]
    forwards = [first.images[i].load() for i in chosen]
    np.random.default_rng().random(10)
    backwards = [pickle.loads(pickle.dumps(again.images[i])).load(min_side=16) for i in reversed(chosen)]
    for a, b in zip(forwards, reversed(backwards), strict=True):
        assert a.shape == (48, 48)
        assert a.dtype == np.uint8
        np.testing.assert_array_equal(a, b)
    assert len({image.tobytes() for image in forwards}) == len(chosen)


def test_the_shifted_set_is_frozen():
    first, other = fractographs(size=32, seed=0), fractographs(size=32, seed=5)
    shifted = [i for i, side in enumerate(first.split) if side == "shifted"]
    assert [first.images[i] for i in shifted] == [other.images[i] for i in shifted]
    assert not any(np.array_equal(first.images[i].load(), other.images[i].load()) for i in (0, 1000, 1800))
    without = fractographs(size=32, shifted=False)
    assert len(without.ids) == 1964
    assert set(without.split) == {"train", "test"}
    assert without.images == first.images[:1964]


def test_composite_failures():
    plain, mixed = fractographs(), fractographs(composite=0.3)
    assert mixed.ids == plain.ids
    assert [label[0] for label in mixed.labels] == [label[0] for label in plain.labels]
    double = np.array([len(label) == 2 for label in mixed.labels])
    for side, n in Counter(plain.split).items():
        assert double[np.array(mixed.split) == side].sum() == round(0.3 * n)
    seconds = Counter(label[1] for label in mixed.labels if len(label) == 2)
    assert set(seconds) == set(LEAF_IDS)
    assert all(len(set(label)) == len(label) for label in mixed.labels)
    assert all(len(label) == 2 for label in fractographs(composite=1.0).labels)
    i = int(np.flatnonzero(double)[0])
    assert not np.array_equal(mixed.images[i].load(), plain.images[i].load())


def test_the_fingerprint_knows_every_parameter():
    variants = [{}, {"size": 64}, {"seed": 1}, {"composite": 0.5}, {"shifted": False}]
    prints = [fractographs(**v).fingerprint for v in variants]
    assert len(set(prints)) == len(variants)
    assert fractographs().fingerprint == prints[0] == fractographs(composite=0).fingerprint
    int(prints[0], 16)


@pytest.mark.parametrize(
    ("wrong", "names"),
    [({"size": 8}, "32 to 2048"), ({"size": 5000}, "5000"), ({"seed": -1}, "-1"), ({"composite": 2}, "2")],
)
def test_bad_parameters_are_named(wrong, names):
    with pytest.raises(BadInput, match=names):
        fractographs(**wrong)


@pytest.mark.slow
def test_grey_levels_alone_do_not_tell_the_class():
    from sklearn.ensemble import RandomForestClassifier

    data = fractographs(size=64, shifted=False)
    used = np.r_[0:1771:2, 1771:1964]
    pictures = np.stack([data.images[i].load() for i in used])
    truth, test = np.array([data.labels[i][0] for i in used]), used >= 1771
    grey = np.stack([np.bincount(p.ravel() // 4, minlength=64) for p in pictures])
    forest = RandomForestClassifier(100, random_state=0).fit(grey[~test], truth[~test])
    assert forest.score(grey[test], truth[test]) <= 0.55
