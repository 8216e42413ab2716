"""Pairs of images that show the same place, for a person to judge."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from hmcbench.interfaces import PicturePair
from hmcbench.report.figures.style import plain, wrapped

MOST = 24  # pairs that are drawn
BESIDE = 3  # pairs in one row
_SIDE = 320  # pixels to which large images are reduced, about


def draw(pairs: Sequence[PicturePair]) -> Figure:
    """The first ``MOST`` pairs: the two images beside each other, their names above, the caption below."""
    shown = pairs[:MOST]
    columns = min(BESIDE, len(shown))
    rows = -(-len(shown) // columns)
    drawn = Figure(figsize=(4.4 * columns, 2.9 * rows + 0.5), layout="constrained")
    count = f"{len(shown)} of {len(pairs)}" if len(shown) < len(pairs) else f"{len(pairs)}"
    drawn.suptitle(f"images that show the same place: {count} pairs")
    cells = drawn.subfigures(rows, columns, squeeze=False).flat
    for cell, pair in zip(cells, shown, strict=False):
        cell.supxlabel(plain(pair.caption), fontsize=7.5)
        for ax, name, row in zip(cell.subplots(1, 2), pair.names, pair.rows, strict=True):
            ax.set_axis_off()
            ax.imshow(_reduced(row), cmap="gray", vmin=0, vmax=255)
            ax.set_title(wrapped(name, 30, 3), fontsize=7, fontweight="normal")
    return drawn


def _reduced(row: object) -> np.ndarray:
    picture = np.asarray(row.load() if hasattr(row, "load") else row)
    step = max(1, max(picture.shape[:2]) // _SIDE)
    return picture[::step, ::step]
