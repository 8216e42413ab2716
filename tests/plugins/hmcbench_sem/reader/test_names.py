"""Names of columns, folders, files, classes and groups that are not what they look like."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hmcbench_sem.datasets import failure_hierarchy, images
from hmcbench_sem.reader.collection import collect
from hmcbench_sem.reader.entries import is_of_system, is_partition, means_missing, side_of
from hmcbench_sem.reader.listing import read_listing

from hmcbench.errors import BadInput

Gallery = Callable[..., Path]
EIGHT = {f"{k}.png": k for k in range(8)}


def _index(header: str, rows: Sequence[str], separator: str = ",") -> str:
    """Eight rows ``k.png`` with the cells given, repeated as often as needed."""
    lines = [header, *(f"{k}.png,{rows[k % len(rows)]}" for k in range(8))]
    return "\n".join(lines).replace(",", separator) + "\n"


def _warnings(root: Path, kind: str) -> list[tuple[str, str]]:
    """(where, what) of the problems of a kind, none of which may be an error."""
    problems = [problem for problem in collect(str(root)).problems if problem.kind == kind]
    assert not any(problem.fatal for problem in problems)
    return [(problem.where, problem.what) for problem in problems]


# --------------------------------------------------------------------------- columns


@pytest.mark.parametrize("name", ["label", "levels", "class", "groups", "splits"])
def test_a_column_that_looks_like_one_that_is_read(gallery: Gallery, name: str) -> None:
    root = gallery(EIGHT, _index(f"file,level1,{name}", ["a,1", "b,2"]))
    ((where, what),) = _warnings(root, "column")
    assert where == "index.csv:1"
    assert f"column {name!r} is not read" in what


@pytest.mark.parametrize("name", ["set", "subset", "Partition", "usage"])
def test_a_column_of_partitions_under_another_name(gallery: Gallery, name: str) -> None:
    root = gallery(EIGHT, _index(f"file,level1,{name}", ["a,train", "b,train", "a,Testing", "b,test"]))
    ((_, what),) = _warnings(root, "column")
    assert f"column {name.lower()!r} looks like a split" in what


def test_other_columns_are_no_problem(gallery: Gallery) -> None:
    root = gallery(
        EIGHT, _index("file,level1,operator,file_size,magnification", ["a,me,3,100", "b,me,4,100"])
    )
    assert collect(str(root)).problems == []


@pytest.mark.parametrize("separator", [";", "\t", ","])
@pytest.mark.parametrize("first", ["", "sep={}\n"])
def test_tables_of_a_spreadsheet(gallery: Gallery, separator: str, first: str) -> None:
    first = first.format(separator)
    text = first + _index("file,labels,note", ["x,1", "y,2"], separator)
    hierarchy = first + "parent,child\n,m\nm,x\nm,y\n".replace(",", separator)
    data = images(path=str(gallery(EIGHT, text, hierarchy)))
    assert data.task.hierarchy is not None
    assert data.task.hierarchy.classes == ("m", "x", "y")
    assert len(data.ids) == 8


def test_a_comma_inside_a_cell_of_a_semicolon_table(gallery: Gallery) -> None:
    text = _index("file,level1,note", ["a,b"]).replace(",", ";") + "0.png;a;1,5\n"
    listing = read_listing(gallery(EIGHT, text))
    assert [problem.kind for problem in listing.problems] == ["repeated"]


@pytest.mark.parametrize("crop", ["1_0", "1.0", "\uff11\uff10", "+10"])
def test_rows_to_cut_are_plain_digits(gallery: Gallery, crop: str) -> None:
    with pytest.raises(BadInput, match=r"cannot be used.*auto, or a number of rows"):
        collect(str(gallery(EIGHT, _index("file,level1", ["a", "b"]))), crop)


# --------------------------------------------------------------------------- partitions


@pytest.mark.parametrize(
    ("names", "side"),
    [
        (
            (
                "train",
                "Training",
                "train_set",
                "TRAIN SET",
                "training-data",
                "trainset",
                "\u8bad\u7ec3\u96c6",
            ),
            "train",
        ),
        (
            ("val", "valid", "Validation", "dev", "validation_set", "valset", "\u9a8c\u8bc1\u96c6"),
            "validation",
        ),
        (("test", "Testing", "test images", "testset", "\u6d4b\u8bd5"), "test"),
        (("shifted",), "shifted"),
        (("", "-", "set", "tensile", "tested", "trained", "contest", "devitrified"), ""),
    ],
)
def test_words_for_partitions(names: tuple[str, ...], side: str) -> None:
    assert {side_of(name) for name in names} == {side}


@pytest.mark.parametrize("name", ["testing", "hold-out", "Held Out", "eval", "fold 3", "fold2", "cv_1"])
def test_folders_that_usually_hold_a_partition(name: str) -> None:
    assert is_partition(name)


@pytest.mark.parametrize(
    ("sides", "where"),
    [
        (("training", "valid", "Testing"), "."),
        (("train", "dev"), "."),
        (("Train Set", "evaluation"), "."),
        (("fold1", "fold2", "fold3"), "."),
        (("train",), "."),
        (("train", "unlabelled"), "."),
    ],
)
def test_folders_of_a_split_at_the_top(gallery: Gallery, sides: tuple[str, ...], where: str) -> None:
    root = gallery({f"{side}/{name}/{k}.png": k for side in sides for name in "ab" for k in range(3)})
    ((place, what),) = _warnings(root, "split-folders")
    assert place == where
    assert sides[0] in what and "index.csv" in what
    assert any("looks like a split" in note for note in images(path=str(root)).notes)


def test_folders_of_a_split_below_the_classes(gallery: Gallery) -> None:
    root = gallery(
        {f"{name}/{side}/{k}.png": k for side in ("train", "val") for name in "ab" for k in range(3)}
    )
    ((place, what),) = _warnings(root, "split-folders")
    assert place == "a"
    assert "train, val (and in 1 more folders)" in what


@pytest.mark.parametrize("names", [("test", "a"), ("tensile", "fatigue"), ("a", "shifted")])
def test_classes_that_are_no_split(gallery: Gallery, names: tuple[str, ...]) -> None:
    root = gallery({f"{name}/{k}.png": 5 * i + k for i, name in enumerate(names) for k in range(3)})
    assert collect(str(root)).problems == []


# --------------------------------------------------------------------------- folders of systems

SYSTEM_FILES = (
    "@eaDir/0.png/SYNOPHOTO_THUMB_M.jpg",
    "a/@eaDir/0.png/SYNOPHOTO_THUMB_M.png",
    "#recycle/a/0.png",
    "$RECYCLE.BIN/S-1-5/0.png",
    "System Volume Information/0.png",
    "__MACOSX/a/._0.png",
    "a/._0.png",
    "a/.@__thumb/0.png",
    "@Recycle/0.png",
    "#snapshot/0.png",
    "lost+found/0.png",
    ".Trash-1000/files/0.png",
    "a/.ipynb_checkpoints/0-checkpoint.png",
)


@pytest.mark.parametrize("file", SYSTEM_FILES)
def test_what_a_system_made_is_skipped(tree: Path, file: str) -> None:
    path = tree / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((tree / "a" / "0.png").read_bytes())
    collection = collect(str(tree))
    assert collection.problems == []
    assert (len(collection.samples), collection.hierarchy.classes) == (8, ("a", "b"))


@pytest.mark.parametrize(
    "name", ["Thumbs.db", "ehthumbs.db", "Desktop.ini", ".DS_Store", "Icon\r", "~$list.xlsx"]
)
def test_files_of_a_system_are_no_remark(tree: Path, name: str) -> None:
    (tree / "a" / name).write_bytes(b"x")
    assert collect(str(tree)).problems == []


@pytest.mark.parametrize("file", [file for file in SYSTEM_FILES if "MACOSX" not in file])
def test_an_index_that_lists_what_a_system_made(gallery: Gallery, file: str) -> None:
    index = _index("file,level1", ["a", "b"]) + f"{file},a\n"
    ((where, what),) = _warnings(gallery({**EIGHT, file: 20}, index), "system-folder")
    assert where == "index.csv:10"
    assert file in what


@pytest.mark.parametrize("name", ["@archive", "$tmp", "#deleted", "~old"])
def test_a_folder_that_may_be_of_a_system(gallery: Gallery, name: str) -> None:
    root = gallery({f"{top}/{k}.png": 5 * i + k for i, top in enumerate(("a", "b", name)) for k in range(3)})
    ((where, what),) = _warnings(root, "system-folder")
    assert where == name
    assert "read as a class" in what


@pytest.mark.parametrize("name", ["#45", "45#", "recycled steel", "macosx", "a@b"])
def test_names_of_classes_that_no_system_makes(gallery: Gallery, name: str) -> None:
    assert not is_of_system(name)
    root = gallery({f"{top}/{k}.png": 5 * i + k for i, top in enumerate(("a", name)) for k in range(3)})
    assert collect(str(root)).problems == []


# --------------------------------------------------------------------------- words for nothing

MISSING = (
    "nan",
    "NaN",
    "None",
    "NA",
    "n/a",
    "n.a.",
    "null",
    "NULL",
    "-",
    "--",
    "\u2013",
    "?",
    "<NA>",
    "#N/A",
    "nil",
)


@pytest.mark.parametrize("word", MISSING)
def test_words_for_nothing(word: str) -> None:
    assert means_missing(word)


@pytest.mark.parametrize("word", ["Na", "unknown", "no defect", "nano", "0", "N", "\u94a2"])
def test_words_for_something(word: str) -> None:
    assert not means_missing(word)


@pytest.mark.parametrize("word", [word for word in MISSING if "/" not in word])
def test_a_class_that_is_a_missing_value(gallery: Gallery, word: str) -> None:
    root = gallery(EIGHT, _index("file,level1,level2", ["m,x", f"m,{word}"]))
    ((where, what),) = _warnings(root, "missing-value")
    assert where == "index.csv:3"
    assert f"class {word!r}" in what and "leave the cell empty" in what
    assert any("missing value" in note for note in images(path=str(root)).notes)


@pytest.mark.parametrize("word", ["nan", "None", "-"])
def test_a_label_or_a_folder_that_is_a_missing_value(gallery: Gallery, word: str) -> None:
    root = gallery(EIGHT, _index("file,labels", ["m/x", f"m/{word}"]))
    assert [where for where, _ in _warnings(root, "missing-value")] == ["index.csv:3"]
    (root / "index.csv").unlink()
    for name in ("a", word):
        (root / name).mkdir()
    for k in range(8):
        (root / f"{k}.png").rename(root / ("a" if k % 2 else word) / f"{k}.png")
    assert [where for where, _ in _warnings(root, "missing-value")] == [f"{word}/0.png"]


def test_a_missing_value_that_the_hierarchy_names_is_meant(gallery: Gallery) -> None:
    root = gallery(EIGHT, _index("file,labels", ["x", "none"]), "parent,child\n,x\n,none\n")
    assert collect(str(root)).problems == []


@pytest.mark.parametrize("word", ["nan", "None", "-"])
def test_a_group_that_is_a_missing_value(gallery: Gallery, word: str) -> None:
    root = gallery(EIGHT, _index("file,level1,group", ["a,1", "b,2", f"a,{word}", f"b,{word}"]))
    ((where, what),) = _warnings(root, "missing-value")
    assert where == "index.csv:4"
    assert f"group {word!r}" in what


@pytest.mark.parametrize("word", ["nan", "None", "-"])
def test_a_split_that_is_a_missing_value_is_refused(gallery: Gallery, word: str) -> None:
    root = gallery(EIGHT, _index("file,level1,split", ["a,train", "b,train", f"a,{word}"]))
    problem = read_listing(root).problems[0]
    assert (problem.where, problem.kind, problem.fatal) == ("index.csv:4", "split", True)


# --------------------------------------------------------------------------- look-alikes

ALIKE = {
    "en dash": ("Fe-C", "Fe\u2013C", "EN DASH"),
    "minus": ("Fe-C", "Fe\u2212C", "MINUS SIGN"),
    "hyphen": ("Fe-C", "Fe\u2010C", "HYPHEN"),
    "non-breaking hyphen": ("Fe-C", "Fe\u2011C", "NON-BREAKING HYPHEN"),
    "non-breaking space": ("grain boundary", "grain\u00a0boundary", "case or spaces"),
    "narrow space": ("grain boundary", "grain\u202fboundary", "case or spaces"),
    "underscore": ("grain boundary", "grain_boundary", "LOW LINE"),
    "hyphen for space": ("grain boundary", "Grain-Boundary", "look alike"),
    "Cyrillic": ("fatigue", "f\u0430tigue", "CYRILLIC SMALL LETTER A"),
    "Cyrillic capital": ("BCC", "\u0412CC", "CYRILLIC CAPITAL LETTER VE"),
    "Greek capital": ("Mo", "\u039co", "GREEK CAPITAL LETTER MU"),
    "full width": ("A1", "\uff21\uff11", "FULLWIDTH"),
    "micro sign": ("\u03bcm", "\u00b5m", "MICRO SIGN"),
    "no width": ("fatigue", "fati\u00adgue", "SOFT HYPHEN"),
}


@pytest.mark.parametrize("case", ALIKE)
def test_classes_that_look_alike(gallery: Gallery, case: str) -> None:
    name, twin, difference = ALIKE[case]
    root = gallery(EIGHT, _index("file,labels", [f"m/{name}", f"m/{twin}"]))
    if not twin.isprintable():  # such a class is an error already
        assert {problem.kind for problem in collect(str(root)).problems if problem.fatal} >= {"class-name"}
        return
    ((where, what),) = _warnings(root, "alike")
    assert where == "index.csv:3"
    assert difference in what


def test_a_single_image_of_a_misspelt_class_is_told_as_such(gallery: Gallery) -> None:
    """Not only as a class that is too small."""
    text = _index("file,level1,level2", ["m,x"]).replace("3.png,m", "3.png,\u043c")
    root = gallery(EIGHT, text)
    kinds = {problem.kind: problem.where for problem in collect(str(root)).problems}
    assert kinds["alike"] == "index.csv:5"
    assert "small-class" in kinds


@pytest.mark.parametrize("names", [("A", "A-"), ("Ti", "Tl"), ("alpha", "\u03b1"), ("1-11", "11-12")])
def test_classes_that_do_not_look_alike(gallery: Gallery, names: tuple[str, str]) -> None:
    assert collect(str(gallery(EIGHT, _index("file,level1", names)))).problems == []


def test_a_class_that_looks_like_one_of_the_known_hierarchy(gallery: Gallery) -> None:
    labels = ["mechanical/fatigue", "mechanical/plastic\u2013deformation"]
    root = gallery(EIGHT, _index("file,labels", labels))
    (problem,) = collect(str(root), known=failure_hierarchy()).problems
    assert (problem.where, problem.kind) == ("index.csv:3", "alike")
    assert "'mechanical/plastic-deformation'" in problem.what


def test_classes_of_a_hierarchy_that_look_alike_name_its_line(gallery: Gallery) -> None:
    hierarchy = "parent,child\n,m\nm,Fe-C\nm,Fe\u2013C\n"
    root = gallery(EIGHT, _index("file,labels", ["Fe-C", "Fe\u2013C"]), hierarchy)
    (problem,) = collect(str(root)).problems
    assert (problem.where, problem.fatal) == ("hierarchy.csv:4", False)
    assert "EN DASH" in problem.what


@pytest.mark.parametrize("twin", ["S\u20131", "s-1", "S_1", "S\u00a01"])
def test_groups_that_look_alike(gallery: Gallery, twin: str) -> None:
    root = gallery(EIGHT, _index("file,level1,group", ["a,S-1", "b,S-2", f"a,{twin}", "b,S-3"]))
    ((where, what),) = _warnings(root, "alike")
    assert where == "index.csv:4"
    assert "groups 'S-1' and" in what


# --------------------------------------------------------------------------- composed and decomposed

ACCENTS = ("Prob\u00e9", "\u00dcbersicht", "\ud55c\uad6d", "s\u0323\u0307")
"""Among them Korean, which Macs decompose too, and two marks on one letter."""


@pytest.mark.parametrize("word", ACCENTS)
@pytest.mark.parametrize(
    ("listed", "stored"), [("NFC", "NFD"), ("NFD", "NFC"), ("NFC", "NFC"), ("NFD", "NFD")]
)
def test_an_index_and_files_in_other_forms_of_unicode(
    gallery: Gallery, word: str, listed: str, stored: str
) -> None:
    form = {name: unicodedata.normalize(name, word) for name in ("NFC", "NFD")}
    files = {f"{form[stored]}/{form[stored]}{k}.png": k for k in range(8)}
    rows = "".join(f"{form[listed]}/{form[listed]}{k}.png,{'ab'[k % 2]}\n" for k in range(8))
    collection = collect(str(gallery(files, "file,level1\n" + rows)))
    assert collection.problems == []
    assert [sample.entry.id for sample in collection.samples] == [
        f"{form['NFC']}/{form['NFC']}{k}.png" for k in range(8)
    ]


@pytest.mark.parametrize(("listed", "stored"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_labels_groups_and_hierarchies_in_other_forms(gallery: Gallery, listed: str, stored: str) -> None:
    word = {name: unicodedata.normalize(name, "Erm\u00fcdung") for name in ("NFC", "NFD")}
    rows = [f"{word[listed]},{word['NFC']}", "x,1", f"{word[listed]},{word['NFD']}", "x,2"]
    root = gallery(EIGHT, _index("file,labels,group", rows), f"parent,child\n,{word[stored]}\n,x\n")
    listing = read_listing(root)
    assert listing.problems == [] and listing.hierarchy is not None
    assert listing.hierarchy.classes == (word["NFC"], "x")
    assert {entry.group for entry in listing.entries} == {word["NFC"], "1", "2"}


def test_a_file_that_is_missing_in_both_forms(gallery: Gallery) -> None:
    root = gallery(EIGHT, _index("file,level1", ["a", "b"]) + "Prob\u00e9/1.png,a\n")
    (problem,) = collect(str(root)).problems
    assert (problem.where, problem.kind) == ("index.csv:10", "missing")
    assert "does not exist" in problem.what
