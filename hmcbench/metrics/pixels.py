"""Metrics of label maps. Statistics are rows of images: intervals draw images, or groups of them.

Overlaps (IoU, Dice) pool the pixels of all images. Pixels that are not labelled in the truth count nowhere.
Plain ids read the coherent decision; there are no ``_raw`` ids, as the scores of pixels are not kept. The
examples are :func:`hmcbench.metrics.fixtures.two_maps`.
"""

from __future__ import annotations

import numpy as np

from hmcbench.errors import NotApplicable
from hmcbench.metrics import map_objects
from hmcbench.metrics.base import Stats, class_metric, columns, level_metric, ratio, sample_metric
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.label_pairs import LabelPairs
from hmcbench.metrics.levels import level_f1_macro, mean_over_classes


def maps_of(e: Evaluation) -> LabelPairs:
    """The label maps of an evaluation; raises NotApplicable where there are none."""
    if e.pairs is None:
        raise NotApplicable("defined for label maps only")
    return e.pairs


def iou_of(counts: np.ndarray) -> np.ndarray:
    """Intersection over union from (..., 3) counts of Y & P, P and Y."""
    return ratio(counts[..., 0], counts[..., 1] + counts[..., 2] - counts[..., 0])


# --------------------------------------------------------------------------- overlaps


@level_metric(mean_over_classes(iou_of))
def level_miou(e: Evaluation, k: int) -> Stats:
    r"""Mean over the classes of C+ at level k of \|Y & P\| / \|Y or P\| in pixels of all images.

    >>> from hmcbench.metrics.fixtures import two_maps
    >>> round(level_miou(two_maps(), 2), 4)  # a/x 3/6, a/y 3/7
    0.4643
    """
    return maps_of(e).per_image(level_f1_macro.stats(e, k))


@level_metric(level_f1_macro.reduce)
def level_dice(e: Evaluation, k: int) -> Stats:
    r"""Mean over the classes of C+ at level k of 2 \|Y & P\| / (\|Y\| + \|P\|) in pixels of all images.

    The pixel's own ``level{k}_f1_macro``.

    >>> from hmcbench.metrics.fixtures import two_maps
    >>> round(level_dice(two_maps(), 2), 4)  # a/x 6/9, a/y 6/10
    0.6333
    """
    return maps_of(e).per_image(level_f1_macro.stats(e, k))


@sample_metric(iou_of)
def hierarchical_iou(e: Evaluation) -> Stats:
    r"""Sum over classes of \|Y & P\| / sum over classes of \|Y or P\|, in pixels of all images.

    Classes of all levels are pooled, so a pixel that is right at level 1 and wrong at level 2 counts in part.

    >>> from hmcbench.metrics.fixtures import two_maps
    >>> round(hierarchical_iou(two_maps()), 4)  # (9 + 3 + 3 + 3) / (10 + 4 + 6 + 7)
    0.6667
    """
    return maps_of(e).per_image(e.counts)


def _class_stats(e: Evaluation, column: int) -> np.ndarray:
    parts = (e.matched, e.closed, e.truth)
    return maps_of(e).per_image(columns(*(part[:, column] for part in parts)))


@class_metric(iou_of, lambda e: np.array([_class_stats(e, c).sum(axis=0) for c in range(e.hierarchy.n)]))
def class_iou(e: Evaluation, column: int) -> np.ndarray:
    r"""\|Y & P\| / \|Y or P\| of a class in pixels of all images.

    >>> from hmcbench.metrics.fixtures import two_maps
    >>> class_iou(two_maps()).round(4).tolist()  # a, b, a/x, a/y
    [0.9, 0.75, 0.5, 0.4286]
    """
    return _class_stats(e, column)


# --------------------------------------------------------------------------- areas


def _areas(e: Evaluation, column: int) -> np.ndarray:
    sums = maps_of(e).per_image(columns(e.closed[:, column], e.truth[:, column], np.ones(len(e))))
    error = 100 * ratio(np.abs(sums[:, 0] - sums[:, 1]), sums[:, 2])
    return columns(error, sums[:, 2] > 0)


@class_metric(
    lambda sums: ratio(sums[..., 0], sums[..., 1]),
    lambda e: np.array([_areas(e, c).sum(axis=0) for c in range(e.hierarchy.n)]),
)
def area_error(e: Evaluation, column: int) -> np.ndarray:
    """Mean over images of the difference between predicted and true share of a class, in percentage points.

    What a metallurgist reports is the share of an area; 0 to 100, of the labelled pixels.

    >>> from hmcbench.metrics.fixtures import two_maps
    >>> area_error(two_maps()).round(2).tolist()  # a: 1 of 8 pixels too many, then 0 of 5
    [6.25, 6.25, 26.25, 32.5]
    """
    return _areas(e, column)


# --------------------------------------------------------------------------- borders and objects


def _mean_of_classes(sums: np.ndarray) -> np.ndarray:
    """(..., 2 C): sums of F1 and numbers of images, of every class -> mean over classes with an image."""
    pairs = sums.reshape(*sums.shape[:-1], 2, -1)
    above, images = pairs[..., 0, :], pairs[..., 1, :]
    there = (images > 0).sum(axis=-1)
    mean = ratio(ratio(above, images).sum(axis=-1), there)
    return np.where(there > 0, mean, np.nan)


@sample_metric(_mean_of_classes)
def boundary_f1(e: Evaluation) -> Stats:
    """Mean over classes of the mean over the images that have the class of the F1 of its borders.

    Precision is the share of the predicted border pixels within the tolerance of a true one, recall the share
    of the true ones within the tolerance of a predicted one [Csurka et al. 2013]. The tolerance, in pixels,
    is the dataset's. A border pixel has a neighbour (of four) of another class; neither the edge of the image
    nor pixels that are not labelled make a border. Undefined where no image has a border.

    >>> from hmcbench.metrics.fixtures import two_maps
    >>> round(boundary_f1(two_maps()), 4)
    0.6875
    """
    return np.concatenate(map_objects.border_scores(maps_of(e), e.hierarchy.n), axis=1)


def _undefined_without(sums: np.ndarray) -> np.ndarray:
    return np.where(sums[..., 2] > 0, ratio(sums[..., 0], sums[..., 1]), np.nan)


@class_metric(
    _undefined_without,
    lambda e: np.array(
        [map_objects.aji_sums(maps_of(e), e.hierarchy, c).sum(0) for c in range(e.hierarchy.n)]
    ),
)
def aji(e: Evaluation, column: int) -> np.ndarray:
    """Aggregated Jaccard index of a class: found objects over all objects, in pixels [Kumar et al. 2017].

    An object is a connected region (of eight neighbours). Every true object takes the predicted one with the
    largest IoU; the intersections are divided by the unions and the predicted objects that none took.
    Undefined where the dataset does not say that the class has objects, and where there is none.

    >>> from hmcbench.metrics.fixtures import two_maps
    >>> aji(two_maps()).round(4).tolist()  # b: 1 of 2 pixels, then 2 of 2
    [nan, 0.75, nan, nan]
    """
    return map_objects.aji_sums(maps_of(e), e.hierarchy, column)
