"""Synthetic fractographs with their masks: both versions, and more images than one draw has."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from hmcbench_sem.fractographs.generate import fractographs
from hmcbench_sem.label_maps import fractograph_masks
from hmcbench_sem.surfaces.generate import pictures


def test_a_label_map_has_the_classes_of_its_scene() -> None:
    dataset = fractograph_masks(size=32, train=12, test=12)
    hierarchy, maps = dataset.task.hierarchy, dataset.targets
    assert hierarchy is not None and "background" in hierarchy.classes
    for i, image in enumerate(dataset.views["image"]):
        held = maps.legend[maps.load(i)]  # (H, W, C)
        for leaf, mask in image.scene.masks().items():
            assert (held[..., hierarchy.classes.index(leaf)] == mask).all()
        assert (image.load() == image.scene.load()).all()
        assert set(hierarchy.decode(held.any(axis=(0, 1)))) <= {*image.scene.classes, "background"}


def test_version_2_has_one_or_two_classes_and_no_background() -> None:
    dataset = fractograph_masks(version=2, size=32, train=24, test=12, composite=0.5)
    hierarchy, maps = dataset.task.hierarchy, dataset.targets
    assert hierarchy is not None and hierarchy.n == 8
    shown = [len(np.unique(maps.load(i))) for i in range(len(dataset.ids))]
    assert set(shown) == {1, 2}
    assert shown == [len(image.scene.classes) for image in dataset.views["image"]]
    assert (maps.counts[:, -1] == 0).all()


def test_the_images_of_version_2_are_those_of_sem_failure() -> None:
    drawn = fractographs(size=32, composite=1.0, shifted=False)
    scene = drawn.images[3]
    first, second = scene.masks().values()
    assert (first ^ second).all() and 0.1 < second.mean() < 0.9
    assert list(scene.masks()) == drawn.labels[3]
    single = fractographs(size=32, shifted=False).images[3]
    assert [mask.all() for mask in single.masks().values()] == [True]


@pytest.mark.parametrize(("version", "one_draw"), [(2, 193), (3, 1500)])
def test_further_seeds_give_further_images(version: int, one_draw: int) -> None:
    few = fractograph_masks(version=version, size=32, train=12, test=one_draw)
    more = fractograph_masks(version=version, size=32, train=12, test=one_draw + 12)
    assert more.ids[: len(few.ids)] == few.ids and len(set(more.ids)) == len(more.ids)
    images = [more.views["image"][i].load() for i in (12, 12 + one_draw)]
    assert not np.array_equal(*images)
    assert more.fingerprint != few.fingerprint


def test_the_data_of_published_records_stay_the_same() -> None:
    dataset = fractograph_masks(size=48, seed=2, composite=0.5, train=13, test=12)
    recipe = ["fractograph-masks", 3, 48, 2, 0.5, 13, 12]
    assert dataset.fingerprint == hashlib.sha256(json.dumps(recipe).encode()).hexdigest()
    drawn = pictures(size=48, seed=2, composite=0.5, shifted=False)
    of_train = [i for i, side in enumerate(drawn.split) if side == "train"]
    chosen = [of_train[k * len(of_train) // 13] for k in range(13)]
    assert dataset.ids[:13] == [drawn.ids[i] for i in chosen]
    assert (dataset.views["image"][5].load() == drawn.images[chosen[5]].load()).all()
