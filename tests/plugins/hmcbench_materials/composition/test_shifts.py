"""Shifts of compositions: sums, new elements, and the same error in every unit."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from hmcbench_materials.composition import shifts
from hmcbench_materials.composition.periodic_table import COLUMN, SYMBOLS, WEIGHTS

from hmcbench import ShiftInputs


def alloys(samples: int = 50) -> np.ndarray:
    """Atomic per cent of five elements."""
    rows = np.zeros((samples, len(SYMBOLS)))
    places = [COLUMN[name] for name in ("Al", "Fe", "Ni", "Zr", "W")]
    rows[:, places] = np.random.default_rng(0).dirichlet(np.ones(5), samples) * 100
    return rows


def inputs(rows: np.ndarray) -> ShiftInputs:
    return ShiftInputs("composition", [str(i) for i in range(len(rows))], rows, rows, SYMBOLS)


def test_the_examples_of_all_docstrings() -> None:
    assert doctest.testmod(shifts) == (0, 7)


def test_drift_keeps_the_sum_the_elements_and_its_bound() -> None:
    rows = alloys()
    drifted = shifts.eds_drift(inputs(rows), 20.0)
    assert drifted.sum(axis=1) == pytest.approx(rows.sum(axis=1))
    assert ((drifted > 0) == (rows > 0)).all()
    ratio = drifted[rows > 0] / rows[rows > 0]
    assert ratio.min() > (1 - 0.2) / (1 + 0.2) and ratio.max() < (1 + 0.2) / (1 - 0.2)
    assert not np.allclose(ratio, 1, atol=0.01)


def test_drift_is_the_same_error_in_weight_per_cent() -> None:
    at = alloys()
    wt = at * WEIGHTS / (at * WEIGHTS).sum(axis=1, keepdims=True) * 100
    drifted, drifted_wt = (shifts.eds_drift(inputs(rows), 20.0) for rows in (at, wt))
    back = drifted * WEIGHTS / (drifted * WEIGHTS).sum(axis=1, keepdims=True) * 100
    assert np.allclose(back, drifted_wt)


def test_a_new_element_is_one_that_no_training_sample_has() -> None:
    rows = alloys()
    changed = shifts.new_element(inputs(rows), 5.0)
    assert changed.sum(axis=1) == pytest.approx(rows.sum(axis=1))
    new = (changed > 0) & (rows == 0)
    assert (new.sum(axis=1) == 1).all() and changed[new] == pytest.approx(5.0)
    drawn = {SYMBOLS[i] for i in np.flatnonzero(new.any(axis=0))}
    assert len(drawn) > 10 and not drawn & (shifts.UNLIKELY | {"Al", "Fe", "Ni", "Zr", "W"})


def test_other_columns_of_a_table_stay() -> None:
    rows = np.array([[30.0, 70.0, 850.0]])
    given = ShiftInputs("table", ["a"], rows, rows, ("Al", "Ni", "temperature"))
    for change in (shifts.eds_drift, shifts.new_element):
        changed = change(given, 10.0)
        assert changed[0, 2] == 850 and not np.allclose(changed, rows)
    unnamed = ShiftInputs("table", ["a"], rows, rows)
    assert np.array_equal(shifts.eds_drift(unnamed, 10.0), rows)
