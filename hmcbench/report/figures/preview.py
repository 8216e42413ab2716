"""Samples of a dataset as pictures, as a model receives them, and the meaning of their pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from hmcbench.report.figures.style import GREY, plain, wrapped

COLUMNS = 3


@dataclass(frozen=True, eq=False)
class Preview:
    """Pictures to draw.

    Attributes:
        pictures: of every sample, float in [0, 1] (H, W) or (H, W, 3).
        captions: of every picture, on one or more lines.
        parts, pixels: for pictures of equal parts, the names of the parts and of the pixels within a part,
            in their places (``""`` where unused): attributes of the featurizer; else empty.
    """

    pictures: Sequence[np.ndarray]
    captions: Sequence[str]
    parts: Sequence[Sequence[str]] = ()
    pixels: Sequence[Sequence[str]] = ()


def grey_levels(rows: Sequence[Any], chosen: Sequence[int]) -> tuple[list[np.ndarray], str]:
    """The chosen rows as pictures in [0, 1], and the meaning of black and white in words.

    Bytes are shown unchanged. Other numbers are scaled per pixel, from the least to the greatest value
    over all rows; a pixel that never changes is black.
    """
    loaded = [np.asarray(rows[i].load() if hasattr(rows[i], "load") else rows[i]) for i in chosen]
    if all(picture.dtype == np.uint8 for picture in loaded):
        return [picture / 255 for picture in loaded], "grey levels as they are"
    values = np.nan_to_num(np.asarray(rows, dtype=float), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = values.min(axis=0), values.max(axis=0)
    spread = np.where(high > low, high - low, 1.0)
    legend = f"every pixel from its least (black) to its greatest value (white) over {len(values):,} samples"
    return [(values[i] - low) / spread for i in chosen], legend


def draw(preview: Preview, title: str) -> Figure:
    """The pictures with their captions, three in a row; the key, if any, to the right."""
    columns = min(COLUMNS, len(preview.pictures))
    rows = -(-len(preview.pictures) // columns)
    key = 7.2 if preview.parts else 0.0
    fig = Figure(figsize=(2.5 * columns + key, max(3.1 * rows + 0.6, 0.75 * key)), layout="constrained")
    parts: Any = fig.subfigures(1, 2, width_ratios=(2.5 * columns, key)) if key else [fig]
    fig.suptitle(title)
    axes = parts[0].subplots(rows, columns, squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, picture, caption in zip(axes.flat, preview.pictures, preview.captions, strict=False):
        ax.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        text = "\n".join(wrapped(line, 36, 3) for line in caption.split("\n"))
        ax.set_title(text, fontsize=7.5, fontweight="normal")
    if key:
        _key(parts[1], preview)
    return fig


def _key(sheet: Any, preview: Preview) -> None:
    """The names of all parts in their places, and of the pixels of a part."""
    above, below = sheet.subplots(2, 1, height_ratios=(len(preview.parts), len(preview.pixels)))
    _grid(above, preview.parts, 6.0, width=17)
    above.set_title("where each property stands", fontsize=8)
    _grid(below, preview.pixels, 7.5, width=12)
    below.set_title("the pixels of each", fontsize=8)


def _grid(ax: Axes, names: Sequence[Sequence[str]], size: float, width: int) -> None:
    """A table of names, as wide as the axes."""
    ax.set(xlim=(-0.01, len(names[0]) + 0.01), ylim=(len(names) + 0.02, -0.02))
    ax.set_axis_off()
    for i, row in enumerate(names):
        for j, name in enumerate(row):
            shade = "white" if name else "#dddddd"
            ax.add_patch(Rectangle((j, i), 1, 1, facecolor=shade, edgecolor=GREY, linewidth=0.5))
            ax.text(j + 0.5, i + 0.5, wrapped(name, width, 3), ha="center", va="center", fontsize=size)


def named_values(row: np.ndarray, names: Sequence[str], most: int = 9) -> str:
    """``Fe 71.2, Cr 18, Ni 9``: the positive values, the greatest first."""
    order = [i for i in np.argsort(-row, kind="stable") if row[i] > 0]
    text = ", ".join(f"{names[i]}\u00a0{row[i]:.4g}" for i in order[:most])  # no line break between the two
    return plain(text) + (", …" if len(order) > most else "")
