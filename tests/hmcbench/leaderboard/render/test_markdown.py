from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from hmcbench.leaderboard.boards import Boards
from hmcbench.leaderboard.build import build
from hmcbench.leaderboard.render.markdown import to_markdown
from hmcbench.leaderboard.render.text import clean, markdown
from hmcbench.records.record import Record

GOLDEN = Path(__file__).with_name("golden")
SIZES = {"validation": 20, "test": 160, "shifted": 120}


@pytest.fixture
def golden_records(fabricate: Callable[..., Record]) -> list[Record]:
    """The committed records, with predictions made for them."""
    out = []
    for path in sorted(GOLDEN.glob("*-[0-9].json")):
        data = json.loads(path.read_text(encoding="utf-8"))
        accuracy = data["model"]["params"].get("accuracy", 0.5)
        out.append(fabricate(data["model"]["label"], accuracy, seed=data.pop("seed"), sizes=SIZES, **data))
    return out


def test_the_golden_leaderboard(golden_records: list[Record]) -> None:
    info = json.loads((GOLDEN / "suite.json").read_text(encoding="utf-8"))
    boards = build(golden_records, info, [*info["cells"], *info["not_applicable"]])
    assert to_markdown(boards) == (GOLDEN / "leaderboard.md").read_text(encoding="utf-8")


def test_nothing_that_came_from_elsewhere_is_markup(fabricate: Callable[..., Record]) -> None:
    evil = "<script>alert(1)</script> | `code` [link](http://x) ![i](y) *b* _c_ $m$ \x1b[31m\u202e\nnew line"
    pieces = {"label": evil, "name": "evil"}
    suite = {"name": evil, "primary": "hf1_samples"}
    dataset = {"name": evil, "reference": evil, "notes": [evil]}
    records = [
        fabricate(
            "evil", model=pieces, suite=suite, dataset=dataset, versions={evil: "1"}, hardware={"cpu": evil}
        ),
        fabricate("evil", seed=1, model=pieces, suite=suite, dataset=dataset, versions={evil: "2"}, git=evil),
        fabricate("e", status="failed", cause=evil, message=evil, suite=suite, dataset=dataset),
    ]
    metrics = {evil: 0.5}
    row = {"model": evil, "source": evil, "data": evil, "note": evil, "metrics": metrics}
    info = {"suite": {"name": evil, "columns": ["hf1_samples", evil]}, "published": [row]}
    text = to_markdown(build(records, info))
    for own in ("<details>", "</details>", "<summary>", "</summary>"):
        assert text.count(own) == 1
        text = text.replace(own, "")
    assert not set("\x1b\u202e<>").intersection(text)
    assert not re.search(r"(?<!\\)[`$\[]\s*(script|code|link|i|m)", text)
    tables = [line for line in text.splitlines() if line.startswith("|")]
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in tables}
    assert len(tables) > 8
    assert widths == {6, 8}  # quality and published, costs: every table keeps its number of columns


def test_what_a_search_cost_is_shown_where_a_model_searched(fabricate: Callable[..., Record]) -> None:
    title = "search, part of fit (s)"
    plain = fabricate("plain", 0.8)
    assert title not in to_markdown(build([plain]))
    tuned = fabricate("tuned", 0.9, timing={"search_s": 7.5, "search_candidates": 12})
    boards = build([plain, tuned])
    lines = to_markdown(boards).partition("### Costs")[2].splitlines()
    head, first, second = ([part.strip() for part in line.split("|")] for line in (lines[2], *lines[4:6]))
    place, tried = head.index(title), head.index("candidates tried")
    assert (first[2], first[place], first[tried]) == ("tuned", "7.5", "12")
    assert (second[2], second[place], second[tried]) == ("plain", "-", "-")


def test_a_regression_names_its_targets(fabricate: Callable[..., Record]) -> None:
    dataset = {"task": "regression", "targets": ["fatigue", "hardness"], "classes": 0, "levels": 0}
    record = fabricate("a", dataset=dataset)
    assert ("task", "regression of fatigue, hardness") in build([record])[0].facts


def test_escaping_leaves_ordinary_names_as_they_are() -> None:
    assert markdown("hf1_samples 0.9 HFF_CNN_VT a/b-c") == "hf1_samples 0.9 HFF_CNN_VT a/b-c"
    assert markdown("_x_ a|b <i>&") == "\\_x\\_ a\\|b &lt;i&gt;&amp;"
    assert clean(None) == ""
    assert clean(" a\n\tb\x00\u200b c ") == "a b c"


def test_no_records() -> None:
    assert to_markdown(Boards()) == "# Leaderboard\n\nNo records.\n"
