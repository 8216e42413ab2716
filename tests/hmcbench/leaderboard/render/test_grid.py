"""Columns that fit, columns that are left out, and rows whose names leave no room."""

from __future__ import annotations

from rich.text import Text

from hmcbench.leaderboard.render.grid import GridColumn, grid

ROWS = ("a", "long name")
NAMES = GridColumn(["model"], [[Text(name)] for name in ROWS], left=True)
LAST = GridColumn(["remarks"], [[Text("")], [Text("failed")]], left=True)


def value(name: str) -> GridColumn:
    return GridColumn([name], [[Text("0.123"), Text("[.1,.2]")], [Text("-")]], name)


def lines(width: int, *columns: GridColumn) -> list[str]:
    return [line.plain for line in grid([NAMES, *columns], width, names=1).lines]


def test_columns_without_a_name_stay_and_the_others_fill_what_is_left() -> None:
    columns = (value("x"), value("y"), LAST)
    assert grid([NAMES, *columns], 36, 1).hidden == []
    assert grid([NAMES, *columns], 35, 1).hidden == ["y"]
    assert lines(35, *columns) == [
        "model            x  remarks",
        "───────────────────────────",
        "a            0.123",
        "           [.1,.2]",
        "long name        -  failed",
    ]


def test_where_nothing_fits_beside_the_names_they_have_lines_of_their_own() -> None:
    assert lines(15, value("x"), value("y")) == [
        "          x",
        "    ───────",
        "a",
        "      0.123",
        "    [.1,.2]",
        "long name",
        "          -",
    ]
    assert grid([NAMES, value("x"), value("y")], 15, 1).hidden == ["y"]


def test_wide_characters_count_twice() -> None:
    wide = GridColumn(["model"], [[Text("钢铁")], [Text("ab")]], left=True)
    number = GridColumn(["n"], [[Text("1")], [Text("2")]], "n")
    assert [line.plain for line in grid([wide, number], 20, 1).lines][2:] == ["钢铁   1", "ab     2"]
