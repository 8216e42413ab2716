"""``data featurize descriptors``: one row per row, XenonPy's names, and what cannot be read left empty."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hmcbench_materials.composition.descriptors import STATISTICS

TABLE = "symbol,size,charge\nFe,2,3\nAl,4,1\nCu,8,-1\n"


def read(path: Path) -> tuple[list[str], list[list[str]]]:
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    return header, rows


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "elements.csv").write_text(TABLE)
    alloys = ["Fe50Al50", "Al40Cu60T", "(FeAl)70Cu30", "AlXe", "Cu"]
    (tmp_path / "alloys.csv").write_text("Nr,Formula\n" + "\n".join(f"{i},{a}" for i, a in enumerate(alloys)))
    return tmp_path


def featurize(cli: Callable[..., Any], folder: Path, *more: object) -> Any:
    given = (
        "--from",
        folder / "alloys.csv",
        "--out",
        folder / "out.csv",
        "--elements",
        folder / "elements.csv",
    )
    return cli("data", "featurize", "descriptors", *given, *more)


def test_rows_columns_and_reports(cli: Callable[..., Any], files: Path) -> None:
    ended = featurize(cli, files, "--column", "Formula")
    assert ended.status == 0
    header, rows = read(files / "out.csv")
    assert header == [f"{s}:{p}" for s in STATISTICS for p in ("size", "charge")]
    assert len(rows) == 5
    first = dict(zip(header, rows[0], strict=True))
    assert [float(first[f"{s}:size"]) for s in STATISTICS] == pytest.approx(
        [3, 300, 1, np.sqrt(8), 8 / 3, 4, 2]
    )
    third = dict(zip(header, rows[2], strict=True))
    assert float(third["ave:size"]) == pytest.approx(0.35 * 2 + 0.35 * 4 + 0.3 * 8)
    assert third["gmean:charge"] == "nan"  # of a negative value
    assert set(rows[1]) == set(rows[3]) == {""}
    assert "alloys.csv:3: Formula: 'Al40Cu60T': 'T' is no element" in ended.err
    assert "alloys.csv:5: Formula: the element table does not cover Xe" in ended.err
    assert "5 rows, 14 columns, 2 left empty" in ended.out


def test_every_row_that_is_odd_is_told_in_order(cli: Callable[..., Any], files: Path) -> None:
    rows = ["Fe50Al50", "AlXe", "Fe-1Al2", '""', "NaN", "Fe70Al60", "Cu"]
    (files / "alloys.csv").write_text("Formula\n" + "\n".join(rows))
    ended = featurize(cli, files)
    assert ended.status == 0
    assert [line.split("alloys.csv:")[1] for line in ended.err.splitlines()] == [
        "3: Formula: the element table does not cover Xe",
        "4: Formula: 'Fe-1Al2': the amount -1 is negative",
        "5: Formula: the cell is empty",
        "6: Formula: 'NaN': the formula is missing",
        "7: Formula: the amounts add up to 130, not to 100; they are taken as parts of the whole",
    ]
    assert "left empty" in ended.err.splitlines()[0] and "note" in ended.err.splitlines()[4]
    assert "7 rows, 14 columns, 4 left empty" in ended.out


def test_notations_are_named_and_readings_are_noted(cli: Callable[..., Any], files: Path) -> None:
    rows = ["(Fe2Al)75(AlCu)25", "Fe-18Al-8Cu", "Fe18Al8Cu", "Cu"]
    (files / "alloys.csv").write_text("Formula\n" + "\n".join(rows))
    ended = featurize(cli, files)
    assert [line.split("alloys.csv:")[1][:75] for line in ended.err.splitlines()] == [
        "2: Formula: the amounts of groups are read as moles: Fe 54.5 Al 36.4 Cu 9.09 %; as shares"[:75],
        "3: Formula: 'Fe-18Al-8Cu': amounts before elements, behind hyphens, are the notation"[:75],
        "4: Formula: Fe18Al8Cu is read as numbers of atoms; if Fe-18Al-8Cu in weight per"[:75],
    ]
    assert "note" in ended.err.splitlines()[0] and "left empty" in ended.err.splitlines()[1]
    size = float(read(files / "out.csv")[1][0][0])
    assert size == pytest.approx((150 * 2 + 100 * 4 + 25 * 8) / 275)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("--column", "Alloy"), "lacks the column Alloy. it has Nr, Formula. --column NAME reads another"),
        (("--from", "nowhere.csv"), "nowhere.csv cannot be read"),
        (("--elements", "nowhere.csv"), "nowhere.csv cannot be read"),
        (("--out", "/nowhere/x.csv"), "no folder /nowhere"),
        (("--out", "/"), "'/' is a directory"),
    ],
)
def test_one_line_and_no_file_where_something_is_wrong(
    cli: Callable[..., Any], files: Path, change: tuple[str, str], message: str
) -> None:
    ended = featurize(cli, files, *change)
    assert ended.status == 2
    assert message in ended.err and ended.err.count("\n") == 1
    assert not (files / "out.csv").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("symbol,size\nFe,2\nQq,3\n", "elements.csv:3: 'Qq' is no element"),
        ("symbol,size\nFe,two\n", "elements.csv:2: size: 'two' is no number"),
        ("symbol,size\nFe,nan\n", "elements.csv:2: size: 'nan' is no number"),
        ("symbol,size\nFe,2\nFe,3\n", "elements.csv:3: Fe stands twice"),
        ("symbol\nFe\n", "has no property"),
    ],
)
def test_a_bad_element_table(cli: Callable[..., Any], files: Path, text: str, message: str) -> None:
    (files / "elements.csv").write_text(text)
    ended = featurize(cli, files)
    assert ended.status == 2 and message in ended.err


def test_what_reads_no_table_says_so(cli: Callable[..., Any], files: Path) -> None:
    ended = cli("data", "featurize", "texture", "--from", files / "alloys.csv", "--out", files / "out.csv")
    assert ended.status == 2 and "Allowed: descriptors" in ended.err


def test_a_property_may_have_a_comma_in_its_name(cli: Callable[..., Any], files: Path) -> None:
    (files / "elements.csv").write_text(TABLE.replace("size", '"size, in pm"'))
    assert featurize(cli, files).status == 0
    header, rows = read(files / "out.csv")
    assert "ave:size, in pm" in header and {len(row) for row in rows} == {len(header)}
