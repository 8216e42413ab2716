"""Levels and classes: the same sets, looked at one level or one class at a time.

The level of a class is its longest distance from the virtual root (1 = top level). Class means
are over C+, the classes with a test positive. 0/0 is 0.

The examples are the confusion matrices of the HFFNet-2d paper (figures 4 and 5), one sample per
test image: see :func:`hmcbench.metrics.fixtures.confusion_matrices`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hmcbench.errors import NotApplicable
from hmcbench.metrics.base import (
    Stats,
    class_metric,
    columns,
    first_over_second,
    level_metric,
    only,
    ratio,
    side_by_side,
)
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.sets import class_f1 as f1_of_counts
from hmcbench.metrics.sets import mean_over_present


@level_metric(first_over_second)
def level_accuracy(e: Evaluation, k: int) -> Stats:
    """Share of samples whose true and predicted sets at level k are equal.

    Over samples with a true or a predicted class at level k.

    >>> from hmcbench.metrics.fixtures import confusion_matrices
    >>> e = confusion_matrices()
    >>> raw = e.with_raw()
    >>> round(level_accuracy(raw, 1), 4), round(level_accuracy(raw, 2), 4)  # 189/193, 179/193
    (0.9793, 0.9275)
    >>> round(level_accuracy(e, 1), 4), round(level_accuracy(e, 2), 4)  # level 2 implies level 1
    (1.0, 0.9275)
    """
    inter, n_pred, n_true = e.level_counts[:, k - 1].T
    some = (n_pred + n_true) > 0
    return columns(some & (inter == n_pred) & (inter == n_true), some)


@level_metric(first_over_second)
def level_argmax_accuracy(e: Evaluation, k: int) -> Stats:
    """Single path: share of samples whose level-k argmax is the true class [HFFNet-2d table 2].

    Over samples with a true class at level k; an argmax at ``stop`` is then an error. It reads the
    raw decisions.

    >>> from hmcbench.metrics.fixtures import confusion_matrices
    >>> e = confusion_matrices()
    >>> round(level_argmax_accuracy(e, 1), 4), round(level_argmax_accuracy(e, 2), 4)
    (0.9793, 0.9275)
    """
    if not e.decided_by_rule:
        raise NotApplicable("sets without scores have no argmax")
    level = e.level_columns(k)
    truth, raw = e.truth[:, level], e.raw[:, level]
    hits = truth.multiply(raw).sum(axis=1) if e.sparse else (truth & raw).sum(axis=1)
    return columns(hits, e.level_counts[:, k - 1, 2] > 0)


# --------------------------------------------------------------------------- class means


def class_precision_of(counts: np.ndarray) -> np.ndarray:
    """Precision of classes from (..., 3) counts of Y & P, P and Y."""
    return ratio(counts[..., 0], counts[..., 1])


def class_recall_of(counts: np.ndarray) -> np.ndarray:
    """Recall of classes from (..., 3) counts of Y & P, P and Y."""
    return ratio(counts[..., 0], counts[..., 2])


def mean_over_classes(value: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """The mean over C+ of a value of (..., 3) counts, for sums of Y & P, P and Y side by side."""

    def reduce(sums: np.ndarray) -> np.ndarray:
        counts = np.moveaxis(sums.reshape(*sums.shape[:-1], 3, -1), -2, -1)
        return mean_over_present(value(counts), counts[..., 2])

    return reduce


def _level_stats(e: Evaluation, k: int) -> Stats:
    level = e.level_columns(k)
    return side_by_side([part[:, level] for part in (e.matched, e.closed, e.truth)])


def _level_sums(e: Evaluation, k: int) -> np.ndarray:
    return e.class_counts[e.level_columns(k)].T.ravel()


@level_metric(mean_over_classes(class_precision_of), _level_sums)
def level_precision_macro(e: Evaluation, k: int) -> Stats:
    """Mean over the classes of C+ at level k of the class precision.

    >>> from hmcbench.metrics.fixtures import confusion_matrices
    >>> round(level_precision_macro(confusion_matrices(), 2), 4)  # 30/33, 33/34, 12/14, 67/69, 18/21, 19/22
    0.9048
    """
    return _level_stats(e, k)


@level_metric(mean_over_classes(class_recall_of), _level_sums)
def level_recall_macro(e: Evaluation, k: int) -> Stats:
    """Mean over the classes of C+ at level k of the class recall.

    >>> from hmcbench.metrics.fixtures import confusion_matrices
    >>> round(level_recall_macro(confusion_matrices(), 2), 4)  # 30/32, 33/36, 12/13, 67/72, 18/20, 19/20
    0.9263
    """
    return _level_stats(e, k)


@level_metric(mean_over_classes(f1_of_counts), _level_sums)
def level_f1_macro(e: Evaluation, k: int) -> Stats:
    """Mean over the classes of C+ at level k of the class F1.

    >>> from hmcbench.metrics.fixtures import confusion_matrices
    >>> round(level_f1_macro(confusion_matrices(), 2), 4)
    0.9147
    """
    return _level_stats(e, k)


# --------------------------------------------------------------------------- single classes


def _class_stats(e: Evaluation, column: int) -> np.ndarray:
    parts = [part[:, [column]] for part in (e.matched, e.closed, e.truth)]
    return columns(*(np.asarray(p.toarray() if e.sparse else p)[:, 0] for p in parts))


def _class_sums(e: Evaluation) -> np.ndarray:
    return e.class_counts


@class_metric(class_precision_of, _class_sums)
def class_precision(e: Evaluation, column: int) -> np.ndarray:
    """Share of the samples predicted to be of a class that are.

    >>> from hmcbench.metrics.fixtures import confusion_matrices
    >>> class_precision(confusion_matrices())[2:].round(4).tolist()
    [0.9091, 0.9706, 0.8571, 0.971, 0.8571, 0.8636]
    """
    return _class_stats(e, column)


@class_metric(class_recall_of, _class_sums)
def class_recall(e: Evaluation, column: int) -> np.ndarray:
    """Share of the samples of a class that were predicted to be of it.

    >>> from hmcbench.metrics.fixtures import confusion_matrices
    >>> class_recall(confusion_matrices())[2:].round(4).tolist()  # text below figure 5
    [0.9375, 0.9167, 0.9231, 0.9306, 0.9, 0.95]
    """
    return _class_stats(e, column)


@class_metric(f1_of_counts, _class_sums)
def class_f1(e: Evaluation, column: int) -> np.ndarray:
    """Harmonic mean of the precision and the recall of a class.

    >>> from hmcbench.metrics.fixtures import three_samples
    >>> class_f1(three_samples()).round(4).tolist()  # a x b e y c d z
    [1.0, 1.0, 0.6667, 0.0, 1.0, 0.0, 0.0, 0.0]
    """
    return _class_stats(e, column)


@class_metric(only, lambda e: e.class_counts[:, 2:])
def class_support(e: Evaluation, column: int) -> np.ndarray:
    """Number of samples of a class.

    >>> from hmcbench.metrics.fixtures import confusion_matrices
    >>> class_support(confusion_matrices()).astype(int).tolist()  # table 1 of the paper
    [81, 112, 32, 36, 13, 72, 20, 20]
    """
    return _class_stats(e, column)[:, 2:]
