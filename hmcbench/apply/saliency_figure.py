"""Figures of explanations: one panel per level (paper, figures 6-9), and their faithfulness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from hmcbench.report.figures.style import MARKERS, OKABE_ITO, figure, plain, wrapped

if TYPE_CHECKING:
    from hmcbench.apply.saliency import ExplainedLevel, Explanation

_HEAT = "inferno"  # even in lightness; dark, and here transparent, where there is no evidence
_COLUMNS = 4


def overlay_figure(explanation: Explanation, names: dict[str, str], title: str) -> Figure:
    """The picture, and for every level the picture with its map on it.

    Args:
        explanation: that of one image.
        names: class id -> display name.
        title: its first line; the decisions follow.
    """
    panels = 1 + len(explanation.levels)
    columns = min(panels, _COLUMNS)
    rows = -(-panels // columns)
    drawing, axes = figure(2.7 * columns + 0.6, 3.1 * rows + 0.7, rows, columns)
    coherent, raw = (" | ".join(sets) or "nothing" for sets in (explanation.coherent, explanation.raw))
    decided = coherent if raw == coherent else f"{coherent} (raw: {raw})"
    drawing.suptitle(f"{plain(title)}\n{wrapped(decided, 36 * columns, 2)}")
    for ax in axes.flat:
        ax.set_axis_off()
    first, *others = axes.flat
    first.imshow(explanation.picture, cmap="gray", vmin=0, vmax=255)
    first.set_title("as the network sees it", fontsize=8, fontweight="normal")
    heat = None
    for ax, level in zip(others, explanation.levels, strict=False):
        ax.imshow(explanation.picture, cmap="gray", vmin=0, vmax=255)
        if level.saliency is not None and level.saliency.any():
            heat = ax.imshow(level.saliency, cmap=_HEAT, vmin=0, vmax=1, alpha=0.75 * level.saliency**0.5)
        ax.set_title(_caption(level, names), fontsize=8, fontweight="normal")
    if heat is not None:
        scale = drawing.colorbar(heat, ax=axes, shrink=0.7, label="evidence for the class / its maximum")
        if scale.solids is not None:
            scale.solids.set_alpha(1)
    return drawing


def _caption(level: ExplainedLevel, names: dict[str, str]) -> str:
    if not level.name:
        return f"level {level.level}: the path ends above"
    flat = "" if level.saliency is not None and level.saliency.any() else "\nno evidence for it"
    return f"level {level.level}: {wrapped(names[level.name], 28, 2)}\n{level.probability:.3f}{flat}"


def faithfulness_figure(explanations: Sequence[Explanation], title: str) -> Figure | None:
    """Mean deletion and insertion curves of every level and of random maps; None without any."""
    levels = sorted({s.level for e in explanations for s in e.levels if s.map is not None})
    if not levels:
        return None
    drawing, axes = figure(8.6, 3.6, columns=2, sharey=True)
    drawing.suptitle(title)
    for ax, kind, better in zip(axes[0], ("deletion", "insertion"), ("lower", "higher"), strict=True):
        for i, k in enumerate(levels):
            explained = [s for e in explanations for s in e.levels if s.level == k]
            maps = [s.map for s in explained if s.map is not None]
            noise = [curves for s in explained for curves in s.random]
            for group, line, name in ((maps, "-", f"level {k}"), (noise, ":", f"level {k}, random maps")):
                values = np.mean([getattr(curves, kind) for curves in group], axis=0)
                area = np.mean([getattr(curves, f"{kind}_area") for curves in group])
                ax.plot(
                    np.linspace(0, 1, len(values)),
                    values,
                    line,
                    color=OKABE_ITO[i % len(OKABE_ITO)],
                    marker=MARKERS[i % len(MARKERS)] if line == "-" else None,
                    markersize=3,
                    label=f"{name}: area {area:.3f}",
                )
        ax.set_title(f"{kind} ({better} is better)")
        ax.set_xlabel("share of pixels " + ("removed" if kind == "deletion" else "restored"))
        ax.set_ylim(0, 1.02)
        ax.grid(alpha=0.3)
        ax.legend(loc="best")
    axes[0, 0].set_ylabel("probability of the explained class")
    return drawing
