"""The index of published results: a line per board, as Markdown and as a page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tabulate import tabulate

from hmcbench.files import write_atomic
from hmcbench.leaderboard.render.text import markdown as esc
from hmcbench.leaderboard.render.text import number
from hmcbench.report.page import index_page

README, PAGE = "README.md", "index.html"
HEAD = ("suite", "data", "profile", "first by mean", "value", "models")


def index_text(target: Path) -> str:
    """``README.md`` of the target: one line per board of every suite published there."""
    lines = [
        [f"[{esc(line[0])}]({folder}/{README})", *map(esc, line[1:])] for folder, line in _index_lines(target)
    ]
    table = tabulate(lines, headers=HEAD, tablefmt="pipe", disable_numparse=True)
    intro = "Written by `hmcbench publish`. The records lie beside each table."
    return f"# Published results\n\n{intro}\n\n{table}\n"


def index_html(target: Path) -> str:
    """The same as an HTML page that links to the pages of the suites."""
    lines = [[(line[0], f"{folder}/{PAGE}"), *line[1:]] for folder, line in _index_lines(target)]
    return index_page("Published results", HEAD, lines)


def write_index(target: Path) -> list[Path]:
    """Write both; the files written."""
    write_atomic(target / README, index_text(target))
    write_atomic(target / PAGE, index_html(target))
    return [target / README, target / PAGE]


def _index_lines(target: Path) -> list[tuple[str, list[str]]]:
    """(folder, cells as plain text) of every board."""
    out = []
    for path in sorted(target.glob("*/leaderboard.json")):
        boards = json.loads(path.read_text(encoding="utf-8"))["boards"]
        out += [(path.parent.name, _index_line(board)) for board in boards]
    return out


def _index_line(board: Mapping[str, Any]) -> list[str]:
    first = next((row for row in board["rows"] if row["rank"] == 1), None)
    style = next((c["style"] for c in board["columns"] if c["id"] == board["primary"]), "number")
    value = number(first["cells"][board["primary"]]["mean"], style) if first else "-"
    return [
        f"{board['suite']} {board['version']}",
        board.get("data", board["dataset"]) + (" (synthetic)" if board["synthetic"] else ""),
        board["profile"],
        first["model"] if first else "-",
        f"{board['primary']} {value}",
        str(len({row["model"] for row in board["rows"]})),
    ]
