"""Hierarchies by hand: ids, columns, files, labels, common ancestors."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from hmcbench.errors import BadInput
from hmcbench.hierarchy.hierarchy import Hierarchy, path_id

# --------------------------------------------------------------------------- structure


def test_columns_are_sorted_by_level_then_id(tree: Hierarchy) -> None:
    assert tree.classes == ("a", "x", "b", "e", "y", "c", "d", "z")
    assert tree.levels.tolist() == [1, 1, 2, 2, 2, 3, 3, 3]
    assert (tree.n, tree.depth, len(tree)) == (8, 3, 8)
    assert tree.level_classes(2).tolist() == [2, 3, 4]
    assert tree.level_sizes.tolist() == [2, 3, 3]
    assert [tree.classes[i] for i in tree.leaves] == ["e", "c", "d", "z"]
    assert tree.heights.tolist() == [2, 2, 1, 0, 1, 0, 0, 0]
    assert tree.is_tree
    assert not tree.even


def test_column_order_does_not_depend_on_edge_order(tree: Hierarchy) -> None:
    again = Hierarchy.from_edges(tree.edges[::-1])
    assert again.classes == tree.classes
    assert again == tree


def test_unknown_class_and_level_are_errors(tree: Hierarchy) -> None:
    with pytest.raises(BadInput, match="unknown class 'q'"):
        tree.index("q")
    with pytest.raises(BadInput, match="levels 1 to 3"):
        tree.level_classes(4)
    assert "c" in tree and "q" not in tree


# --------------------------------------------------------------------------- ids


def test_one_name_under_two_parents_gives_two_path_ids() -> None:
    hierarchy = Hierarchy.from_paths([("SP", "SS", "BCC"), ("MP", "SS"), ("MP", "SS", "BCC"), ("MP", "", "")])
    assert hierarchy.classes == ("MP", "SP", "MP/SS", "SP/SS", "MP/SS/BCC", "SP/SS/BCC")
    assert hierarchy.names == ("MP", "SP", "SS", "SS", "BCC", "BCC")
    assert hierarchy.is_tree


def test_a_repeated_child_in_edges_is_one_class_with_two_parents(dag: Hierarchy) -> None:
    assert dag.classes.count("c") == 1
    assert not dag.path_ids
    assert dag.names == dag.classes


@pytest.mark.parametrize(
    ("names", "why"),
    [
        ([], "no name"),
        (["", ""], "no name"),
        (["a", "", "b"], "gap"),
        (["a/b"], "joins the names of a path"),
        (["a|b"], "joins labels"),
        (["a\tb"], "cannot be printed"),
    ],
)
def test_paths_that_cannot_be_ids(names: list[str], why: str) -> None:
    with pytest.raises(BadInput, match=why):
        path_id(names)


def test_path_ids_are_checked(tree: Hierarchy) -> None:
    with pytest.raises(BadInput, match="full paths"):
        Hierarchy.from_edges(tree.edges, path_ids=True)
    assert Hierarchy.from_edges([("", "a"), ("a", "a/b")], path_ids=True).names == ("a", "b")


def test_nested_folders(tmp_path: Path) -> None:
    for folder in ("ductile/dimples", "ductile/fatigue", "brittle/fatigue", ".git/x", "__MACOSX/y"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "notes.txt").touch()
    classes = Hierarchy.from_folders(tmp_path).classes
    assert classes == (
        "brittle",
        "ductile",
        "brittle/fatigue",
        "ductile/dimples",
        "ductile/fatigue",
    )


def test_children_of_removed_classes_stand_below_the_next_above(tree: Hierarchy, dag: Hierarchy) -> None:
    assert tree.without(["b", "x"]).edges == (
        ("", "a"),
        ("", "y"),
        ("a", "c"),
        ("a", "d"),
        ("a", "e"),
        ("y", "z"),
    )
    assert dag.without(["c"]).parents("e") == ("a", "b", "d")
    assert dag.without([]) == dag


def test_paths_lead_from_the_top_level_down(tree: Hierarchy, dag: Hierarchy) -> None:
    assert list(tree.paths("d")) == [("a", "b", "d")]
    assert list(dag.paths("e")) == [("a", "c", "e"), ("b", "c", "e"), ("a", "d", "e")]
    assert list(dag.paths("a")) == [("a",)]


def test_folders_that_hold_no_classes(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no sub-folders"):
        Hierarchy.from_folders(tmp_path)
    with pytest.raises(BadInput, match="is not a folder"):
        Hierarchy.from_folders(tmp_path / "absent")


def test_an_error_says_how_many_more_there_are() -> None:
    for further, more in ((0, ""), (1, r" \(and 1 more\)"), (2, r" \(and 2 more\)")):
        edges = [("", "a"), *((f"q{i}", f"b{i}") for i in range(1 + further))]
        with pytest.raises(
            BadInput, match=rf"edge 2: parent 'q0' is not a class: no row has it as a child{more}\.$"
        ):
            Hierarchy.from_edges(edges)


# --------------------------------------------------------------------------- round trips


def test_a_file_has_a_third_column_only_for_descriptions(tmp_path: Path) -> None:
    for descriptions, text in (
        ({}, "parent,child\n,a\na,b\n"),
        ({"b": "second"}, "parent,child,description\n,a,\na,b,second\n"),
    ):
        Hierarchy.from_edges([("a", "b")], descriptions=descriptions).to_csv(tmp_path / "h.csv")
        assert (tmp_path / "h.csv").read_text(encoding="utf-8") == text


@pytest.mark.parametrize("descriptions", [{}, {"a": 'says "so",\nand more', "p/q": "quality"}])
def test_round_trips(tmp_path: Path, tree: Hierarchy, dag: Hierarchy, descriptions: dict[str, str]) -> None:
    for edges in (tree.edges, dag.edges, [("", "one, two")], [("", "p"), ("p", "p/q")]):
        first = Hierarchy.from_edges(edges, descriptions=descriptions)
        path = tmp_path / "h.csv"
        first.to_csv(path)
        pickled = pickle.loads(pickle.dumps(first))
        for copy in (Hierarchy.from_csv(path), Hierarchy.from_json(first.to_json()), pickled):
            assert copy == first
            assert hash(copy) == hash(first)
            assert (copy.classes, copy.names, copy.edges) == (first.classes, first.names, first.edges)
            assert copy.descriptions == first.descriptions


def test_fingerprint_knows_the_edges() -> None:
    tree = Hierarchy.from_edges([("", "a"), ("", "b"), ("a", "c")])
    other = Hierarchy.from_edges([("", "a"), ("", "b"), ("b", "c")])
    assert tree.classes == other.classes
    assert tree != other
    assert tree != "a"


def test_other_stored_data_is_refused() -> None:
    for data in ({}, {"edges": 3}, {"edges": [["a"]]}, {"edges": [["a", "b"]], "descriptions": 3}):
        with pytest.raises(BadInput, match="not a stored hierarchy"):
            Hierarchy.from_json(data)


def test_files_as_spreadsheets_write_them(tmp_path: Path) -> None:
    path = tmp_path / "hierarchy.csv"
    path.write_text(
        "\ufeffParent, Child ,Description\r\n, a ,\r\na,b,the second\r\n,,\r\n", encoding="utf-8", newline=""
    )
    hierarchy = Hierarchy.from_csv(path)
    assert hierarchy.edges == (("", "a"), ("a", "b"))
    assert hierarchy.descriptions == {"b": "the second"}


# --------------------------------------------------------------------------- labels


def test_encode_and_decode(tree: Hierarchy) -> None:
    sets = tree.encode([["b", "z"], [], ["c", "a", "c"]])
    assert sets.dtype == bool
    assert tree.is_closed(sets)
    assert [tree.decode(sets[[i]]) for i in range(3)] == [("b", "z"), (), ("c",)]
    assert tree.decode(sets.toarray()[0]) == ("b", "z")
    with pytest.raises(BadInput, match="unknown class 'Z'"):
        tree.encode([["Z"]])
    with pytest.raises(TypeError, match="collections"):
        tree.encode(["c"])


def test_level_targets(tree: Hierarchy) -> None:
    sets = tree.encode([["d"], ["e"], ["x"], []])
    wanted = [[0, 0, 1], [0, 1, 3], [1, 3, 3], [2, 3, 3]]
    for given in (sets, sets.toarray()):
        positions = tree.level_targets(given)
        assert positions.dtype == np.int64
        assert positions.tolist() == wanted
    assert (tree.level_sets(positions) == sets.toarray()).all()


def test_level_targets_want_one_closed_path(tree: Hierarchy, dag: Hierarchy) -> None:
    with pytest.raises(BadInput, match="sample 1 has several classes at level 2"):
        tree.level_targets(tree.encode([["c"], ["b", "e"]]))
    with pytest.raises(BadInput, match="sample 1 has several classes at level 3"):
        tree.level_targets(tree.encode([["c"], ["c", "d"], ["c", "z"]]))
    with pytest.raises(BadInput, match="several classes at level 1"):
        dag.level_targets(dag.encode([["c"]]))
    with pytest.raises(BadInput, match="without its ancestors"):
        tree.level_targets(np.eye(8, dtype=bool))


def test_label_shape(tree: Hierarchy) -> None:
    shapes = {"cdz": ("single", "full"), "ce": ("single", "full"), "cb": ("single", "ragged")}
    for labels, shape in shapes.items():
        assert tree.label_shape(tree.encode([[name] for name in labels])) == shape
    assert tree.label_shape(tree.encode([["c", "d"]])) == ("multiple", "full")
    assert tree.label_shape(tree.encode([["b", "z"]]).toarray()) == ("multiple", "ragged")
    assert tree.label_shape(tree.encode([["c"], []])) == ("single", "ragged")


# --------------------------------------------------------------------------- common ancestors


def test_common_ancestors(tree: Hierarchy, dag: Hierarchy) -> None:
    assert tree.nca("c", "d") == ("b",)
    assert tree.nca("c", "b") == ("b",)
    assert tree.nca("c", "z") == ()
    assert dag.nca("e", "f") == ("b",)
    assert dag.nca("c", "d") == ("a",)
    assert dag.nca("e", "c") == ("c",)
    assert Hierarchy.from_edges([("a", "x"), ("b", "x"), ("a", "y"), ("b", "y")]).nca("x", "y") == ("a", "b")
