"""Label maps as pictures: image, truth, prediction and errors of every level, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.hierarchy.label_maps import LabelMaps
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.label_pairs import LabelPairs
from hmcbench.metrics.levels import level_accuracy
from hmcbench.report.figures.style import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION, figure, plain, wrapped

CLASS_COLOURS = (BLUE, ORANGE, GREEN, SKY, PURPLE, "#F0E442")
WRONG, NOTHING, UNLABELLED = VERMILION, "#FFFFFF", "#000000"
"""A mistake has a colour that no class has. Classes beyond the sixth take the colours again, darker."""
SIDE = 480  # pixels of a drawn map
SHEET = "label-maps"  # name of the figure of :func:`map_sheet`


def colours(n: int) -> list[tuple[float, float, float]]:
    """RGB of n classes."""
    turns = [0.62 ** (i // len(CLASS_COLOURS)) for i in range(n)]
    base = [to_rgb(CLASS_COLOURS[i % len(CLASS_COLOURS)]) for i in range(n)]
    return [(turn * r, turn * g, turn * b) for turn, (r, g, b) in zip(turns, base, strict=True)]


def worst_images(pairs: LabelPairs, evaluation: Evaluation, most: int) -> list[int]:
    """Positions of images: those with the largest share of pixels that are wrong at the last level first."""
    stats = pairs.per_image(level_accuracy.stats(evaluation, evaluation.levels))
    right = np.divide(stats[:, 0], stats[:, 1], out=np.ones(len(stats)), where=stats[:, 1] > 0)
    return [int(i) for i in np.argsort(right, kind="stable")[:most]]


def map_sheet(
    evaluation: Evaluation,
    rows: Sequence[int],
    ids: Sequence[str],
    picture: Callable[[int], np.ndarray | None],
    title: str,
) -> Figure:
    """One line per image: the image, and truth, prediction and errors of every level.

    Args:
        evaluation: of label maps.
        rows: positions of the images.
        ids: of all images.
        picture: position -> uint8 (H, W) or (H, W, 3), or None where the image is not at hand.
    """
    pairs, hierarchy = evaluation.pairs, evaluation.hierarchy
    assert pairs is not None
    columns = 1 + 3 * evaluation.levels
    fig, axes = figure(1.9 * columns, 1.75 * len(rows) + 0.9, len(rows), columns)
    fig.suptitle(title)
    for line, row in zip(axes, rows, strict=True):
        truth, predicted = pairs.truth.load(row), pairs.predicted.load(row)
        step = max(1, -(-max(truth.shape) // SIDE))
        seen = picture(row)
        panels = [None if seen is None else _small(seen, step)]
        for k in range(1, evaluation.levels + 1):
            true = level_colours(pairs.truth, truth[::step, ::step], hierarchy, k)
            guess = level_colours(pairs.predicted, predicted[::step, ::step], hierarchy, k)
            panels += [true, guess, errors(true, guess, panels[0])]
        for ax, panel in zip(line, panels, strict=True):
            ax.set_xticks([])
            ax.set_yticks([])
            if panel is None:
                ax.set_axis_off()
            else:
                ax.imshow(panel, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        line[0].set_title(wrapped(ids[row], 26, 1), fontsize=7, fontweight="normal")
    for k in range(1, evaluation.levels + 1):
        for ax, what in zip(axes[0, 3 * k - 2 :], ("truth", "prediction", "wrong"), strict=False):
            ax.set_title(f"level {k}: {what}", fontsize=8)
    fig.legend(handles=_key(hierarchy), loc="outside lower center", ncols=4, fontsize=8)
    return fig


def level_colours(maps: LabelMaps, pixels: np.ndarray, hierarchy: Hierarchy, k: int) -> np.ndarray:
    """RGB uint8 (H, W, 3) of a map at level k; of several classes in a pixel the mean of their colours."""
    classes = hierarchy.level_classes(k)
    table = np.tile(np.array(to_rgb(UNLABELLED)), (int(np.iinfo(pixels.dtype).max) + 1, 1))
    sets = maps.legend[:, classes].astype(float)
    held = sets.sum(axis=1, keepdims=True)
    mixed = sets @ np.array(colours(hierarchy.n))[classes] / np.maximum(held, 1)
    table[: len(sets)] = np.where(held > 0, mixed, np.array(to_rgb(NOTHING)))
    drawn: np.ndarray = np.rint(255 * table[pixels]).astype(np.uint8)
    return drawn


def errors(true: np.ndarray, guess: np.ndarray, seen: np.ndarray | None) -> np.ndarray:
    """RGB uint8: wrong pixels in the colour of mistakes, the others as the image, pale, or white."""
    if seen is None or seen.shape[:2] != true.shape[:2]:
        ground = np.full(true.shape, 255.0)
    else:
        ground = 130 + 0.49 * np.broadcast_to(np.atleast_3d(seen), true.shape)
    unlabelled = (true == 0).all(axis=2)
    wrong = (true != guess).any(axis=2) & ~unlabelled
    ground[wrong] = 255 * np.array(to_rgb(WRONG))
    ground[unlabelled] = 0
    return ground.astype(np.uint8)


def _small(seen: np.ndarray, step: int) -> np.ndarray:
    return np.asarray(seen)[::step, ::step]


def _key(hierarchy: Hierarchy) -> list[Patch]:
    entries = []
    for k in range(1, hierarchy.depth + 1):
        columns = hierarchy.level_classes(k)
        for column in columns:
            colour = colours(hierarchy.n)[column]
            name = plain(f"level {k}: {hierarchy.names[column]}")
            entries.append(Patch(facecolor=colour, edgecolor="black", linewidth=0.4, label=name))
    for name, rgb in (("no class", NOTHING), ("wrong", WRONG), ("not labelled", UNLABELLED)):
        entries.append(Patch(facecolor=rgb, edgecolor="black", linewidth=0.4, label=name))
    return entries
