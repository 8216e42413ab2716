"""Reliability diagrams: accuracy against confidence, and the number of samples per bin."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.probabilities import BINS, bin_of, top_labels
from hmcbench.report.figures.style import BLUE, GREY, figure


class Bins(NamedTuple):
    """Per bin: samples, mean confidence and share that is right (nan for an empty bin)."""

    samples: np.ndarray
    confidence: np.ndarray
    right: np.ndarray

    @property
    def error(self) -> float:
        """Expected calibration error: the mean gap, weighted by samples; nan without any."""
        total = self.samples.sum()
        gaps = np.abs(self.confidence - self.right)
        return float(np.nansum(self.samples * gaps) / total) if total else np.nan


def binned(confidence: np.ndarray, right: np.ndarray) -> Bins:
    """Probabilities (n,) and whether each came true (n,), in the bins of ``level{k}_ece``."""
    where = bin_of(confidence)
    count = np.bincount(where, minlength=BINS)
    filled = np.where(count > 0, count, np.nan)
    sums = [np.bincount(where, values.astype(float), BINS) for values in (confidence, right)]
    return Bins(count, sums[0] / filled, sums[1] / filled)


def level_bins(evaluation: Evaluation, k: int) -> Bins:
    """Single path: the top label of level k. Several paths: every class probability of the level."""
    if evaluation.task.paths == "single":
        confidence, right, known = top_labels(evaluation, k)
        return binned(confidence[known], right[known])
    level = evaluation.level_columns(k)
    return binned(evaluation.scores[:, level].ravel(), np.asarray(evaluation.truth[:, level]).ravel())


def reliability(evaluation: Evaluation, title: str) -> Figure:
    """One panel per level: accuracy against confidence above, the number of samples below."""
    single = evaluation.task.paths == "single"
    levels = range(1, evaluation.levels + 1)
    columns = min(4, len(levels))
    rows = -(-len(levels) // columns)
    fig, axes = figure(3.2 * columns, 4.0 * rows, 2 * rows, columns, sharex=True, height_ratios=[3, 1] * rows)
    fig.suptitle(title)
    edges = np.arange(BINS) / BINS
    for i in range(rows * columns):
        above, below = axes[2 * (i // columns), i % columns], axes[2 * (i // columns) + 1, i % columns]
        if i >= len(levels):
            above.set_axis_off()
            below.set_axis_off()
            continue
        bins = level_bins(evaluation, i + 1)
        above.plot([0, 1], [0, 1], "--", color="black", linewidth=1, label="perfect", zorder=3)
        above.bar(edges, bins.right, 1 / BINS, align="edge", color=BLUE, edgecolor="white")
        above.plot(bins.confidence, bins.right, "o", color="black", markersize=3, label="bin means")
        gap = "ECE" if single else "mean gap"
        above.set(xlim=(0, 1), ylim=(0, 1.02), title=f"level {i + 1}: {gap} {bins.error:.3f}")
        below.bar(edges, bins.samples, 1 / BINS, align="edge", color=GREY, edgecolor="white")
        below.set_xlabel("confidence" if single else "probability of a class")
        if i % columns == 0:
            above.set_ylabel("accuracy" if single else "share of true classes")
            above.legend(loc="upper left")
            below.set_ylabel("samples" if single else "pairs")
    return fig
