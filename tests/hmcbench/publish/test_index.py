"""The index of published results: a card per board."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hmcbench.leaderboard.build import build
from hmcbench.leaderboard.render.csv_json import to_json
from hmcbench.leaderboard.render.text import headings
from hmcbench.publish.index import index_html, index_text
from hmcbench.records.record import Record

Fabricate = Callable[..., Record]
INFO: dict[str, Any] = {"suite": {"name": "smoke", "question": "Which <b>model</b> is best?"}}


def published(target: Path, records: list[Record]) -> None:
    (target / "smoke").mkdir(parents=True)
    (target / "smoke" / "leaderboard.json").write_text(to_json(build(records, INFO)), encoding="utf-8")


def test_a_card_has_question_samples_and_the_first_row(fabricate: Fabricate, tmp_path: Path) -> None:
    made_up = {"synthetic": True}
    published(tmp_path, [fabricate("a", 0.9, dataset=made_up), fabricate("b", 0.89, dataset=made_up)])
    text, page = index_text(tmp_path), index_html(tmp_path)
    assert "## [smoke 1](smoke/README.md)\n\n*Which &lt;b&gt;model&lt;/b&gt; is best?*" in text
    for line in (
        "toy: 830 synthetic samples, one random split, profile quick",
        "2 models; first is a with hf1_samples 0.9",
        ", not told apart from 1 other",
    ):
        assert line in text and line in page
    assert page.count('<article class="card">') == 1 and "<b>" not in page


def test_boards_of_one_suite_say_what_distinguishes_them(fabricate: Fabricate, tmp_path: Path) -> None:
    def board(**split: Any) -> Record:
        return fabricate("a", split={**split, "fingerprint": str(split)})

    records = [
        board(validation=0.1),
        board(validation=0.2),
        fabricate("a", dataset={"reference": "toy[split_by=system]"}),
    ]
    published(tmp_path, records)
    text = index_text(tmp_path)
    for heading in (
        "smoke 1: toy, validation 0.1",
        "smoke 1: toy, validation 0.2",
        r"smoke 1: toy\[split_by=system\]",
    ):
        assert f"## [{heading}](smoke/README.md)" in text
    assert headings(build(records))[0] == "smoke 1: toy, profile quick, validation 0.1"


def test_boards_of_an_earlier_version_have_cards_too(fabricate: Fabricate, tmp_path: Path) -> None:
    published(tmp_path, [fabricate("a")])
    path = tmp_path / "smoke" / "leaderboard.json"
    content = json.loads(path.read_text())
    for name in ("traits", "question", "answer", "samples", "division", "not_told_apart"):
        del content["boards"][0][name]
    path.write_text(json.dumps(content))
    assert "toy: real samples, one split, profile quick" in index_text(tmp_path)


def test_a_board_without_a_complete_row(fabricate: Fabricate, tmp_path: Path) -> None:
    published(tmp_path, [fabricate("a", status="failed", cause="nan")])
    assert "1 model; no row is complete" in index_text(tmp_path)


def test_a_suite_of_many_boards_has_one_card(fabricate: Fabricate, tmp_path: Path) -> None:
    """19 cards of one suite hid all others."""
    records = [
        fabricate(model, accuracy, dataset={"name": f"set-{i}", "fingerprint": f"{i}" * 64})
        for i in range(5)
        for model, accuracy in (("a", 0.9), ("b", 0.6), ("c", 0.3))
    ]
    published(tmp_path, records)
    text, page = index_text(tmp_path), index_html(tmp_path)
    assert "## [smoke 1: 5 boards](smoke/README.md)" in text and text.count("## [") == 1
    assert "mean ranks of hf1_samples over 5 datasets: a 1.00, b 2.00, c 3.00" in text
    assert all(f"- set-{i}: first is a with hf1_samples 0." in text for i in range(5))
    assert page.count('<article class="card">') == 1 and "set-4: first is a" in page
    published(tmp_path / "few", records[:12])
    assert index_text(tmp_path / "few").count("## [smoke 1: set-") == 4
