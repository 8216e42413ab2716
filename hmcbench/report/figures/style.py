"""The style of all figures: colours that print and that colour-blind readers can distinguish, and labels."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hmcbench.files import replacing

# Okabe and Ito, Color Universal Design (2008), without its yellow, which is hard to see on white.
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK = OKABE_ITO = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"),
)
GREY = "#999999"
SEQUENTIAL = "cividis"  # even steps of lightness, for all kinds of colour vision
MARKERS = "os^Dv<>"
DPI = 150
_RC: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "legend.frameon": False,
    "legend.fontsize": 8,
    "figure.titlesize": 10,
}


def styled() -> AbstractContextManager[None]:
    """A context to draw in: matplotlib reads its defaults when a text or line is created."""
    return rc_context(_RC)


def figure(width: float, height: float, rows: int = 1, columns: int = 1, **more: Any) -> tuple[Figure, Any]:
    """A figure (width and height in inches) and its axes, always a 2-D array (rows, columns)."""
    fig = Figure(figsize=(width, height), layout="constrained")
    return fig, fig.subplots(rows, columns, squeeze=False, **more)


def save(fig: Figure, path: Path) -> Path:
    """Write a PNG in one step; nothing is clipped, and no metadata are stored."""
    with styled(), replacing(path) as fresh:
        fig.savefig(fresh, format="png", dpi=DPI, bbox_inches="tight", metadata={"Software": None})
    return path


def plain(text: Any) -> str:
    """A text from files or plugins for matplotlib: ``$`` starts no formula."""
    return str(text).replace("$", r"\$")


def wrapped(text: str, width: int = 20, lines: int = 3) -> str:
    """A label on a few short lines, broken after ``_`` and ``/`` too, and cut with an ellipsis."""
    spaced = text.replace("_", "_\u200b").replace("/", "/\u200b").replace("\u200b", " \u200b")
    parts = textwrap.wrap(spaced, width, max_lines=lines, placeholder="…") or [""]
    return plain("\n".join(parts).replace(" \u200b", "").replace("\u200b", ""))


def label_classes(axes: Axes, which: str, names: Sequence[str]) -> None:
    """Class names along an axis (``x`` or ``y``), wrapped; many names are smaller and on one line."""
    crowded = len(names) > 12
    texts = [wrapped(name, 48, 1) if crowded else wrapped(name) for name in names]
    size = 9 if not crowded else max(4.0, 9 - 0.12 * (len(names) - 12))
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_ticks(range(len(names)), texts, fontsize=size)
    if which == "x":
        long = crowded or max(map(len, names), default=0) > 8
        axes.tick_params(axis="x", rotation=90 if crowded else 45 if long else 0)
        for tick in axes.get_xticklabels():
            tick.set_horizontalalignment("right" if long and not crowded else "center")
            tick.set_rotation_mode("anchor" if long and not crowded else "default")
