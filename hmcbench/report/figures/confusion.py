"""Confusion matrices, level by level (paper, figures 4 and 5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from hmcbench.metrics.evaluation import Evaluation
from hmcbench.report.figures.style import BLUE, ORANGE, SEQUENTIAL, VERMILION, figure, label_classes

NOTHING = "(none)"
MOST_CLASSES = 40  # bars per level; more names cannot be read
_SPARSE = 12  # with more classes, zeros are left out
_ANNOTATED = 25  # up to so many classes, every count is written into its cell


def confusion_matrix(evaluation: Evaluation, k: int) -> tuple[np.ndarray, list[int]]:
    """Counts of a single-path task by true (rows) and predicted (columns) class of level k.

    Returns:
        int64 (n_k + 1, n_k + 1), whose last row and column stand for "no class at this level";
        and the columns of the level's classes in (N, C) matrices.
    """
    level = evaluation.level_columns(k)
    size = level.stop - level.start
    sides = []
    pixels = evaluation.pairs
    for sets in (evaluation.truth, evaluation.raw if pixels is None else evaluation.coherent):
        part = np.asarray(sets[:, level])
        sides.append(np.where(part.any(axis=1), part.argmax(axis=1), size))
    weights = None if pixels is None else pixels.pixels
    cells = np.bincount(sides[0] * (size + 1) + sides[1], weights, minlength=(size + 1) ** 2).astype(np.int64)
    return cells.reshape(size + 1, size + 1), list(range(level.start, level.stop))


def confusion(evaluation: Evaluation, k: int, title: str) -> Figure:
    """Single path: the matrix of level k with its counts, shaded by the share of the true class."""
    counts, columns = confusion_matrix(evaluation, k)
    names = [evaluation.hierarchy.names[c] for c in columns]
    rows_used = [*range(len(names)), *([len(names)] if counts[-1, :-1].any() else [])]
    columns_used = [*range(len(names)), *([len(names)] if counts[:-1, -1].any() else [])]
    counts = counts[np.ix_(rows_used, columns_used)]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = np.clip(0.62 * len(names), 2.4, 11.0)
    fig, axes = figure(side + 2.6, side + 1.6)
    fig.suptitle(title)
    ax = axes[0, 0]
    image = ax.imshow(shares, cmap=SEQUENTIAL, vmin=0, vmax=1)
    fig.colorbar(image, ax=ax, label="share of the true class", shrink=0.8)
    label_classes(ax, "y", [[*names, NOTHING][i] for i in rows_used])
    label_classes(ax, "x", [[*names, NOTHING][i] for i in columns_used])
    ax.set_ylabel("true class")
    ax.set_xlabel("predicted class")
    if len(names) <= _ANNOTATED:
        size = max(6.0, 9 * 12 / max(12, len(names)))
        for (i, j), count in np.ndenumerate(counts):
            if not count and len(names) > _SPARSE:
                continue  # many zeros hide the other counts
            ink = "black" if shares[i, j] > 0.5 else "white"  # cividis: dark for little, light for much
            ax.text(j, i, f"{count}", ha="center", va="center", color=ink, fontsize=size)
    return fig


class Outcomes(NamedTuple):
    """Classes of one level of a task with several paths, where no matrix is defined.

    Attributes:
        names: n classes.
        counts: int64 (n, 3): samples in which the class was found (true positive), missed (false
            negative), invented (false positive).
        left_out: the number of the level's other classes.
        rest: (3,), the counts of those.
    """

    names: Sequence[str]
    counts: np.ndarray
    left_out: int
    rest: np.ndarray


def outcomes(evaluation: Evaluation, k: int, most: int) -> Outcomes:
    """All classes of level k in their order; of more than ``most``, those with the most errors first."""
    level = evaluation.level_columns(k)
    hits, decided, true = _class_counts(evaluation)[level].T.astype(np.int64)
    counts = np.stack([hits, true - hits, decided - hits], axis=1)
    names = list(evaluation.hierarchy.names[level])
    if len(names) <= most:
        return Outcomes(names, counts, 0, np.zeros(3, dtype=np.int64))
    order = np.argsort(-counts[:, 1:].sum(axis=1), kind="stable")
    shown, others = order[:most], order[most:]
    return Outcomes([names[c] for c in shown], counts[shown], len(others), counts[others].sum(axis=0))


def _class_counts(evaluation: Evaluation) -> np.ndarray:
    """float (C, 3): samples, or pixels, with a class in Y & P, in P, in Y."""
    if evaluation.pairs is None:
        return evaluation.class_counts
    parts = (evaluation.matched, evaluation.closed, evaluation.truth)
    return np.stack([evaluation.pairs.pixels @ part for part in parts], axis=1)


def class_outcomes(evaluation: Evaluation, k: int, title: str) -> Figure:
    """Several paths: samples per class of level k that were found, missed, invented."""
    names, counts, left_out, others = outcomes(evaluation, k, MOST_CLASSES)
    matched, missed, invented = counts.T
    fig, axes = figure(6.4, (1.6 if left_out else 1.4) + 0.3 * len(names))
    if left_out:
        title += f"\nthe {len(names)} classes with the most errors; {left_out:,} others: "
        title += f"{others[0]:,} found, {others[1]:,} missed, {others[2]:,} invented"
    fig.suptitle(title)
    ax = axes[0, 0]
    places = np.arange(len(names))
    ax.barh(places, matched, color=BLUE, label="found")
    ax.barh(places, missed, left=matched, color=ORANGE, label="missed")
    true = matched + missed
    ax.barh(places, invented, left=true, color=VERMILION, hatch="//", edgecolor="white", label="invented")
    label_classes(ax, "y", names)
    ax.invert_yaxis()
    ax.set_xlabel("samples" if evaluation.pairs is None else "pixels")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
    return fig
