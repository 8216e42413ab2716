"""Hierarchies by hand: ids, levels, files, lint, labels, common ancestors."""

from __future__ import annotations

import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from hmcbench.errors import BadInput
from hmcbench.hierarchy.hierarchy import Hierarchy, lint, path_id, read_edges

FIXTURE = [("a", "b"), ("a", "e"), ("b", "c"), ("b", "d"), ("x", "y"), ("y", "z")]
DAG = [("", "a"), ("", "b"), ("a", "c"), ("b", "c"), ("a", "d"), ("c", "e"), ("d", "e"), ("b", "f")]


@pytest.fixture
def tree() -> Hierarchy:
    return Hierarchy.from_edges(FIXTURE)


@pytest.fixture
def dag() -> Hierarchy:
    return Hierarchy.from_edges(DAG)


def write(folder: Path, text: str) -> Path:
    path = folder / "hierarchy.csv"
    path.write_text(text, encoding="utf-8")
    return path


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
    assert Hierarchy.from_edges(FIXTURE[::-1]).classes == tree.classes
    assert Hierarchy.from_edges(FIXTURE[::-1]) == tree


def test_level_of_a_dag_class_is_its_longest_distance(dag: Hierarchy) -> None:
    extended = Hierarchy.from_edges([*DAG, ("a", "e")])
    assert not dag.is_tree
    assert extended.levels[extended.index("e")] == 3
    assert dag.parents("e") == ("c", "d")
    assert dag.children("b") == ("c", "f")
    assert dag.children("e") == ()
    assert sorted(dag.paths("e")) == [("a", "c", "e"), ("a", "d", "e"), ("b", "c", "e")]


def test_unknown_class_and_level_are_told(tree: Hierarchy) -> None:
    with pytest.raises(BadInput, match="unknown class 'q'"):
        tree.index("q")
    with pytest.raises(BadInput, match="levels 1 to 3"):
        tree.level_classes(4)
    assert "c" in tree and "q" not in tree


def test_a_flat_hierarchy_works() -> None:
    flat = Hierarchy.from_edges([("", "b"), ("", "a")])
    assert flat.classes == ("a", "b")
    assert flat.ancestors.toarray().tolist() == [[True, False], [False, True]]
    assert flat.close(np.eye(2, dtype=bool)).tolist() == [[True, False], [False, True]]
    assert flat.cohere(np.array([[0.25, 0.5]])).tolist() == [[0.25, 0.5]]
    assert flat.even


def test_closing_the_published_fixture(tree: Hierarchy) -> None:
    true, predicted = tree.encode([["c"], ["d"], ["y"]]), tree.encode([["d"], ["e"], ["z"]])
    sets = [{tree.classes[j] for j in row.nonzero()[0]} for row in predicted.toarray()]
    assert sets == [set("abd"), set("ae"), set("xyz")]
    both = true.multiply(predicted).sum()
    assert (both / predicted.sum(), both / true.sum()) == (0.625, 0.625)


# --------------------------------------------------------------------------- ids


def test_one_name_under_two_parents_gives_two_path_ids() -> None:
    made = Hierarchy.from_paths([("SP", "SS", "BCC"), ("MP", "SS"), ("MP", "SS", "BCC"), ("MP", "", "")])
    assert made.classes == ("MP", "SP", "MP/SS", "SP/SS", "MP/SS/BCC", "SP/SS/BCC")
    assert made.names == ("MP", "SP", "SS", "SS", "BCC", "BCC")
    assert made.is_tree


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


def test_path_ids_is_a_promise_that_is_checked() -> None:
    with pytest.raises(BadInput, match="full paths"):
        Hierarchy.from_edges(FIXTURE, path_ids=True)
    assert Hierarchy.from_edges([("", "a"), ("a", "a/b")], path_ids=True).names == ("a", "b")


def test_nested_folders(tmp_path: Path) -> None:
    for folder in ("ductile/dimples", "ductile/fatigue", "brittle/fatigue", ".git/x", "__MACOSX/y"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "notes.txt").touch()
    made = Hierarchy.from_folders(tmp_path)
    assert made.classes == ("brittle", "ductile", "brittle/fatigue", "ductile/dimples", "ductile/fatigue")


def test_folders_that_hold_no_classes(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no sub-folders"):
        Hierarchy.from_folders(tmp_path)
    with pytest.raises(BadInput, match="is not a folder"):
        Hierarchy.from_folders(tmp_path / "absent")


# --------------------------------------------------------------------------- round trips


@pytest.mark.parametrize("edges", [FIXTURE, DAG, [("", "one, two")], [("", "p"), ("p", "p/q")]])
@pytest.mark.parametrize("descriptions", [{}, {"a": 'says "so",\nand more', "p/q": "quality"}])
def test_round_trips(tmp_path: Path, edges: list[tuple[str, str]], descriptions: dict[str, str]) -> None:
    made = Hierarchy.from_edges(edges, descriptions=descriptions)
    path = tmp_path / "h.csv"
    made.to_csv(path)
    copies = [Hierarchy.from_csv(path), Hierarchy.from_json(made.to_json()), pickle.loads(pickle.dumps(made))]
    for copy in copies:
        assert copy == made
        assert hash(copy) == hash(made)
        assert (copy.classes, copy.names, copy.edges) == (made.classes, made.names, made.edges)
        assert copy.descriptions == made.descriptions


def test_fingerprint_knows_the_edges() -> None:
    one = Hierarchy.from_edges([("", "a"), ("", "b"), ("a", "c")])
    other = Hierarchy.from_edges([("", "a"), ("", "b"), ("b", "c")])
    assert one.classes == other.classes
    assert one != other
    assert one != "a"


def test_arrays_cannot_be_changed(tree: Hierarchy) -> None:
    for array in (tree.levels, tree.edge_index):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 7


def test_stored_rubbish_is_refused() -> None:
    for rubbish in ({}, {"edges": 3}, {"edges": [["a"]]}, {"edges": [["a", "b"]], "descriptions": 3}):
        with pytest.raises(BadInput, match="not a stored hierarchy"):
            Hierarchy.from_json(rubbish)


# --------------------------------------------------------------------------- lint


@pytest.mark.parametrize(
    ("edges", "kind", "fatal", "where", "what"),
    [
        ([("a", "b"), ("b", "c"), ("c", "a")], "cycle", True, "edge 1", "a cycle: a > b > c > a"),
        ([("", "a"), ("a", "a")], "self-ancestor", True, "edge 2", "class 'a' is its own parent"),
        ([("", "a"), ("q", "b")], "unknown-parent", True, "edge 2", "'q' is not a class"),
        ([("", "a"), ("", "b"), ("a", "b")], "clash", True, "edge 2", "also below 'a'"),
        ([("", "Dimple"), ("", "dimple")], "clash", False, "edge 2", "differ only in case"),
        ([("", "a-b"), ("", "a\u2013b")], "clash", False, "edge 2", "look alike (HYPHEN-MINUS, EN DASH)"),
        ([("", "HCP"), ("", "\u041dCP")], "clash", False, "edge 2", "CYRILLIC CAPITAL LETTER EN"),
        ([("", "a"), ("a", "b"), ("a", "b")], "repeated-edge", False, "edge 3", "given twice"),
        ([("", "a|b")], "bad-name", True, "edge 1", "joins labels"),
        ([("", "a"), ("a ", "b")], "bad-name", True, "edge 2", "begins or ends with a space"),
        ([("", "a"), ("a", "")], "bad-name", True, "edge 2", "without a name"),
        ([("", "a"), ("a", "b\n")], "bad-name", True, "edge 2", "space"),
        ([], "no-classes", True, "edges", "no classes"),
        ([(f"n{i}", f"n{i + 1}") for i in range(64)], "deep", False, "edge 64", "level 65"),
    ],
)
def test_lint(edges: list[tuple[str, str]], kind: str, fatal: bool, where: str, what: str) -> None:
    found = [problem for problem in lint(edges) if problem.kind == kind]
    assert len(found) == 1
    assert (found[0].fatal, found[0].where, found[0].skippable) == (fatal, where, False)
    assert what in found[0].what
    if fatal:
        with pytest.raises(BadInput, match=where):
            Hierarchy.from_edges(edges)
    else:
        Hierarchy.from_edges(edges)


@pytest.mark.parametrize("edges", [FIXTURE, DAG, [("", "a")], [("", "a"), ("a", "a/a")]])
def test_lint_is_silent_on_clean_edges(edges: list[tuple[str, str]]) -> None:
    assert Hierarchy.lint(edges) == []


def test_lint_tells_every_separate_cycle_once() -> None:
    edges = [("", "t"), ("t", "a"), ("b", "a"), ("a", "b"), ("b", "below"), ("p", "q"), ("q", "p")]
    cycles = [problem.what for problem in lint(edges) if problem.kind == "cycle"]
    assert cycles == ["a cycle: a > b > a", "a cycle: p > q > p"]


def test_lint_tells_one_fault_once() -> None:
    edges = [("", "a"), ("a", "b"), ("b", "b"), ("c|d", "e"), ("c|d", "f"), ("q", "g"), ("q", "h")]
    kinds = [problem.kind for problem in lint(edges)]
    assert kinds == ["self-ancestor", "bad-name", "bad-name", "unknown-parent"]


def test_lint_shortens_a_long_cycle() -> None:
    edges = [(f"n{i:03d}", f"n{(i + 1) % 500:03d}") for i in range(500)]
    (problem,) = lint(edges)
    assert problem.what.endswith("n007 > ... > n000")
    assert len(problem.what) < 200


def test_lint_uses_the_places_it_is_given() -> None:
    (problem,) = lint([("", "a"), ("q", "b")], ["h.csv:2", "h.csv:3"])
    assert problem.where == "h.csv:3"


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("", 1, "the header is ''"),
        ("child,parent\na,b\n", 1, "the header is 'child,parent'"),
        ("parent,child\n", 1, "no classes"),
        ("parent,child\n,a\na,b\n\nb,c,d,e\n", 5, "4 cells"),
        ("parent,child\n,a\na\n", 3, "1 cells"),
        ("parent,child\n,x\na,b\nb,a\n", 3, "a cycle: a > b > a"),
        ("parent,child\n,x\nx,x\n", 3, "its own parent"),
        ("parent,child\n,x\nq,y\n", 3, "parent 'q' is not a class"),
        ("parent,child\n,a|b\n", 2, "joins labels"),
        ('parent,child\n,"a\n', 2, "unexpected end of data"),
    ],
)
def test_bad_files_name_the_line(tmp_path: Path, text: str, line: int, what: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(BadInput) as caught:
        Hierarchy.from_csv(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert what in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "hierarchy.csv"
    with pytest.raises(BadInput, match="cannot be read: No such file"):
        Hierarchy.from_csv(path)
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(BadInput, match="cannot be read: 'utf-8'"):
        Hierarchy.from_csv(path)
    with pytest.raises(BadInput, match="cannot be read: Is a directory"):
        Hierarchy.from_csv(tmp_path)


def test_files_as_spreadsheets_write_them(tmp_path: Path) -> None:
    path = write(tmp_path, "\ufeffParent, Child ,Description\r\n, a ,\r\na,b,the second\r\n,,\r\n")
    made = Hierarchy.from_csv(path)
    assert made.edges == (("", "a"), ("a", "b"))
    assert made.descriptions == {"b": "the second"}


def test_read_edges_reports_for_a_data_lint(tmp_path: Path) -> None:
    table = read_edges(write(tmp_path, "parent,child\n,a\nonly\nq,b\n"))
    assert [(p.where, p.kind) for p in table.problems] == [("hierarchy.csv:3", "bad-row")]
    (problem,) = lint(table.edges, table.where)
    assert (problem.where, problem.kind) == ("hierarchy.csv:4", "unknown-parent")


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


def test_sets_of_another_hierarchy_are_refused(tree: Hierarchy) -> None:
    for wrong in (np.zeros((2, 7), bool), np.zeros(8, bool), sparse.csr_array((2, 9), dtype=bool)):
        with pytest.raises(BadInput, match=r"shape \(N, 8\)"):
            tree.close(wrong)


def test_sparse_input_is_left_alone(tree: Hierarchy) -> None:
    messy = sparse.csr_matrix((np.array([1, 0, 1]), np.array([5, 1, 2]), np.array([0, 3])), shape=(1, 8))
    closed = tree.close(messy)
    assert closed.indices.tolist() == [0, 2, 5]
    assert messy.indices.tolist() == [5, 1, 2]
    assert messy.data.tolist() == [1, 0, 1]


# --------------------------------------------------------------------------- common ancestors


def test_common_ancestors(tree: Hierarchy, dag: Hierarchy) -> None:
    assert tree.nca("c", "d") == ("b",)
    assert tree.nca("c", "b") == ("b",)
    assert tree.nca("c", "z") == ()
    assert dag.nca("e", "f") == ("b",)
    assert dag.nca("c", "d") == ("a",)
    assert dag.nca("e", "c") == ("c",)
    assert Hierarchy.from_edges([("a", "x"), ("b", "x"), ("a", "y"), ("b", "y")]).nca("x", "y") == ("a", "b")


def test_pairwise_lowest_common_ancestors(tree: Hierarchy) -> None:
    first, second = (np.array([tree.index(name) for name in names]) for names in ("cccx", "cdzz"))
    assert tree.lca(first, second).tolist() == [5, 2, -1, 1]
    assert tree.lca(first[:0], second[:0]).tolist() == []
    levels = np.append(tree.levels, 0)[tree.lca(first, second)]
    assert levels.tolist() == [3, 2, 0, 1]
    assert np.append(tree.heights, tree.depth)[tree.lca(first, second)].tolist() == [0, 1, 3, 2]


# --------------------------------------------------------------------------- size


def test_a_long_chain_needs_no_recursion_and_no_cube_of_its_length() -> None:
    chain = Hierarchy.from_edges([(f"n{i}", f"n{i + 1}") for i in range(3000)])
    assert chain.depth == 3001
    assert len(next(chain.paths("n3000"))) == 3001
    assert chain.encode([["n3000"]]).sum() == 3001


@pytest.mark.slow
def test_fifty_thousand_classes_stay_sparse() -> None:
    rng = np.random.default_rng(0)
    edges = [("", "c0")]
    for i in range(1, 50_000):
        edges += [(f"c{p}", f"c{i}") for p in set((i * rng.random(1 + i % 2) / 4).astype(int).tolist())]
    made = Hierarchy.from_edges(edges)
    columns = rng.integers(0, made.n, 20_000)
    sets = sparse.csr_array((np.ones(20_000, bool), columns, np.arange(0, 20_001, 2)), shape=(10_000, made.n))
    tracemalloc.start()
    closed = made.close(sets)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert made.n == 50_000
    assert made.ancestors.nnz < 50_000 * 40
    assert peak < 200 * 2**20
    assert made.is_closed(closed)
    some = np.arange(0, 10_000, 500)
    assert (made.close(sets[some].toarray()) == closed[some].toarray()).all()
    assert (made.most_specific(closed[some].toarray()) == made.most_specific(closed[some]).toarray()).all()
