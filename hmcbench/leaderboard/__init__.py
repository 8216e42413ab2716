"""The leaderboard: records in, tables out. See docs/leaderboard.md for how to read one.

Nothing here runs a model or reads a data set; whatever a table says is in the records. Each
name is imported when first used: only :func:`print_console` draws with rich.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hmcbench.leaderboard.aggregate import build
    from hmcbench.leaderboard.block import to_block, with_columns, write_block
    from hmcbench.leaderboard.board import Board
    from hmcbench.leaderboard.console import print_console
    from hmcbench.leaderboard.csv_json import to_csv, to_json
    from hmcbench.leaderboard.files import boards_of, write_boards
    from hmcbench.leaderboard.latex import to_latex
    from hmcbench.leaderboard.markdown import to_markdown

_WHERE = {
    "Board": "board",
    "boards_of": "files",
    "build": "aggregate",
    "print_console": "console",
    "to_block": "block",
    "to_csv": "csv_json",
    "to_json": "csv_json",
    "to_latex": "latex",
    "to_markdown": "markdown",
    "with_columns": "block",
    "write_block": "block",
    "write_boards": "files",
}
__all__ = [
    "Board",
    "boards_of",
    "build",
    "print_console",
    "to_block",
    "to_csv",
    "to_json",
    "to_latex",
    "to_markdown",
    "with_columns",
    "write_block",
    "write_boards",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
