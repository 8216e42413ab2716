"""Label maps in the file of predictions."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hmcbench.errors import BadInput
from hmcbench.hierarchy.label_maps import LabelMaps, joined
from hmcbench.records.given_data import _equal
from hmcbench.records.predictions import Predictions
from hmcbench.testing.label_maps import tiny_maps


def example(images: int = 3) -> Predictions:
    dataset = tiny_maps(images, (9, 12))
    truth: LabelMaps = dataset.targets
    guess = LabelMaps([np.where(m == 255, 0, m).astype(np.uint8) for m in truth], truth.legend)
    truth = LabelMaps(truth.maps, truth.legend, np.array([1.5, 2.0, 3.0])[:images], ("b",))
    return Predictions(
        ids=dataset.ids,
        side=["validation", "test", "test"][:images],
        scores=np.zeros((images, 0), np.float32),
        task=dataset.task,
        truth=truth,
        maps=guess,
    )


def test_what_is_saved_is_what_is_loaded(tmp_path: Path) -> None:
    before = example()
    before.save(tmp_path / "p.npz")
    after = Predictions.load(tmp_path / "p.npz")
    assert after.task.hierarchy == before.task.hierarchy
    assert after.task.unit == "pixel"
    assert after.maps is not None
    assert before.maps is not None
    assert after.maps.same(before.maps)
    assert after.truth.same(before.truth)
    assert after.truth.objects == ("b",)
    assert after.truth.tolerance.tolist() == [1.5, 2.0, 3.0]
    test = after.of_side("test")
    assert test.maps is not None
    assert (len(test.maps), len(test.truth), test.ids) == (2, 2, ["image-1", "image-2"])


def test_the_same_maps_give_the_same_file_and_each_is_a_picture(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        example().save(tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        content = archive.read("truth/2.png")
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(content))), example().truth.load(2))


def test_truth_may_be_absent(tmp_path: Path) -> None:
    replace(example(), truth=None).save(tmp_path / "p.npz")
    after = Predictions.load(tmp_path / "p.npz")
    assert after.truth is None
    assert after.maps is not None


def test_a_missing_map_is_a_damaged_file(tmp_path: Path) -> None:
    example().save(tmp_path / "p.npz")
    with zipfile.ZipFile(tmp_path / "p.npz") as archive:
        parts = {name: archive.read(name) for name in archive.namelist() if name != "predicted/1.png"}
    with zipfile.ZipFile(tmp_path / "p.npz", "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(BadInput, match="cannot be read"):
        Predictions.load(tmp_path / "p.npz")


def test_truths_are_compared_by_their_classes() -> None:
    truth = example().truth
    other = LabelMaps(
        [np.where(m == 255, 255, 2 - m).astype(np.uint8) for m in truth], truth.legend[::-1].copy()
    )
    assert _equal(truth, other)
    assert not _equal(truth, LabelMaps(truth.maps[::-1], truth.legend))
    assert not _equal(truth, truth[:2])
    assert not _equal(truth, np.zeros((3, 5)))


def test_parts_with_other_legends_are_joined() -> None:
    truth = example().truth
    other = LabelMaps(
        [np.where(m == 255, 255, 2 - m).astype(np.uint8) for m in truth], truth.legend[::-1].copy()
    )
    both = joined([truth, other])
    assert both[:3].same(truth)
    assert both[3:].same(truth)


def test_counts_name_numbers_without_a_row() -> None:
    maps = LabelMaps([np.full((2, 2), 3, np.uint8)], np.eye(3, dtype=bool))
    with pytest.raises(BadInput, match="has the number 3"):
        _ = maps.counts
