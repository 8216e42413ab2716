"""Small images of samples with label maps, which the page lays under truth and prediction."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from hmcbench.files import write_atomic

THUMBNAILS = "images"  # a folder beside the figures of a record
MOST_IMAGES = 12  # of a board, on the page
SIDE = 256  # pixels of the longer side, at most


def chosen_rows(ids: Sequence[str], most: int = MOST_IMAGES) -> list[int]:
    """Positions of the images to show: a choice by the hash of the ids, the same for every model.

    Fewer images are always among more, so that what was written for one record serves any board.
    """
    order = sorted(range(len(ids)), key=lambda i: _digest(ids[i]))
    return order[:most]


def thumbnail_name(sample: str) -> str:
    """The file name of a sample's small image; an id may hold characters that no file name has."""
    return f"{_digest(sample)[:16]}.png"


def step_of(shape: Sequence[int]) -> int:
    """Every how many pixels of a map of this shape are kept, so that no side exceeds 256."""
    return max(1, -(-max(shape[:2]) // SIDE))


def write_thumbnails(
    ids: Sequence[str], picture: Callable[[int], np.ndarray | None], folder: Path
) -> list[Path]:
    """Write the small images of the chosen samples.

    Args:
        ids: of all samples.
        picture: position -> uint8 (H, W) or (H, W, 3), or None where the image is not at hand.
        folder: of the record's figures; the images lie in a folder of it.

    Returns:
        The files written.
    """
    written = []
    for row in chosen_rows(ids):
        pixels = picture(row)
        if pixels is None:
            continue
        step = step_of(pixels.shape)
        size = -(-pixels.shape[1] // step), -(-pixels.shape[0] // step)
        content = io.BytesIO()
        Image.fromarray(pixels).resize(size, Image.Resampling.BOX).save(content, "PNG", optimize=True)
        path = folder / THUMBNAILS / thumbnail_name(ids[row])
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, content.getvalue())
        written.append(path)
    return written


def _digest(sample: str) -> str:
    return hashlib.sha256(sample.encode()).hexdigest()
