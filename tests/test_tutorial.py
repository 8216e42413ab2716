"""docs/tutorial.md, executed line by line in a fresh environment."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
MOST_LINES = 40


def parts() -> list[tuple[str, str, str]]:
    """(file, language, text) of every block; the file is the one that the section begins with."""
    blocks = []
    for section in TEXT.split("\n## "):
        file = re.search(r"^`([^`]+\.py)`", section, re.MULTILINE)
        for language, text in re.findall(r"^```(sh|python)\n(.*?)^```", section, re.DOTALL | re.MULTILINE):
            blocks.append((file[1] if file else "", language, text))
    return blocks


def lines(in_one_file: bool) -> int:
    """How many lines the reader writes."""
    texts = [text for file, kind, text in parts() if kind == "python" and ("/" not in file) == in_one_file]
    return sum(bool(line.strip()) for text in texts for line in text.splitlines())


def test_one_file_takes_at_most_fifteen_lines_and_a_package_forty() -> None:
    assert 10 < lines(in_one_file=True) <= 15
    assert 20 < lines(in_one_file=False) <= MOST_LINES
    assert [kind for _, kind, _ in parts()] == [
        "python",
        "sh",
        "sh",
        "python",
        "python",
        "python",
        "sh",
        "sh",
    ]


@pytest.mark.slow
def test_every_line_works(fresh: Callable[[Path], Any], tmp_path: Path) -> None:
    shell = fresh(tmp_path)
    printed = []
    for path, kind, text in parts():
        if kind == "python":
            assert (tmp_path / path).is_file() == ("/" in path), f"{path} is not what plugin new wrote"
            (tmp_path / path).write_text(text, encoding="utf-8")
        else:
            printed += [shell(line) for line in text.splitlines()]
    assert "Roughness" in printed[0]
    assert all(" checks ran, 0 failed" in printed[i] for i in (1, 5))
    assert "1 passed" in printed[4]
    assert "grain-trees" in printed[-1]
    kept = ROOT / "examples" / "grain-trees"
    for file in [p for p in kept.rglob("*") if p.is_file() and p.name != "README.md" and p.suffix != ".pyc"]:
        same = tmp_path / "grain-trees" / file.relative_to(kept)
        assert file.read_text(encoding="utf-8") == same.read_text(encoding="utf-8"), f"{file} is out of date"
    board = (tmp_path / "runs" / "sem-failure" / "leaderboard.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in board.splitlines() if line.startswith("|")]
    ranks = {row[2].strip(): row[1].strip() for row in rows[:5]}
    assert {ranks["grain-trees"], ranks["Roughness"]} == {"1", "2"}
    assert ranks["prior"] == "3"
