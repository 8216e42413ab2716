"""Edges: what lint finds, and files that hold them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hmcbench.errors import BadInput
from hmcbench.hierarchy.edges import lint, read_edges
from hmcbench.hierarchy.hierarchy import Hierarchy


def write(folder: Path, text: str) -> Path:
    path = folder / "hierarchy.csv"
    path.write_text(text, encoding="utf-8")
    return path


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
    (problem,) = [problem for problem in lint(edges) if problem.kind == kind]
    assert (problem.fatal, problem.where, problem.skippable) == (fatal, where, False)
    assert what in problem.what
    if fatal:
        with pytest.raises(BadInput, match=where):
            Hierarchy.from_edges(edges)
    else:
        Hierarchy.from_edges(edges)


def test_lint_is_silent_on_clean_edges(tree: Hierarchy, dag: Hierarchy) -> None:
    below_top = [edge for edge in tree.edges if edge[0]]
    for edges in (tree.edges, below_top, dag.edges, [("", "a")], [("", "a"), ("a", "a/a")]):
        assert Hierarchy.lint(edges) == []


def test_lint_lists_every_separate_cycle_once() -> None:
    edges = [("", "t"), ("t", "a"), ("b", "a"), ("a", "b"), ("b", "below"), ("p", "q"), ("q", "p")]
    cycles = [problem.what for problem in lint(edges) if problem.kind == "cycle"]
    assert cycles == ["a cycle: a > b > a", "a cycle: p > q > p"]


def test_a_cycle_is_reported_where_its_first_class_is() -> None:
    (problem,) = lint([("", "t"), ("c", "a"), ("b", "c"), ("a", "b")])
    assert (problem.where, problem.what) == ("edge 2", "a cycle: a > b > c > a")


def test_sixty_four_levels_are_not_too_deep() -> None:
    assert lint([(f"n{i}", f"n{i + 1}") for i in range(63)]) == []


def test_lint_lists_one_problem_once() -> None:
    edges = [("", "a"), ("a", "b"), ("b", "b"), ("c|d", "e"), ("c|d", "f"), ("q", "g"), ("q", "h")]
    kinds = [problem.kind for problem in lint(edges)]
    assert kinds == ["self-ancestor", "bad-name", "bad-name", "unknown-parent"]


def test_lint_shortens_a_long_cycle() -> None:
    edges = [(f"n{i:03d}", f"n{(i + 1) % 500:03d}") for i in range(500)]
    (problem,) = lint(edges)
    assert problem.what.endswith("n007 > ... > n000")
    assert len(problem.what) < 200


def test_a_cycle_of_nine_classes_is_written_in_full() -> None:
    (problem,) = lint([(f"n{i}", f"n{(i + 1) % 9}") for i in range(9)])
    assert problem.what == "a cycle: n0 > n1 > n2 > n3 > n4 > n5 > n6 > n7 > n8 > n0"


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


def test_read_edges_reports_for_a_data_lint(tmp_path: Path) -> None:
    table = read_edges(write(tmp_path, "parent,child\n,a\nonly\nq,b\n"))
    assert [(p.where, p.kind) for p in table.problems] == [("hierarchy.csv:3", "bad-row")]
    (problem,) = lint(table.edges, table.where)
    assert (problem.where, problem.kind) == ("hierarchy.csv:4", "unknown-parent")


def test_read_edges_keeps_descriptions_of_the_children(tmp_path: Path) -> None:
    table = read_edges(write(tmp_path, "parent,child,description\n,a,the top\na,b,\na,c\n"))
    assert table.edges == [("", "a"), ("a", "b"), ("a", "c")]
    assert table.descriptions == {"a": "the top"}
    assert not table.problems
