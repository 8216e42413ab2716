"""Turns pictures upright as their EXIF orientation says."""

from __future__ import annotations

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageOps

_TAG = 274


def orientation(image: PillowImage.Image) -> int:
    """1 to 8; 1 (upright) where it is missing or broken."""
    try:
        return checked(image.getexif().get(_TAG, 1))
    except Exception:  # broken metadata do not make the pixels unreadable
        return 1


def checked(value: object) -> int:
    """A tag's value as an orientation, 1 where it is none."""
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def load_upright(image: PillowImage.Image) -> PillowImage.Image:
    """Decode and turn; Pillow turns TIFFs itself and forgets their orientation then."""
    image.load()
    return image if orientation(image) == 1 else ImageOps.exif_transpose(image)


def upright_height(image: PillowImage.Image) -> int:
    """Height of the turned picture, before it is decoded."""
    return image.width if orientation(image) >= 5 else image.height


def turn(array: np.ndarray, value: int) -> np.ndarray:
    """An array (H, W) or (H, W, 3) turned upright from this orientation."""
    if value in (5, 7):
        array = array.swapaxes(0, 1)
    if value in (2, 4):
        return array[:, ::-1] if value == 2 else array[::-1]
    turns = {3: 2, 6: 3, 7: 2, 8: 1}.get(value, 0)
    return np.rot90(array, turns)
