"""Tiles are put together where they were cut, in pictures and in tensors alike."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hmcbench.errors import BadInput
from hmcbench.torchkit.data import cut_tiles, join_picture, join_tiles, tiles_per_side

pytestmark = pytest.mark.torch


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
