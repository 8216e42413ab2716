"""Pictures of the most confident mistakes, and truth against prediction for regression."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from hmcbench.metrics.evaluation import Evaluation
from hmcbench.report.figures.style import BLUE, GREY, figure, plain, wrapped

COLUMNS = 4


@dataclass(frozen=True)
class Mistake:
    """One wrong decision.

    Attributes:
        row: the sample.
        said, true: the most specific classes of the decision and of the truth; empty for none.
        confidence: the highest probability of a decided class that is not true.
    """

    row: int
    said: tuple[str, ...]
    true: tuple[str, ...]
    confidence: float


def confident_mistakes(evaluation: Evaluation, most: int) -> list[Mistake]:
    """Samples with a decided class that is not true, the most confident first."""
    wrong = np.asarray(evaluation.closed) & ~np.asarray(evaluation.truth)
    confidence = np.where(wrong, evaluation.scores, -1.0).max(axis=1, initial=-1.0)
    order = np.argsort(-confidence, kind="stable")[:most]
    decode = evaluation.hierarchy.decode
    return [
        Mistake(int(i), decode(evaluation.closed[i]), decode(evaluation.truth[i]), float(confidence[i]))
        for i in order
        if confidence[i] >= 0
    ]


def mistake_sheet(
    mistakes: Sequence[Mistake], ids: Sequence[str], picture: Callable[[int], np.ndarray], title: str
) -> Figure:
    """Pictures with the decision and the truth below each; ``picture(row)`` loads a picture."""
    rows = -(-len(mistakes) // COLUMNS)
    fig, axes = figure(2.5 * min(COLUMNS, len(mistakes)), 3.3 * rows, rows, min(COLUMNS, len(mistakes)))
    fig.suptitle(title)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, mistake in zip(axes.flat, mistakes, strict=False):
        ax.imshow(picture(mistake.row), cmap="gray", vmin=0, vmax=255)
        decided, true = (
            wrapped(" | ".join(names) or "nothing", 34) for names in (mistake.said, mistake.true)
        )
        ax.set_title(wrapped(ids[mistake.row], 34, 1), fontsize=7, fontweight="normal", color="#555555")
        text = f"said {mistake.confidence:.2f}: {decided}\ntrue: {true}"
        ax.text(0, -0.03, text, transform=ax.transAxes, va="top", fontsize=7.5)
    return fig


def parity(truth: np.ndarray, predicted: np.ndarray, targets: Sequence[str], title: str) -> Figure:
    """Regression: predicted against true value of every target, on equal scales. (N, T) both."""
    columns = min(4, len(targets))
    rows = -(-len(targets) // columns)
    fig, axes = figure(3.1 * columns, 3.1 * rows, rows, columns)
    fig.suptitle(title)
    for ax in axes.flat[len(targets) :]:
        ax.set_axis_off()
    for ax, name, y, p in zip(axes.flat, targets, truth.T, predicted.T, strict=False):
        low, high = float(min(y.min(), p.min())), float(max(y.max(), p.max()))
        ax.plot([low, high], [low, high], "--", color=GREY, linewidth=1)
        ax.plot(y, p, "o", color=BLUE, markersize=3, alpha=0.6, markeredgewidth=0)
        ax.set(aspect="equal", xlabel="true", ylabel="predicted")
        ax.set_title(plain(name))
    return fig
