"""Shifts of tables: what measuring again, another laboratory or a broken instrument does to a row.

All return a new array (n, F) of floats; missing values are NaN. What is drawn for a row does not depend on
the severity, so that a larger one only adds damage.
"""

from __future__ import annotations

import math

import numpy as np

from hmcbench import BadInput, ShiftInputs
from hmcbench.metrics.base import is_rounding


def noise(inputs: ShiftInputs, severity: float) -> np.ndarray:
    """Normal noise in every column of numbers; ``severity`` in deviations of the column over training.

    Nominal columns and missing values stay as they are.

    >>> from hmcbench import ShiftInputs
    >>> table = ShiftInputs("table", ["a", "b"], np.zeros((2, 1)), np.array([[1.0], [3.0]]))
    >>> noise(table, 0.0).tolist(), bool((noise(table, 2.0) == 2 * noise(table, 1.0)).all())
    ([[0.0], [0.0]], True)
    """
    rows = np.asarray(inputs.rows)
    deviation = _deviation(inputs)
    drawn = np.stack([rng.standard_normal(rows.shape[1]) for rng in inputs.generators()])
    noisy: np.ndarray = rows + severity * deviation * drawn
    return noisy


def missing_values(inputs: ShiftInputs, severity: float) -> np.ndarray:
    """Every value is missing with the probability ``severity``, by itself.

    >>> from hmcbench import ShiftInputs
    >>> table = ShiftInputs("table", list("abcd"), np.ones((4, 50)))
    >>> [float(np.isnan(missing_values(table, share)).mean().round(1)) for share in (0.0, 0.2, 0.5)]
    [0.0, 0.2, 0.5]
    """
    rows = np.array(inputs.rows)
    drawn = np.stack([rng.random(rows.shape[1]) for rng in inputs.generators()])
    rows[drawn < severity] = np.nan
    return rows


def missing_columns(inputs: ShiftInputs, severity: float) -> np.ndarray:
    """A share of the columns, rounded up, is missing in all samples; one column of two or more remains.

    >>> from hmcbench import ShiftInputs
    >>> table = ShiftInputs("table", ["a", "b"], np.ones((2, 10)))
    >>> [int(np.isnan(missing_columns(table, share)[0]).sum()) for share in (0.0, 0.1, 0.25, 1.0)]
    [0, 1, 3, 9]
    """
    rows = np.array(inputs.rows)
    width = rows.shape[1]
    count = min(math.ceil(round(severity * width, 9)), max(width - 1, 1))
    rows[:, inputs.generator().permutation(width)[:count]] = np.nan
    return rows


def changed_unit(inputs: ShiftInputs, severity: float, column: str = "") -> np.ndarray:
    """One value of every sample comes in another unit: times, or divided by, 10 to the power of ``severity``.

    Args:
        column: the one whose unit changes; empty: one of the columns of numbers is drawn for every sample, so
            that the result is a mean over all columns.

    Raises:
        BadInput: there is no such column of numbers.

    >>> from hmcbench import ShiftInputs
    >>> table = ShiftInputs("table", ["a"], np.array([[1.0, 2.0]]), np.eye(2), ("length", "mass"))
    >>> changed_unit(table, 1.0, "mass").tolist() in ([[1.0, 20.0]], [[1.0, 0.2]])
    True
    """
    rows = np.array(inputs.rows)
    numbers = np.flatnonzero(_deviation(inputs) > 0)
    if column:
        names = [inputs.columns[i] for i in numbers.tolist()] if inputs.columns else []
        if column not in names:
            raise BadInput(f"changed-unit: {column!r} is no column of numbers", allowed=", ".join(names))
        numbers = numbers[[names.index(column)]]
    if len(numbers):
        for row, rng in zip(rows, inputs.generators(), strict=True):
            row[numbers[rng.integers(len(numbers))]] *= 10.0 ** (severity * rng.choice((-1, 1)))
    return rows


def _deviation(inputs: ShiftInputs) -> np.ndarray:
    """(F,) of the columns over training samples; 0 for constant and nominal ones."""
    training = np.asarray(inputs.training, dtype=np.float64)
    known = np.isfinite(training)
    count = np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, training, 0.0)
    mean = centred.sum(axis=0) / count
    squares = np.where(known, (training - mean) ** 2, 0.0).sum(axis=0) / count
    nominal = [bool(kind.values) for kind in inputs.kinds] or [False] * training.shape[1]
    deviation: np.ndarray = np.where(nominal | is_rounding(squares, mean, count), 0.0, np.sqrt(squares))
    return deviation
