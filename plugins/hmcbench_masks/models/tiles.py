"""Large images in tiles that overlap: scores are blended, and finished rows leave at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

Predict = Callable[[np.ndarray], np.ndarray]
"""A batch of tiles, uint8 (n, side, side), to scores float32 (n, side, side, K)."""
BATCH = 8


def in_tiles(
    pixels: np.ndarray, predict: Predict, side: int, overlap: int, batch: int = BATCH
) -> Iterator[np.ndarray]:
    """Scores of an image, band by band from top to bottom, float32 (h, W, K).

    Tiles lie on a grid and overlap by at least ``overlap`` pixels. A score is the mean over the tiles that
    cover its pixel, with weights that fall linearly towards the edges of a tile, so that no seam shows. Only
    the scores of two rows of tiles are in memory. An image smaller than a tile is reflected at its edges.

    Args:
        pixels: uint8 (H, W).
        side: of a tile; ``overlap`` is less.
    """
    height, width = pixels.shape
    padded = np.pad(pixels, ((0, max(0, side - height)), (0, max(0, side - width))), mode="symmetric")
    tops, lefts = (starts(size, side, overlap) for size in padded.shape)
    weight = _weights(side, overlap)
    above: np.ndarray | None = None  # weighted scores and weights of rows that are not finished
    for i, top in enumerate(tops):
        tiles = np.stack([padded[top : top + side, left : left + side] for left in lefts])
        scores = np.concatenate([predict(tiles[k : k + batch]) for k in range(0, len(tiles), batch)])
        row = np.zeros((side, padded.shape[1], scores.shape[3] + 1), dtype=np.float32)
        for left, tile in zip(lefts, scores, strict=True):
            row[:, left : left + side, :-1] += tile * weight[..., None]
            row[:, left : left + side, -1] += weight
        if above is not None:
            row[: len(above)] += above
        end = tops[i + 1] if i + 1 < len(tops) else top + side
        finished = row[: min(end, height) - top, :width]
        above = row[end - top :]
        if len(finished):
            yield finished[..., :-1] / finished[..., -1:]


def starts(size: int, side: int, overlap: int) -> list[int]:
    """First pixels of tiles that cover ``size`` pixels, as even as possible.

    >>> starts(10, 4, 1), starts(4, 4, 1), starts(9, 4, 2)
    ([0, 3, 6], [0], [0, 2, 3, 5])
    """
    if size <= side:
        return [0]
    n = -(-(size - overlap) // (side - overlap))
    return [round(k * (size - side) / (n - 1)) for k in range(n)]


def _weights(side: int, overlap: int) -> np.ndarray:
    """float32 (side, side): 1 inside, falling to a small positive number at the edges."""
    distance = np.minimum(np.arange(side), np.arange(side)[::-1]) + 1
    ramp = np.minimum(1.0, distance / (overlap + 1)).astype(np.float32)
    return np.minimum.outer(ramp, ramp)
