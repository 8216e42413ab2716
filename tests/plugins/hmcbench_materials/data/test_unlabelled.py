"""Tables of new steels and alloys: what may be absent, and how the columns of a user's own are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hmcbench_materials.data.datasets import load
from hmcbench_materials.data.steel import SRIM_ELEMENTS
from hmcbench_materials.data.unlabelled import read_unlabelled

from hmcbench.errors import BadInput
from hmcbench.interfaces import NewSamples, TableColumns

TRAINED = (*SRIM_ELEMENTS, "temperature", "route=cast", "route=forged")
AMOUNTS = "0.3,0,1,0,0,0,0,0,0,0,0"


def steels(folder: Path, header: str, *rows: str) -> NewSamples:
    path = folder / "new.csv"
    lines = [",".join((*SRIM_ELEMENTS, header)), *(f"{AMOUNTS},{row}" for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return read_unlabelled("srim-steel", str(path), {"table": TableColumns(TRAINED, ())})


def test_a_value_of_a_column_of_text_may_be_absent(tmp_path: Path) -> None:
    samples = steels(tmp_path, "route,temperature", "cast,800", "cast,900")
    np.testing.assert_array_equal(samples.views["table"][:, -3:], [[800, 1, 0], [900, 1, 0]])
    assert not samples.problems


@pytest.mark.parametrize(
    ("header", "row", "absent"),
    [
        ("route", "cast", "temperature"),
        ("temperature", "800", "route"),
        ("time", "1", "temperature, route"),
        ("Temperature,route", "800,cast", "temperature"),
    ],
)
def test_a_column_that_the_model_was_trained_on_may_not(
    tmp_path: Path, header: str, row: str, absent: str
) -> None:
    with pytest.raises(BadInput, match=f"lacks columns that the model was trained on: {absent}\\."):
        steels(tmp_path, header, row)


def test_the_trained_columns_say_what_a_column_holds(tmp_path: Path) -> None:
    """Alone, the cells of this file are a column of text and one of numbers."""
    samples = steels(tmp_path, "route,temperature", "1,hot", "1,cold", "1,hot", "cast,850")
    np.testing.assert_array_equal(samples.views["table"][:, -3:], [[850, 1, 0]])
    assert "temperature: 'hot' is no number" in [p.what for p in samples.problems]
    coded = steels(tmp_path, "route,temperature", "1,800", "2,900")
    assert [p.what for p in coded.problems] == [
        "no training sample has route=1",
        "no training sample has route=2",
    ]


def test_elements_may_be_absent(tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_text("Alloy\nCu50Zr50\n")
    samples = read_unlabelled(
        "metallic-glass", str(path), {"table": TableColumns(("Al", "Cu", "Zr"), ())}, split_by="sample"
    )
    np.testing.assert_array_equal(samples.views["table"], [[0, 50, 50]])


def test_one_gap_does_not_turn_a_column_of_numbers_into_one_of_text(tmp_path: Path) -> None:
    header = ",".join((*SRIM_ELEMENTS, "time,route,yield,tensile,elongation,reduction"))
    rows = [
        f"0.{i},0,1,0,0,0,0,0,0,0,0,{i},{'nan' if i == 3 else 'cast'},{500 + i},{600 + i},{20 - i},{50 + i}"
        for i in range(1, 7)
    ]
    rows[1] = rows[1].replace(",2,cast", ",,cast")
    path = tmp_path / "SRIM.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    dataset = load("srim-steel", path=str(path), skip_bad=True)
    assert dataset.columns["table"][-2:] == ("time", "route=cast")
    np.testing.assert_array_equal(dataset.views["table"][:, -2:], [[1, 1], [3, 0], [4, 1], [5, 1], [6, 1]])
    assert dataset.notes[0] == "rows left out: 1 (SRIM.csv:3: time: the cell is empty)"
