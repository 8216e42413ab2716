"""ARFF files in all their forms."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hmcbench_hmc.arff.dataset import arff, lint_arff

from hmcbench.errors import BadInput, DataProblems
from hmcbench.interfaces import Dataset

HEADER = """% a comment
@RELATION 'a name'
@attribute size numeric
@ATTRIBUTE 'the colour' {red, green,'light blue'}
@attribute class hierarchical a,a/b,a/c,d,d/e
@data
"""
ROWS = "1,red,a/b\n2.5,'light blue',a/c@d/e\n?,?,d\n-1e2, green ,a/b@a/c % the last\n"


def read(folder: Path, text: str, **params: object) -> Dataset:
    (folder / "file.arff").write_text(text, encoding="utf-8")
    return arff(path=str(folder / "file.arff"), **params)  # type: ignore[arg-type]


def labels(dataset: Dataset) -> list[set[str]]:
    assert dataset.task.hierarchy is not None
    targets = dataset.targets
    dense = targets.toarray() if hasattr(targets, "toarray") else targets
    return [set(dataset.task.hierarchy.decode(row)) for row in dense]


def test_numbers_nominal_values_quotes_missing_values_and_comments(tmp_path: Path) -> None:
    dataset = read(tmp_path, HEADER + ROWS)
    nan = np.nan
    np.testing.assert_array_equal(dataset.views["table"], [[1, 0], [2.5, 2], [nan, nan], [-100, 1]])
    assert dataset.columns["table"] == ["size", "the colour"]
    assert [(k.values, k.missing) for k in dataset.kinds["table"]] == [
        ((), True),
        (("red", "green", "light blue"), True),
    ]
    assert labels(dataset) == [{"a/b"}, {"a/c", "d/e"}, {"d"}, {"a/b", "a/c"}]
    assert (dataset.task.paths, dataset.task.depth) == ("multiple", "ragged")
    assert dataset.ids == ["line-000007", "line-000008", "line-000009", "line-000010"]
    assert dataset.split is None


def test_a_table_without_nominal_or_missing_values_needs_no_kinds(tmp_path: Path) -> None:
    dataset = read(tmp_path, "@attribute x real\n@attribute c hierarchical a,b\n@data\n1 a\n2 b\n")
    assert dataset.kinds == {} and dataset.views["table"].tolist() == [[1], [2]]


def test_pairs_of_parent_and_child_are_a_dag_below_the_virtual_root(tmp_path: Path) -> None:
    header = "@attribute x real\n@attribute class hierarchical root/a,root/b,a/c,b/c,c/d\n@data\n"
    dataset = read(tmp_path, header + "1,d\n2,b@c\n3,root/a\n")
    assert dataset.task.hierarchy is not None
    assert dataset.task.hierarchy.edges == (("", "a"), ("", "b"), ("a", "c"), ("b", "c"), ("c", "d"))
    assert labels(dataset) == [{"d"}, {"c"}, {"a"}]


def test_paths_of_two_names_without_their_parents_are_no_pairs(tmp_path: Path) -> None:
    dataset = read(
        tmp_path, "@attribute x real\n@attribute c hierarchical a/b,a/c,d/b\n@data\n1,a/b\n2,d/b\n"
    )
    assert dataset.task.hierarchy is not None
    assert dataset.task.hierarchy.classes == ("a", "d", "a/b", "a/c", "d/b")
    assert "2 classes are listed without a parent" in dataset.notes[0]


def test_labels_with_confidences(tmp_path: Path) -> None:
    text = "@attribute x real\n@attribute c hierarchical a,a/b,c\n@data\n1,a/b:0.9@c:.2\n2,c:1\n3,a\n"
    assert labels(read(tmp_path, text)) == [{"a/b"}, {"c"}, {"a"}]
    assert labels(read(tmp_path, text, confidence=0.1))[0] == {"a/b", "c"}


def test_sparse_rows_with_a_first_value_for_what_is_absent(tmp_path: Path) -> None:
    text = (
        "@attribute x real\n@attribute y {no,yes}\n@attribute z real\n@attribute c hierarchical a,b\n@data\n"
        "{0 1.5, 3 a}\n{1 yes,2 ?,3 'b'}\n{3 a@b}\n"
    )
    dataset = read(tmp_path, text)
    np.testing.assert_array_equal(dataset.views["table"], [[1.5, 0, 0], [0, 1, np.nan], [0, 0, 0]])
    assert labels(dataset) == [{"a"}, {"b"}, {"a", "b"}]


def test_sparse_rows_with_tabs_and_weights(tmp_path: Path) -> None:
    text = (
        "@attribute x real\n@attribute y {no,yes}\n@attribute c hierarchical a,b\n@data\n"
        "{0\t1.5,1 \t yes, 2\ta}\n{0 2, 2 'a'}, {5}\n{ 0 3,2 b } ,{ 0.5 } % the last\n"
    )
    dataset = read(tmp_path, text)
    assert dataset.views["table"].tolist() == [[1.5, 1], [2, 0], [3, 0]]
    assert labels(dataset) == [{"a"}, {"a"}, {"b"}]
    assert dataset.notes == ["file.arff:6: weights of rows are left aside"]


def test_keys_are_ids_and_texts_and_weights_are_left_aside(tmp_path: Path) -> None:
    text = (
        "@attribute id key\n@attribute note string\n@attribute x integer [0,9]\n"
        "@attribute c hierarchical a,b\n@data\ng1,'some, text',1,a,{2}\ng2,?,2,b\n"
    )
    dataset = read(tmp_path, text)
    assert dataset.ids == ["g1", "g2"]
    assert dataset.columns["table"] == ["x"]
    assert len(dataset.notes) == 2 and "left out" in dataset.notes[0] and "weights" in dataset.notes[1]


def test_a_repeated_name_and_a_per_cent_sign_in_a_name(tmp_path: Path) -> None:
    text = "@attribute 5%_a real\n@attribute 5%_a real\n@attribute c hierarchical a,b\n@data\n1,2,a\n"
    dataset = read(tmp_path, text)
    assert dataset.columns["table"] == ["5%_a", "5%_a#2"] and "declared twice" in dataset.notes[0]


def test_carriage_returns_and_a_byte_order_mark(tmp_path: Path) -> None:
    text = ("\ufeff" + HEADER + ROWS).replace("\n", "\r\n")
    dataset = read(tmp_path, text)
    plain = read(tmp_path, HEADER + ROWS)
    assert dataset.fingerprint == plain.fingerprint


def folder_of(path: Path, *names: str) -> None:
    for i, name in enumerate(names):
        text = HEADER + ROWS.replace("1,red", f"{i},red")
        data = text.encode()
        (path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)


def test_a_folder_has_the_sides_of_its_files(tmp_path: Path) -> None:
    folder_of(tmp_path, "s.test.arff.gz", "s.train.arff", "s.valid.arff.gz")
    dataset = arff(path=str(tmp_path))
    assert dataset.split == ["train"] * 4 + ["validation"] * 4 + ["test"] * 4
    assert dataset.ids[0] == "train-000007" and dataset.ids[-1] == "test-000010"
    assert dataset.duplicates is not None and dataset.duplicates[1] == dataset.duplicates[5]


def test_a_folder_of_several_sets_needs_a_name(tmp_path: Path) -> None:
    folder_of(tmp_path, "s_Train.arff", "s_Test.arff", "t_train.arff")
    with pytest.raises(BadInput, match=r"2 datasets.*name=.*s, t"):
        arff(path=str(tmp_path))
    assert len(arff(path=str(tmp_path), name="s").ids) == 8


def test_hidden_files_are_no_files_of_a_set(tmp_path: Path) -> None:
    folder_of(tmp_path, "made.train.arff", "made.test.arff")
    (tmp_path / "._made.train.arff").write_bytes(b"\0\5\x16\7")
    assert len(arff(path=str(tmp_path)).ids) == 8


def test_a_path_below_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "x.xml").write_text(XML)
    read(tmp_path, MULAN + "1,1,0,1\n", xml=str(tmp_path / "x.xml"))
    assert arff(path="~/file.arff", xml="~/x.xml").ids == ["line-000006"]
    with pytest.raises(BadInput, match="~nobody_here/x: no such file"):
        arff(path="~nobody_here/x")


def test_nominal_values_of_all_files_count(tmp_path: Path) -> None:
    folder_of(tmp_path, "train.arff", "test.arff")
    text = (tmp_path / "test.arff").read_text().replace("{red, green,", "{black,red,green,")
    (tmp_path / "test.arff").write_text(text + "1,black,a\n")
    dataset = arff(path=str(tmp_path))
    assert dataset.kinds["table"][1].values == ("red", "green", "light blue", "black")
    assert dataset.views["table"][4, 1] == 0 and dataset.views["table"][-1, 1] == 3
    assert any("other values" in note for note in dataset.notes)


MULAN = "@attribute x real\n@attribute a {0,1}\n@attribute b {1,0}\n@attribute ab {0,1}\n@data\n"
XML = (
    '<?xml version="1.0" encoding="utf-8"?>\n<labels xmlns="http://mulan.sourceforge.net/labels">\n'
    '<label name="a"><label name="ab"></label></label>\n<label name="b"></label>\n</labels>\n'
)


def test_the_form_of_mulan(tmp_path: Path) -> None:
    (tmp_path / "file.xml").write_text(XML)
    dataset = read(tmp_path, MULAN + "1,1,0,1\n{0 2, 1 0, 2 1}\n3,1,1,0\n")
    assert dataset.task.hierarchy is not None
    assert dataset.task.hierarchy.edges == (("", "a"), ("", "b"), ("a", "ab"))
    assert dataset.columns["table"] == ["x"] and dataset.views["table"].tolist() == [[1], [2], [3]]
    # the first value of b is 1, which a sparse row leaves out: it is given here
    assert labels(dataset) == [{"ab"}, {"b"}, {"a", "b"}]


def test_xml_beside_a_hierarchical_attribute_is_something_else(tmp_path: Path) -> None:
    (tmp_path / "file.xml").write_text("<settings/>")
    assert len(read(tmp_path, HEADER + ROWS).ids) == 4
    with pytest.raises(DataProblems, match=r"file\.xml:1"):
        read(tmp_path, HEADER + ROWS, xml=str(tmp_path / "file.xml"))
    with pytest.raises(DataProblems, match=r"file\.xml:1"):
        read(tmp_path, MULAN + "1,1,0,1\n")


def test_unscored_classes_and_paths_are_chosen(tmp_path: Path) -> None:
    dataset = read(tmp_path, HEADER + ROWS, unscored="a;d")
    assert dataset.task.unscored == ("a", "d")
    with pytest.raises(BadInput, match="'x'"):
        read(tmp_path, HEADER + ROWS, unscored="x")
    with pytest.raises(BadInput, match="several label paths"):
        read(tmp_path, HEADER + ROWS, paths="single")
    several = read(tmp_path, HEADER + "1,red,a/b\n", paths="multiple")
    assert several.task.paths == "multiple"


def test_bad_rows_can_be_left_out(tmp_path: Path) -> None:
    text = HEADER + "1,red,a\n2,purple,a\n3,red\n4,red,x\n5,red,d\n"
    with pytest.raises(DataProblems, match=r"file\.arff:8.*2 more"):
        read(tmp_path, text)
    dataset = read(tmp_path, text, skip_bad=True)
    assert dataset.views["table"][:, 0].tolist() == [1, 5]
    assert dataset.notes[0].startswith("rows left out: 3 (first: file.arff:8")


def test_problems_that_are_not_listed_are_counted(tmp_path: Path) -> None:
    twice = "".join(f"@attribute {i} {{a,a}}\n" for i in range(1, 151))
    row = "a," * 150
    rows = f"{row}x\n" * 130 + "a\n" * 120 + f"{row}a\n"
    text = f"{twice}@attribute c hierarchical a,b\n@data\n{rows}"
    assert read(tmp_path, text, skip_bad=True).notes == [
        "rows left out: 250 (first: file.arff:283: 1 value where the header has 151 attributes)",
        "file.arff:1: attribute '1' lists 'a' twice (and 149 more such)",
    ]
    report = lint_arff(path=str(tmp_path / "file.arff"))
    assert report.facts["rows that cannot be read"] == "250"
    further = {p.what for p in report.problems if "more problems" in p.what}
    counts = {"label": 30, "count": 20, "repeated": 50}
    assert further == {f"{n} more problems like these ({kind})" for kind, n in counts.items()}


def test_lint_counts_and_lists(tmp_path: Path) -> None:
    (tmp_path / "file.arff").write_text(HEADER + ROWS + "1,red,q\n")
    report = lint_arff(path=str(tmp_path / "file.arff"))
    assert report.facts["missing values"] == "2 (25.00%)"
    assert report.facts["classes"] == "5, a tree of 3 edges and 2 levels"
    assert report.facts["labels of a row"] == "1.50, with ancestors 2.50"
    assert [p.where for p in report.problems] == ["file.arff:11"]


def test_time_grows_with_the_number_of_rows_and_many_classes_stay_sparse(
    tmp_path: Path, growth: Callable[..., float]
) -> None:
    classes = ",".join(f"c{i}" for i in range(4000))
    header = "".join(f"@attribute x{i} numeric\n" for i in range(100))

    def prepare(rows: int) -> Callable[[], Dataset]:
        table = np.random.default_rng(0).integers(0, 100, (rows, 100))
        lines = "\n".join(
            ",".join(map(str, row)) + f",c{i % 4000}@c{i % 7}" for i, row in enumerate(table.tolist())
        )
        folder = tmp_path / str(rows)
        folder.mkdir()
        dataset = read(folder, f"{header}@attribute class hierarchical {classes}\n@data\n{lines}\n")
        assert dataset.targets.shape == (rows, 4000) and dataset.views["table"].nbytes == rows * 800
        assert hasattr(dataset.targets, "tocsr") == (rows > 1_000)  # small ones are dense
        return lambda: arff(path=str(folder))

    assert growth(prepare, 312, 4_992) < 64
