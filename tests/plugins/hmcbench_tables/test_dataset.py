"""A table as a dataset: task, views, groups, notes, and what a run refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hmcbench_tables.dataset import table

from hmcbench.data import contract
from hmcbench.errors import BadInput, DataProblems
from hmcbench.registry.registry import default_registry

ROWS = """id,heat,C,grade,made,family,phase,strength
1,A,0.1,L,2024-01-01,MP,BCC,10
2,A,0.2,M,2024-01-02,MP,FCC,20
3,B,,L,2024-01-03,IM,,30
4,B,0.4,,2024-01-04,IM,B2,40
5,,0.5,M,2024-01-05,MP,BCC,50
6,C,0.5,M,2024-01-06,MP,FCC,60
"""


def written(folder: Path, text: str) -> str:
    path = folder / "alloys.csv"
    path.write_text(text)
    return str(path)


def test_levels_and_features(tmp_path: Path) -> None:
    path = written(tmp_path, ROWS)
    dataset = table(path=path, labels="family;phase", group="heat", drop="id;strength", kinds="grade:nominal")
    contract.check(dataset, default_registry().get("datasets", "table"))
    assert dataset.ids[:2] == ["line-00002", "line-00003"]
    assert (dataset.task.paths, dataset.task.depth) == ("single", "ragged")
    assert dataset.columns == {"table": ["C", "grade"]}
    np.testing.assert_array_equal(dataset.views["table"][2], [np.nan, 0])
    number, nominal = dataset.kinds["table"]
    assert (number.values, number.missing) == ((), True)
    assert (nominal.values, nominal.missing) == (("L", "M"), True)
    assert dataset.groups == ["A", "A", "B", "B", "", "C"]
    assert dataset.duplicates is not None
    assert dataset.duplicates[4] == dataset.duplicates[5] != dataset.duplicates[0]
    assert "columns not used: made (it holds dates)" in dataset.notes
    assert "missing values: C (1), grade (1)" in dataset.notes
    assert any("2 rows in 1 set have the same features and different labels" in n for n in dataset.notes)


def test_regression(tmp_path: Path) -> None:
    dataset = table(path=written(tmp_path, ROWS), target="strength;id", drop="family;phase")
    contract.check(dataset, default_registry().get("datasets", "table"))
    assert dataset.task.targets == ("strength", "id")
    assert dataset.targets[:2].tolist() == [[10, 1], [20, 2]]


def test_rows_without_any_class_have_several_paths(tmp_path: Path) -> None:
    """A table of rare failures is no task in which one class must win."""
    text = (
        "x,y,fail,wear,heat\n"
        + "".join(f"{i},{i * i % 7},0,0,0\n" for i in range(9))
        + "9,1,1,1,0\n10,1,1,0,1\n"
    )
    dataset = table(path=written(tmp_path, text), labels="wear;heat", parent="fail")
    assert (dataset.task.paths, dataset.task.depth) == ("multiple", "ragged")
    exclusive = "x,y,wear,heat\n1,2,1,0\n2,3,0,1\n5,3,0,1\n"
    dataset = table(path=written(tmp_path, exclusive), labels="wear;heat")
    assert (dataset.task.paths, dataset.task.depth) == ("single", "full")


def test_the_fingerprint_is_of_the_content(tmp_path: Path) -> None:
    chosen = {"labels": "family;phase", "drop": "id;heat;made;strength"}
    prints = {
        table(path=written(tmp_path, text), **chosen).fingerprint
        for text in (
            ROWS,
            ROWS.replace("heat", "batch", 1).replace("batch", "heat"),
            ROWS.replace("0.1,L", "0.1,M"),
        )
    }
    assert len(prints) == 2
    grouped = table(
        path=written(tmp_path, ROWS), labels="family;phase", drop="id;made;strength", group="heat"
    )
    assert grouped.fingerprint not in prints


def test_bad_rows_are_refused_or_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, ROWS + "7,C,0.6,L,2024-01-07,,BCC,\n8,C,0.7,L,2024-01-08,,,90\n")
    chosen = {"path": path, "labels": "family;phase", "drop": "id;strength"}
    with pytest.raises(DataProblems) as error:
        table(**chosen)
    assert "alloys.csv:8: 'family' is empty" in str(error.value)
    assert "(and 1 more)" in str(error.value)
    dataset = table(**chosen, skip_bad=True)
    assert len(dataset.ids) == 6
    assert dataset.notes[0].startswith("rows left out: 2 (alloys.csv:8: ")
    with pytest.raises(DataProblems, match="the target 'strength' is missing"):
        table(path=path, target="strength", drop="id;family;phase")


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({}, "what is to be predicted.*--labels COLUMN,COLUMN or --target COLUMN; its columns are id, heat"),
        ({"labels": "family", "target": "strength"}, "both labels and targets"),
        ({"parent": "family"}, "parent is named and no labels"),
        ({"hierarchy": "h.csv"}, "hierarchy is named and no labels"),
        ({"labels": "family", "drop": "family"}, "'family' is named in labels and in drop"),
        ({"labels": "family", "group": "family"}, "'family' is named in labels and in group"),
        ({"target": "strength", "drop": "strengh"}, "did you mean 'strength'"),
        ({"target": "grade"}, "'L' is no number"),
        ({"labels": "family", "kinds": "grade:number"}, "column 'grade': 'L' is no number"),
        (
            {"labels": "family", "drop": "id;heat;C;grade;phase;strength"},
            "no column is left as a feature: made",
        ),
        ({"labels": "family", "group": "family;grade", "drop": "id"}, "named in labels and in group"),
        ({"labels": "made", "form": "levels", "kinds": "C:big"}, "Allowed: COLUMN:number"),
    ],
)
def test_parameters_that_cannot_be_used(tmp_path: Path, params: dict[str, str], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        table(path=written(tmp_path, ROWS), **params)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x,l\n1,a\n2,b\n", "2 of 2 rows can be used; at least 3 are needed"),
        ("x,l\n1,a\n2,a\n3,a\n", "every row has the same labels"),
        ("x,l,g\n1,a,A\n2,b,A\n3,b,B\n", "the groups are fewer than 3"),
        ("x,l\n5,a\n5,b\n5,b\n", r"no column is left as a feature: x \(it is constant\)"),
    ],
)
def test_tables_from_which_nothing_can_be_learnt(tmp_path: Path, text: str, says: str) -> None:
    group = "g" if ",g" in text else ""
    with pytest.raises(DataProblems, match=says):
        table(path=written(tmp_path, text), labels="l", group=group)


def test_targets_that_are_constant(tmp_path: Path) -> None:
    path = written(tmp_path, "x,y,z\n1,5,1\n2,5,2\n3,5,3\n")
    with pytest.raises(DataProblems, match="constant targets: y"):
        table(path=path, target="y")
    assert "constant targets: y" in table(path=path, target="y;z").notes


def test_a_file_is_needed() -> None:
    with pytest.raises(BadInput, match="the dataset table needs a file"):
        table(labels="a")


def test_missing_groups_that_a_program_wrote_are_no_common_group(tmp_path: Path) -> None:
    text = ROWS.replace("2,A,", "2,nan,").replace("5,,", "5,nan,")
    dataset = table(path=written(tmp_path, text), labels="family;phase", group="heat", drop="id;strength")
    assert dataset.groups == ["A", "", "B", "B", "", "C"]
    assert "column 'heat': 2 cells are taken as empty: 'nan'" in dataset.notes


def test_commas_that_may_separate_thousands_are_a_note(tmp_path: Path) -> None:
    path = written(tmp_path, 'x,l\n900,a\n"1,234",b\n"12,500",b\n')
    dataset = table(path=path, labels="l")
    assert dataset.views["table"][:, 0].tolist() == [900.0, 1.234, 12.5]
    (note,) = (note for note in dataset.notes if "column 'x'" in note)
    assert note == (
        "column 'x': '1,234' is read as 1.234; if its commas separate thousands, delete them in the file"
    )
