"""Puts the published leaderboard of ``sem-failure`` between the markers in README.md, shortened.

``python docs/make_board.py`` writes; a test checks that the README says what ``results/`` holds.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tabulate import tabulate

ROOT = Path(__file__).parents[1]
BOARD = ROOT / "results" / "sem-failure" / "leaderboard.json"
README = ROOT / "README.md"
BLOCK = re.compile(r"<!-- board -->\n.*?<!-- /board -->", re.DOTALL)
COLUMNS = {
    "hf1_samples": "hF1",
    "level1_accuracy": "level 1",
    "level2_accuracy": "level 2",
    "hf1_samples@shifted": "hF1, shifted set",
}


def shown(cell: dict[str, Any] | None) -> str:
    """Mean and interval; bold where the board marks it as the best."""
    if not cell or cell["mean"] is None:
        return "-"
    value = f"{cell['mean']:.3f}"
    interval = f" [{cell['low']:.3f}, {cell['high']:.3f}]" if cell["low"] is not None else ""
    return (f"**{value}**" if cell["best"] else value) + interval


def table() -> str:
    """The block's Markdown, from the published JSON alone."""
    (board,) = json.loads(BOARD.read_text(encoding="utf-8"))["boards"]
    rows = []
    for row in board["rows"]:
        (costs,) = list(row["costs"].values())[:1] or [{}]
        seconds = (costs.get("total_s") or {}).get("mean")
        rows.append(
            [row["rank"] or "-", f"`{row['model']}`"]
            + [shown(row["cells"].get(name)) for name in COLUMNS]
            + [f"{seconds:.0f}" if seconds is not None else "-"]
        )
    head = ["#", "model", *COLUMNS.values(), "whole cell (s)"]
    lines = tabulate(rows, headers=head, tablefmt="pipe", disable_numparse=True)
    (hardware,) = board["hardware"].values()
    return (
        f"Suite `{board['suite']}` version {board['version']}, profile `{board['profile']}`, "
        f"**synthetic data**, 95 % intervals; {hardware}.\n"
        f"The whole table: [results/sem-failure](results/sem-failure/README.md).\n\n{lines}\n"
    )


def text() -> str:
    """README.md with the block as it should be."""
    block = f"<!-- board -->\n{table()}<!-- /board -->"
    return BLOCK.sub(lambda _: block, README.read_text(encoding="utf-8"))


if __name__ == "__main__":
    README.write_text(text(), encoding="utf-8")
