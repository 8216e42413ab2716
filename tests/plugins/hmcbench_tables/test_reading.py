"""Files of every kind become the same table; what cannot be read is said in one line."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from hmcbench_tables.content import read_content
from hmcbench_tables.reading import read_table, table_of_frame

from hmcbench.errors import BadInput, Unavailable

TEXT = 'C,heat,family\n0.5,H1,"MP, old"\n0.7,H2,IM\n'


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", TEXT),
        ("a.csv", "\ufeff" + TEXT),
        ("a.csv", TEXT.replace("\n", "\r\n")),
        ("a.csv", 'sep=;\nC;heat;family\n0.5;H1;"MP, old"\n\n0.7;H2;IM\n'),
        ("a.tsv", "C\theat\tfamily\n0.5 \tH1\tMP, old\n0.7\tH2\tIM\n"),
        ("a.txt", "C;heat;family\n0.5;H1;MP, old\n0.7;H2;IM"),
        ("a.CSV", TEXT.encode("utf-16")),
        ("a.csv", 'C,heat,family,,\n0.5,H1,"MP, old",,\n0.7,H2,IM,,\n'),
    ],
)
def test_one_table_in_many_forms(tmp_path: Path, name: str, content: str | bytes) -> None:
    table = read_table(written(tmp_path, name, content))
    assert list(table.columns) == ["C", "heat", "family"]
    assert [list(cells) for cells in table.cells] == [["0.5", "0.7"], ["H1", "H2"], ["MP, old", "IM"]]
    assert table.lines[0] in (2, 3)


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "a.csv", 'a,b\n1,"two\nlines"\n\n2,x\n'))
    assert list(table.lines) == [2, 5]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", "", "a.csv is empty. Allowed: a CSV"),
        ("a.csv", "a,b\n", "a header and no rows"),
        ("a.csv", "a,b\n1,2\n1\n", "a.csv:3: 1 cells where the header has 2"),
        ("a.csv", "a,a\n1,2\n", "a.csv:1: the column 'a' is there twice"),
        ("a.csv", "a,\n1,2\n", "a.csv:1: a column has no name ('2' stands in it)"),
        ("a.csv", "a\n1\n", "a.csv:1: one column, 'a'"),
        ("a.csv", 'a,b\n1,"2\n', "cannot be read as CSV"),
        ("a.csv", "a,b\nGröße,1\n".encode("latin-1"), "a.csv:2: not UTF-8 text (byte 6)"),
        ("a.csv", b"PK\x03\x04\0\0", "is no text"),
        ("a.json", "[]", "tables of this kind (.json) are not read"),
        ("table", TEXT, "(no ending)"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, name: str, content: str | bytes, says: str) -> None:
    with pytest.raises(BadInput) as error:
        read_table(written(tmp_path, name, content))
    assert says in str(error.value)


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no file"):
        read_table(tmp_path / "a.csv")
    with pytest.raises(BadInput, match="is a folder"):
        read_table(tmp_path)


def test_a_path_below_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name in ("a b.csv", "~x.csv"):
        written(tmp_path, name, "x,y\n1,2\n")
    for path in ("~/a b.csv", "~/a%20b.csv", "~x.csv"):
        assert len(read_content(path=path).table) == 1
    with pytest.raises(BadInput, match=r"no file ~none\.csv"):
        read_content(path="~none.csv")


def test_a_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Unavailable, match=r"xlsx files need pandas.*pip install 'hmcbench\[tables\]'"):
        read_table(written(tmp_path, "a.xlsx", b""))


def test_a_frame_becomes_text() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "grade": [1.0, None, 3.0],
            "C": [0.5, 0.25, None],
            "made": pandas.to_datetime(["2024-01-02", "2024-01-03", None]),
            " ok ": [True, False, None],
        }
    )
    table = table_of_frame(frame, Path("a.xlsx"))
    assert list(table.columns) == ["grade", "C", "made", "ok"]
    assert [list(cells) for cells in table.cells] == [
        ["1", "", "3"],
        ["0.5", "0.25", ""],
        ["2024-01-02 00:00:00", "2024-01-03 00:00:00", ""],
        ["True", "False", ""],
    ]


@pytest.mark.parametrize(("ending", "library"), [("xlsx", "openpyxl"), ("parquet", "pyarrow")])
def test_excel_and_parquet(tmp_path: Path, ending: str, library: str) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip(library)
    frame = pandas.DataFrame({"C": [0.5, None], "family": ["MP", "IM"]})
    path = tmp_path / f"a.{ending}"
    frame.to_excel(path, index=False) if ending == "xlsx" else frame.to_parquet(path)
    assert [list(cells) for cells in read_table(path).cells] == [["0.5", ""], ["MP", "IM"]]
    with pytest.raises(BadInput, match="cannot be read"):
        read_table(written(tmp_path, f"b.{ending}", b"nothing of the kind"))
