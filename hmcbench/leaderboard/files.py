"""The leaderboard of a suite's folder: read its records, write its tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from hmcbench.files import sweep_temporary, write_atomic
from hmcbench.leaderboard.boards import Boards
from hmcbench.leaderboard.build import build
from hmcbench.leaderboard.draws import DrawCache
from hmcbench.leaderboard.intervals import Intervals
from hmcbench.leaderboard.render.csv_json import to_csv, to_json
from hmcbench.leaderboard.render.markdown import to_markdown
from hmcbench.records.record import Record, read_all
from hmcbench.records.suite_file import read_info


def boards_of(
    folder: Path, known: Iterable[Record] = (), primary: str = "", columns: Sequence[str] = ()
) -> Boards:
    """The boards of ``folder/records``, with columns, published rows, cells and kept intervals of the suite.

    Args:
        folder: of the suite; draws are cached in the cache folder.
        known: records that need not be read again.
        primary, columns: see :func:`hmcbench.leaderboard.build.build`.
    """
    info = read_info(folder)
    expected = [*info.get("cells", ()), *info.get("not_applicable", ())] if info else None
    records = read_all(folder / "records", known)
    return build(
        records,
        info,
        expected,
        intervals=Intervals.read(folder),
        cache=DrawCache.open(),
        primary=primary,
        columns=columns,
    )


def write_boards(folder: Path, boards: Boards, pages: Mapping[str, str] | None = None) -> list[Path]:
    """Write ``leaderboard.csv``, ``leaderboard.json`` and pages, each in one step.

    Args:
        folder: of the suite.
        boards: what to write.
        pages: file name -> text; ``leaderboard.md`` with the boards by default.
    """
    pages = {"leaderboard.md": to_markdown(boards)} if pages is None else pages
    texts = {**pages, "leaderboard.csv": to_csv(boards), "leaderboard.json": to_json(boards)}
    sweep_temporary(folder)
    for name, content in texts.items():
        write_atomic(folder / name, content)
    return [folder / name for name in texts]
