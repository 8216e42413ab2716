"""The page as text: whole, self-contained, escaped."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hmcbench.interfaces import Task
from hmcbench.leaderboard.boards import Boards
from hmcbench.leaderboard.build import build
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import HISTORY, NPZ, Record
from hmcbench.report.page import Card, index_page, page_of
from hmcbench.report.page.data import script_json
from hmcbench.report.page.details import cell_details, rounded
from hmcbench.testing.helpers import tiny_hierarchy

EVIL = "</script><script>alert(1)</script><!-- & \u2028"


class Reader(HTMLParser):
    """Tags with their attributes, and the text of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, list[str]] = {"script": [], "style": [], "title": []}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] in self.inside and data.strip():
            self.inside[self.tags[-1][0]].append(data)


def data_of(page: str) -> dict[str, Any]:
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    data: dict[str, Any] = json.loads(text)
    return data


def test_no_planted_script_becomes_one(evil: Any) -> None:
    page = page_of(evil.boards)
    read = Reader(page)
    names = [name for name, _ in read.tags]
    assert names.count("script") == 2 and names.count("style") == 1 and "img" not in names
    for name, attributes in read.tags:
        assert not [a for a in attributes if a.startswith("on") or a in ("style", "srcdoc")], name
        assert not [v for a, v in attributes.items() if a in ("src", "href", "action")], name
    assert "window.pwned" in page  # it is there, as text
    for start in re.findall("(.{12})window.pwned", page):
        assert "<script>" not in start and "<svg" not in start
    cells = data_of(page)["cells"]
    assert "<script>window.pwned=1</script>" in cells[0]["levels"][0]["names"]
    assert cells[0]["pictures"][0]["name"].startswith("<script>window.pwned=5")


def test_it_needs_nothing_else(evil: Any) -> None:
    page = page_of(evil.boards)
    own = re.sub(r'<script type="application/json".*?</script>', "", page, flags=re.DOTALL)
    own = own.replace("http://www.w3.org/2000/svg", "")  # a name, not an address
    assert not re.search(r"https?://|@import|url\(|\bfetch\(|XMLHttpRequest|WebSocket|innerHTML|eval\(", own)


def test_its_policy_allows_its_own_script_and_style_alone(evil: Any) -> None:
    read = Reader(page_of(evil.boards))
    policy = next(str(a["content"]) for n, a in read.tags if a.get("http-equiv") == "Content-Security-Policy")
    for name in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256(read.inside[name][-1].encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; img-src data:;") and "unsafe" not in policy


def test_everything_that_the_markdown_says(evil: Any, fabricate: Callable[..., Record]) -> None:
    page = page_of(evil.boards)
    for part in (
        "These samples are synthetic",
        "Paired differences to",
        "Published, on other data (not ranked)",
        "Verdicts on the published rows",
        "Failed, missing, not applicable",
        "<b>",
        "comes first with hf1_samples",
        "3 of 4 ended well",
    ):
        assert part in page, part
    assert page.count('<section class="board"') == 1
    assert "No records." in page_of(Boards())


def test_what_several_data_sets_say_is_text_too(fabricate: Callable[..., Record]) -> None:
    records = [
        fabricate(
            f"{m}{EVIL}",
            acc,
            seed=s,
            sizes={"test": 40},
            dataset={"name": f"{d}{EVIL}", "fingerprint": d * 64},
        )
        for d in "01"
        for m, acc in (("a", 0.9), ("b", 0.7), ("c", 0.5))
        for s in (0, 1)
    ]
    page = page_of(build(records))
    names = [name for name, _ in Reader(page).tags]
    assert names.count("script") == 2 and names.count("svg") == 1
    assert "Across 2 datasets" in page and "Win rates" in page and "critical difference" in page


def test_a_template_mark_in_a_text_is_no_place_to_fill(evil: Any) -> None:
    assert "${x} $title" in page_of(evil.boards)


@pytest.mark.parametrize("value", [EVIL, [EVIL], {EVIL: {EVIL: [1, None, 0.5]}}])
def test_script_json(value: Any) -> None:
    text = script_json(value)
    assert not set("<>&\u2028").intersection(text)
    assert json.loads(text) == value


def test_the_index_links_to_files_beside_it() -> None:
    address = "javascript:alert(1)/index.html"
    cards = [Card("<i>", address, place, "<b>", ["<u>"]) for place in (0, 1)]
    read = Reader(index_page("<b>x</b>", cards))
    quoted = "javascript%3Aalert%281%29/index.html"
    assert [a["href"] for n, a in read.tags if n == "a"] == [quoted, f"{quoted}#board-1"]
    assert not {"b", "i", "u"} & {n for n, _ in read.tags}


def test_samples_of_the_users_own_data_are_shown_only_when_asked(evil: Any) -> None:
    own = [
        replace(r, data={**r.data, "dataset": {**r.data["dataset"], "synthetic": False}})
        for r in evil.records
    ]

    def pictures(boards: Boards, **options: bool) -> int:
        return sum(len(cell["pictures"]) for cell in data_of(page_of(boards, **options))["cells"])

    assert pictures(build(own)) == 0
    assert pictures(build(own), pictures=True) == pictures(evil.boards) == 1


def test_the_answer_stands_before_the_table_and_the_fingerprints_are_folded(evil: Any) -> None:
    page = page_of(evil.boards)
    order = [
        page.index(part)
        for part in ("comes first with", '<table class="main"', "<details>", "split fingerprints")
    ]
    assert order == sorted(order)


# --------------------------------------------------------------------------- details


def test_details_of_a_cell(evil: Any) -> None:
    record = evil.records[0]
    cell = cell_details(record, evil.folder / "figures" / record.path.name)
    first, second = cell["levels"]
    assert np.array(first["matrix"]).shape == (2, 2) and np.array(second["matrix"]).shape == (3, 3)
    assert np.sum(second["matrix"]) == 200 == sum(n for n, _, _ in second["bins"])
    right = np.trace(np.array(second["matrix"])) / 200
    level2 = next(row for row in cell["metrics"] if row[0] == "level2_accuracy")
    assert level2[cell["metrics"][0].index("test")] == pytest.approx(right)
    assert cell["curves"]["x"] == list(range(1, 9))
    assert [name for name, _ in cell["curves"]["series"]][:2] == ["train_loss", "valid_loss"]
    assert cell["pictures"][0]["source"].startswith("data:image/png;base64,iVBOR")
    assert cell["notes"] == []


def test_several_paths_and_regression(fabricate: Callable[..., Record]) -> None:
    hierarchy = tiny_hierarchy("multiple")
    rng = np.random.default_rng(0)
    truth = hierarchy.ancestors[rng.integers(0, hierarchy.n, 40)].toarray()
    task = Task(paths="multiple", hierarchy=hierarchy)
    ids = [str(i) for i in range(40)]
    some = Predictions(ids, ["test"] * 40, rng.random(truth.shape).astype(np.float32), task, truth)
    many = cell_details(fabricate("a", predictions=some))
    assert all(len(row) == 4 for level in many["levels"] for row in level["outcomes"])
    total = sum(row[1] + row[2] for row in many["levels"][0]["outcomes"])
    assert total == truth[:, hierarchy.level_classes(1)].sum()
    task = Task("regression", targets=("x", "y"))
    values = rng.random((40, 2))
    some = Predictions(ids, ["test"] * 40, values, task, values + 1)
    numbers = cell_details(fabricate("b", predictions=some, metrics={"test": {"r2": 0.5}}))
    assert [p["target"] for p in numbers["parity"]] == ["x", "y"]
    assert numbers["parity"][0]["points"][0] == [rounded(values[0, 0] + 1), rounded(values[0, 0])]


def test_what_is_lacking_or_damaged_is_told(fabricate: Callable[..., Record], tmp_path: Path) -> None:
    record = fabricate("a")
    (record.path / NPZ).write_bytes(b"PK")
    (record.path / HISTORY).write_text("a,b\n1,x\n")
    (tmp_path / "no.png").write_bytes(b"GIF89a")
    (tmp_path / "x.svg").write_text("<svg onload=alert(1)>")
    cell = cell_details(record, tmp_path)
    said = " ".join(cell["notes"])
    assert "the predictions cannot be read" in said and "history.csv cannot be read" in said
    assert str(tmp_path) not in said
    assert "no.png is left out: no PNG" in said and cell["pictures"] == []
    assert page_of(build([record])).count("no PNG") == 0  # pictures lie in figures/ alone


def test_a_search_reports_its_steps_again(fabricate: Callable[..., Record]) -> None:
    record = fabricate("a")
    (record.path / HISTORY).write_text("step,validation_loss\n1,0.5\n2,0.4\n1,0.3\n2,\n")
    curves = cell_details(record)["curves"]
    assert curves["title"] == "report" and curves["x"] == [1, 2, 3, 4]
    assert curves["series"] == [["validation_loss", [0.5, 0.4, 0.3, None]]]


def test_many_classes_are_told_by_their_confusions(monkeypatch: pytest.MonkeyPatch, evil: Any) -> None:
    monkeypatch.setattr("hmcbench.report.page.details.MOST_CLASSES", 2)
    level = cell_details(evil.records[2])["levels"][1]
    assert "matrix" not in level
    counts = [count for _, _, count in level["pairs"]]
    assert counts == sorted(counts, reverse=True) and sum(counts) > 60


def test_more_cells_than_a_page_can_hold(monkeypatch: pytest.MonkeyPatch, evil: Any) -> None:
    monkeypatch.setattr("hmcbench.report.page.render.MOST_CELLS", 1)
    page = page_of(evil.boards)
    assert len(data_of(page)["cells"]) == 1 and "Details of 2 cells are left to their records" in page


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.123456789, 0.123457),
        (1e20, 1e20),
        (3.0, 3),
        (float("nan"), None),
        (None, None),
        (True, None),
        (1234567.8, 1234570),
    ],
)
def test_rounded(value: Any, expected: Any) -> None:
    assert rounded(value) == expected
