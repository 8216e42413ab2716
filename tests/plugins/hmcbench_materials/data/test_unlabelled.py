"""Tables of new steels and alloys: what may be absent, and how the columns of a user's own are read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hmcbench_materials.data.datasets import load
from hmcbench_materials.data.steel import SRIM_COLUMNS, SRIM_ELEMENTS, read_srim
from hmcbench_materials.data.unlabelled import read_unlabelled
from hmcbench_materials.tables import Table
from hypothesis import given
from hypothesis import strategies as st

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


def srim(folder: Path, times: Sequence[str], routes: Sequence[str]) -> Path:
    """A table of steels with these cells of processing."""
    header = ",".join((*SRIM_ELEMENTS, "time,route,yield,tensile,elongation,reduction"))
    rows = [
        f'0.{i + 10},0,1,0,0,0,0,0,0,0,0,"{time}",{route},{500 + i},{600 + i},{40 - i},{50 + i}'
        for i, (time, route) in enumerate(zip(times, routes, strict=True))
    ]
    path = folder / "SRIM.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_one_gap_does_not_turn_a_column_of_numbers_into_one_of_text(tmp_path: Path) -> None:
    times, routes = [str(i) for i in range(10)], ["cast"] * 10
    times[1], routes[2] = "", "nan"
    dataset = load("srim-steel", path=str(srim(tmp_path, times, routes)), skip_bad=True)
    assert dataset.columns["table"][-2:] == ("time", "route=cast")
    expected = [[i, i != 2] for i in range(10) if i != 1]
    np.testing.assert_array_equal(dataset.views["table"][:, -2:], expected)
    assert dataset.notes[0] == "rows left out: 1 (SRIM.csv:3: time: the cell is empty)"


@pytest.mark.parametrize(
    ("times", "names", "says"),
    [
        (["none"] * 19 + ["3"], ("time=3", "time=none"), "1 of 20 cells are numbers, others such as 'none'"),
        (["1,5", "2,5"] * 10, ("time=1,5", "time=2,5"), "0 of 20 cells are numbers, others such as '1,5'"),
        (["1"] * 17 + ["-"] * 3, ("time=-", "time=1"), "17 of 20 cells are numbers, others such as '-'"),
    ],
)
def test_a_column_of_gaps_or_commas_rejects_no_row(
    tmp_path: Path, times: list[str], names: tuple[str, ...], says: str
) -> None:
    dataset = load("srim-steel", path=str(srim(tmp_path, times, ["cast", "forged"] * 10)))
    assert dataset.columns["table"][-4:] == (*names, "route=cast", "route=forged")
    assert len(dataset.ids) == 20
    assert dataset.notes == [f"SRIM.csv: time: {says} are not; the column is taken as names"]


@pytest.mark.parametrize("gap", ["", "nan", "?", "-", "none", "as rolled"])
def test_a_column_of_numbers_with_many_gaps_is_no_column_of_names(tmp_path: Path, gap: str) -> None:
    """A feature per number would have been learned by heart, and a new steel would have had none."""
    times = [str(800 + i) if i % 8 else gap for i in range(40)]
    path = str(srim(tmp_path, times, ["cast", "forged"] * 20))
    says = f"SRIM.csv: time: 35 of 40 cells are numbers, others such as {gap!r} are not; write numbers"
    advice = rf"{re.escape(says)}, or delete the column \(and 5 more\)\..*--skip-bad leaves those out"
    with pytest.raises(BadInput, match=advice):
        load("srim-steel", path=path)
    dataset = load("srim-steel", path=path, skip_bad=True)
    assert dataset.columns["table"][-3:] == ("time", "route=cast", "route=forged")
    assert len(dataset.ids) == 35
    assert dataset.notes[0].startswith(f"rows left out: 5 ({says}, or delete the column; SRIM.csv:10: time: ")


def test_so_is_one_whose_numbers_have_a_comma(tmp_path: Path) -> None:
    with pytest.raises(
        BadInput, match=r"time: 0 of 20 cells are numbers, others such as '0,5' are not; write"
    ):
        load("srim-steel", path=str(srim(tmp_path, [f"{i},5" for i in range(20)], ["cast", "hot"] * 10)))


def test_grades_may_look_like_numbers(tmp_path: Path) -> None:
    grades = ["45", "35CrMo", "20", "40Cr", "08", "60Si2Mn"] * 3
    dataset = load("srim-steel", path=str(srim(tmp_path, grades, ["cast", "hot"] * 9)))
    names = ("time=08", "time=20", "time=35CrMo", "time=40Cr", "time=45", "time=60Si2Mn")
    assert dataset.columns["table"][-8:-2] == names and len(dataset.ids) == 18


def test_a_model_that_reads_no_processing_needs_none(tmp_path: Path) -> None:
    path = srim(tmp_path, ["800", "", "900"], ["", "cast", ""])
    samples = read_unlabelled("srim-steel", str(path), {"composition_at": TableColumns(TRAINED, ())})
    assert len(samples.ids) == 3 and not samples.problems


CELLS = st.sampled_from(["1", "2.5", "800", "1,5", "none", "", "-", "cast", "?"]) | st.integers(0, 99).map(
    str
)


@given(st.lists(CELLS, min_size=3, max_size=120))
def test_a_column_is_one_of_numbers_or_of_few_names(cells: list[str]) -> None:
    titles = [*(name for name, _ in SRIM_COLUMNS), "time"]
    rows = [["0.1"] * (len(titles) - 1) + [cell] for cell in cells]
    content = read_srim(Table("t.csv", "t.csv", titles, rows, range(2, len(rows) + 2)))
    without = {row for row, cell in enumerate(cells) if not cell.replace(".", "").isdecimal()}
    advised = any(problem.kind == "number" and problem.where == "t.csv" for problem in content.sheet.problems)
    if content.names[-1] == "time":
        assert content.sheet.bad == without and advised == (len(without) > 0.1 * len(cells))
        return
    assert not content.sheet.bad and not advised
    numbers = [name for name in content.names if name.partition("=")[2].isdecimal()]
    assert len(numbers) <= 50 or len(without) >= len(cells) / 2
