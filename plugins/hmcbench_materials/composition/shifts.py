"""Shifts of compositions: what the measurement of a composition, or a new alloy, does to its amounts.

They change every view with a column per element: those of 118 amounts, and in a table the columns that have
the name of one. Errors are relative, so that they mean the same in atomic and in weight per cent.
"""

from __future__ import annotations

import numpy as np

from hmcbench import ShiftInputs
from hmcbench_materials.composition.periodic_table import COLUMN, SYMBOLS

UNLIKELY = frozenset(
    ("He", "Ne", "Ar", "Kr", "Xe", "Tc", "Pm", "H", "N", "O", "F", "Cl", "Br", "I", "S", "Se", "Te")
)
"""Never the new element of an alloy: gases, anions, and what has no stable isotope up to lead."""
LEAD = 82


def eds_drift(inputs: ShiftInputs, severity: float) -> np.ndarray:
    """A smooth relative error over the atomic number that keeps the sum, as of a detector that drifts.

    ``severity``: its largest size, in per cent of an amount. The curve is drawn for every sample: a line and
    half a wave.

    >>> from hmcbench import ShiftInputs
    >>> alloy = ShiftInputs("table", ["a"], np.array([[20.0, 80.0, 7.0]]), np.ones((1, 3)), ("Al", "Ni", "T"))
    >>> drifted = eds_drift(alloy, 10.0)
    >>> float(drifted[0, :2].sum().round(6)), float(drifted[0, 2]), bool(abs(drifted[0, 0] - 20) < 4)
    (100.0, 7.0, True)
    """
    rows, columns, numbers = _amounts(inputs)
    x = 2 * numbers / len(SYMBOLS) - 1
    for row, rng in zip(rows, inputs.generators(), strict=True):
        slope, size, phase = rng.uniform(-1, 1, 3)
        curve = (slope * x + size * np.sin(np.pi * (1.5 * x + phase))) / 2
        amounts = np.asarray(row[columns], dtype=np.float64)
        changed = amounts * (1 + severity / 100 * curve)
        total = changed.sum()
        if severity and total > 0:
            row[columns] = changed * (amounts.sum() / total)
    return rows


def new_element(inputs: ShiftInputs, severity: float) -> np.ndarray:
    """An element that no training sample has takes a part of the whole, drawn for every sample.

    ``severity``: its part in per cent of the sum, in the unit of the view. Where a table has no column for
    it, the other amounts shrink all the same.

    >>> from hmcbench import ShiftInputs
    >>> alloy = ShiftInputs("table", ["a"], np.array([[100.0, 0.0]]), np.array([[1.0, 0.0]]), ("Ni", "Re"))
    >>> float(new_element(alloy, 5.0)[0, 0])
    95.0
    """
    rows, columns, numbers = _amounts(inputs)
    training = np.asarray(inputs.training, dtype=np.float64)
    seen = {int(n) for n, column in zip(numbers, columns, strict=True) if (training[:, column] > 0).any()}
    new = [n for n in range(1, LEAD + 1) if n not in seen and SYMBOLS[n - 1] not in UNLIKELY]
    place = {int(n): int(column) for n, column in zip(numbers, columns, strict=True)}
    for row, rng in zip(rows, inputs.generators(), strict=True):
        drawn = new[int(rng.integers(len(new)))] if new else 0
        total = float(row[columns].sum())
        row[columns] *= 1 - severity / 100
        if drawn in place:
            row[place[drawn]] += severity / 100 * total
    return rows


def _amounts(inputs: ShiftInputs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A copy of the rows, the columns of elements, and their atomic numbers."""
    rows = np.array(inputs.rows)
    names = inputs.columns or (SYMBOLS if rows.shape[1] == len(SYMBOLS) else ())
    columns = [i for i, name in enumerate(names) if name in COLUMN]
    numbers = [COLUMN[names[i]] + 1 for i in columns]
    return rows, np.array(columns, dtype=int), np.array(numbers, dtype=int)
