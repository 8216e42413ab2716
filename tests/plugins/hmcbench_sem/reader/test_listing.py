"""Folders, index.csv and hierarchy.csv: what they say, and every way in which they can be wrong."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hmcbench_sem.datasets import images
from hmcbench_sem.reader.collection import collect
from hmcbench_sem.reader.listing import read_listing

from hmcbench.errors import BadInput, DataProblems

Gallery = Callable[..., Path]
SIX = {f"{k}.png": k for k in range(6)}


def _rows(labels: str) -> str:
    """Six rows, three of each of two label cells given as ``first;second``."""
    first, second = labels.split(";")
    return "\n".join(f"{k}.png,{first if k < 3 else second}" for k in range(6))


def _labels(root: Path) -> set[str]:
    listing = read_listing(root)
    assert listing.problems == []
    return {label for labels in listing.labels for label in labels}


# --------------------------------------------------------------------------- what is good


def test_folders_of_any_depth(gallery: Gallery) -> None:
    root = gallery(
        {f"{name}/{k}.png": i * 5 + k for i, name in enumerate(("m/x", "m/y/deep", "t")) for k in range(3)}
    )
    data = images(path=str(root))
    assert data.task.hierarchy is not None
    assert data.task.hierarchy.classes == ("m", "t", "m/x", "m/y", "m/y/deep")
    assert (data.task.paths, data.task.depth) == ("single", "full")
    assert data.ids[0] == "m/x/0.png"
    assert data.targets.shape == (9, 5)


def test_a_name_may_stand_under_two_parents(gallery: Gallery) -> None:
    assert _labels(gallery({f"{top}/flat/{k}.png": k for top in "ab" for k in range(3)})) == {
        "a/flat",
        "b/flat",
    }


def test_hidden_files_and_system_files_are_skipped(tree: Path) -> None:
    for name in (".hidden.png", "a/.DS_Store", "a/Thumbs.db"):
        (tree / name).write_bytes(b"x")
    (tree / ".git").mkdir()
    assert _labels(tree) == {"a", "b"}


def test_level_columns_end_early_and_other_columns_are_ignored(gallery: Gallery) -> None:
    index = "file,level2,level1,operator,Split\n" + "\n".join(
        f"{k}.png,{('x', 'y', '')[k // 2]},{'m' if k < 4 else 't'},me,Val" for k in range(6)
    )
    listing = read_listing(gallery(SIX, index))
    assert listing.problems == []
    assert set(listing.labels) == {("m/x",), ("m/y",), ("t",)}
    assert {entry.split for entry in listing.entries} == {"validation"}


def test_labels_joined_by_bars_of_any_depth(gallery: Gallery) -> None:
    index = "file,labels,group\n" + "\n".join(
        f"{k}.png,{'m/x | t' if k % 2 else 'm/y/z'},g{k // 2}" for k in range(6)
    )
    root = gallery(SIX, index)
    data = images(path=str(root))
    assert data.task.hierarchy is not None
    assert data.task.hierarchy.classes == ("m", "t", "m/x", "m/y", "m/y/z")
    assert (data.task.paths, data.task.depth) == ("multiple", "full")
    assert data.groups == ["g0", "g0", "g1", "g1", "g2", "g2"]


def test_flat_labels_without_hierarchy_make_one_level_and_say_so(gallery: Gallery) -> None:
    data = images(path=str(gallery(SIX, "file,labels\n" + _rows("x;y"))))
    assert data.task.hierarchy is not None
    assert data.task.hierarchy.depth == 1
    assert "no hierarchy.csv" in data.notes[0]


def test_flat_labels_find_their_place_in_the_hierarchy(gallery: Gallery) -> None:
    root = gallery(SIX, "file,labels\n" + _rows("x;y"), "parent,child\n,m\n,t\nm,x\nt,y\n")
    data = images(path=str(root))
    assert data.task.hierarchy is not None
    assert data.task.hierarchy.classes == ("m", "t", "x", "y")
    assert data.targets.sum() == 12


@pytest.mark.parametrize("folders", [("x", "y"), ("m/x", "t/y")])
def test_folder_names_find_their_place_in_the_hierarchy(gallery: Gallery, folders: tuple[str, str]) -> None:
    files = {f"{name}/{k}.png": 5 * i + k for i, name in enumerate(folders) for k in range(3)}
    assert _labels(gallery(files, hierarchy="parent,child\nm,x\nt,y\n")) == {"x", "y"}


def test_a_hierarchy_of_full_paths_is_understood(gallery: Gallery) -> None:
    files = {f"m/{name}/{k}.png": 5 * i + k for i, name in enumerate("xy") for k in range(3)}
    assert _labels(gallery(files, hierarchy="parent,child\n,m\nm,m/x\nm,m/y\n")) == {"m/x", "m/y"}


def test_the_index_may_be_named_and_lie_among_others(gallery: Gallery) -> None:
    root = gallery(SIX, "file,labels\nnothing.png,z\n")
    (root / "mine.csv").write_text("file,labels\n" + _rows("x;y"))
    assert _labels(root / "mine.csv") == {"x", "y"}


def test_excel_and_windows_habits(gallery: Gallery) -> None:
    index = (
        "\ufefffile,level1\r\n"
        + "".join(f"sub\\{k}.png,{'x' if k < 3 else 'y'}\r\n" for k in range(6))
        + "\r\n,\r\n"
    )
    listing = read_listing(gallery({f"sub/{k}.png": k for k in range(6)}, index))
    assert listing.problems == []
    assert listing.entries[0].id == "sub/0.png"


def test_names_are_compared_in_composed_form(gallery: Gallery) -> None:
    composed, apart = "Erm\u00fcdung", "Ermu\u0308dung"
    assert _labels(gallery(SIX, "file,labels\n" + _rows(f"{composed};{apart}"))) == {composed}


def test_links_are_followed_out_but_never_round(
    tree: Path, tmp_path: Path, picture: Callable[..., object]
) -> None:
    outside = tmp_path / "outside"
    (tree / "b").rename(outside)
    (tree / "c").symlink_to(outside)
    (tree / "a" / "again").symlink_to(tree)
    listing = read_listing(tree)
    assert {label for labels in listing.labels for label in labels} == {"a", "c"}
    assert [(p.where, p.kind, p.fatal) for p in listing.problems] == [("a/again", "cycle", False)]


# --------------------------------------------------------------------------- what is refused at once

REFUSED = {
    "empty index": ("\n", "is empty"),
    "no rows": ("file,labels\n", "lists no image"),
    "no file column": ("name,labels\na,b\n", "no column 'file'"),
    "no labels": ("file,group\na,b\n", "neither level columns nor labels"),
    "both kinds of labels": ("file,level1,labels\na,b,c\n", "both level columns and labels"),
    "a level is missing": ("file,level1,level3\na,b,c\n", "level3 but no level2"),
    "levels from 2": ("file,level2\na,b\n", "level2 but no level1"),
    "a column twice": ("file,labels,Labels\na,b,c\n", "'labels' is there twice"),
    "colons": ("file:labels\na:b\n", "no column 'file': it has file:labels"),
    "open quote": ('file,labels\n"a.png,b\n', "index.csv:2"),
    **{
        f"a column {name}": (f"file,{name},level1\na,b,c\n", f"column '{name}' looks like a level")
        for name in ("level0", "level 2", "level_2", "level-2", "level02", "level2.0", "lvl2", "level\uff12")
    },
    "only level0": ("file,level0\na,b\n", "'level0' looks like a level .* begin at 1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_index_that_cannot_be_read_at_all(gallery: Gallery, case: str) -> None:
    text, message = REFUSED[case]
    with pytest.raises(BadInput, match=message):
        collect(str(gallery(SIX, text)))


def test_an_index_in_another_encoding(gallery: Gallery) -> None:
    root = gallery(SIX)
    (root / "index.csv").write_bytes("file,labels\n0.png,Ermüdung\n".encode("latin-1"))
    with pytest.raises(BadInput, match="not UTF-8"):
        collect(str(root))


def test_paths_that_are_no_data_folder(gallery: Gallery) -> None:
    root = gallery({"a/0.png": 0})
    for path, message in (
        (root / "gone", "does not exist"),
        (root / "a" / "0.png", r"0\.png is a single file\. Allowed: a folder of images, or an index\.csv\.$"),
    ):
        with pytest.raises(BadInput, match=message):
            collect(str(path))
    (root / "empty").mkdir()
    with pytest.raises(BadInput, match="holds no image"):
        collect(str(root / "empty"))
    with pytest.raises(BadInput, match="--data images=PATH"):
        images()


# --------------------------------------------------------------------------- what is listed

BAD_ROWS = {
    "too few cells": ("0.png,x", "row", "2 cells where the header has 3"),
    "too many cells": ("0.png,x,y,z", "row", "4 cells"),
    "no file": (",m,x", "missing", "'file' is empty"),
    "missing file": ("gone.png,m,x", "missing", "does not exist"),
    "a folder": ("sub,m,x", "missing", "is a folder"),
    "a pipe": ("pipe,m,x", "missing", "not a regular file"),
    "below a file": ("0.png/x.png,m,x", "missing", "does not exist"),
    "a dangling link": ("dangling.png,m,x", "missing", "does not exist"),
    "a name too long": ("x" * 300 + ".png,m,x", "missing", "File name too long"),
    "outside": ("../0.png,m,x", "missing", "not inside the data folder"),
    "absolute": ("/etc/passwd,m,x", "missing", "not inside the data folder"),
    "outside, of Windows": ("sub\\..\\..\\0.png,m,x", "missing", "not inside the data folder"),
    "a drive": ("C:\\0.png,m,x", "missing", "not inside the data folder"),
    "control character": ("a\x00.png,m,x", "missing", "not plain text"),
    "no label": ("0.png,,", "no-label", "has no label"),
    "a gap": ("0.png,,x", "level-gap", "level1 is empty but a later level is not"),
    "a slash": ("0.png,m,x/y", "class-name", "contains '/'"),
    "a bar": ("0.png,m,x|y", "class-name", "contains '|'"),
    "unprintable class": ("0.png,m,x\x07", "class-name", "cannot be printed"),
    "other labels": ("0.png,m,y", "two-paths", "listed again with other labels"),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_bad_rows_of_level_columns(indexed: Callable[..., Path], case: str) -> None:
    row, kind, message = BAD_ROWS[case]
    root = indexed(row)
    (root / "sub").mkdir()
    (root / "dangling.png").symlink_to(root / "nothing.png")
    os.mkfifo(root / "pipe")
    collection = collect(str(root))
    (problem,) = collection.problems
    assert (problem.where, problem.kind, problem.fatal, problem.skippable) == (
        "index.csv:10",
        kind,
        True,
        True,
    )
    assert message in problem.what
    with pytest.raises(DataProblems, match=r"index\.csv:10.*data lint"):
        images(path=str(root))
    assert len(images(path=str(root), skip_bad=True).ids) == (7 if kind == "two-paths" else 8)


@pytest.mark.parametrize(
    ("row", "kind", "message"),
    [
        ("0.png,", "no-label", "has no label"),
        ("0.png,x|", "no-label", "empty label between bars"),
        ("0.png,x//y", "class-name", "has a gap"),
        ("0.png,x|y", "two-paths", "listed again"),
    ],
)
def test_bad_rows_of_a_labels_column(indexed: Callable[..., Path], row: str, kind: str, message: str) -> None:
    (problem,) = collect(str(indexed(row, "file,labels"))).problems
    assert (problem.kind, problem.fatal) == (kind, True)
    assert message in problem.what


def test_an_unknown_side(indexed: Callable[..., Path]) -> None:
    (problem,) = collect(str(indexed("8.png,m,x,tset", "file,level1,level2,split"))).problems
    assert (problem.kind, problem.where) == ("split", "index.csv:10")
    assert "'tset' is not one of train" in problem.what


def test_the_same_row_twice_is_a_remark(indexed: Callable[..., Path]) -> None:
    collection = collect(str(indexed("0.png,m,x")))
    assert [(p.kind, p.fatal) for p in collection.problems] == [("repeated", False)]
    assert len(collection.samples) == 8


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("0.png,m,zz", "class 'zz' is not in hierarchy.csv"),
        ("0.png,t,x", "does not put 'x' below 't'"),
        ("0.png,m,yy", "did you mean 'y'"),
    ],
)
def test_classes_that_the_hierarchy_does_not_know(
    indexed: Callable[..., Path], row: str, message: str
) -> None:
    root = indexed(row.replace("0.png", "8.png"), hierarchy="parent,child\n,m\n,t\nm,x\nm,y\n")
    (problem,) = collect(str(root)).problems
    assert (problem.kind, problem.where) == ("unknown-class", "index.csv:10")
    assert message in problem.what


@pytest.mark.parametrize(
    ("hierarchy", "kind"),
    [
        ("parent,child\nx,y\ny,x\n", "cycle"),
        ("parent,child\nx,x\n", "self-ancestor"),
        ("parent,child\n,m\nq,x\nm,y\n", "unknown-parent"),
        ("parent,child\n,m\nm,x,y,z\n", "bad-row"),
    ],
)
def test_a_broken_hierarchy_stops_everything(indexed: Callable[..., Path], hierarchy: str, kind: str) -> None:
    root = indexed(hierarchy=hierarchy)
    problems = [problem for problem in collect(str(root)).problems if problem.kind == kind]
    assert problems
    assert problems[0].where.startswith("hierarchy.csv:")
    with pytest.raises(DataProblems, match=r"hierarchy\.csv"):
        images(path=str(root), skip_bad=True)


def test_a_hierarchy_without_its_columns(indexed: Callable[..., Path]) -> None:
    with pytest.raises(BadInput, match="parent,child"):
        collect(str(indexed(hierarchy="a,b\n")))


def test_oddities_of_a_folder_tree(tree: Path) -> None:
    (tree / "empty").mkdir()
    (tree / "a" / "notes.txt").write_text("x")
    (tree / "b" / "film.gif").write_bytes(b"GIF89a")
    (tree / "top.png").write_bytes((tree / "a" / "1.png").read_bytes())
    (tree / "a" / "gone.png").symlink_to(tree / "nothing")
    bad = os.fsencode(tree) + b"/a/caf\xe9.png"
    Path(os.fsdecode(bad)).write_bytes((tree / "a" / "2.png").read_bytes())
    problems = {(p.where, p.kind, p.fatal) for p in collect(str(tree)).problems}
    assert problems == {
        ("empty", "empty-folder", True),
        ("a/notes.txt", "extension", False),
        ("b/film.gif", "extension", False),
        ("top.png", "no-class", True),
        ("a/gone.png", "missing", True),
        ("a/caf\\udce9.png", "missing", True),
    }
    assert len(images(path=str(tree), skip_bad=True).ids) == 8


def test_folders_that_are_a_split(gallery: Gallery) -> None:
    root = gallery(
        {f"{side}/{name}/{k}.png": k for side in ("train", "Test") for name in "xy" for k in range(3)}
    )
    kinds = [problem.kind for problem in read_listing(root).problems]
    assert kinds == ["split-folders"]
