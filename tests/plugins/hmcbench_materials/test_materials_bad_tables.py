"""Tables that are wrong, through the real command line: one clear line each, with file and line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hmcbench_materials.datasets import lint, load

from hmcbench.errors import DataProblems

HEADER = "NT,QT,TT,C,Si,Mn,P,S,Ni,Cr,Cu,Mo,RR,dA,dB,dC,fatigue,tensile,fracture,hardness"
ROWS = [
    f"865,865,550,0.3{i},0.21,0.77,0.021,0.022,0.01,0.01,0.02,0,825,0.05,0.03,0,{400 + i},{700 + i},1400,235"
    for i in range(9)
]
GLASS = ["Zr50Cu50,BMG", "Zr60Cu40,RMG", "Al90Ni10,CRA", "Al80Ni20,CRA"]


def changed(row: int, old: str, new: str) -> str:
    rows = list(ROWS)
    assert old in rows[row]
    rows[row] = rows[row].replace(old, new, 1)
    return "\n".join([HEADER, *rows])


NIMS = {
    "missing column": (
        "\n".join([HEADER.replace(",Mn,", ",Mg,"), *ROWS]),
        "lacks the column Mn. it has NT, QT",
    ),
    "text": (changed(2, "0.77", "high"), r"NIMS-Fatigue.csv:4: Mn: 'high' is no number"),
    "empty cell": (changed(2, ",0.77,", ",,"), r"NIMS-Fatigue.csv:4: Mn: the cell is empty"),
    "nan": (changed(3, "0.77", "NaN"), r"NIMS-Fatigue.csv:5: Mn: 'NaN' is no number: the value is missing"),
    "infinite": (changed(3, "0.77", "inf"), r":5: Mn: 'inf' is no finite number"),
    "negative": (changed(0, "0.77", "-0.77"), r":2: Mn: -0.77 is negative"),
    "over 100 %": (changed(1, "0.77", "99.9"), r":3: the elements add up to 100\.\d+ %, more than 100 %"),
    "one row": (HEADER + "\n" + ROWS[0], "1 row; at least 3 are needed"),
    "no row": (HEADER, "has a header and no rows"),
    "nothing": ("", "is empty"),
    "cells": (changed(4, "0.77,", ""), r":6: 19 cells where the header has 20"),
    "twice": ("\n".join([HEADER.replace("Mn", "Si"), *ROWS]), "the column 'Si' is there twice"),
    "semicolons": ("\n".join([HEADER, *ROWS]).replace(",", ";"), "not separated by commas"),
    "constant": (
        "\n".join([HEADER, *(r.rsplit(",", 4)[0] + ",1,2,3,4" for r in ROWS)]),
        "all targets are constant .fatigue, tensile, fracture, hardness.: there is nothing to learn",
    ),
}
ALLOYS = {
    "element": (
        "Alloy,GFA\n" + "\n".join([*GLASS, "Zr40Qq60,BMG"]),
        r"GFA.csv:6: 'Zr40Qq60': 'Qq' is no element",
    ),
    "formula": ("Alloy,GFA\n" + "\n".join([*GLASS, "Zr(Cu,BMG"]), r"GFA.csv:6: 'Zr\(Cu': '\)' is missing"),
    "label": (
        "Alloy,GFA\n" + "\n".join([*GLASS, "Zr40Cu60,glass"]),
        r"GFA.csv:6: GFA: 'glass' is not one of BMG",
    ),
    "one class": (
        "Alloy,GFA\nZr50Cu50,BMG\nZr60Cu40,BMG\nZr20Cu80,BMG",
        "every row has the label amorphous/BMG",
    ),
}


def one_line(cli: Callable[..., Any], dataset: str, file: Path, message: str) -> None:
    from re import search

    data = f"{dataset}={file.parent}"
    ended = cli("run", "--suite", dataset, "--model", "prior", "--data", data, "--dry-run")
    assert ended.status == 2
    assert search(message, ended.err), ended.err
    assert ended.err.count("\n") == 1 and "Traceback" not in ended.err
    linted = cli("data", "lint", file.parent, "--dataset", dataset)
    assert linted.status == 2
    assert search(message, linted.out + linted.err), linted.out + linted.err


@pytest.mark.parametrize("case", NIMS)
def test_a_bad_steel_table(case: str, cli: Callable[..., Any], tmp_path: Path) -> None:
    text, message = NIMS[case]
    (tmp_path / "NIMS-Fatigue.csv").write_text(text)
    one_line(cli, "nims-steel", tmp_path / "NIMS-Fatigue.csv", message)


@pytest.mark.parametrize("case", ALLOYS)
def test_a_bad_alloy_table(case: str, cli: Callable[..., Any], tmp_path: Path) -> None:
    text, message = ALLOYS[case]
    (tmp_path / "GFA.csv").write_text(text)
    one_line(cli, "metallic-glass", tmp_path / "GFA.csv", message)


def test_skip_bad_leaves_rows_out_and_says_which(tmp_path: Path) -> None:
    file = tmp_path / "NIMS-Fatigue.csv"
    file.write_text(changed(2, "0.77", "high"))
    with pytest.raises(DataProblems, match="--skip-bad leaves those out"):
        load("nims-steel", path=str(file))
    dataset = load("nims-steel", path=str(file), skip_bad=True)
    assert len(dataset.ids) == 8 and "line-00004" not in dataset.ids
    assert "NIMS-Fatigue.csv:4: Mn: 'high' is no number" in " ".join(dataset.notes)


def test_what_is_odd_but_usable_is_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "NIMS-Fatigue.csv"
    twin = ROWS[3].replace(",403,", ",999,")
    file.write_text("\n".join([HEADER, *ROWS, ROWS[0], twin]))
    report = lint("nims-steel", path=str(file))
    told = {p.kind: (p.where, p.what) for p in report.problems}
    assert not any(p.fatal for p in report.problems)
    assert told["duplicate"][0] == "NIMS-Fatigue.csv:2"
    assert "line 11, and the same targets" in told["duplicate"][1]
    assert "line 12, and different targets" in told["clash"][1]
    assert "fracture, hardness" in told["constant-target"][1]
    dataset = load("nims-steel", path=str(file))
    assert dataset.duplicates is not None
    assert dataset.duplicates[0] == dataset.duplicates[9] != dataset.duplicates[1]


def test_a_level_column_with_a_gap(tmp_path: Path) -> None:
    file = tmp_path / "formed_phases.csv"
    rows = ["AlCo,FCC,SP,SS,FCC", "AlNi,BCC,SP,,BCC", "AlFe,BCC,SP,XX,", "CoNi,FCC,,,", "CoFe,,SP,IM,"]
    file.write_text("Alloys,Phase(s),ML-A,ML-B,ML-C\n" + "\n".join(rows))
    found = {p.where: p.what for p in lint("hea-phases", path=str(file)).problems}
    assert found["formed_phases.csv:3"] == "ML-B is empty but a later level is not"
    assert found["formed_phases.csv:4"].startswith("SP/XX is no class")
    assert found["formed_phases.csv:5"] == "it has no label"
    sets = lint("hea-phases", path=str(file), labels="phases").problems
    assert [p.where for p in sets if p.fatal] == ["formed_phases.csv:6"]


def test_a_table_in_another_encoding(tmp_path: Path) -> None:
    """SRIM's targets under their Chinese names, saved as the authors save them; words become features."""
    elements = "C,Si,Mn,P,S,Ni,Cr,Cu,Mo,Al,V"
    rows = [
        f"0.{i},0,1,0,0,0,0,0,0,0,0,{'铸' if i % 2 else '锻'},{i},{500 + i},{600 + i},{20 - i},{50 + i}"
        for i in range(6)
    ]
    text = f"{elements},工艺,time,屈服强度,抗拉强度,延伸率,断面收缩率\n" + "\n".join(rows)
    (tmp_path / "SRIM.csv").write_bytes(text.encode("gb18030"))
    dataset = load("srim-steel", path=str(tmp_path))
    assert dataset.task.targets == ("yield", "tensile", "elongation", "reduction")
    assert dataset.columns["table"][-3:] == ("工艺=铸", "工艺=锻", "time")
    assert dataset.views["table"].shape == (6, 14)
    (tmp_path / "SRIM.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(Exception, match="is no text"):
        load("srim-steel", path=str(tmp_path))
