"""Images whose pixels are labelled by shapes: polygons or run lengths, drawn when they are needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from hmcbench.errors import Problem
from hmcbench.hierarchy.label_maps import dtype_of, ignored
from hmcbench_masks.reader.files import ImagePair


@dataclass(frozen=True, eq=False)
class Covered:
    """Pixels of an image, all of them in one box, so that a small shape costs as much as its box.

    Attributes:
        top, left: of the box.
        mask: bool (h, w), of the pixels of the box.
    """

    top: int
    left: int
    mask: np.ndarray

    @property
    def box(self) -> tuple[slice, slice]:
        """Rows and columns of the image."""
        height, width = self.mask.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


class LabelledShape(Protocol):
    """Pixels of one category."""

    @property
    def name(self) -> str:
        """Of the category, as :func:`hmcbench_masks.reader.classes.category_keys` makes it."""

    @property
    def where(self) -> str:
        """File and line; empty where there are no lines."""

    def inside(self, height: int, width: int) -> Covered:
        """The pixels of an image of this size that it covers."""

    def problem(self, height: int, width: int) -> Problem | None:
        """Why an image with it cannot be used; an empty ``where`` means the image."""


@dataclass(frozen=True)
class Shapes:
    """Pairs of images and shapes.

    Attributes:
        pairs: images; they have no mask.
        shapes: of every image; later ones lie above earlier ones.
        sizes: (height, width) of every image as the file of shapes says, or None.
        names: paths of the categories, top level first.
        problems: of images that are left out.
        named: the image of every description, also of one that cannot be used: an image that is described
            twice is here twice.
    """

    pairs: list[ImagePair]
    shapes: Sequence[Sequence[LabelledShape]]
    sizes: Sequence[tuple[int, int] | None]
    names: list[tuple[str, ...]]
    problems: list[Problem] = field(default_factory=list)
    named: Sequence[Path] = ()


@dataclass(frozen=True)
class Drawing:
    """The shapes of one image as a label map.

    Attributes:
        height, width: of the image.
        sets: set of category names -> row of the legend, -1 for pixels that are not labelled; the empty set
            is the background.
        labels: rows of the legend.
    """

    height: int
    width: int
    shapes: Sequence[LabelledShape]
    sets: dict[frozenset[str], int]
    labels: int
    overlap: str

    def load(self) -> np.ndarray:
        """uint8 or uint16 (H, W)."""
        places, names = drawn(self.height, self.width, self.shapes, self.overlap)
        kind = dtype_of(self.labels)
        rows = np.array([self.sets[names_of] for names_of in names])
        table: np.ndarray = np.where(rows < 0, ignored(kind), rows).astype(kind)
        result: np.ndarray = table[places]
        return result


def drawn(
    height: int, width: int, shapes: Sequence[LabelledShape], overlap: str
) -> tuple[np.ndarray, list[frozenset[str]]]:
    """int64 (H, W), positions in a list of sets of category names; a pixel inside several shapes has several
    names, or with ``overlap="last"`` that of the last shape."""
    numbers: dict[frozenset[str], int] = {frozenset(): 0}
    pixels = np.zeros((height, width), dtype=np.int64)
    for shape in shapes:
        part = shape.inside(height, width)
        under = pixels[part.box]  # a view: what is written here is in the image
        before = under.copy()
        for old in np.unique(before[part.mask]).tolist():
            names = frozenset([shape.name]) if overlap == "last" else list(numbers)[old] | {shape.name}
            under[part.mask & (before == old)] = numbers.setdefault(names, len(numbers))
    return pixels, list(numbers)
