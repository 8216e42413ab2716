"""Shifts of tables, against what their words say."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from hmcbench_tables import shifts

from hmcbench import BadInput, ShiftInputs
from hmcbench.interfaces import ColumnKind

KINDS = (ColumnKind(), ColumnKind(("a", "b")), ColumnKind())


def table(samples: int = 400) -> ShiftInputs:
    """A wide, a nominal and a narrow column; training has a constant missing value."""
    rng = np.random.default_rng(0)
    columns = rng.normal(5, 2, samples), rng.integers(0, 2, samples), rng.normal(0, 0.1, samples)
    rows = np.column_stack(columns)
    training = rows * [1, 1, 10]
    training[0, 0] = np.nan
    return ShiftInputs("table", [str(i) for i in range(samples)], rows, training, ("w", "n", "s"), KINDS)


def test_the_examples_of_all_docstrings() -> None:
    assert doctest.testmod(shifts) == (0, 12)


def test_noise_is_in_deviations_of_the_training_column() -> None:
    inputs = table()
    added = shifts.noise(inputs, 0.5) - inputs.rows
    assert added.std(axis=0)[[0, 2]] == pytest.approx([1.0, 0.5], rel=0.1)
    assert not added[:, 1].any() and abs(added[:, 0].mean()) < 0.2


def test_missing_values_come_in_the_share_and_only_more_with_it() -> None:
    inputs = table()
    few, many = (np.isnan(shifts.missing_values(inputs, share)) for share in (0.1, 0.4))
    assert (few.mean(), many.mean()) == (pytest.approx(0.1, abs=0.02), pytest.approx(0.4, abs=0.03))
    assert (few <= many).all()


def test_missing_columns_are_missing_everywhere() -> None:
    missing = np.isnan(shifts.missing_columns(table(), 0.34))
    assert missing.all(axis=0).sum() == missing.any(axis=0).sum() == 2


def test_a_changed_unit_is_in_one_column_of_numbers_of_every_row() -> None:
    inputs = table()
    before = np.where(inputs.rows == 0, 1.0, inputs.rows)
    changed = np.where(inputs.rows == 0, 1.0, shifts.changed_unit(inputs, 2.0)) / before
    off = ~np.isclose(changed, 1)
    assert (off[:, [0, 2]].sum(axis=1) == 1).all() and np.isin(changed[off].round(6), (0.01, 100)).all()
    assert 100 < off[:, 0].sum() < 300
    only = np.where(inputs.rows == 0, 1.0, shifts.changed_unit(inputs, 2.0, "s")) / before
    assert not np.isclose(only[:, 2], 1).any() and np.isclose(only[:, 0], 1).all()


def test_an_unknown_column_is_refused() -> None:
    with pytest.raises(BadInput, match=r"'n' is no column of numbers\. Allowed: w, s"):
        shifts.changed_unit(table(), 1.0, "n")


def test_a_column_that_is_constant_but_for_rounding_is_no_column_of_numbers() -> None:
    training = np.column_stack([np.full(7, 0.1), np.arange(7.0)])
    assert training[:, 0].std() > 0
    inputs = ShiftInputs("table", ["a"], np.array([[0.1, 2.0]]), training, ("constant", "other"))
    assert shifts.noise(inputs, 1.0)[0, 0] == 0.1
    with pytest.raises(BadInput, match=r"Allowed: other"):
        shifts.changed_unit(inputs, 1.0, "constant")
