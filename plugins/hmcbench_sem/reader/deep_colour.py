"""Reads 16-bit colour (PNG, TIFF), of which Pillow gives the upper bytes only.

Pillow takes the first or the second byte of each number, as the byte order that it is told says.
Decoding twice, the second time with the other byte order, gives both.
"""

from __future__ import annotations

import re
from typing import IO

import numpy as np
from PIL import Image as PillowImage
from PIL.ImageFile import ImageFile

from hmcbench_sem.reader.orientation import load_upright

_COLOUR = re.compile(r"(RGB|RGBX|RGBA|RGBa);16([LBN])\Z")
_GREY_AND_ALPHA = "LA;16B"
_OTHER = {"L": "B", "B": "L", "N": "B"}  # N: the order of this machine, little-endian


def read_deep_colour(
    stream: IO[bytes], image: PillowImage.Image
) -> tuple[np.ndarray, np.ndarray | None] | None:
    """The 16-bit numbers of an opened picture, upright; None where it is no such picture.

    Args:
        stream: what ``image`` was opened from.
        image: opened, not loaded.

    Returns:
        uint16 (H, W, 3), or (H, W) of grey with alpha; and alpha (H, W) or None.
    """
    raw = _raw_mode(image)
    if raw == _GREY_AND_ALPHA:
        numbers = _decode(stream, image, "RGBA").view(">u2").astype(np.uint16)  # four bytes: grey, alpha
        return numbers[..., 0], numbers[..., 1]
    match = _COLOUR.match(raw)
    if not match or "transparency" in image.info:
        return None
    name, order = match.groups()
    over_black = name == "RGBa"  # associated alpha: the colours already lie over black
    name = "RGBA" if over_black else name
    upper = _decode(stream, image, f"{name};16{order}").astype(np.uint16)
    numbers = upper << 8 | _decode(stream, image, f"{name};16{_OTHER[order]}")
    alpha = numbers[..., 3] if numbers.shape[2] == 4 and not over_black else None
    return numbers[..., :3], alpha


def _raw_mode(image: PillowImage.Image) -> str:
    args = image.tile[0].args if isinstance(image, ImageFile) and image.tile else ""
    name = args[0] if isinstance(args, tuple) and args else args
    return name if isinstance(name, str) else ""


def _decode(stream: IO[bytes], image: PillowImage.Image, raw_mode: str) -> np.ndarray:
    """The picture as uint8, unpacked as ``raw_mode`` says."""
    stream.seek(0)
    with PillowImage.open(stream, formats=(image.format or "",)) as again:
        assert isinstance(again, ImageFile)
        again.tile = [
            tile._replace(args=(raw_mode, *tile.args[1:]) if isinstance(tile.args, tuple) else raw_mode)
            for tile in again.tile
        ]
        return np.array(load_upright(again))
