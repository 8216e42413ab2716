from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hmcbench.errors import BadInput
from hmcbench.leaderboard.build import build
from hmcbench.leaderboard.render.block import replaced, to_block, with_columns, write_block
from hmcbench.records.record import Record

PAGE = "# Mine\n\n<!-- x -->\nold\n<!-- /x -->\n\nrest  \n"


def test_the_block_is_replaced_and_nothing_else() -> None:
    text = replaced(PAGE, "x", "| a |\n| b |")
    assert text == "# Mine\n\n<!-- x -->\n\n| a |\n| b |\n\n<!-- /x -->\n\nrest  \n"
    assert replaced(text, "x", "| a |\n| b |") == text
    assert replaced(PAGE.replace("old\n", ""), "x", "new") == replaced(PAGE, "x", "new")


def test_line_ends_stay_as_they_are() -> None:
    page = PAGE.replace("\n", "\r\n")
    text = replaced(page, "x", "a\nb")
    assert text.replace("\r\n", "\n") == replaced(PAGE, "x", "a\nb")
    assert text.count("\n") == text.count("\r\n")
    assert replaced("<!-- x -->\n<!-- /x -->", "x", "a") == "<!-- x -->\n\na\n\n<!-- /x -->"


@pytest.mark.parametrize(
    ("page", "name", "says"),
    [
        ("text", "x", "has no line <!-- x -->"),
        ("<!-- x -->", "x", "has no line <!-- /x -->"),
        ("say <!-- x --> here\n<!-- /x -->", "x", "each alone on its line"),
        (PAGE + PAGE, "x", r"has the line <!-- x --> 2 times \(lines 3 and 10\)"),
        (PAGE + "<!-- /x -->", "x", "has the line <!-- /x --> 2 times"),
        ("<!-- /x -->\n\n<!-- x -->\n", "x", r"<!-- /x --> \(line 1\) is before <!-- x --> \(line 3\)"),
        (PAGE, "/x", "--marker '/x'"),
        (PAGE, "x --> <b>", "letters, digits"),
        (PAGE, "X", "has no line <!-- X -->"),
    ],
)
def test_markers_that_cannot_be_used(page: str, name: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        replaced(page, name, "new")


def test_a_file_is_written_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text(PAGE, encoding="utf-8")
    page.chmod(0o640)
    link = tmp_path / "link.md"
    link.symlink_to(page)
    assert write_block(link, "x", "new é") is True
    assert link.is_symlink() and page.read_text(encoding="utf-8") == replaced(PAGE, "x", "new é")
    assert page.stat().st_mode & 0o777 == 0o640
    before = page.stat().st_mtime_ns
    assert write_block(page, "x", "new é") is False
    assert page.stat().st_mtime_ns == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["README.md", "link.md"]


@pytest.mark.parametrize("content", [None, b"<!-- x -->\xff<!-- /x -->", b"nothing"])
def test_a_file_that_cannot_be_used_stays_as_it_is(tmp_path: Path, content: bytes | None) -> None:
    page = tmp_path / "README.md"
    if content is not None:
        page.write_bytes(content)
    with pytest.raises(BadInput, match=r"README\.md"):
        write_block(page, "x", "new")
    assert (page.read_bytes() if page.exists() else None) == content


def test_quality_and_costs_in_one_table(fabricate: Callable[..., Record]) -> None:
    boards = build([fabricate("a", 0.9), fabricate("b", 0.5, status="failed", cause="crash", message="x")])
    chosen = with_columns(boards, ["fit_s", "exact_match", "hf1_samples"])
    text = to_block(chosen)
    head, _, first, second = [line for line in text.splitlines() if line.startswith("|")]
    assert [c.strip() for c in head.split("|")[1:-1]] == [
        *("#", "model", "exact_match ↑", "hf1_samples ↑", "fit (s) ↓", "remarks")
    ]
    assert "| a " in first and "10 |" in first and "failed: crash" in second
    assert text.startswith("**smoke 1: toy, profile quick") and "costs on Abacus" in text
    assert boards[0].columns != chosen[0].columns


def test_costs_of_two_kinds_of_hardware_are_left_out(fabricate: Callable[..., Record]) -> None:
    records = [fabricate("a"), fabricate("b", hardware={"fingerprint": "hw2"})]
    text = to_block(build(records))
    assert "fit (s)" not in text and "costs on" not in text


def test_unknown_columns(fabricate: Callable[..., Record]) -> None:
    with pytest.raises(BadInput, match="did you mean 'hf1_samples'"):
        with_columns(build([fabricate("a")]), ["hf1_sample"])


def test_what_came_from_elsewhere_closes_no_block(fabricate: Callable[..., Record]) -> None:
    evil = "<!-- /x --> <script>alert(1)</script> | y"
    records = [fabricate("a", model={"label": evil}), fabricate("b", status="failed", cause=evil)]
    text = replaced(PAGE, "x", to_block(build(records)))
    assert "<script" not in text and text.count("<!--") == 2
    assert replaced(text, "x", "old").count("rest  ") == 1
