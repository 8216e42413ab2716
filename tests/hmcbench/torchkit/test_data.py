"""Pixels, their normalisation, and tiles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hmcbench.data.views import Rows
from hmcbench.errors import BadInput
from hmcbench.torchkit import data
from hmcbench.torchkit.data import (
    Normaliser,
    PixelBatches,
    cut_tiles,
    join_picture,
    join_tiles,
    tiles_per_side,
)

pytestmark = pytest.mark.torch
CPU = torch.device("cpu")


def stored(folder: Path, *shape: int) -> np.ndarray:
    """A memory map of uint8, as the featurizers leave it."""
    np.save(folder / "x.npy", np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
    array: np.ndarray = np.load(folder / "x.npy", mmap_mode="r")
    return array


@pytest.mark.parametrize("shape", [(30, 8, 6), (30, 8, 6, 3)])
@pytest.mark.parametrize("fits", [True, False])
def test_batches_and_blocks_are_the_selected_rows(
    shape: tuple[int, ...], fits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not fits:
        monkeypatch.setattr(data, "KEEP_ON_CPU", 0)
    base = stored(tmp_path, *shape)
    pixels = PixelBatches(Rows(base, [9, 3, 3, 20, 7]), CPU)
    assert (pixels.kept is not None) == fits
    channels = 3 if len(shape) == 4 else 1
    assert pixels.shape == (channels, 8, 6) and len(pixels) == 5
    expected = base.reshape(30, 8, 6, channels).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(pixels.batch(torch.tensor([3, 0])).numpy(), expected[[20, 9]])
    blocks = list(pixels.blocks(2))
    assert [len(b) for b in blocks] == [2, 2, 1]
    np.testing.assert_array_equal(torch.cat(blocks).numpy(), expected[[9, 3, 3, 20, 7]])


def test_dataset_statistics_are_those_of_the_training_pixels(tmp_path: Path) -> None:
    base = stored(tmp_path, 40, 8, 8, 3)
    pixels = PixelBatches(Rows(base, np.arange(10)), CPU)
    normalise = Normaliser("dataset", pixels)
    np.testing.assert_allclose(normalise.mean, base[:10].mean((0, 1, 2)))
    np.testing.assert_allclose(normalise.std, base[:10].std((0, 1, 2)))
    out = normalise(pixels.batch(torch.arange(10)))
    torch.testing.assert_close(out.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.std((0, 2, 3), correction=0), torch.ones(3), atol=1e-5, rtol=0)


def test_image_statistics_remove_brightness_and_contrast(tmp_path: Path) -> None:
    pixels = PixelBatches(Rows(stored(tmp_path, 6, 8, 8)), CPU)
    normalise = Normaliser("image", pixels)
    x = pixels.batch(torch.arange(6)).float()
    torch.testing.assert_close(normalise(x), normalise(0.3 * x + 40), atol=1e-4, rtol=0)
    torch.testing.assert_close(normalise(x).std((1, 2, 3), correction=0), torch.ones(6), atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", ["image", "dataset"])
def test_a_blank_image_stays_finite(kind: str) -> None:
    pixels = PixelBatches(Rows(np.full((3, 4, 4), 200, np.uint8)), CPU)
    assert torch.equal(Normaliser(kind, pixels)(pixels.batch(torch.arange(3))), torch.zeros(3, 1, 4, 4))


@pytest.mark.parametrize("side", [1, 2, 3])
@pytest.mark.parametrize("inner", [(), (3,)])
def test_cut_and_join_are_inverse_and_go_row_by_row(side: int, inner: tuple[int, ...]) -> None:
    images = torch.arange(2 * 6 * 12 * (inner or (1,))[0]).reshape(2, *inner, 6, 12)
    tiles = cut_tiles(images, side)
    assert tiles.shape == (2 * side**2, *inner, 6 // side, 12 // side)
    assert torch.equal(join_tiles(tiles, side), images)
    last_of_first_row = tiles[side - 1]
    assert torch.equal(last_of_first_row, images[0, ..., : 6 // side, 12 - 12 // side :])
    assert torch.equal(tiles[side**2], images[1, ..., : 6 // side, : 12 // side])


@pytest.mark.parametrize("colour", [(), (3,)])
def test_pictures_of_files_go_together_alike(colour: tuple[int, ...]) -> None:
    whole = np.random.default_rng(0).integers(0, 255, (6, 6, *colour), dtype=np.uint8)
    tiles = np.stack([whole[i : i + 3, j : j + 3] for i in (0, 3) for j in (0, 3)])
    np.testing.assert_array_equal(join_picture(tiles, 2), whole)


def test_tiles_that_make_no_square_are_refused() -> None:
    with pytest.raises(BadInput, match="6 tiles make no square"):
        tiles_per_side(6)
