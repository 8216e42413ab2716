"""Decodes masks: the values that are in the file, never colours that a program would show for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from hmcbench.errors import BadInput
from hmcbench.hierarchy.label_maps import dtype_of, ignored
from hmcbench_masks.reader.classes import colours

TIFF = (".tif", ".tiff")


def read_values(file: Path) -> np.ndarray:
    """The values of a mask, int64 (H, W): grey values of any depth, indices of a palette, or colours.

    Colours are numbers as :func:`hmcbench_masks.reader.classes.colour_number` makes them; opacity is ignored.
    Three equal channels are grey. Colours of 16 bits are taken for those of 8 bits; of several pages the
    first is read.

    Raises:
        BadInput: the file cannot be read, or has another shape.
    """
    try:
        pixels = tifffile.imread(file, key=0) if file.suffix.lower() in TIFF else _decoded(file)
    except Exception as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise BadInput(f"{file.name} cannot be read as a mask ({reason})") from None
    if pixels.ndim == 3 and pixels.shape[0] in (3, 4) and pixels.shape[2] not in (3, 4):
        pixels = np.moveaxis(pixels, 0, 2)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim == 3 and pixels.shape[2] in (3, 4) and pixels.dtype in (np.uint8, np.uint16):
        pixels = pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)
        red, green, blue = (pixels[..., i] for i in range(3))
        if (red == green).all() and (green == blue).all():
            return red.astype(np.int64)
        return colours(pixels)
    if pixels.ndim != 2 or pixels.dtype.kind not in "uib":
        raise BadInput(
            f"{file.name} has {pixels.dtype} values of shape {pixels.shape}",
            allowed="whole numbers (H, W), or colours of 8 or 16 bits",
        )
    return pixels.astype(np.int64)


def _decoded(file: Path) -> np.ndarray:
    opaque = {"RGBA": "RGB", "LA": "L"}
    with Image.open(file) as image:
        return np.asarray(image.convert(opaque[image.mode]) if image.mode in opaque else image)


@dataclass(frozen=True)
class MaskFile:
    """A mask on disk as a label map; decoded when asked, never kept.

    Attributes:
        file: the mask.
        rows: value -> row of the legend; -1 for pixels that are not labelled.
        labels: rows of the legend.
        rest: the row of every other value; None where there is none.
    """

    file: str
    rows: Mapping[int, int]
    labels: int
    rest: int | None = None

    def load(self) -> np.ndarray:
        """uint8 or uint16 (H, W).

        Raises:
            BadInput: a value that has no row.
        """
        return translated(read_values(Path(self.file)), self.rows, self.labels, self.file, self.rest)


@dataclass(frozen=True)
class Renumbered:
    """A label map whose legend lost the rows that no pixel has.

    Attributes:
        labels: the map with all rows; an object with ``load()``.
        kept: the rows that stay, ascending.
    """

    labels: Any
    kept: tuple[int, ...]

    def load(self) -> np.ndarray:
        """uint8 or uint16 (H, W)."""
        pixels, kind = self.labels.load(), dtype_of(len(self.kept))
        numbers: np.ndarray = np.full(ignored(pixels.dtype) + 1, ignored(kind), dtype=kind)
        numbers[list(self.kept)] = np.arange(len(self.kept))
        result: np.ndarray = numbers[pixels]
        return result


def translated(
    values: np.ndarray, rows: Mapping[int, int], labels: int, where: str, rest: int | None = None
) -> np.ndarray:
    """Values (H, W) -> rows of the legend, ``rest`` for those of no row; without it, BadInput."""
    kind = dtype_of(labels)
    known = np.array(sorted(rows), dtype=np.int64)
    places = np.searchsorted(known, values)
    strange = np.append(known, -1)[places] != values  # no value is negative
    if strange.any() and rest is None:
        raise BadInput(f"{where}: a value that classes.csv lacks ({values[strange][0]})")
    numbers = np.array([*(rows[int(value)] for value in known), -1 if rest is None else rest])
    places[strange] = len(known)
    table: np.ndarray = np.where(numbers < 0, ignored(kind), numbers).astype(kind)
    result: np.ndarray = table[places]
    return result
