"""Kinds of columns are guessed from their cells, or set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hmcbench_tables.columns import find, read_features, set_kinds
from hmcbench_tables.problems import RowProblems
from hmcbench_tables.reading import TextTable

from hmcbench.data.columns import guess, nominal
from hmcbench.errors import BadInput


def table(**columns: Sequence[str]) -> TextTable:
    rows = len(next(iter(columns.values())))
    return TextTable("a.csv", "a.csv", list(columns), list(columns.values()), range(2, rows + 2))


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
        (["", "nan", "N/A"], "it has no value"),
        (["a", "b", "c", "d"], "it holds text, 4 different values in 4 rows"),
        ([f"name {i % 60}" for i in range(200)], "it holds text, 60 different values in 200 rows"),
    ],
)
def test_the_kind_is_guessed(cells: list[str], kind: str) -> None:
    assert guess(cells) == kind


def test_cells_become_values() -> None:
    report = RowProblems(table(x=["1,5", "", "2"]))
    features = read_features(
        table(x=["1,5", "", "2"], kind=["M", "", "L"], n=["10", "9", "9"], same=["1", "1", "1"]),
        ["x", "kind", "n", "same"],
        {"kind": "nominal", "n": "nominal"},
        report,
    )
    x, kind, n = features.columns
    np.testing.assert_array_equal(x.values, [1.5, np.nan, 2.0])
    assert (x.names, x.missing) == ((), 1)
    np.testing.assert_array_equal(kind.values, [1, np.nan, 0])
    assert kind.names == ("L", "M")
    assert n.names == ("9", "10")  # by size, not as text
    assert features.unused == {"same": "it is constant"}
    assert not report.problems


def test_a_cell_that_is_no_number_makes_its_row_a_problem() -> None:
    cells = ["1"] * 17 + ["<0.1", "1_000", "inf"]
    report = RowProblems(table(C=cells))
    read_features(table(C=cells), ["C"], {"C": "number"}, report)
    assert [(p.where, p.what) for p in report.problems] == [
        ("a.csv:19", "column 'C': '<0.1' is no number"),
        ("a.csv:20", "column 'C': '1_000' is no number"),
        ("a.csv:21", "column 'C': 'inf' is no finite number"),
    ]
    assert all(p.fatal and p.skippable for p in report.problems)
    assert report.bad == {17, 18, 19}


def test_values_such_as_none_and_na_are_kept_in_nominal_columns() -> None:
    assert nominal("x", ["Na", "none", "", "-"]).names == ("-", "Na", "none")


def test_names_with_commas_and_semicolons() -> None:
    columns = {"C, wt%": ["1"], "a;b": ["1"], "x": ["1"]}
    assert find(table(**columns), "C%2C wt%25;a%3Bb; x", "drop") == ["C, wt%", "a;b", "x"]
    assert set_kinds(table(**columns), "a%3Bb:nominal;x:number") == {"a;b": "nominal", "x": "number"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("heet", r"a\.csv has no column 'heet' \(drop\); did you mean 'heat'\?.*its columns are C, heat"),
        ("heat;heat", "drop names the column 'heat' twice"),
    ],
)
def test_columns_that_are_not_there(text: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        find(table(C=["1"], heat=["2"]), text, "drop")


@pytest.mark.parametrize("text", ["heat", "heat:integer", "heat:"])
def test_kinds_that_cannot_be_read(text: str) -> None:
    with pytest.raises(BadInput, match="Allowed: COLUMN:number or COLUMN:nominal"):
        set_kinds(table(heat=["2"]), text)
