"""Explanations as pictures: one panel per level (paper, figures 6-9), and their faithfulness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from hmcbench.report.figures.style import MARKERS, OKABE_ITO, figure, plain, wrapped

if TYPE_CHECKING:
    from hmcbench.apply.saliency import Explanation, Seen

_HEAT = "inferno"  # even in lightness; dark, and here clear, where nothing speaks for the class
_COLUMNS = 4


def overlay_figure(explanation: Explanation, names: dict[str, str], where: str) -> Figure:
    """The picture, and for every level the picture under its map.

    Args:
        explanation: of one image.
        names: class id -> display name.
        where: the file and the model, for the title.
    """
    panels = 1 + len(explanation.levels)
    columns = min(panels, _COLUMNS)
    rows = -(-panels // columns)
    made, axes = figure(2.7 * columns + 0.6, 3.1 * rows + 0.7, rows, columns)
    path, raw = (" | ".join(said) or "nothing" for said in (explanation.coherent, explanation.raw))
    decided = path if raw == path else f"{path} (raw: {raw})"
    made.suptitle(f"{plain(where)}\n{wrapped(decided, 36 * columns, 2)}")
    for ax in axes.flat:
        ax.set_axis_off()
    first, *others = axes.flat
    first.imshow(explanation.picture, cmap="gray", vmin=0, vmax=255)
    first.set_title("as the network sees it", fontsize=8, fontweight="normal")
    shown = None
    for ax, seen in zip(others, explanation.levels, strict=False):
        ax.imshow(explanation.picture, cmap="gray", vmin=0, vmax=255)
        if seen.saliency is not None and seen.saliency.any():
            shown = ax.imshow(seen.saliency, cmap=_HEAT, vmin=0, vmax=1, alpha=0.75 * seen.saliency**0.5)
        ax.set_title(_caption(seen, names), fontsize=8, fontweight="normal")
    if shown is not None:
        scale = made.colorbar(shown, ax=axes, shrink=0.7, label="evidence for the class / its maximum")
        if scale.solids is not None:
            scale.solids.set_alpha(1)
    return made


def _caption(seen: Seen, names: dict[str, str]) -> str:
    if not seen.name:
        return f"level {seen.level}: the path has ended"
    flat = "" if seen.saliency is not None and seen.saliency.any() else "\nnothing speaks for it"
    return f"level {seen.level}: {wrapped(names[seen.name], 28, 2)}\n{seen.probability:.3f}{flat}"


def faithfulness_figure(explanations: Sequence[Explanation], title: str) -> Figure | None:
    """Mean deletion and insertion curves of every level, beside those of random maps; None without any."""
    levels = sorted({s.level for e in explanations for s in e.levels if s.map is not None})
    if not levels:
        return None
    made, axes = figure(8.6, 3.6, columns=2, sharey=True)
    made.suptitle(title)
    for ax, kind, wish in zip(axes[0], ("deletion", "insertion"), ("lower", "higher"), strict=True):
        for i, k in enumerate(levels):
            seen = [s for e in explanations for s in e.levels if s.level == k and s.map is not None]
            maps = [s.map for s in seen if s.map is not None]
            noise = [curves for s in seen for curves in s.random]
            for some, line, what in ((maps, "-", f"level {k}"), (noise, ":", f"level {k}, random maps")):
                values = np.mean([getattr(curves, kind) for curves in some], axis=0)
                area = np.mean([getattr(curves, f"{kind}_area") for curves in some])
                ax.plot(
                    np.linspace(0, 1, len(values)),
                    values,
                    line,
                    color=OKABE_ITO[i % len(OKABE_ITO)],
                    marker=MARKERS[i % len(MARKERS)] if line == "-" else None,
                    markersize=3,
                    label=f"{what}: area {area:.3f}",
                )
        ax.set_title(f"{kind} ({wish} is better)")
        ax.set_xlabel("share of pixels " + ("removed" if kind == "deletion" else "restored"))
        ax.set_ylim(0, 1.02)
        ax.grid(alpha=0.3)
        ax.legend(loc="best")
    axes[0, 0].set_ylabel("probability of the explained class")
    return made
