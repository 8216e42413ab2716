"""Further columns of an index: features of the samples, targets of a regression, and their problems."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hmcbench_sem.datasets import images, sem_failure
from hmcbench_sem.lint import lint_images
from hmcbench_sem.reader.entries import Entry
from hmcbench_sem.reader.further_columns import read_further

from hmcbench.errors import BadInput, DataProblems

Gallery = Callable[..., Path]
FILES = {f"{k}.png": k for k in range(8)}


def entries(**columns: list[str]) -> list[Entry]:
    rows = zip(*columns.values(), strict=True)
    return [
        Entry("f", (), f"index.csv:{i}", extra=dict(zip(columns, row, strict=True)))
        for i, row in enumerate(rows)
    ]


def index(header: str, row: Callable[[int], str]) -> str:
    return "\n".join([f"file,{header}", *(f"{k}.png,{row(k)}" for k in range(8)), ""])


def test_numbers_names_and_what_is_neither() -> None:
    numbers = [str(k) for k in range(20)]
    columns, problems = read_further(
        entries(
            kV=[*numbers[:19], "x"],
            Alloy=["Y", "", *["X"] * 18],
            note=[f"seen by {n}" for n in numbers],
            same=["1"] * 20,
        )
    )
    assert [feature.name for feature in columns.features] == ["kV", "Alloy"]
    np.testing.assert_array_equal(columns.table[:3], [[0, 1], [1, np.nan], [2, 0]])
    assert columns.features[1].names == ("X", "Y")
    assert np.isnan(columns.table[19, 0])
    assert set(columns.unused) == {"note", "same"}
    assert [(p.where, p.kind, p.fatal) for p in problems.values()] == [("index.csv:19", "number", False)]


def test_a_missing_target_is_fatal() -> None:
    columns, problems = read_further(entries(**{"target:a": ["1", "", "?x"], "Target: b": ["1", "2", "3"]}))
    assert columns.targets == ("a", "b") and not columns.features
    assert {row: (p.kind, p.fatal) for row, p in problems.items()} == {
        1: ("target", True),
        2: ("target", True),
    }


def test_further_columns_become_the_view_table(gallery: Gallery) -> None:
    root = gallery(
        FILES, index("level1,kV,Cr at.%", lambda k: f"{'ab'[k % 2]},{5 + k},{'' if k == 3 else k / 10}")
    )
    data = images(path=str(root))
    assert data.columns == {"table": ["kV", "Cr at.%"]}
    assert [kind.missing for kind in data.kinds["table"]] == [False, True]
    assert data.views["table"][2].tolist() == [7.0, 0.2]
    facts = lint_images(path=str(root)).facts
    assert facts["column kV"] == "number" and facts["column Cr at.%"] == "number, 1 missing"


def test_the_table_is_part_of_the_fingerprint_only_where_there_is_one(gallery: Gallery) -> None:
    def fingerprint(header: str, row: Callable[[int], str]) -> str:
        return images(path=str(gallery(FILES, index(header, row)))).fingerprint

    label = "ab"
    plain = fingerprint("level1", lambda k: label[k % 2])
    assert plain == fingerprint("level1,note", lambda k: f"{label[k % 2]},text {k}")
    first, second = (fingerprint("level1,kV", lambda k, v=v: f"{label[k % 2]},{v + k}") for v in (1, 2))
    assert len({plain, first, second}) == 3


def test_targets_make_a_regression(gallery: Gallery) -> None:
    root = gallery(FILES, index("target:brittle,group", lambda k: f"{k / 8},{k // 2}"))
    data = images(path=str(root))
    assert (data.task.kind, data.task.targets, data.task.hierarchy) == ("regression", ("brittle",), None)
    assert data.targets.tolist() == [[k / 8] for k in range(8)]
    assert data.groups == [str(k // 2) for k in range(8)]
    assert lint_images(path=str(root)).facts["target brittle"] == "0 to 0.875"
    with pytest.raises(BadInput, match="--images"):
        sem_failure(path=str(root))


@pytest.mark.parametrize(
    ("header", "row", "says"),
    [
        ("level1,target:x", lambda k: f"a,{k}", "both level columns and targets"),
        ("target:x", lambda k: "" if k == 2 else str(k), "no value"),
        ("target:x", lambda k: "1", "constant"),
        ("kV", str, "nor labels nor targets"),
    ],
)
def test_bad_targets_are_refused(header: str, row: Any, says: str, gallery: Gallery) -> None:
    with pytest.raises((BadInput, DataProblems), match=says):
        images(path=str(gallery(FILES, index(header, row))))


def test_rows_without_a_target_can_be_left_out(gallery: Gallery) -> None:
    data = images(
        path=str(gallery(FILES, index("target:x", lambda k: "" if k == 2 else str(k)))), skip_bad=True
    )
    assert data.targets[:, 0].tolist() == [0, 1, 3, 4, 5, 6, 7] and "no value" in data.notes[0]


def test_a_missing_target_is_fatal_beside_a_feature_that_is_no_number() -> None:
    columns = {"kV": ["5"] * 9 + ["high"], "target:a": [*map(str, range(9)), ""]}
    problems = read_further(entries(**columns))[1]
    assert [(row, p.kind, p.fatal) for row, p in problems.items()] == [(9, "target", True)]


def test_commas_that_may_separate_thousands_are_named() -> None:
    columns, problems = read_further(
        entries(magnification=["900", "1,234", "2,500"], kV=["5,5", "1,234", "2"])
    )
    assert columns.table[:, 0].tolist() == [900.0, 1.234, 2.5]
    assert [(row, p.kind, p.fatal) for row, p in problems.items()] == [(1, "comma", False)]
    assert "column 'magnification': '1,234' is read as 1.234" in problems[1].what


def test_all_problems_of_a_row_are_told() -> None:
    """Two columns whose commas are doubtful in the same row, beside one that is no number, and no target."""
    columns = {
        "magnification": ["1,100", *["900"] * 19],
        "area": ["2,200", *["800"] * 19],
        "kV": ["high", *["5"] * 19],
        "spot": ["wide", *["3"] * 19],
        "target:a": ["", *map(str, range(19))],
    }
    for names, kind in (
        (("magnification", "area"), "comma"),
        (tuple(columns)[:4], "number"),
        (columns, "target"),
    ):
        problems = read_further(entries(**{name: columns[name] for name in names}))[1]
        ((row, problem),) = problems.items()
        assert (row, problem.kind, problem.fatal) == (0, kind, kind == "target")
        assert [problem.what.count(f"column {name!r}") for name in names] == [1] * len(names)
    assert problem.what.startswith("column 'target:a': no value; ")
