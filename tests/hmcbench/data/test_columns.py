"""Cells of text as columns: their kind is guessed, and they become values."""

from __future__ import annotations

import numpy as np
import pytest

from hmcbench.data.columns import doubtful_comma, guess, nominal, numbers, why_unused


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "2.5", "-3e4", ""], "number"),
        (["1,5", "2,5", "3"], "number"),
        (["1", "2", "none", "-", "NaN"], "number"),
        (["1"] * 19 + ["<0.1"], "number"),
        (["L", "M", "L", "H"] * 3, "nominal"),
        (["none", "TiN", "none", "-"] * 2, "nominal"),
        (["True", "False", "True"], "nominal"),
        (["2024-01-02", "2024-01-03"], "it holds dates"),
        (["2.1.2024", "13.12.2024", ""], "it holds dates"),
        (["1/2/24 10:05", "1/3/24 23:59"], "it holds dates"),
        (["2024-01-02T03:04:05.678Z", "2024-01-03T03:04:05+01:00"], "it holds dates"),
        (["", "nan", "N/A", "<NA>"], "it has no value"),
        (["a", "b", "c", "d"], "it holds text, 4 different values in 4 rows"),
        ([f"name {i % 60}" for i in range(200)], "it holds text, 60 different values in 200 rows"),
    ],
)
def test_the_kind_is_guessed(cells: list[str], kind: str) -> None:
    assert guess(cells) == kind


def test_values_such_as_none_and_na_are_kept_in_nominal_columns() -> None:
    assert nominal("x", ["Na", "none", "", "-"]).names == ("-", "Na", "none")


def test_cells_that_are_no_numbers_are_named_by_row() -> None:
    values, wrong = numbers(["1,5", "", "x", "2"])
    np.testing.assert_array_equal(values, [1.5, np.nan, np.nan, 2])
    assert wrong == {2: "'x' is no number"}


def test_columns_that_tell_nothing() -> None:
    nan = float("nan")
    assert why_unused(np.array([nan, nan])) == "it has no value"
    assert why_unused(np.array([2.0, 2.0])) == "it is constant"
    assert why_unused(np.array([2.0, nan])) == why_unused(np.array([1.0, 2.0])) == ""


@pytest.mark.parametrize(
    ("cells", "doubtful"),
    [
        (["900", "1,234", "12,500"], "1,234"),
        (["-1,234", ""], "-1,234"),
        (["0,125", "1,234"], ""),
        (["1,23", "1,234"], ""),
        (["1,234", "1.5"], ""),
        (["1234", "5"], ""),
    ],
)
def test_commas_that_may_separate_thousands(cells: list[str], doubtful: str) -> None:
    assert doubtful_comma(cells) == doubtful
