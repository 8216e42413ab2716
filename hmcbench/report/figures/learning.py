"""Learning curves as a figure: a metric over the number of training samples, or over wrong labels."""

from __future__ import annotations

from matplotlib.figure import Figure

from hmcbench.leaderboard.learning import LearningCurves
from hmcbench.report.figures.style import OKABE_ITO, figure, plain, styled


def learning_figure(curves: LearningCurves) -> Figure:
    """One line per model with the 95 % intervals of its points; the first seven models."""
    with styled():
        fig, axes = figure(6.4, 4.0)
        ax = axes[0, 0]
        models = curves.models[: len(OKABE_ITO)]
        for i, (model, colour) in enumerate(zip(models, OKABE_ITO, strict=False)):
            points = [(p, p.cells[model]) for p in curves.points if model in p.cells]
            x = [p.samples if curves.axis == "train_share" else p.x for p, _ in points]
            if curves.axis == "train_share":
                x = [value * (1 + 0.012 * (i - len(models) / 2)) for value in x]  # bars beside each other
            y = [cell.mean for _, cell in points]
            ax.plot(x, y, "o-", color=colour, linewidth=1.2, markersize=4, label=plain(model[:60]))
            for at, (_, cell) in zip(x, points, strict=True):
                if cell.low is not None and cell.high is not None:
                    ax.plot([at, at], [cell.low, cell.high], color=colour, linewidth=0.8)
        if curves.axis == "train_share":
            ax.set_xscale("log")
            ticks = [p.samples for p in curves.points]
            ax.set_xticks(ticks, [f"{n:,.0f}" for n in ticks])
            ax.minorticks_off()
        ax.set_xlabel(
            "training samples" if curves.axis == "train_share" else "share of wrong training labels"
        )
        ax.set_ylabel(plain(curves.metric))
        ax.grid(alpha=0.3)
        ax.set_title(plain(curves.title))
        fig.legend(loc="outside right center", fontsize=7)
    return fig
