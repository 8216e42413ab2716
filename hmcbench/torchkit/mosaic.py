"""Images that a network sees in tiles: cut, and put together again."""

from __future__ import annotations

from math import isqrt

import numpy as np
import torch

from hmcbench.errors import BadInput


def per_side(tiles: int) -> int:
    """T tiles of an image -> how many lie side by side; raises BadInput where they make no square.

    >>> per_side(9)
    3
    """
    side = isqrt(tiles)
    if side * side != tiles:
        raise BadInput(f"{tiles} tiles make no square", allowed="1, 4, 9, 16, ...")
    return side


def join(tiles: torch.Tensor, side: int) -> torch.Tensor:
    """(B * side**2, ..., H, W), row by row -> (B, ..., side * H, side * W)."""
    if side == 1:
        return tiles
    *inner, height, width = tiles.shape[1:]
    grid = tiles.reshape(-1, side, side, *inner, height, width)
    placed = grid.movedim((1, 2), (-4, -2))  # (B, ..., side, H, side, W)
    return placed.reshape(len(grid), *inner, side * height, side * width)


def cut(images: torch.Tensor, side: int) -> torch.Tensor:
    """The inverse: (B, ..., side * H, side * W) -> (B * side**2, ..., H, W)."""
    if side == 1:
        return images
    *inner, height, width = images.shape[1:]
    grid = images.reshape(len(images), *inner, side, height // side, side, width // side)
    return grid.movedim((-4, -2), (1, 2)).reshape(-1, *inner, height // side, width // side)


def picture(tiles: np.ndarray, side: int) -> np.ndarray:
    """(side**2, H, W[, 3]) as files hold them, row by row -> (side * H, side * W[, 3])."""
    height, width, *colour = tiles.shape[1:]
    grid = tiles.reshape(side, side, height, width, *colour).swapaxes(1, 2)
    return grid.reshape(side * height, side * width, *colour)
