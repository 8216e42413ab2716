"""Label maps: targets of tasks whose unit is a pixel, and the predictions for them.

A pixel is a sample like another: it has a set of classes, closed, of any depth, on one path or several. A
label map holds a small number per pixel, and a *legend* says which classes each number stands for.

A model of such a task gets :class:`LabelMaps` as targets. Its ``predict`` returns (or yields) for every image
one :class:`hmcbench.interfaces.Scores` with ``values`` of shape (H, W, C) and, where paths may end early,
``stop`` (H, W, L); or an iterable of such scores for bands of rows from top to bottom, so that a large image
is never held as scores. Decisions are made from them as everywhere; the scores are not kept.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from hmcbench.errors import BadInput

__all__ = ["LabelMaps", "dtype_of", "ignored"]  # what plugins may use


def ignored(dtype: Any) -> int:
    """The number of pixels that nobody labelled: the largest of its type.

    >>> ignored(np.uint8), ignored(np.uint16)
    (255, 65535)
    """
    return int(np.iinfo(dtype).max)


def dtype_of(labels: int) -> type:
    """The narrowest type of a map with so many labels: uint8 or uint16, whose largest number is free.

    Raises:
        BadInput: more labels than uint16 holds.
    """
    if labels > 65535:
        raise BadInput(f"{labels} different sets of classes", allowed="at most 65535 in label maps")
    return np.uint8 if labels <= 255 else np.uint16


@dataclass(frozen=True, eq=False)
class PngMap:
    """One label map, kept as a PNG file, which loses nothing."""

    png: bytes

    def load(self) -> np.ndarray:
        """uint8 or uint16 (H, W)."""
        from PIL import Image  # label maps are rare, and the import takes long

        with Image.open(io.BytesIO(self.png)) as image:
            return np.asarray(image)


def png_of(row: Any) -> bytes:
    """A map, or an object that loads one, as the content of a PNG file; equal maps give equal bytes."""
    if isinstance(row, PngMap):
        return row.png
    content = io.BytesIO()
    from PIL import Image

    Image.fromarray(np.ascontiguousarray(_loaded(row))).save(content, "PNG")
    return content.getvalue()


def _loaded(row: Any) -> np.ndarray:
    return np.asarray(row.load() if hasattr(row, "load") else row)


@dataclass(frozen=True, eq=False)
class LabelMaps:
    """Label maps of N images.

    Attributes:
        maps: N maps, uint8 or uint16 (H, W), or objects whose ``load()`` returns one; they are read when they
            are needed. A pixel holds a row of the legend, or the largest number of its type: not labelled.
        legend: boolean (M, C), ancestor-closed: the classes of every number.
        tolerance: pixels by which a border may be off, (N,), for ``boundary_f1``.
        objects: classes whose connected regions are objects that can be counted, for ``aji``.
        known: boolean (N, C) or None: classes of every image, where they are known without its map.
    """

    maps: Sequence[Any]
    legend: np.ndarray
    tolerance: np.ndarray = field(default_factory=lambda: np.zeros(0))
    objects: tuple[str, ...] = ()
    known: np.ndarray | None = None

    def __post_init__(self) -> None:
        if not len(self.tolerance):
            object.__setattr__(self, "tolerance", np.full(len(self.maps), 2.0))

    def __len__(self) -> int:
        return len(self.maps)

    @property
    def shape(self) -> tuple[int, int]:
        """Images and classes, as that of other targets."""
        return len(self.maps), int(self.legend.shape[1])

    def __getitem__(self, rows: Any) -> LabelMaps:
        """The maps of some images: a slice, or an array of positions."""
        positions = np.atleast_1d(np.arange(len(self.maps))[rows])
        known = None if self.known is None else self.known[positions]
        maps = [self.maps[i] for i in positions]
        return LabelMaps(maps, self.legend, self.tolerance[positions], self.objects, known)

    def load(self, i: int) -> np.ndarray:
        """The map of image ``i``, uint8 or uint16 (H, W)."""
        return _loaded(self.maps[i])

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self.load(i) for i in range(len(self)))

    @cached_property
    def counts(self) -> np.ndarray:
        """int64 (N, M + 1): pixels of every number, and at the end those that are not labelled.

        Raises:
            BadInput: a number that the legend does not have.
        """
        return np.array([self._count(i) for i in range(len(self))], dtype=np.int64).reshape(len(self), -1)

    def _count(self, i: int) -> np.ndarray:
        pixels, labels = self.load(i), len(self.legend)
        if pixels.ndim != 2 or pixels.dtype not in (np.uint8, np.uint16):
            raise BadInput(
                f"label map {i} is {pixels.dtype} of shape {pixels.shape}", allowed="uint8 or uint16 (H, W)"
            )
        counted = np.bincount(pixels.ravel(), minlength=ignored(pixels.dtype) + 1)
        if counted[labels:-1].any():
            number = labels + int(np.flatnonzero(counted[labels:-1])[0])
            raise BadInput(f"label map {i} has the number {number}", allowed=f"0 to {labels - 1}")
        return np.append(counted[:labels], counted[-1])

    @property
    def present(self) -> np.ndarray:
        """boolean (N, C): the classes that some pixel of an image has."""
        return self.known if self.known is not None else self.class_pixels > 0

    @cached_property
    def class_pixels(self) -> np.ndarray:
        """int64 (N, C): pixels of every class."""
        return self.counts[:, :-1] @ self.legend.astype(np.int64)

    def same(self, other: Any) -> bool:
        """Whether another object holds the same classes in every pixel."""
        if not isinstance(other, LabelMaps) or self.shape != other.shape:
            return False
        pairs = zip(self, other, strict=True)
        return all(a.shape == b.shape and self._alike(a, b, other) for a, b in pairs)

    def _alike(self, a: np.ndarray, b: np.ndarray, other: LabelMaps) -> bool:
        if self.legend.shape == other.legend.shape and (self.legend == other.legend).all():
            return bool(np.array_equal(a, b))
        unlabelled = a == ignored(a.dtype)
        if not np.array_equal(unlabelled, b == ignored(b.dtype)):
            return False
        return bool((self.legend[a[~unlabelled]] == other.legend[b[~unlabelled]]).all())


def joined(parts: Sequence[LabelMaps]) -> LabelMaps:
    """Several parts as one, with the legend of the first where all have the same."""
    first = parts[0]
    if any(part.legend.shape != first.legend.shape or (part.legend != first.legend).any() for part in parts):
        first, parts = _with_one_legend(parts)
    maps = [row for part in parts for row in part.maps]
    tolerance = np.concatenate([part.tolerance for part in parts])
    return LabelMaps(maps, first.legend, tolerance, first.objects)


def _with_one_legend(parts: Sequence[LabelMaps]) -> tuple[LabelMaps, list[LabelMaps]]:
    rows, places = np.unique(np.concatenate([part.legend for part in parts]), axis=0, return_inverse=True)
    kind = dtype_of(len(rows))
    out, start = [], 0
    for part in parts:
        new = places.ravel()[start : start + len(part.legend)]
        start += len(part.legend)
        out.append(LabelMaps([PngMap(png_of(_renumbered(m, new, kind))) for m in part], rows, part.tolerance))
    return LabelMaps([], rows, objects=parts[0].objects), out


def _renumbered(pixels: np.ndarray, new: np.ndarray, kind: type) -> np.ndarray:
    table: np.ndarray = np.full(ignored(pixels.dtype) + 1, ignored(kind), dtype=kind)
    table[: len(new)] = new
    result: np.ndarray = table[pixels]
    return result
