"""Regression: errors per target (``target_*``, reported as ``target_r2[strength]``) and their
plain averages over targets.

y is the truth, p the prediction, n the number of samples. The averages leave out targets for
which the value is undefined; ``r2_undefined`` counts those of R2.

The examples are the two targets of :func:`hmcbench.metrics.fixtures.two_alloys`: strength 100,
200, 400 predicted 110, 190, 400; hardness 2, 2, 2 predicted 2, 3, 2.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hmcbench.metrics.base import Reduce, Stats, class_metric, is_rounding, ratio, sample_metric
from hmcbench.metrics.evaluation import Evaluation

_ROUNDING = 1e-12  # a spread this small beside the values themselves is rounding, not spread


def _errors(e: Evaluation) -> np.ndarray:
    """(N, T) p - y; raises ValueError where either holds nan or infinity."""
    errors: np.ndarray = e.scores - e.truth
    if not np.isfinite(errors).all():
        raise ValueError("targets or predictions hold nan or infinity")
    return errors


def _moments(e: Evaluation) -> np.ndarray:
    """(N, T, 4): 1, y, y^2, (p - y)^2; y is measured from its mean, which changes no R2 but its rounding.

    What is left of a constant target then is rounding, and counts as 0.
    """
    errors = _errors(e)
    mean = e.truth.mean(axis=0) if len(e) else np.zeros(errors.shape[1])
    y = e.truth - mean
    y = np.where(is_rounding((y**2).sum(axis=0) / max(1, len(e)), mean, len(e)), 0.0, y)
    return np.stack([np.ones_like(y), y, y**2, errors**2], axis=2)


def _absolute(e: Evaluation) -> np.ndarray:
    """(N, T, 2): |p - y|, 1."""
    errors = np.abs(_errors(e))
    return np.stack([errors, np.ones_like(errors)], axis=2)


def _squared(e: Evaluation) -> np.ndarray:
    """(N, T, 2): (p - y)^2, 1."""
    errors = _errors(e) ** 2
    return np.stack([errors, np.ones_like(errors)], axis=2)


def _relative(e: Evaluation) -> np.ndarray:
    """(N, T, 2): |p - y| / |y|, 1; zeros where y is 0."""
    return np.stack([ratio(np.abs(_errors(e)), np.abs(e.truth)), e.truth != 0], axis=2)


def _r2(sums: np.ndarray) -> np.ndarray:
    n, y, squares, residual = np.moveaxis(sums, -1, 0)
    total = squares - ratio(y**2, n)
    varies = total > _ROUNDING * squares
    return np.where(varies, 1.0 - np.divide(residual, total, out=np.zeros(total.shape), where=varies), np.nan)


def _mean(sums: np.ndarray) -> np.ndarray:
    return np.where(sums[..., 1] > 0, ratio(sums[..., 0], sums[..., 1]), np.nan)


def _root_mean(sums: np.ndarray) -> np.ndarray:
    return np.asarray(np.sqrt(_mean(sums)))


def _average(value: Reduce, width: int) -> Reduce:
    """From sums (..., T * width): the mean over targets for which ``value`` is defined."""

    def reduce(sums: np.ndarray) -> np.ndarray:
        values = value(sums.reshape(*sums.shape[:-1], -1, width))
        return _mean(np.stack([np.nansum(values, axis=-1), np.isfinite(values).sum(axis=-1)], axis=-1))

    return reduce


def _sums(moments: Callable[[Evaluation], np.ndarray]) -> Callable[[Evaluation], np.ndarray]:
    def sums(e: Evaluation) -> np.ndarray:
        total: np.ndarray = moments(e).sum(axis=0)
        return total

    return sums


def _flat(moments: np.ndarray) -> Stats:
    return moments.reshape(len(moments), moments.shape[1] * moments.shape[2])


# --------------------------------------------------------------------------- averages


@sample_metric(_average(_r2, 4))
def r2(e: Evaluation) -> Stats:
    """Mean over targets of 1 - SS_res / SS_tot; a constant target is undefined and left out.

    >>> from hmcbench.metrics.fixtures import two_alloys
    >>> round(r2(two_alloys()), 4)  # 1 - 200 / 46666.7; hardness is constant
    0.9957
    """
    return _flat(_moments(e))


def _count_undefined(sums: np.ndarray) -> np.ndarray:
    undefined: np.ndarray = np.isnan(_r2(sums.reshape(*sums.shape[:-1], -1, 4))).sum(axis=-1)
    return undefined


@sample_metric(_count_undefined)
def r2_undefined(e: Evaluation) -> Stats:
    """Number of constant targets, for which R2 is undefined.

    >>> from hmcbench.metrics.fixtures import two_alloys
    >>> r2_undefined(two_alloys())
    1.0
    """
    return _flat(_moments(e))


@sample_metric(_average(_root_mean, 2))
def rmse(e: Evaluation) -> Stats:
    """Mean over targets of sqrt(mean (p - y)^2), in the targets' own units.

    >>> from hmcbench.metrics.fixtures import two_alloys
    >>> round(rmse(two_alloys()), 4)  # (8.1650 + 0.5774) / 2
    4.3712
    """
    return _flat(_squared(e))


@sample_metric(_average(_mean, 2))
def mae(e: Evaluation) -> Stats:
    """Mean over targets of mean |p - y|, in the targets' own units.

    >>> from hmcbench.metrics.fixtures import two_alloys
    >>> mae(two_alloys())  # (20/3 + 1/3) / 2
    3.5
    """
    return _flat(_absolute(e))


@sample_metric(_average(_mean, 2))
def mape(e: Evaluation) -> Stats:
    """Mean over targets of mean |p - y| / |y|, a fraction; samples with y = 0 are left out.

    >>> from hmcbench.metrics.fixtures import two_alloys
    >>> round(mape(two_alloys()), 4)  # (.05 + .1667) / 2
    0.1083
    """
    return _flat(_relative(e))


def max_relative_error(e: Evaluation) -> float:
    """Mean over targets of max |p - y| / |y|, a fraction; samples with y = 0 are left out.

    >>> from hmcbench.metrics.fixtures import two_alloys
    >>> max_relative_error(two_alloys())  # (.1 + .5) / 2
    0.3
    """
    values = target_max_relative_error(e)
    return float(_mean(np.array([np.nansum(values), np.isfinite(values).sum()])))


# --------------------------------------------------------------------------- per target


@class_metric(_r2, _sums(_moments))
def target_r2(e: Evaluation, column: int) -> np.ndarray:
    """1 - SS_res / SS_tot of one target; undefined where the target is constant.

    >>> from hmcbench.metrics.fixtures import two_alloys
    >>> target_r2(two_alloys()).round(4).tolist()
    [0.9957, nan]
    """
    return _moments(e)[:, column]


@class_metric(_root_mean, _sums(_squared))
def target_rmse(e: Evaluation, column: int) -> np.ndarray:
    """sqrt(mean (p - y)^2) of one target, in its own unit.

    >>> from hmcbench.metrics.fixtures import two_alloys
    >>> target_rmse(two_alloys()).round(4).tolist()
    [8.165, 0.5774]
    """
    return _squared(e)[:, column]


@class_metric(_mean, _sums(_absolute))
def target_mae(e: Evaluation, column: int) -> np.ndarray:
    """mean |p - y| of one target, in its own unit.

    >>> from hmcbench.metrics.fixtures import two_alloys
    >>> target_mae(two_alloys()).round(4).tolist()
    [6.6667, 0.3333]
    """
    return _absolute(e)[:, column]


@class_metric(_mean, _sums(_relative))
def target_mape(e: Evaluation, column: int) -> np.ndarray:
    """mean |p - y| / |y| of one target, a fraction; samples with y = 0 are left out.

    >>> from hmcbench.metrics.fixtures import two_alloys
    >>> target_mape(two_alloys()).round(4).tolist()
    [0.05, 0.1667]
    """
    return _relative(e)[:, column]


def target_max_relative_error(e: Evaluation) -> np.ndarray:
    """max |p - y| / |y| of every target, a fraction; samples with y = 0 are left out.

    >>> from hmcbench.metrics.fixtures import two_alloys
    >>> target_max_relative_error(two_alloys()).tolist()
    [0.1, 0.5]
    """
    error, some = np.moveaxis(_relative(e), 2, 0)
    return np.where(some.any(axis=0), error.max(axis=0, initial=0.0), np.nan)
