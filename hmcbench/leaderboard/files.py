"""The leaderboard of a suite's folder: read its records, write its tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from hmcbench.files import write_atomic
from hmcbench.leaderboard.board import Board
from hmcbench.leaderboard.build import build
from hmcbench.leaderboard.intervals import Intervals
from hmcbench.leaderboard.render.csv_json import to_csv, to_json
from hmcbench.leaderboard.render.markdown import to_markdown
from hmcbench.records.record import Record, read_all
from hmcbench.records.suite_file import read_info


def boards_of(folder: Path, known: Iterable[Record] = ()) -> list[Board]:
    """The boards of ``folder/records``, with the columns, published rows and cells of its suite, and with
    the intervals that were kept there. Records that are ``known`` are not read again.
    """
    info = read_info(folder)
    expected = [*info.get("cells", ()), *info.get("not_applicable", ())] if info else None
    return build(read_all(folder / "records", known), info, expected, intervals=Intervals.read(folder))


def write_boards(folder: Path, boards: Sequence[Board], markdown: str = "leaderboard.md") -> list[Path]:
    """Write the Markdown file, ``leaderboard.csv`` and ``leaderboard.json``, each whole or not at all."""
    texts = {
        markdown: to_markdown(boards),
        "leaderboard.csv": to_csv(boards),
        "leaderboard.json": to_json(boards),
    }
    for name, content in texts.items():
        write_atomic(folder / name, content)
    return [folder / name for name in texts]
