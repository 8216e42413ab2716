from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable

from rich.console import Console

from hmcbench.leaderboard.build import build
from hmcbench.leaderboard.render.console import _folded, print_console
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


def test_titles_fold_at_underscores_and_spaces() -> None:
    assert _folded("level1_accuracy ↑") == "level1_\naccuracy ↑"
    assert _folded("fit (s) ↓") == "fit (s) ↓"


def test_rich_is_imported_only_for_drawing() -> None:
    code = (
        "import sys; from hmcbench.leaderboard import build, files;"
        "from hmcbench.leaderboard.render import csv_json, latex, markdown;"
        "print('rich' in sys.modules, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
