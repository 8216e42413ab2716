"""Kinds of columns are guessed from their cells, or set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hmcbench_tables.columns import find, read_features, set_kinds
from hmcbench_tables.problems import RowProblems
from hmcbench_tables.reading import TextTable

from hmcbench.errors import BadInput


def table(**columns: Sequence[str]) -> TextTable:
    rows = len(next(iter(columns.values())))
    return TextTable("a.csv", "a.csv", list(columns), list(columns.values()), range(2, rows + 2))


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
