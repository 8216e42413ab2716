"""Labels in level columns, in one joined column, and in columns of 0 and 1."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hmcbench_tables.labels import Labels, counts, read_labels
from hmcbench_tables.problems import RowProblems
from hmcbench_tables.reading import TextTable

from hmcbench.errors import BadInput


def table(folder: Path | str = "", **columns: Sequence[str]) -> TextTable:
    rows = len(next(iter(columns.values())))
    source = str(Path(folder, "a.csv"))
    return TextTable("a.csv", source, list(columns), list(columns.values()), range(2, rows + 2))


def read(content: TextTable, text: str, **more: str) -> tuple[Labels, RowProblems]:
    report = RowProblems(content)
    return read_labels(content, text, report, **more), report


def test_level_columns() -> None:
    content = table(a=["MP", "MP", "IM", "", "x/y"], b=["BCC", "", "BCC", "BCC", ""])
    labels, report = read(content, "a;b")
    assert labels.hierarchy.classes == ("IM", "MP", "IM/BCC", "MP/BCC")
    assert labels.rows == [("MP/BCC",), ("MP",), ("IM/BCC",), (), ()]
    assert [(p.where, p.what) for p in report.problems] == [
        ("a.csv:5", "'a' is empty, and the level below it is 'BCC'"),
        ("a.csv:6", "name 'x/y' contains '/', which joins the names of a path"),
    ]


def test_joined_labels() -> None:
    labels, report = read(table(l=["a/b|c", "c", "", "a||c"]), "l")
    assert labels.hierarchy.classes == ("a", "c", "a/b")
    assert labels.rows[:2] == [("a/b", "c"), ("c",)]
    assert [p.what for p in report.problems] == [
        "it has no label",
        "'a||c' has an empty label between | or /",
    ]


def test_joined_names_with_a_hierarchy_beside_the_table(tmp_path: Path) -> None:
    (tmp_path / "hierarchy.csv").write_text("parent,child\n,a\na,b\na,c\n")
    labels, report = read(table(tmp_path, l=["b|c", "a/b", "c/b", "d"]), "l", hierarchy="hierarchy.csv")
    assert labels.rows == [("b", "c"), ("b",), (), ()]
    assert [p.what for p in report.problems] == [
        "'c/b' is no class of the hierarchy",
        "'d' is no class of the hierarchy",
    ]
    assert counts(labels, [0, 1]) == {"a": 2, "b": 2, "c": 1}


def test_indicator_columns_below_a_parent() -> None:
    content = table(fail=["1", "0", "1", "0"], wear=["1", "1", "0.0", "no"], heat=["0", "0", "yes", "x"])
    labels, report = read(content, "wear;heat", parent="fail", form="columns")
    assert labels.hierarchy.edges == (("", "fail"), ("fail", "heat"), ("fail", "wear"))
    assert labels.rows == [("fail", "wear"), ("wear",), ("fail", "heat"), ()]
    assert labels.violations == {("wear", "fail"): [1]}
    assert [p.what for p in report.problems] == [
        "column 'heat': 'x' is neither 0 nor 1",
        "1 row has 'wear' without its parent 'fail', which is added: line 3",
    ]


def test_the_parent_may_stand_among_the_labels() -> None:
    content = table(fail=["1", "0"], wear=["1", "0"])
    assert read(content, "fail;wear", parent="fail")[0].hierarchy.edges == (("", "fail"), ("fail", "wear"))


def test_indicator_columns_with_a_hierarchy(tmp_path: Path) -> None:
    (tmp_path / "h.csv").write_text("parent,child\n,any\nany,wear\n,heat\n")
    content = table(tmp_path, wear=["1", "0"], heat=["0", "1"])
    labels, _report = read(content, "wear;heat", hierarchy="h.csv")
    assert counts(labels, [0, 1]) == {"any": 1, "heat": 1, "wear": 1}


def test_one_column_of_0_and_1_is_one_class() -> None:
    labels, _report = read(table(failed=["1", "0", "1"]), "failed")
    assert (labels.form, labels.hierarchy.classes, labels.rows) == (
        "columns",
        ("failed",),
        [("failed",), (), ("failed",)],
    )


def test_numbers_as_names() -> None:
    labels, _report = read(table(a=["0", "1", "1"], b=["2", "3", "4"]), "a;b", form="levels")
    assert labels.hierarchy.classes == ("0", "1", "0/2", "1/3", "1/4")


@pytest.mark.parametrize(
    ("text", "more", "says"),
    [
        ("wear;name", {}, r"labels in 0/1 columns \(wear\) and in others \(name\).*form=levels"),
        ("name", {"parent": "wear"}, "and in others"),
        ("name;other", {"parent": "third"}, "parent 'third': the labels are level columns"),
        ("wear", {"parent": "wear"}, "no column of labels besides the parent"),
        ("wear", {"parent": "wear;fail"}, "parent names 2 columns"),
        ("wear", {"parent": "fail", "hierarchy": "h.csv"}, "both parent and hierarchy"),
        ("wear", {"hierarchy": "h.csv"}, "columns of labels that the hierarchy lacks: wear"),
        ("wear", {"hierarchy": "none.csv"}, "cannot be read"),
        ("name;other", {"form": "joined"}, "labels joined by | in 2 columns"),
        ("empty", {}, "no row has a label"),
        ("nothing", {}, "has no column 'nothing'"),
    ],
)
def test_labels_that_cannot_be_used(tmp_path: Path, text: str, more: dict[str, str], says: str) -> None:
    (tmp_path / "h.csv").write_text("parent,child\n,a\n")
    content = table(
        tmp_path,
        wear=["1", "0"],
        fail=["1", "0"],
        name=["x", "y"],
        other=["x", "y"],
        third=["x", "y"],
        empty=["", ""],
    )
    with pytest.raises(BadInput, match=says.replace("| in", r"\| in")):
        read(content, text, **more)


def test_measured_numbers_are_no_classes() -> None:
    measured = [f"{0.37 * i:.2f}" for i in range(40)]
    content = table(family=["MP", "IM"] * 20, hardness=measured)
    with pytest.raises(BadInput, match=r"'hardness' are 40 different numbers in 40 rows.*--target hardness"):
        read(content, "family;hardness")
    assert len(read(content, "family;hardness", form="levels")[0].hierarchy.classes) == 42
    codes = table(code=[str(100 + i % 20) for i in range(60)])
    assert len(read(codes, "code")[0].hierarchy.classes) == 20


def test_missing_values_that_a_program_wrote_are_no_classes() -> None:
    """pandas writes nan for no value; a class of that name would have rows that share nothing."""
    labels, report = read(table(a=["MP", "MP", "nan", "NaN"], b=["BCC", "nan", "N/A", "BCC"]), "a;b")
    assert labels.hierarchy.classes == ("MP", "MP/BCC")
    assert labels.rows == [("MP/BCC",), ("MP",), (), ()]
    assert [(p.kind, p.fatal, p.what) for p in report.problems] == [
        ("missing-value", False, "column 'a': 2 cells are taken as empty: 'NaN', 'nan'"),
        ("missing-value", False, "column 'b': 2 cells are taken as empty: 'N/A', 'nan'"),
        ("label", True, "it has no label"),
        ("level-gap", True, "'a' is empty, and the level below it is 'BCC'"),
    ]


def test_missing_values_among_joined_labels() -> None:
    labels, report = read(table(l=["a|b", "nan", "a|nan", "a/nan", "N/A", "none"]), "l")
    assert labels.hierarchy.classes == ("a", "b", "none")
    assert labels.rows == [("a", "b"), (), (), (), (), ("none",)]
    assert [p.what for p in report.problems] == [
        "column 'l': 2 cells are taken as empty: 'N/A', 'nan'",
        "column 'l': the class 'none' looks like a missing value; if it is, leave it empty",
        "it has no label",
        "'nan' in 'a|nan' is taken as empty; delete it, or give the class another name",
        "'nan' in 'a/nan' is taken as empty; delete it, or give the class another name",
        "it has no label",
    ]


def test_a_hierarchy_may_have_a_class_that_looks_like_a_missing_value(tmp_path: Path) -> None:
    (tmp_path / "h.csv").write_text("parent,child\n,null\n,wild\n")
    labels, report = read(table(tmp_path, l=["null", "wild|null", "nan"]), "l", hierarchy="h.csv")
    assert labels.rows == [("null",), ("wild", "null"), ()]
    assert [p.kind for p in report.problems] == ["missing-value", "label"]


@pytest.mark.parametrize(
    ("cell", "part"),
    [
        ("MP/N/A", "N/A"),
        ("MP/#N/A", "#N/A"),
        ("MP / n / a", "n/a"),
        ("a|MP/BCC/N/A", "N/A"),
        ("a|N/A", "N/A"),
        ("MP/nan/BCC", "nan"),
        ("MP/?", "?"),
    ],
)
def test_the_end_of_a_path_may_say_that_there_is_no_name(cell: str, part: str) -> None:
    labels, report = read(table(l=["MP", cell]), "l")
    assert (labels.hierarchy.classes, labels.rows) == (("MP",), [("MP",), ()])
    assert [p.what for p in report.problems] == [
        f"{part!r} in {cell!r} is taken as empty; delete it, or give the class another name"
    ]


def test_a_hierarchy_may_have_classes_n_and_a(tmp_path: Path) -> None:
    for edges, name in ((",MP\nMP,N\nN,A\n", "A"), (",MP\nMP,MP/N\nMP/N,MP/N/A\n", "MP/N/A")):
        (tmp_path / "h.csv").write_text("parent,child\n" + edges)
        labels, report = read(table(tmp_path, l=["MP/N/A", "MP"]), "l", hierarchy="h.csv")
        assert labels.rows == [(name,), ("MP",)] and not report.problems
