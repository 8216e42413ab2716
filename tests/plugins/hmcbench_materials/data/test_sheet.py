"""Tables that are wrong, through the real command line: one clear line each, with file, line and column."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hmcbench_materials.data.datasets import lint, load
from hmcbench_materials.data.plates import FEATURES, PATHS

from hmcbench.errors import DataProblems

STEEL_HEADER = "NT,QT,TT,C,Si,Mn,P,S,Ni,Cr,Cu,Mo,RR,dA,dB,dC,fatigue,tensile,fracture,hardness"
STEELS = [
    f"865,865,550,0.3{i},0.21,0.77,0.021,0.022,0.01,0.01,0.02,0,825,0.05,0.03,0,{400 + i},{700 + i},1400,235"
    for i in range(9)
]
GLASSES = ["Zr50Cu50,BMG", "Zr60Cu40,RMG", "Al90Ni10,CRA", "Al80Ni20,CRA", "Al70Ni30,CRA"]
PHASES = [
    *("AlCo,FCC,SP,SS,FCC", "AlNi,BCC,SP,SS,BCC", "AlFe,BCC,SP,SS,BCC"),
    *("CoNi,FCC,MP,IM,", "CoFe,FCC+B2,MP,IM,"),
]
HARDNESSES = ["AlCoCr,300", "Al2CoCr,350", "Al0.5CoCr,280", "CoCrFeNi,120", "CoCrNi,110"]
PLATES = [
    ",".join([f"0.{i}"] * len(FEATURES) + ["1" if k == i % 3 else "0" for k in range(len(PATHS))])
    for i in range(5)
]

FILES: Mapping[str, tuple[str, Sequence[str]]] = {
    "nims-steel": ("NIMS-Fatigue.csv", [STEEL_HEADER, *STEELS]),
    "metallic-glass": ("GFA.csv", ["Alloy,GFA", *GLASSES]),
    "hea-phases": ("formed_phases.csv", ["Alloys,Phase(s),ML-A,ML-B,ML-C", *PHASES]),
    "hea-hardness": ("hardness.csv", ["Alloys,Hardness (HV)", *HARDNESSES]),
    "steel-plates": ("steel_plates_faults.csv", [",".join((*FEATURES, *PATHS)), *PLATES]),
}
STEEL, GLASS, PHASE, HARD, PLATE = FILES

CELLS = [  # dataset, line of the file, text in it, its replacement, what is said after FILE:LINE
    (STEEL, 4, "0.77", "high", "Mn: 'high' is no number"),
    (STEEL, 4, "0.77", "", "Mn: the cell is empty"),
    (STEEL, 5, "0.77", "NaN", "Mn: 'NaN' is no number: the value is missing"),
    (STEEL, 5, "0.77", "inf", "Mn: 'inf' is no finite number"),
    (STEEL, 5, "0.77", '"0,77"', "Mn: '0,77' is no number; write 0.77"),
    (STEEL, 5, "0.77", "0_77", "Mn: '0_77' is no number"),
    (STEEL, 2, "0.77", "-0.77", "Mn: -0.77 is negative; 0 or more is allowed"),
    (STEEL, 2, "235", "-235", "hardness: -235 is negative; 0 or more is allowed"),
    (STEEL, 2, "235", "", "hardness: the cell is empty"),
    (STEEL, 3, "0.77", "99.9", "the elements add up to 100.503 %, more than 100 %"),
    (STEEL, 6, "0.77,", "", "19 cells where the header has 20"),
    (GLASS, 3, "Zr60Cu40", "Zr60Qq40", "Alloy: 'Zr60Qq40': 'Qq' is no element (H to Og)"),
    (GLASS, 3, "Zr60Cu40", "Zr(Cu", "Alloy: 'Zr(Cu': ')' is missing"),
    (GLASS, 3, "Zr60Cu40", "Zr-60Cu40", "Alloy: 'Zr-60Cu40': the amount -60 is negative"),
    (
        GLASS,
        3,
        "Zr60Cu40",
        "zr60cu40",
        "Alloy: 'zr60cu40': 'zr60cu40' cannot be read; a formula looks like Al0.5CoCr",
    ),
    (
        GLASS,
        3,
        "Zr60Cu40",
        '"Zr0,6Cu"',
        "Alloy: 'Zr0,6Cu': ',6Cu' cannot be read; amounts have a decimal point",
    ),
    (GLASS, 3, "Zr60Cu40", "NaN", "Alloy: 'NaN': the formula is missing"),
    (GLASS, 3, "Zr60Cu40", "", "Alloy: the cell is empty"),
    (GLASS, 3, "Zr60Cu40", "Zr0", "Alloy: 'Zr0' holds no element"),
    (GLASS, 3, "RMG", "glass", "GFA: 'glass' is not one of BMG, RMG, CRA"),
    (GLASS, 3, "RMG", "", "GFA: '' is not one of BMG, RMG, CRA"),
    (PHASE, 3, "AlNi", "AlQq", "Alloys: 'AlQq': 'Qq' is no element"),
    (PHASE, 3, "SP,SS,BCC", "SP,,BCC", "ML-B is empty but a later level is not"),
    (PHASE, 3, "SP,SS,BCC", "SP,XX,", "SP/XX is no class; the classes are AM, MP, SP"),
    (PHASE, 3, "SP,SS,BCC", ",,", "it has no label"),
    (HARD, 3, "350", "hard", "Hardness (HV): 'hard' is no number"),
    (HARD, 3, "350", "nan", "Hardness (HV): 'nan' is no number: the value is missing"),
    (HARD, 3, "350", "-350", "Hardness (HV): -350 is negative"),
    (HARD, 3, "Al2CoCr", "Al2CoCrX", "Alloys: 'Al2CoCrX': 'X' is no element"),
    (PLATE, 3, "0.1", "wide", "X_Minimum: 'wide' is no number"),
    (PLATE, 3, "0.1", "-1", "X_Minimum: -1 is negative"),
    (PLATE, 3, "0,1,0", "1,1,0", "Pastry is 1, Z_Scratch is 1; exactly one of Pastry, Z_Scratch, K_Scatch"),
    (PLATE, 3, "0,1,0", "0,0,0", "no fault is marked; exactly one of Pastry, Z_Scratch, K_Scatch"),
]

Lines = list[str]
WHOLE: list[tuple[str, Callable[[Lines], Lines], str]] = [  # dataset, the table instead, what is said
    (STEEL, lambda t: [t[0].replace(",Mn,", ",Mg,"), *t[1:]], "lacks the column Mn. it has NT, QT"),
    (STEEL, lambda t: [t[0].replace("Mn", "Si"), *t[1:]], "the column 'Si' is there twice"),
    (STEEL, lambda t: [line.replace(",", ";") for line in t], "not separated by commas"),
    (STEEL, lambda t: t[:2], "1 row can be used; at least 3 are needed"),
    (STEEL, lambda t: t[:1], "has a header and no rows"),
    (STEEL, lambda _: [], "is empty"),
    (
        STEEL,
        lambda t: [t[0], *(row.rsplit(",", 4)[0] + ",1,2,3,4" for row in t[1:])],
        "all targets are constant (fatigue, tensile, fracture, hardness): there is nothing to learn",
    ),
    (GLASS, lambda t: ["Alloy,Glass", *t[1:]], "lacks the column GFA (or Phase, Class). it has Alloy, Glass"),
    (GLASS, lambda t: t[:2], "1 row can be used"),
    (GLASS, lambda t: [t[0], *t[3:]], "every row has the label crystalline/CRA: there is nothing to learn"),
    (PHASE, lambda t: [row.rsplit(",", 2)[0] for row in t], "lacks the columns ML-B, ML-C"),
    (PHASE, lambda t: t[:2], "1 row can be used"),
    (PHASE, lambda t: [t[0], *t[4:], "CoCr,B2,MP,IM,"], "every row has the label MP/IM"),
    (HARD, lambda t: ["Alloys,force", *t[1:]], "lacks the column hardness (or Hardness (HV), HV)"),
    (HARD, lambda t: t[:2], "1 row can be used"),
    (HARD, lambda t: [t[0], *(f"{r.split(',')[0]},9" for r in t[1:])], "all targets are constant (hardness)"),
    (PLATE, lambda t: [row.split(",", 1)[1] for row in t], "lacks the column X_Minimum; did you mean"),
    (PLATE, lambda t: t[:2], "1 row can be used"),
    (PLATE, lambda t: [*t[:2], *(t[4:5] * 2)], "every row has the label shape/Pastry"),
]

ODD = [  # dataset, a row more, what is noted, after which line: the run goes on
    (STEEL, STEELS[0], "NIMS-Fatigue.csv:2: the same features as line 11, and the same targets"),
    (
        STEEL,
        STEELS[3].replace(",403,", ",999,"),
        "NIMS-Fatigue.csv:5: the same features as line 11, and differ",
    ),
    (GLASS, GLASSES[0], "GFA.csv:2: the same features as line 7, and the same targets"),
    (GLASS, "Zr50Cu50,CRA", "GFA.csv:2: the same features as line 7, and different targets"),
    (GLASS, "Al70Zr60,BMG", "GFA.csv:7: Alloy: the amounts add up to 130, not to 100"),
    (GLASS, "(CaCu)70Mg30,BMG", "GFA.csv:7: Alloy: the amounts of groups are read as shares: Ca 35 Cu 35 Mg"),
    (
        HARD,
        "Ti6Al4V,9",
        "hardness.csv:7: Alloys: Ti6Al4V is read as numbers of atoms; if Ti-6Al-4V in weight",
    ),
    (PHASE, PHASES[0], "formed_phases.csv:2: the same features as line 7, and the same targets"),
    (HARD, "AlCoCr,301", "hardness.csv:2: the same features as line 7, and different targets"),
    (HARD, "Al70Zr60,9", "hardness.csv:7: Alloys: the amounts add up to 130, not to 100"),
    (PLATE, PLATES[1], "steel_plates_faults.csv:3: the same features as line 7, and the same targets"),
]


def written(folder: Path, dataset: str, lines: Sequence[str]) -> Path:
    file = folder / FILES[dataset][0]
    file.write_text("\n".join(lines))
    return file


def refused(cli: Callable[..., Any], dataset: str, file: Path, message: str) -> None:
    """One line and status 2 from a run, which leaves nothing behind; the same from ``data lint``."""
    out = file.parent / "runs"
    data = ("--data", f"{dataset}={file}", "--out", out)
    ended = cli("run", "--suite", dataset, "--dataset", dataset, "--model", "prior", *data)
    assert ended.status == 2
    assert message in ended.err
    assert ended.err.count("\n") == 1 and "Traceback" not in ended.err
    assert not out.exists()
    following = re.search(r"hmcbench (data lint \S+ --dataset \S+) lists them all", ended.err)
    linted = cli(*(following[1].split() if following else ("data", "lint", file, "--dataset", dataset)))
    assert linted.status == 2
    assert message in linted.out + linted.err


@pytest.mark.parametrize(("dataset", "line", "old", "new", "message"), CELLS)
def test_a_bad_row(
    dataset: str, line: int, old: str, new: str, message: str, cli: Callable[..., Any], tmp_path: Path
) -> None:
    lines = list(FILES[dataset][1])
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new, 1)
    file = written(tmp_path, dataset, lines)
    refused(cli, dataset, file, f"{file.name}:{line}: {message}")


@pytest.mark.parametrize(("dataset", "change", "message"), WHOLE)
def test_a_bad_table(
    dataset: str, change: Callable[[Lines], Lines], message: str, cli: Callable[..., Any], tmp_path: Path
) -> None:
    refused(cli, dataset, written(tmp_path, dataset, change(list(FILES[dataset][1]))), message)


@pytest.mark.parametrize("dataset", FILES)
def test_good_tables_are_good(dataset: str, tmp_path: Path) -> None:
    report = lint(dataset, path=str(written(tmp_path, dataset, FILES[dataset][1])))
    assert not [p for p in report.problems if p.fatal]


@pytest.mark.parametrize(("dataset", "row", "message"), ODD)
def test_what_is_odd_but_usable_is_a_note(
    dataset: str, row: str, message: str, cli: Callable[..., Any], tmp_path: Path
) -> None:
    file = written(tmp_path, dataset, [*FILES[dataset][1], row])
    data = ("--data", f"{dataset}={file}", "--dry-run")
    ended = cli("run", "--suite", dataset, "--dataset", dataset, "--model", "prior", *data)
    assert ended.status == 0
    assert re.search(rf"note: ({dataset}[^:\n]*: )?{re.escape(message)}", ended.out), ended.out
    linted = cli("data", "lint", file, "--dataset", dataset)
    assert linted.status == 0 and f"warning  {message}" in linted.out


def test_several_problems_are_one_report_in_the_order_of_the_file(
    cli: Callable[..., Any], tmp_path: Path
) -> None:
    lines = [STEEL_HEADER, *STEELS, *STEELS]  # more than nine rows: line 10 comes after line 9
    for line, new in {11: "high", 10: "", 9: "-1", 3: "NaN"}.items():
        lines[line - 1] = lines[line - 1].replace("0.77", new)
    file = written(tmp_path, STEEL, lines)
    listed = cli("data", "lint", file, "--dataset", STEEL).out.splitlines()
    assert [line.split(":")[1] for line in listed if line.startswith("error")] == ["3", "9", "10", "11"]
    ended = cli("run", "--suite", STEEL, "--model", "prior", "--data", f"{STEEL}={file}", "--dry-run")
    assert f"{file}:3: Mn: 'NaN' is no number: the value is missing (and 3 more)" in ended.err


def test_skip_bad_leaves_rows_out_and_says_which(tmp_path: Path) -> None:
    lines = [STEEL_HEADER, *STEELS]
    lines[3] = lines[3].replace("0.77", "high")
    file = written(tmp_path, STEEL, lines)
    with pytest.raises(DataProblems, match="--skip-bad leaves those out"):
        load(STEEL, path=str(file))
    dataset = load(STEEL, path=str(file), skip_bad=True)
    assert len(dataset.ids) == 8 and "line-00004" not in dataset.ids
    assert "NIMS-Fatigue.csv:4: Mn: 'high' is no number" in " ".join(dataset.notes)
    written(tmp_path, STEEL, lines[:5])
    assert len(load(STEEL, path=str(file), skip_bad=True).ids) == 3
    written(tmp_path, STEEL, lines[:4])
    with pytest.raises(DataProblems, match="2 rows can be used; at least 3 are needed"):
        load(STEEL, path=str(file), skip_bad=True)


def test_copies_share_a_digest_and_constant_targets_are_named(tmp_path: Path) -> None:
    file = written(tmp_path, STEEL, [STEEL_HEADER, *STEELS, STEELS[0]])
    dataset = load(STEEL, path=str(file))
    assert dataset.duplicates is not None
    assert dataset.duplicates[0] == dataset.duplicates[9] != dataset.duplicates[1]
    assert "constant targets, whose R2 is undefined: fracture, hardness" in " ".join(dataset.notes)


def test_sets_of_phases_need_no_levels(tmp_path: Path) -> None:
    rows = [*PHASES[:3], "CoNi,FCC,,,", "CoFe,,SP,IM,"]
    file = written(tmp_path, PHASE, [FILES[PHASE][1][0], *rows])
    sets = lint(PHASE, path=str(file), labels="phases").problems
    assert [p.where for p in sets if p.fatal] == ["formed_phases.csv:6"]


@pytest.mark.parametrize("dataset", FILES)
@pytest.mark.parametrize(
    "content", [b"\x89PNG\r\n\x1a\n" + bytes(99), "Alloy,GFA\nZr50Cu50,BMG".encode("utf-16")]
)
def test_what_is_no_text_is_called_that(
    dataset: str, content: bytes, cli: Callable[..., Any], tmp_path: Path
) -> None:
    """Both could be decoded as GB 18030, and would then lack every column."""
    file = tmp_path / FILES[dataset][0]
    file.write_bytes(content)
    refused(cli, dataset, file, f"{file} is no text")


def test_a_table_with_another_delimiter_says_what_to_do(cli: Callable[..., Any], tmp_path: Path) -> None:
    file = written(tmp_path, STEEL, [line.replace(",", ";") for line in FILES[STEEL][1]])
    ended = cli("data", "lint", file, "--dataset", STEEL)
    assert "'NT;QT;TT;C;Si;Mn;P;S;Ni;Cr;Cu;Mo;RR;dA;dB;dC;fatigue;tens...'" in ended.err
    assert "save it as CSV with commas" in ended.err


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0.3", "high", "srim-steel.csv:3: C: 'high' is no number"),
        ("0.3", "NaN", "srim-steel.csv:3: C: 'NaN' is no number: the value is missing"),
        ("0.3", "-0.3", "srim-steel.csv:3: C: -0.3 is negative; 0 or more is allowed"),
        ("0.3", "99.8", "srim-steel.csv:3: the elements add up to 100.8 %, more than 100 %"),
        ("501", "", "srim-steel.csv:3: yield: the cell is empty"),
    ],
)
def test_bad_cells_of_srim(old: str, new: str, message: str, cli: Callable[..., Any], tmp_path: Path) -> None:
    """It has no public file, so the table is one of ours in its form."""
    header = "C,Si,Mn,P,S,Ni,Cr,Cu,Mo,Al,V,yield,tensile,elongation,reduction"
    rows = [f"0.3,0,1,0,0,0,0,0,0,0,0,{500 + i},{600 + i},{20 - i},{50 + i}" for i in range(6)]
    rows[1] = rows[1].replace(old, new, 1)
    file = tmp_path / "srim-steel.csv"
    file.write_text("\n".join([header, *rows]) + "\n")
    refused(cli, "srim-steel", file, message)
    same = [",".join([*rows[0].split(",")[:11], "500", "600", "20", "50"]) for _ in rows]
    file.write_text("\n".join([header, *same]) + "\n")
    refused(cli, "srim-steel", file, "all targets are constant (yield, tensile, elongation, reduction)")


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
