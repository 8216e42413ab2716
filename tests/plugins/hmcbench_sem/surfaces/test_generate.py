"""The synthetic data of version 3: counts, labels, sides, seeds; every picture by itself."""

from __future__ import annotations

import pickle
from collections import Counter

import numpy as np
import pytest
from hmcbench_sem.datasets import sem_composite, sem_failure
from hmcbench_sem.fractographs.taxonomy import LEAVES
from hmcbench_sem.surfaces.generate import EVALUATED, pictures
from hmcbench_sem.surfaces.looks import BARE, BY_NAME

from hmcbench.errors import BadInput


def test_counts_are_those_of_table_1_and_1500_for_testing():
    data = pictures(seed=3)
    counts = Counter(zip(data.split, (label[0] for label in data.labels), strict=True))
    assert Counter(data.split) == {"train": 1771, "test": EVALUATED, "shifted": EVALUATED}
    for leaf in LEAVES:
        assert counts["train", leaf.id] == leaf.train
        assert counts["test", leaf.id] == counts["shifted", leaf.id]
        assert abs(counts["test", leaf.id] - leaf.test * EVALUATED / 193) < 1
    assert len(data.ids) == len(set(data.ids)) == len(data.images) == 4771
    assert all(len(label) == 1 for label in data.labels)
    for id_, side, label in zip(data.ids, data.split, data.labels, strict=True):
        assert id_.startswith(f"synthetic-{side}-{label[0].split('/')[1]}-")


def test_a_picture_depends_on_nothing_but_its_number():
    first, again = pictures(size=48), pictures(size=48)
    chosen = [0, 700, 1771, 4000]
    forwards = [first.images[i].load() for i in chosen]
    np.random.default_rng().random(10)
    backwards = [pickle.loads(pickle.dumps(again.images[i])).load(min_side=16) for i in reversed(chosen)]
    for a, b in zip(forwards, reversed(backwards), strict=True):
        assert a.shape == (48, 48)
        np.testing.assert_array_equal(a, b)
    assert len({image.tobytes() for image in forwards}) == len(chosen)


def test_a_seed_changes_every_partition():
    """Version 2 shows the same shifted images for every seed, so its seeds were no independent draws."""
    first, other = pictures(size=32, seed=0), pictures(size=32, seed=5)
    for i in (0, 1800, 4000):
        assert not np.array_equal(first.images[i].load(), other.images[i].load())
    without = pictures(size=32, shifted=False)
    assert set(without.split) == {"train", "test"}
    assert without.images == first.images[: len(without.ids)]


def test_rare_looks_are_as_common_as_others_in_the_shifted_set():
    data = pictures()
    looks = Counter((side, image.looks[0]) for side, image in zip(data.split, data.images, strict=True))
    assert looks["test", "dimples"] > 2.2 * looks["test", "cleavage"]
    assert looks["shifted", "dimples"] < 1.5 * looks["shifted", "cleavage"]
    bare = np.mean([BARE.name in image.looks for image in data.images])
    assert 0.09 < bare < 0.15


def test_composite_pictures_show_what_can_meet_at_one_magnification():
    data = pictures(composite=0.7)
    several = np.array([len(label) > 1 for label in data.labels])
    assert several.mean() == pytest.approx(0.7, abs=0.01)
    assert set(map(len, data.labels)) == {1, 2, 3}
    assert all(len(set(label)) == len(label) for label in data.labels)
    for image in data.images:
        widths = np.array([BY_NAME[name].width for name in image.looks])
        assert widths[:, 0].max() < widths[:, 1].min()
    pairs = {frozenset(label) for label in data.labels if len(label) == 2}
    assert len(pairs) == 15  # every two of the six classes


def test_masks_of_a_composite_picture_are_those_of_its_classes():
    data = pictures(size=32, composite=1.0)
    for image, label in list(zip(data.images, data.labels, strict=True))[:1500:100]:
        masks = image.masks()
        assert list(masks) == list(label)
        assert sum(mask.astype(int) for mask in masks.values()).max() <= 1
        assert any(mask.any() for mask in masks.values())


def test_the_fingerprint_knows_every_parameter():
    variants = [{}, {"size": 64}, {"seed": 1}, {"composite": 0.5}, {"shifted": False}]
    prints = [pictures(**v).fingerprint for v in variants]
    assert len(set(prints)) == len(variants)
    assert pictures().fingerprint == prints[0]


def test_version_2_is_still_what_older_records_were_made_from():
    old, new = sem_failure(size=128, version=2), sem_failure(size=128)
    assert old.fingerprint.startswith("272779768787")  # of the published records
    assert len(old.ids) == 2157
    assert new.fingerprint != old.fingerprint
    assert len(new.ids) == 4771
    assert new.synthetic
    assert "version 2, class counts as in the HFFNet-2d paper" in old.notes[0]
    assert "version 3" in new.notes[0]


def test_the_composite_dataset_is_multi_label():
    data = sem_composite(size=32, shifted=False)
    assert data.task.paths == "multiple"
    assert data.targets.shape == (3271, 8)
    labels = np.asarray(data.targets.sum(axis=1)).ravel()
    assert set(labels) == {2, 3, 4, 5}  # one to three leaves, in one or both groups
    with pytest.raises(BadInput, match="32 to 2048"):
        sem_composite(size=8)
