"""Images as models read them, and label maps as targets of one number per level."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image as PillowImage

from hmcbench import Labelled, Task
from hmcbench.errors import NotApplicable
from hmcbench.hierarchy.label_maps import LabelMaps, ignored

BAND = 2**18  # pixels of a band of rows


def grey(row: Any) -> np.ndarray:
    """uint8 (H, W) of one row of the view ``image``."""
    pixels = np.asarray(row.load())
    if pixels.ndim == 2:
        return pixels
    return np.asarray(PillowImage.fromarray(pixels).convert("L"))


def reduced(pixels: np.ndarray, factor: int) -> np.ndarray:
    """uint8 (ceil(H / factor), ceil(W / factor)): means of squares."""
    if factor == 1:
        return pixels
    return np.asarray(PillowImage.fromarray(pixels).reduce(factor))


def enlarged(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """float32 (h, w, K) -> (height, width, K), bilinear; values of neighbours are never left."""
    if values.shape[:2] == (height, width):
        return values
    size = (width, height)
    planes = [
        np.asarray(
            PillowImage.fromarray(np.ascontiguousarray(plane)).resize(size, PillowImage.Resampling.BILINEAR)
        )
        for plane in np.moveaxis(values.astype(np.float32), 2, 0)
    ]
    return np.stack(planes, axis=2)


def normalised(pixels: np.ndarray) -> np.ndarray:
    """Grey levels in deviations of the image from its mean, float32 (H, W)."""
    level = pixels.astype(np.float32)
    result: np.ndarray = (level - level.mean()) / max(float(level.std()), 1.0)
    return result


def full_size(values: np.ndarray, shape: Sequence[int], factor: int) -> Iterator[np.ndarray]:
    """Scores of a reduced image (h, w, K), brought to ``shape``, in bands of rows from top to bottom."""
    height, width = shape
    step = factor * max(1, BAND // width // factor)
    for top in range(0, height, step):
        first, last = top // factor, -(-min(height, top + step) // factor)
        low, high = max(0, first - 1), min(len(values), last + 1)  # neighbours that interpolation needs
        # The last column of a width that is no multiple of the factor sticks out, like the last row: both are
        # enlarged by the factor itself and cut, or the map would be squeezed.
        part = enlarged(values[low:high], (high - low) * factor, values.shape[1] * factor)
        start = (first - low) * factor
        yield part[start : start + min(step, height - top), :width]


@dataclass(frozen=True, eq=False)
class Legend:
    """The different sets of classes of the training pixels, as classes of a flat problem.

    Attributes:
        sets: float32 (M, C).
        task: with the hierarchy.
    """

    sets: np.ndarray
    task: Task

    @staticmethod
    def of(train: Labelled, task: Task) -> Legend:
        """Of the label maps of training images."""
        return Legend(maps_of(train).legend.astype(np.float32), task)

    def scores(self, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Probabilities of sets (..., M) -> of classes (..., C), of ``stop`` (..., L) for single paths."""
        values = shares @ self.sets
        hierarchy = self.task.hierarchy
        if hierarchy is None or self.task.paths == "multiple":
            return values, None
        levels = range(1, hierarchy.depth + 1)
        held = [values[..., hierarchy.level_classes(k)].sum(axis=-1) for k in levels]
        return values, np.clip(1 - np.stack(held, axis=-1), 0, 1)


def maps_of(samples: Labelled) -> LabelMaps:
    """The label maps of samples; raises NotApplicable where their labels are of whole images."""
    if not isinstance(samples.targets, LabelMaps):
        raise NotApplicable("labels every pixel, the targets are of whole images")
    return samples.targets


def labelled_images(samples: Labelled, factor: int = 1) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Per image grey levels uint8 (h, w) and rows of the legend int64 (h, w), -1 where not labelled.

    With a factor, images are means of squares, and maps their middle pixels.
    """
    maps = maps_of(samples)
    for i, row in enumerate(samples.views["image"]):
        labels = maps.load(i)
        numbers = labels.astype(np.int64)
        numbers[labels == ignored(labels.dtype)] = -1
        small = reduced(grey(row), factor)
        rows, columns = (
            np.minimum(np.arange(n) * factor + factor // 2, size - 1)
            for n, size in zip(small.shape, numbers.shape, strict=True)
        )
        yield small, numbers[np.ix_(rows, columns)]
