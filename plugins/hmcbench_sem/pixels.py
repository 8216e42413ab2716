"""The featurizer ``pixels``: pictures of any size to one square size, as numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image as PillowImage

from hmcbench.interfaces import Image


class Pixels:
    """Stretches each picture to ``size`` x ``size`` with an anti-aliased bicubic filter.

    Args:
        size: side of the square.
        channels: 1 for grey (Rec. 601), 3 for colour; a grey picture then has three equal channels.
        tiles: stretch to ``tiles`` times the size instead, and cut into tiles x tiles squares.
    """

    def __init__(self, size: int = 64, channels: int = 1, tiles: int = 1) -> None:
        self.size, self.channels, self.tiles = size, channels, tiles

    def transform(self, rows: Sequence[Image]) -> np.ndarray:
        """n pictures -> uint8 (n, size, size), or (n, size, size, 3) for three channels.

        With tiles, (n, tiles * tiles, size, size[, 3]), row by row.
        """
        side = self.size * self.tiles
        colour = (3,) if self.channels == 3 else ()
        out = np.empty((len(rows), side, side, *colour), np.uint8)
        for i, image in enumerate(rows):
            out[i] = self._stretched(image.load(min_side=side), side)
        if self.tiles == 1:
            return out
        cut = out.reshape(len(rows), self.tiles, self.size, self.tiles, self.size, *colour).swapaxes(2, 3)
        return cut.reshape(len(rows), self.tiles**2, self.size, self.size, *colour)

    def _stretched(self, array: np.ndarray, side: int) -> np.ndarray:
        picture = PillowImage.fromarray(array)
        mode = "RGB" if self.channels == 3 else "L"
        if picture.mode != mode and picture.mode == "RGB":
            picture = picture.convert(mode)  # fewer numbers to filter
        square = (side, side)
        if picture.size != square:
            picture = picture.resize(square, PillowImage.Resampling.BICUBIC, reducing_gap=2.0)
        return np.asarray(picture if picture.mode == mode else picture.convert(mode))
