"""Bad ARFF files end in one line that names file and line."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from hmcbench_hmc.arff import mulan, rows, text
from hmcbench_hmc.arff.dataset import arff, lint_arff

from hmcbench.errors import BadInput, DataProblems
from hmcbench.interfaces import Dataset

HEAD = "@relation r\n@attribute x real\n@attribute y {no,yes}\n@attribute class hierarchical a,a/b,c\n@data\n"
PAIRS = "@attribute x real\n@attribute class hierarchical {}\n@data\n1,b\n"

CASES: list[tuple[str, str, int, str]] = [
    # name, text, line, what
    ("empty", "", 1, "no ARFF file"),
    ("blank lines", "\n\n\n", 3, "no ARFF file"),
    ("a CSV file", "id,x,label\n1,2,a\n", 1, "'id,x,label' before @data"),
    ("misspelt keyword", "@relation r\n@atribute x real\n", 2, "did you mean '@attribute'"),
    ("ends in the header", HEAD[:30], 2, "the file ends before @data"),
    ("no rows", HEAD, 4, "no rows after @data"),
    ("data first", "@data\n1,2\n", 1, "@data without any @attribute"),
    ("no class", "@attribute x real\n@data\n1\n", 1, "no attribute is hierarchical"),
    (
        "two classes",
        "@attribute c hierarchical a\n@attribute d hierarchical b\n@data\na,b\n",
        2,
        "a second hier",
    ),
    ("no type", "@attribute x\n@data\n", 1, "attribute 'x' has no type"),
    ("no name", "@attribute\n@data\n", 1, "cannot read '@attribute'"),
    ("unknown type", "@attribute x relational\n@data\n", 1, "of type 'relational'; allowed: numeric"),
    ("an open quote in a name", "@attribute 'x real\n@data\n", 1, "cannot read"),
    ("no closing brace", "@attribute y {a,b\n@data\n", 1, "no closing brace"),
    ("no values", "@attribute y {}\n@data\n", 1, "lists no values"),
    ("an empty value", "@attribute y {a,,b}\n@data\n", 1, "lists an empty value"),
    ("an open quote in the values", "@attribute y {a,'b}\n@data\n", 1, "a quote is not closed"),
    ("no list of classes", "@attribute c hierarchical\n@data\n", 1, "lists no classes"),
    ("an empty class", "@attribute c hierarchical a,,b\n@data\na\n", 1, "lists an empty class"),
    ("an empty part of a path", "@attribute c hierarchical a,a//b\n@data\na\n", 1, "has an empty name"),
    ("a bar in a class", "@attribute c hierarchical a|b\n@data\na|b\n", 1, "contains '|'"),
    ("a cycle", PAIRS.format("root/a,a/b,b/c,c/b"), 2, "a cycle: b > c > b"),
    ("its own parent", PAIRS.format("root/a,b/b"), 2, "its own parent"),
    ("below root and a class", PAIRS.format("root/a,root/b,a/b"), 2, "at the top level and also below"),
    ("too few values", HEAD + "1,no\n", 6, "2 values where the header has 3 attributes"),
    ("too many values", HEAD + "1,no,a\n1,no,a,a\n", 7, "4 values where"),
    ("ends in a row", HEAD + "1,no,a\n2", 7, "1 value where"),
    ("a text for a number", HEAD + "tall,no,a\n", 6, "'tall' is no number ('x')"),
    ("an empty number", HEAD + ",no,a\n", 6, "'' is no number"),
    ("a decimal comma", HEAD + "1,5,no,a\n", 6, "4 values where"),
    ("not a number", HEAD + "nan,no,a\n", 6, "'nan' is no number"),
    ("infinity", HEAD + "-inf,no,a\n", 6, "'-inf' is no number"),
    ("too large a number", HEAD + "1e999,no,a\n", 6, "'1e999' is no number"),
    ("an underscore", HEAD + "1_000,no,a\n", 6, "'1_000' is no number"),
    ("other digits", HEAD + "\u0663,no,a\n", 6, "is no number"),
    ("a nominal value that is none", HEAD + "1,yess,a\n", 6, "no value of 'y'; did you mean 'yes'"),
    ("a nominal value in other case", HEAD + "1,YES,a\n", 6, "'YES' is no value of 'y'"),
    ("an open quote", HEAD + "1,'no,a\n", 6, "a quote is not closed"),
    ("an unknown class", HEAD + "1,no,a/x\n", 6, "the class 'a/x' is not in the header; did you mean"),
    ("one unknown class of two", HEAD + "1,no,a@zz\n", 6, "the class 'zz' is not in the header"),
    ("an unknown class of pairs", PAIRS.format("root/a,a/c"), 4, "the class 'b' is not in the header"),
    ("no label", HEAD + "1,no,?\n", 6, "the row has no class"),
    ("an empty label", HEAD + "1,no,\n", 6, "the row has no class"),
    ("a joint without a label", HEAD + "1,no,a@\n", 6, "an empty class beside '@'"),
    ("a confidence above 1", HEAD + "1,no,a:1.5\n", 6, "'1.5' is not between 0 and 1"),
    ("a confidence that is none", HEAD + "1,no,a:-\n", 6, "'-' is not between 0 and 1"),
    ("a low confidence", HEAD + "1,no,a:0.1\n", 6, "no class reaches the confidence 0.5"),
    ("no class but the root", PAIRS.format("root/b") + "2,root\n", 5, "the row has no class but root"),
    ("a low one beside the root", PAIRS.format("root/b") + "2,root@b:0.1\n", 5, "no class reaches the conf"),
    ("an open sparse row", HEAD + "{0 1, 2 a\n", 6, "no closing brace"),
    ("a sparse position too large", HEAD + "{0 1, 3 a}\n", 6, "position 3 in a sparse row of 3"),
    ("a sparse position twice", HEAD + "{0 1,0 2, 2 a}\n", 6, "position 0 after position 0"),
    ("a sparse row without a value", HEAD + "{0, 2 a}\n", 6, "allowed: POSITION VALUE"),
    ("a sparse row without a class", HEAD + "{0 1}\n", 6, "the row has no class"),
]


def failure(path: Path) -> DataProblems:
    with pytest.raises(DataProblems) as error:
        arff(path=str(path))
    assert "\n" not in str(error.value)
    return error.value


@pytest.mark.parametrize(("content", "line", "what"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_the_line_and_what_is_wrong_with_it(tmp_path: Path, content: str, line: int, what: str) -> None:
    (tmp_path / "bad.arff").write_text(content, encoding="utf-8")
    error = failure(tmp_path / "bad.arff")
    first = next(problem for problem in error.problems if problem.fatal)
    assert first.where == f"bad.arff:{line}" and what in first.what
    assert f"bad.arff:{line}: " in str(error)


BYTES: list[tuple[str, bytes, int, str]] = [
    ("UTF-16", HEAD.encode("utf-16"), 1, "UTF-16"),
    ("Latin-1", (HEAD + "1,no,a\n2,n\xf6,a\n").encode("latin-1"), 7, "byte 0xf6 is not UTF-8"),
    ("binary", HEAD.encode() + b"1,no,a\n\x00\x01\n", 7, "no text"),
    ("a cut archive", gzip.compress((HEAD + "1,no,a\n" * 9).encode())[:-12], 0, "ends in the middle"),
    ("a damaged archive", gzip.compress(HEAD.encode())[:-8] + b"\0" * 8, 0, "is damaged"),
    ("garbage in an archive", b"\x1f\x8b" + b"x" * 50, 1, "is damaged"),
]


@pytest.mark.parametrize(("content", "line", "what"), [c[1:] for c in BYTES], ids=[c[0] for c in BYTES])
def test_bytes_that_are_no_text(tmp_path: Path, content: bytes, line: int, what: str) -> None:
    (tmp_path / "bad.arff").write_bytes(content)
    error = failure(tmp_path / "bad.arff")
    (problem,) = error.problems
    assert what in problem.what
    assert problem.where.startswith("bad.arff:") and (not line or problem.where == f"bad.arff:{line}")


def test_comments_may_be_in_any_encoding(tmp_path: Path) -> None:
    (tmp_path / "old.arff").write_bytes("% M\xfcller\n".encode("latin-1") + (HEAD + "1,no,a\n").encode())
    assert len(arff(path=str(tmp_path / "old.arff")).ids) == 1


def test_an_archive_that_unpacks_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "LARGEST", 1 << 20)
    (tmp_path / "bad.arff.gz").write_bytes(gzip.compress(HEAD.encode() + (b"% " + b"x" * 998 + b"\n") * 4000))
    (problem,) = failure(tmp_path / "bad.arff.gz").problems
    assert "unpacks to more than 1 MiB" in problem.what and problem.where.startswith("bad.arff.gz:")


def test_a_line_that_never_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "LONGEST", 1 << 20)
    (tmp_path / "bad.arff.gz").write_bytes(gzip.compress(HEAD.encode() + b"0" * (1 << 24)))
    (problem,) = failure(tmp_path / "bad.arff.gz").problems
    assert problem.where == "bad.arff.gz:6" and "a line of more than 1 MiB" in problem.what


def test_sparse_rows_that_would_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MOST_CELLS", 1000)
    (tmp_path / "bad.arff").write_text(HEAD + "{2 a}\n" * 600)
    (problem,) = failure(tmp_path / "bad.arff").problems
    assert problem.where == "bad.arff:506" and "1,000 numbers" in problem.what


def test_many_problems_are_counted(tmp_path: Path) -> None:
    (tmp_path / "bad.arff").write_text(HEAD + "1,no\n" * 5000)
    error = failure(tmp_path / "bad.arff")
    assert len(error.problems) == text.LISTED


@pytest.mark.parametrize(
    ("change", "where", "what"),
    [
        (("@attribute x real\n", ""), "t.arff", "1 features where s.arff has 2"),
        (("x real", "z real"), "t.arff:2", "'z' (numeric) where s.arff has 'x' (numeric)"),
        (("x real", "x {1,2}"), "t.arff:2", "'x' (nominal) where"),
    ],
)
def test_files_that_do_not_fit_each_other(
    tmp_path: Path, change: tuple[str, str], where: str, what: str
) -> None:
    (tmp_path / "s.arff").with_name("train.arff").write_text(HEAD + "1,no,a\n")
    body = HEAD.replace(*change) + ("no,a\n" if not change[1] else "1,no,a\n")
    (tmp_path / "test.arff").write_text(body)
    (problem,) = failure(tmp_path).problems
    names = {"s.arff": "train.arff", "t.arff": "test.arff"}
    for short, name in names.items():
        where, what = where.replace(short, name), what.replace(short, name)
    assert problem.where == where and what in problem.what


MULAN = "@attribute x real\n@attribute a {0,1}\n@data\n1,1\n"
LABELS = '<labels xmlns="http://mulan.sourceforge.net/labels">{}</labels>'
XML: list[tuple[str, str, str, str]] = [
    ("no XML", "<labels", "bad.xml:1", "is no XML"),
    ("no labels", LABELS.format(""), "bad.xml:1", "names no labels"),
    ("a label without a name", LABELS.format("\n<label/>"), "bad.xml:2", "without a name"),
    ("another element", LABELS.format("\n\n<class name='a'/>"), "bad.xml:3", "<class>"),
    ("an unknown encoding", "<?xml version='1.0' encoding='odd'?><labels/>", "bad.xml:1", "known encoding"),
    ("an encoding of several bytes", "<?xml version='1.0' encoding='utf-7'?><a/>", "bad.xml:1", "multi-byte"),
    ("a document type", "<!DOCTYPE x [<!ENTITY e 'e'>]>\n<labels/>", "bad.xml:1", "document type"),
    ("a label that is no attribute", LABELS.format("<label name='q'/>"), "bad.arff:2", "'q' of the XML"),
    (
        "a label within itself",
        LABELS.format("<label name='a'><label name='a'/></label>"),
        "bad.xml:1",
        "its own parent",
    ),
]


@pytest.mark.parametrize(("xml", "where", "what"), [c[1:] for c in XML], ids=[c[0] for c in XML])
def test_bad_hierarchies_of_mulan(tmp_path: Path, xml: str, where: str, what: str) -> None:
    (tmp_path / "bad.arff").write_text(MULAN)
    (tmp_path / "bad.xml").write_text(xml)
    (problem,) = failure(tmp_path / "bad.arff").problems
    assert problem.where == where and what in problem.what


def test_a_label_of_mulan_is_0_or_1(tmp_path: Path) -> None:
    (tmp_path / "bad.xml").write_text(LABELS.format("<label name='a'/>"))
    (tmp_path / "bad.arff").write_text(MULAN + "2,?\n")
    (problem,) = failure(tmp_path / "bad.arff").problems
    assert problem.where == "bad.arff:5" and "neither 0 nor 1" in problem.what
    (tmp_path / "bad.arff").write_text(MULAN.replace("{0,1}", "{0,1,2}"))
    assert failure(tmp_path / "bad.arff").problems[0].where == "bad.arff:2"
    assert mulan.LARGEST == 1 << 24


@pytest.mark.parametrize("files", [[], ["a.txt"], ["s.train.arff", "other.arff"]])
def test_folders_without_one_set(tmp_path: Path, files: list[str]) -> None:
    for name in files:
        (tmp_path / name).write_text(HEAD + "1,no,a\n")
    with pytest.raises(BadInput):
        arff(path=str(tmp_path))


def test_no_path_and_no_such_path(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="--data arff=PATH"):
        arff()
    with pytest.raises(BadInput, match="no such file or folder"):
        arff(path=str(tmp_path / "nothing"))


def test_time_grows_with_the_number_of_blanks_in_a_line(tmp_path: Path, growth: Callable[..., float]) -> None:
    """By their square, 100,000 would take 40 s."""

    def prepare(number: int) -> Callable[[], Dataset]:
        blanks = " " * number
        rows = f"1,x{blanks}y,'a'\n1,no ,'a/b'{blanks}\n2 ,{blanks}'yes'{blanks},c\n"
        path = tmp_path / f"{number}.arff"
        path.write_text(HEAD + rows)
        with pytest.raises(DataProblems, match="is no value of 'y'"):
            arff(path=str(path))
        assert arff(path=str(path), skip_bad=True).views["table"].tolist() == [[1, 0], [2, 1]]
        return lambda: arff(path=str(path), skip_bad=True)

    assert growth(prepare, 6_250, 100_000) < 64


@pytest.mark.parametrize(("bad", "more", "listed"), [(150, 149, "the first of them"), (90, 89, "them all")])
def test_bad_rows_that_are_only_counted_are_in_the_number(
    tmp_path: Path, bad: int, more: int, listed: str
) -> None:
    file = tmp_path / "d.arff"
    file.write_text(HEAD + "1,no,a\n" + "tall,no,a\n" * bad)
    with pytest.raises(DataProblems) as error:
        arff(path=str(file))
    assert f"(and {more} more)" in str(error.value) and f"lists {listed}" in str(error.value)


TWICE = "@attribute x real\n@attribute x real\n@attribute class hierarchical a,b\n@data\n"


def test_where_a_file_cannot_be_read_on_all_that_was_found_before_is_counted(tmp_path: Path) -> None:
    file = tmp_path / "bad.arff"
    file.write_bytes((HEAD + "tall,no,a\n" * 150).encode() + b"\0\n")
    error = failure(file)
    assert "bad.arff:6: 'tall' is no number" in str(error) and "(and 150 more)" in str(error)
    assert "lists the first of them" in str(error) and error.unlisted == 50
    listed = lint_arff(path=str(file)).problems
    assert sum(problem.fatal for problem in listed) == text.LISTED + 1
    assert [p.what for p in listed if not p.fatal] == ["50 more problems like these (value)"]


@pytest.mark.parametrize(
    ("content", "line", "what"),
    [
        (TWICE.replace("@data", "@attribute y odd"), 4, "of type 'odd'"),
        (TWICE + "1,1,a\n\0\n", 6, "no text"),
        (TWICE.replace("a,b", "a,a|b,c|d") + "1,1,a\n", 3, "'a|b' contains '|'"),
        (TWICE, 3, "there are no rows after @data"),
    ],
)
def test_a_warning_is_not_told_as_the_reason(tmp_path: Path, content: str, line: int, what: str) -> None:
    (tmp_path / "bad.arff").write_text(content)
    error = failure(tmp_path / "bad.arff")
    assert f"bad.arff:{line}: " in str(error) and what in str(error).partition("hmcbench data lint")[0]
    listed = lint_arff(path=str(tmp_path / "bad.arff")).problems
    assert listed == error.problems
    assert [p.what for p in listed if not p.fatal] == ["attribute 'x' is declared twice; read as 'x#2'"]


def test_all_classes_that_are_none_are_listed(tmp_path: Path) -> None:
    (tmp_path / "bad.arff").write_text("@attribute class hierarchical a|b,c,d|e\n@data\nc\n")
    assert [p.what[:18] for p in failure(tmp_path / "bad.arff").problems] == [
        "class name 'a|b' c",
        "class name 'd|e' c",
    ]


def test_of_several_files_the_problems_of_all_are_told(tmp_path: Path) -> None:
    (tmp_path / "train.arff").write_text(HEAD + "tall,no,a\n" * 150 + "1,no,a\n")
    (tmp_path / "valid.arff").write_text(HEAD[:60])
    (tmp_path / "test.arff").write_bytes(HEAD.encode() + b"1,no\n\0\n")
    error = failure(tmp_path)
    fatal = {p.where.partition(":")[0] for p in error.problems if p.fatal}
    assert fatal == {"train.arff", "valid.arff", "test.arff"} and error.unlisted == 50
    assert lint_arff(path=str(tmp_path)).problems == error.problems
    (tmp_path / "valid.arff").unlink()
    (tmp_path / "test.arff").write_text(HEAD.replace("x real", "z real") + "1,no,a\n")
    error = failure(tmp_path)
    assert "test.arff:2: 'z' (numeric)" in str(error) and "(and 150 more)" in str(error)
    assert [p.where for p in error.problems if p.kind == "differs"] == ["test.arff:2"]


def test_the_hint_of_a_bad_hierarchy_of_mulan_names_the_arff_file(tmp_path: Path) -> None:
    (tmp_path / "bad.arff").write_text(MULAN)
    (tmp_path / "bad.xml").write_text("<labels")
    assert f"hmcbench data lint {tmp_path / 'bad.arff'} lists" in str(failure(tmp_path / "bad.arff"))
