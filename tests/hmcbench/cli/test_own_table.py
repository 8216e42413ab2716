"""``hmcbench run --table``: a table of one's own is on a board by one line; what is wrong with it, in one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROWS = [
    f"{i},B{i % 12},{'LMH'[i % 3]},{i * i % 11 if i % 9 else ''},{i % 4}.5,"
    f"{int(i % 5 == 2)},{int(i % 7 == 3)}"
    for i in range(90)
]
HEADER = '"id, of ours",batch,kind,load,speed,wear,heat'
TABLE = "\n".join([HEADER, *ROWS]) + "\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.csv").write_text(TABLE)
    return tmp_path


LINE = ("run", "--table", "own.csv", "--labels", "wear,heat", "--drop", '"id, of ours"', "--group", "batch")


@pytest.mark.slow
def test_one_line_makes_a_board(cli: Callable[..., Any], folder: Path) -> None:
    models = ("--model", "prior", "--model", "knn", "--model", "forest[n_estimators=5]")
    ended = cli(*LINE, *models, "--json")
    assert ended.status == 0, ended.err
    result = json.loads(ended.out)
    assert len(result["records"]) == 15  # missing values stop none of them
    record = result["records"][0]
    assert record["dataset"]["paths"] == "multiple"
    assert record["suite"] == {"name": "own", "version": 1, "primary": "hf1_samples"}
    assert "missing values: load (10)" in record["dataset"]["notes"]
    assert str(folder) not in json.dumps(record["dataset"])
    board = Path("runs/own/leaderboard.md").read_text()
    assert "hf1_macro" in board and "knn" in board
    again = cli(*LINE, *models, "--dry-run")
    assert "0 to run" in again.out


def test_the_suite_that_is_written_is_the_one_that_runs(cli: Callable[..., Any], folder: Path) -> None:
    assert cli("suite", "new", "own.toml", *LINE[1:]).status == 0
    plans = [cli(*line, "--dry-run").out for line in (LINE, ("run", "--suite", "own.toml"))]
    assert plans[0] == plans[1]
    ended = cli("suite", "new", "own.toml", *LINE[1:])
    assert ended.status == 2
    assert "own.toml is there already" in ended.err


def labels(*more: str) -> list[str]:
    return ["--table", "own.csv", "--labels", "wear,heat", *more]


BAD: list[tuple[str, list[str], str]] = [
    ("", ["--table", "own.csv"], "what is to be predicted? Allowed: labels for classes, target for numbers"),
    ("", ["--table", "own.csv", "--suite", "smoke"], "--suite and --table together"),
    ("", ["--table", "own.csv", "--images", "."], "--table and --images together"),
    ("", ["--suite", "smoke", "--labels", "a"], "--labels without --table. --table FILE"),
    ("", ["--images", ".", "--kind", "a=number"], "--kind without --table"),
    ("", [], "no data are named. Allowed: one of --suite NAME|FILE.toml, --table FILE, --images PATH"),
    ("", labels("--drop", '"batch'), 'Allowed: A,B; "A, B" for a name with a comma'),
    ("", labels("--drop", "wear"), "the column 'wear' is named in labels and in drop"),
    ("", labels("--target", "load"), "both labels and targets are named"),
    ("", labels("--data", "tabel=x.csv"), "unknown dataset of this suite 'tabel'"),
    ("", labels("--model", "forst"), "did you mean 'forest'"),
    ("", ["--table", "none.csv", "--labels", "wear"], "no file none.csv"),
    ("", ["--table", ".", "--labels", "wear"], ". is a folder"),
    ("own.csv", labels(), "own.csv is empty"),
    (HEADER, labels(), "own.csv has a header and no rows"),
    ("wear;heat\n1;0;1\n", labels(), "own.csv:2: 3 cells where the header has 2"),
    ("wear,heat,wear\n1,0,1\n", labels(), "own.csv:1: the column 'wear' is there twice"),
    ("wear,heat,\n1,0,1\n", labels(), "own.csv:1: a column has no name"),
    ("wear|heat\n1|0\n", labels(), "own.csv:1: one column, 'wear|heat'"),
    ('wear,heat\n1,"0\n', labels(), "own.csv:2: cannot be read as CSV"),
    ("wear,heat,gr\xf6\n1,0,1\n", labels(), "own.csv:1: not UTF-8 text (byte 12)"),
    (TABLE + "90,B1,L,1,1.5,2,0\n", labels(), "own.csv:92: column 'wear': '2' is neither 0 nor 1"),
    (TABLE + "90,B1,L,1,1.5,,0\n", labels(), "own.csv:92: column 'wear': the label is missing"),
    (TABLE + "90,B1,L,<1,1.5,1,0\n", labels(), "own.csv:92: column 'load': '<1' is no number"),
    (TABLE + "90,B1,L,1e99,1.5,1,0\n", labels(), "own.csv:92: column 'load': '1e99' is no finite number"),
    ("wear,heat\n1,0\n0,1\n1,1\n", labels(), "no column is left as a feature"),
    ("wear,heat,x\n1,0,1\n0,1,2\n", labels(), "2 of 2 rows can be used; at least 3 are needed"),
    ("wear,heat,x\n1,1,1\n1,1,2\n1,1,3\n", labels(), "every row has the same labels"),
    ("a,b,x\nA,B,1\n,B,2\nA,C,3\n", ["--table", "own.csv", "--labels", "a,b"], "own.csv:3: 'a' is empty"),
    ("a,b,x\nA/C,B,1\nA,B,2\nA,C,3\n", ["--table", "own.csv", "--labels", "a,b"], "own.csv:2: name 'A/C'"),
    ("l,x\na|b,1\na||b,2\nc,3\n", ["--table", "own.csv", "--labels", "l"], "own.csv:3: 'a||b' has an empty"),
    ("l,x\na|b,1\n,2\nc,3\n", ["--table", "own.csv", "--labels", "l"], "own.csv:3: it has no label"),
    ("y,x\n1,1\n,2\n3,3\n", ["--table", "own.csv", "--target", "y"], "own.csv:3: the target 'y' is missing"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "options", "says"), BAD, ids=[says for _, _, says in BAD])
def test_bad_input_is_one_line(
    cli: Callable[..., Any], folder: Path, content: str, options: list[str], says: str
) -> None:
    if content:
        (folder / "own.csv").write_bytes(b"" if content == "own.csv" else content.encode("latin-1"))
    ended = cli("run", *options)
    assert ended.status == 2
    assert ended.err.startswith("hmcbench: ") and ended.err.count("\n") == 1, ended.err
    assert says in ended.err
    assert not (folder / "runs").exists()


def test_the_hint_of_a_problem_lists_all_of_them(cli: Callable[..., Any], folder: Path) -> None:
    (folder / "own.csv").write_text(TABLE + "90,B1,L,<1,1.5,1,0\n91,B1,L,1,1.5,,0\n")
    ended = cli("run", *labels())
    assert "(and 1 more)" in ended.err
    hint = ended.err.partition("hmcbench data lint ")[2].partition(" lists them all")[0]
    import shlex

    listed = cli("data", "lint", *shlex.split(hint))
    assert listed.status == 2
    assert "own.csv:92: column 'load'" in listed.out
    assert "own.csv:93: column 'wear'" in listed.out
    assert cli("run", *labels("--skip-bad", "--model", "prior", "--dry-run")).status == 0


def test_lint_tells_a_table_from_a_list_of_images(cli: Callable[..., Any], folder: Path) -> None:
    ended = cli("data", "lint", "own.csv")
    assert (ended.status, ended.err.count("\n")) == (0, 1)
    assert "column load" in ended.out and "own.csv is read as the dataset table; --labels COLUMN" in ended.err
    assert "column load" in json.loads(cli("data", "lint", "own.csv", "--json").out)["facts"]
    (folder / "index.csv").write_text("name,labels\na.png,x\n")
    (folder / "list.csv").write_text("File;labels\na.png;x\n")
    (folder / "one.csv").write_text("labels\nx\n")
    for name, says in (
        ("index.csv", "no column 'file'"),
        ("one.csv", "one column, 'labels'"),
        ("list.csv", "list.csv:2: 'a.png' does not exist"),
        ("own.csv --max-pixels 9", "no column 'file'"),
    ):
        ended = cli("data", "lint", *name.split())
        assert ended.status == 2 and re.search(says, ended.out + ended.err), ended


def test_lint_of_a_file_of_another_dataset_needs_no_name(cli: Callable[..., Any], folder: Path) -> None:
    header = "@relation r\n@attribute x real\n@attribute class hierarchical a,a/b\n@data\n"
    (folder / "own.arff").write_text(f"{header}1,a\n2,a/b\n")
    ended = cli("data", "lint", "own.arff")
    assert ended.status == 0 and ended.err == "note: own.arff is read as the dataset arff\n"
    assert ended.out == cli("data", "lint", "own.arff", "--dataset", "arff").out
    (folder / "own.arff").write_text(f"{header}1\n")
    assert "own.arff:5: 1 value where" in cli("data", "lint", "own.arff").out


def test_only_lint_is_told_to_name_another_dataset(cli: Callable[..., Any], folder: Path) -> None:
    (folder / "own.png").write_bytes(b"\x89PNG")
    (folder / "one.csv").write_text("labels\nx\n")
    hint = "hmcbench data lint {} --dataset NAME reads it as another dataset.\n"
    for name in ("own.png", "one.csv"):
        ended = cli("data", "lint", name)
        assert ended.status == 2 and ended.err.endswith(hint.format(name)) and ended.err.count("\n") == 1
    for command in (
        ("run", "--images", "own.png", "--model", "prior"),
        ("data", "lint", "own.png", "--dataset", "images"),
        ("data", "lint", "gone.png"),
    ):
        ended = cli(*command)
        assert ended.status == 2 and "Allowed: " in ended.err and "--dataset" not in ended.err
