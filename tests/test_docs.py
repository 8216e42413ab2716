"""What the builder of the documentation does not check: the list of pages, and the pictures on them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
PICTURE = re.compile(r"!\[[^\]]*\]\(([^)\s]+)\)")


def test_every_page_is_in_the_navigation_and_every_entry_is_a_page() -> None:
    _, navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").split("\nnav:\n")
    assert sorted(re.findall(r": (\S+\.md)$", navigation, re.MULTILINE)) == PAGES


@pytest.mark.parametrize("page", PAGES)
def test_the_pictures_of_a_page_are_there(page: str) -> None:
    pictures = PICTURE.findall((DOCS / page).read_text(encoding="utf-8"))
    assert [name for name in pictures if not (DOCS / page).parent.joinpath(name).is_file()] == []


def test_pictures_are_found_on_pages() -> None:
    assert any(PICTURE.search((DOCS / page).read_text(encoding="utf-8")) for page in PAGES)
