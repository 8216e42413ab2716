"""Procedural images have the labels, proportions and size of the real ones, and make no step more."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hmcbench_sem.procedural.classes import drawable
from hmcbench_sem.procedural.drawing import Mixture, draw, size_of
from hmcbench_sem.surfaces.generate import pictures
from hmcbench_sem.surfaces.looks import BY_NAME

from hmcbench.errors import NotApplicable
from hmcbench.hierarchy.hierarchy import Hierarchy

TI64 = Hierarchy.from_edges(
    [("", "fracture"), ("", "background"), ("fracture", "ductile"), ("fracture", "brittle")]
)
LOOKS = drawable(TI64, "brittle:cleavage")
SETS = [["ductile"], ["ductile"], ["ductile", "brittle"], ["brittle"], ["background"], ["fracture"]]


class Picture:
    """A black picture of one size."""

    def __init__(self, *shape: int) -> None:
        self.shape = shape

    def load(self, min_side: int | None = None) -> np.ndarray:
        return np.zeros(self.shape, np.uint8)


def targets(*sets: list[str]) -> np.ndarray:
    closed: np.ndarray = TI64.encode(sets).toarray()
    return closed


def test_an_epoch_has_as_many_samples_as_one_on_real_ones_alone() -> None:
    rng = np.random.default_rng(0)
    for _ in range(3000):
        real, least = int(rng.integers(1, 3000)), int(rng.integers(1, 2000))
        share = float(rng.uniform(0, 0.95)) * float(rng.random() < 0.9)
        mixture = Mixture.of(real, share, least)
        rows = mixture.repeats * real + mixture.drawn
        samples = max(1, round(rows * mixture.epoch_share))  # as the engine counts them
        for batch_size in (2, 16, 33):
            assert math.ceil(samples / batch_size) == math.ceil(real / batch_size)
        assert bool(mixture.drawn) == bool(share)
        if rows > 40 and share:
            assert mixture.drawn / rows == pytest.approx(share, abs=0.5 / rows + 1e-9)


def test_few_real_samples_are_repeated_until_enough_are_drawn() -> None:
    assert Mixture.of(50, 0.5, 400) == Mixture(8, 400, 1 / 16)
    assert Mixture.of(330, 0.5, 400) == Mixture(1, 330, 1 / 2)
    assert Mixture.of(330, 0.75, 400) == Mixture(1, 990, 1 / 4)
    assert Mixture.of(7, 0.0, 400) == Mixture(1, 0, 1.0)


def test_the_size_is_that_of_the_real_images_within_bounds() -> None:
    assert size_of([Picture(96, 128), Picture(96, 128, 3), Picture(400, 400)], 256) == (96, 128)
    assert size_of([Picture(960, 1280)] * 40, 256) == (192, 256)
    assert size_of([Picture(6, 16)], 256) == (12, 32)  # the generator draws 32 pixels at least
    assert size_of([Picture(1, 5000)], 256) == (1, 256)


def test_the_proportions_are_those_of_the_samples_that_can_be_drawn() -> None:
    drawn, labels = draw(TI64, targets(*SETS * 5), LOOKS, 400, (24, 32), seed=3)
    counts = Counter(TI64.decode(row) for row in labels)
    assert counts == {("ductile",): 200, ("brittle", "ductile"): 100, ("brittle",): 100}
    for picture, row in zip(drawn, labels, strict=True):
        shown = {"dimples": "ductile", "cleavage": "brittle"}
        assert sorted(shown[look] for look in picture.scene.looks) == sorted(TI64.decode(row))


def test_pictures_have_their_size_and_follow_the_seed() -> None:
    first, again, other = (draw(TI64, targets(*SETS), LOOKS, 4, (24, 40), seed=s)[0] for s in (0, 0, 1))
    for picture, same, unlike in zip(first, again, other, strict=True):
        pixels = picture.load()
        assert pixels.shape == (24, 40) and pixels.dtype == np.uint8
        assert np.array_equal(pixels, same.load())
        assert not np.array_equal(pixels, unlike.load())
    assert np.array_equal(first[0].load(), first[0].scene.load()[8:32])


def test_no_picture_is_one_of_the_synthetic_datasets() -> None:
    drawn, _ = draw(TI64, targets(*SETS), LOOKS, 60, (32, 32), seed=0)
    known = {image.entropy for image in pictures(size=32, seed=0).images}  # type: ignore[attr-defined]
    used = {picture.scene.entropy for picture in drawn}
    assert len(used) == 60 and not used & known


def test_a_fold_without_a_sample_that_can_be_drawn_says_so() -> None:
    with pytest.raises(NotApplicable, match=r"no training sample has only classes .*\(brittle, ductile\)"):
        draw(TI64, targets(["background"], ["fracture"]), LOOKS, 4, (32, 32), seed=0)


def test_machined_surfaces_have_no_share_and_are_drawn_all_the_same() -> None:
    assert not BY_NAME["machined"].share
    looks = drawable(TI64, "background:machined")
    drawn, _ = draw(TI64, targets(["background"]), looks, 3, (32, 32), seed=0)
    assert [picture.scene.looks for picture in drawn] == [("machined",)] * 3
