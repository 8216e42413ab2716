"""Write the published leaderboard of ``sem-failure``, shortened, between the markers in README.md.

``python docs/make_board.py`` does what this command does, for the board of profile ``quick`` alone, and adds
a link; a test compares README.md with ``results/``:

    hmcbench leaderboard results --suite sem-failure --columns ... --into README.md --marker board
"""

from __future__ import annotations

from pathlib import Path

from hmcbench.leaderboard.boards import Boards
from hmcbench.leaderboard.files import boards_of
from hmcbench.leaderboard.render.block import replaced, to_block, with_columns

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
COLUMNS = ("hf1_samples", "level1_accuracy", "level2_accuracy", "hf1_samples@shifted", "fit_s")


def text() -> str:
    """README.md with the block replaced."""
    published = boards_of(ROOT / "results" / "sem-failure")
    quick = Boards((board for board in published if board.profile == "quick"), published.records)
    boards = with_columns(quick, COLUMNS)
    link = "The whole table: [results/sem-failure](results/sem-failure/README.md)."
    return replaced(README.read_text(encoding="utf-8"), "board", f"{to_block(boards)}\n\n{link}")


if __name__ == "__main__":
    README.write_text(text(), encoding="utf-8")
