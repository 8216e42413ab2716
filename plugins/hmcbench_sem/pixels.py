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
    """

    def __init__(self, size: int = 64, channels: int = 1) -> None:
        self.size, self.channels = size, channels

    def transform(self, rows: Sequence[Image]) -> np.ndarray:
        """n pictures -> uint8 (n, size, size), or (n, size, size, 3) for three channels."""
        shape = (len(rows), self.size, self.size) + ((3,) if self.channels == 3 else ())
        out = np.empty(shape, np.uint8)
        for i, image in enumerate(rows):
            out[i] = self._one(image.load(min_side=self.size))
        return out

    def _one(self, array: np.ndarray) -> np.ndarray:
        picture = PillowImage.fromarray(array)
        mode = "RGB" if self.channels == 3 else "L"
        if picture.mode != mode and picture.mode == "RGB":
            picture = picture.convert(mode)  # fewer numbers to filter
        square = (self.size, self.size)
        if picture.size != square:
            picture = picture.resize(square, PillowImage.Resampling.BICUBIC, reducing_gap=2.0)
        return np.asarray(picture if picture.mode == mode else picture.convert(mode))
