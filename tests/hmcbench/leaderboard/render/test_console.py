from __future__ import annotations

import io
import re
import subprocess
import sys
from collections.abc import Callable, Sequence

import pytest
from rich.console import Console

from hmcbench.leaderboard.build import build
from hmcbench.leaderboard.render.console import print_console
from hmcbench.records.record import Record


def test_every_part_is_drawn_and_markup_is_not_read(fabricate: Callable[..., Record]) -> None:
    row = {"model": "P", "source": "a paper", "metrics": {"hf1_samples": 0.9639}, "data": "", "note": ""}
    records = [
        fabricate("[red]x[/red]", 0.95),
        fabricate("b", 0.5, hardware={"fingerprint": "hw2"}, git="other"),
        fabricate("c", status="failed", cause="time-out", message="ended [bold]late[/bold]"),
    ]
    out = io.StringIO()
    boards = build(records, {"suite": {"name": "smoke"}, "published": [row]})
    print_console(boards, Console(file=out, width=200))
    text = out.getvalue()
    for part in ("[red]x[/red]", "failed: time-out", "ended [bold]late[/bold]", "Published, on other data"):
        assert part in text
    for part in (
        "Costs on hardware A of 2",
        "Costs on hardware B of 2",
        "0.9639",
        "mixed code revisions",
        "[.",
    ):
        assert part in text


LABELS = ("timm:mobilenetv3_small_050[stem_stride=keep]", "forest", "prior")


def drawn(fabricate: Callable[..., Record], width: int, labels: Sequence[str] = LABELS) -> str:
    records = [fabricate(m, 0.9 - 0.2 * i, seed=s) for i, m in enumerate(labels) for s in (0, 1)]
    info = {"suite": {"name": "smoke", "question": "Which is best?", "reference": "forest"}}
    out = io.StringIO()
    print_console(build(records, info), Console(file=out, width=width))
    return out.getvalue()


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_names_and_numbers_are_whole_and_what_is_left_out_is_said(
    fabricate: Callable[..., Record], width: int
) -> None:
    text = drawn(fabricate, width, LABELS if width > 60 else ("a-model", "forest", "prior"))
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in text
    for label in LABELS if width > 60 else ("a-model", "forest", "prior"):
        assert re.search(rf"^ *\d  {re.escape(label)}  ", text, re.MULTILINE), label
    intervals = [part for line in lines for part in re.findall(r"\[\S*|\S*\]", line) if "," in part]
    assert intervals and all(re.match(r"\[[^\[\]]+,[^\[\]]+\]", part) for part in intervals if part[1] == ".")
    hidden = [name for name in ("level1_accuracy", "hf1_macro", "exact_match") if not in_head(text, name)]
    assert bool(hidden) == (width < 200)
    unwrapped = " ".join(text.split())
    for name in hidden:
        assert re.search(rf"do not fit into {width} characters; [^.]*--columns '?[^']*{name}", unwrapped), (
            name
        )


def test_thousands_in_an_interval_stay_apart(fabricate: Callable[..., Record]) -> None:
    records = [fabricate("a", seed=s, timing={"throughput_per_s": 5000.0}) for s in (0, 1)]
    out = io.StringIO()
    print_console(build(records), Console(file=out, width=120))
    assert "[5,000, 5,000]" in out.getvalue()


def in_head(text: str, name: str) -> bool:
    """Whether a column is drawn: the parts of its heading are above the rule of the first table."""
    head = text.partition("───")[0].rpartition("\n\n")[2]
    return all(part in head for part in re.findall(r"[^_]+_?", name))


def test_a_name_that_leaves_no_room_has_a_line_of_its_own(fabricate: Callable[..., Record]) -> None:
    text = drawn(fabricate, 50)
    assert re.search(rf"^1  {re.escape(LABELS[0])}$", text, re.MULTILINE)
    assert max(map(len, text.splitlines())) <= 50


def test_the_answer_comes_before_the_table_and_fingerprints_after_it(
    fabricate: Callable[..., Record],
) -> None:
    text = drawn(fabricate, 120)
    places = [
        text.index(part)
        for part in (
            "Which is best?",
            "comes first with",
            "What may change this",
            "───",
            "split fingerprints:",
        )
    ]
    assert places == sorted(places)


def test_rich_is_imported_only_for_drawing() -> None:
    code = (
        "import sys; from hmcbench.leaderboard import build, files;"
        "from hmcbench.leaderboard.render import csv_json, latex, markdown;"
        "print('rich' in sys.modules, 'torch' in sys.modules)"
    )
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert completed.stdout.split() == ["False", "False"]
