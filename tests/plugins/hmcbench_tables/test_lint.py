"""Lint names types, violations, ids, copies, columns that give the label away, and suggested groups."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hmcbench_tables.content import _copies, read_content
from hmcbench_tables.lint import lint

N = 400


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> str:
    """0/1 columns under one parent, a violation, an id, a heat, a column that knows the answer, a copy."""
    rng = np.random.default_rng(0)
    wear, heat = rng.random(N) < 0.15, rng.random(N) < 0.1
    fail = wear | heat
    wear[7], fail[7] = True, False
    lines = ["uid,batch,load,speed,cost,day,failure,wear,heat,melt"]
    for i in range(N):
        cost = 5 + rng.random() if heat[i] else rng.random()
        flags = ",".join(str(int(flag[i])) for flag in (fail, wear, heat))
        load = f"{rng.normal():.3f}" if i != 3 else ""
        lines.append(f"{i + 1},B{i % 40},{load},{i % 3},{cost:.3f},2024-02-{1 + i % 28:02},{flags},0")
    path = tmp_path_factory.mktemp("lint") / "machines.csv"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def warnings(path: str, **params: str) -> dict[str, str]:
    return {p.kind: p.what for p in lint(path=path, **params).problems}


def test_everything_is_named(machines: str) -> None:
    report = lint(path=machines, labels="wear;heat;melt", parent="failure")
    facts = dict(report.facts)
    assert facts["column load"].startswith("number, -")
    assert facts["column load"].endswith(", 1 missing")
    assert facts["not used day"] == "it holds dates"
    assert facts["labels"] == "0/1 columns: 4 classes on 2 levels"
    assert facts["label violations"] == "1 (a child without its parent)"
    named = {p.kind: p.what for p in report.problems}
    assert named == {
        "violation": "1 row has 'wear' without its parent 'failure', which is added: line 9",
        "no-positive": "classes that no row has: melt",
        "id": "column 'uid' looks like an id: another whole number in every row; drop it?",
        "gives-away": "column 'cost' alone predicts heat nearly without an error: is it known beforehand?"
        " if not, drop it",
        "group": "column 'batch' may be groups of rows that are alike;"
        " --group keeps them in one partition of a split",
    }
    assert not any(p.fatal for p in report.problems)


def test_a_parent_that_was_forgotten(machines: str) -> None:
    named = warnings(machines, labels="wear;heat", drop="uid;cost", group="batch")
    assert named["parent"] == "column 'failure' says whether a row has any label: parent=failure?"
    assert "group" not in named


def test_features_alone(machines: str) -> None:
    report = lint(path=machines)
    assert "labels" not in report.facts
    assert report.facts["features"] == "8"


def test_a_target_that_is_given_away(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [f"{x:.4f},{z:.4f},{3 * x + 1:.4f}" for x, z in rng.random((200, 2))]
    path = tmp_path / "a.csv"
    path.write_text("x,z,strength\n" + "\n".join(rows))
    assert "column 'x' alone predicts strength" in warnings(str(path), target="strength")["gives-away"]


@pytest.mark.parametrize(
    ("name", "suggested"),
    [("Heat No.", True), ("scene_groups", True), ("paper", True), ("plate thickness", False), ("x", False)],
)
def test_names_of_groups(tmp_path: Path, name: str, suggested: bool) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"{name},y,l\n" + "".join(f"{i % 12},{i},{'ab'[i % 2]}\n" for i in range(60)))
    assert ("group" in warnings(str(path), labels="l")) == suggested


def test_formulas_are_no_features_yet(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("alloy,y,l\n" + "".join(f"Fe{i}(CoNi)0.5,{i % 7},{'ab'[i % 2]}\n" for i in range(60)))
    assert "data featurize descriptors --from" in warnings(str(path), labels="l")["formula"]


def test_a_name_below_an_unusual_parent(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = [f"{'MP' if i != 5 else 'SP'},BCC,{i}" for i in range(40)] + ["SP,FCC,41"] * 3
    path.write_text("a,b,x\n" + "\n".join(rows))
    named = warnings(str(path), labels="a;b")["rare-parent"]
    assert named == "'BCC' is below 'MP' in 39 rows, and below 'SP' in 1: line 7"


def test_copies_and_clashes(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x,l\n1,a\n1,a\n2,a\n2,b\n3,c\n4,b\n")
    named = warnings(str(path), labels="l")
    assert named["duplicate"].startswith("2 rows in 1 set have the same features and the same labels")
    assert named["clash"].endswith("different labels; a split keeps a set together: lines 4, 5")
    assert named["small-class"].endswith("b (2), c (1)")


class Row(int):
    """A position of a row that counts its comparisons."""

    compared = 0

    def __eq__(self, other: object) -> bool:
        Row.compared += 1
        return int(self) == other

    __hash__ = int.__hash__


def test_sets_of_copies_are_not_compared_with_each_other(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x,l\n" + "".join(f"{i},{name}\n" for i in range(300) for name in ("a", "ab"[i % 2])))
    content = read_content(path=str(path), labels="l")
    said = [problem.what for problem in content.report.problems]
    content.report.problems.clear()
    Row.compared = 0
    _copies(content, [Row(row) for row in range(600)])
    assert Row.compared < 600
    assert [problem.what for problem in content.report.problems] == said[-2:]
    assert said[-2].startswith("300 rows in 150 sets") and said[-1].startswith("300 rows in 150 sets")
