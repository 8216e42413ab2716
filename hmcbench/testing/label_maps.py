"""Small images with label maps, for tests of models of pixels."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.hierarchy.label_maps import LabelMaps
from hmcbench.interfaces import Dataset, Task

PATTERNS = ("a/x", "a/y", "b")


@dataclass(frozen=True, eq=False)
class DrawnPicture:
    """An image that is kept in memory."""

    pixels: np.ndarray

    def load(self, min_side: int | None = None) -> np.ndarray:
        """uint8 (H, W)."""
        return self.pixels


def tiny_maps(
    images: int = 10,
    size: tuple[int, int] = (48, 64),
    paths: Literal["single", "multiple"] = "single",
    seed: int = 0,
) -> Dataset:
    """Images of which the left is bright, the right dark or striped, on the tree a>a/x, a>a/y, b.

    A few pixels at the top are not labelled. With several paths, the middle is both ``a/x`` and ``b``.

    Args:
        size: (H, W), at least 8 each.
    """
    rng = np.random.default_rng(seed)
    hierarchy = Hierarchy.from_paths([name.split("/") for name in PATTERNS])
    sets = [[name] for name in PATTERNS] + ([["a/x", "b"]] if paths == "multiple" else [])
    pictures, maps = [], []
    for _ in range(images):
        cut, low = rng.integers(size[1] // 4, size[1] // 2), rng.integers(size[0] // 3, 2 * size[0] // 3)
        labels = np.zeros(size, dtype=np.uint8)
        labels[:, cut:] = 1
        labels[low:, cut:] = 2
        stripes = (np.arange(size[0])[:, None] % 4 < 2) & (labels == 2)
        level = np.choose(labels, [200, 60, 120]) + 40 * stripes
        if paths == "multiple":
            labels[:, cut - 3 : cut] = 3
            level[:, cut - 3 : cut] = 240
        pictures.append(DrawnPicture((level + rng.integers(-9, 10, size)).clip(0, 255).astype(np.uint8)))
        labels[:2, :5] = 255
        maps.append(labels)
    digest = hashlib.sha256(b"".join(m.tobytes() for m in maps) + repr((seed, size)).encode())
    return Dataset(
        ids=[f"image-{i}" for i in range(images)],
        views={"image": pictures},
        targets=LabelMaps(maps, hierarchy.encode(sets).toarray()),
        task=Task("hmc", paths, "full", hierarchy, unit="pixel"),
        fingerprint=digest.hexdigest(),
        synthetic=True,
    )
