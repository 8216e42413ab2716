"""The pictures of a published suite: which there are, where they come from, and where pages show them.

Boards have a picture each; of records, the first cell of every board's first model is drawn, and
what ``hmcbench figures`` has drawn of the others is copied. Pictures that show samples are published
of synthetic data only: whether others may be shown, the data's licence says, and no program reads it.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from hmcbench.leaderboard.boards import Boards
from hmcbench.leaderboard.render.text import markdown as esc
from hmcbench.records.record import Record
from hmcbench.registry.registry import default_registry
from hmcbench.report.figures.boards import board_figures, draw_boards
from hmcbench.report.figures.record import draw_record
from hmcbench.report.page.details import DRAWN
from hmcbench.report.page.render import FIGURES


def copy_drawn(found: Sequence[Record], folder: Path) -> None:
    """Copy what was drawn beside the runs' records, but nothing that shows samples or truth of others."""
    for record in found:
        source = record.path.parent.parent / FIGURES / record.path.name
        data = record.data["dataset"]
        for path in sorted(source.glob("*.png")) if record.ok else ():
            shared = data.get("share_targets", True) or path.stem == "training-curves"
            if shared and (data.get("synthetic") or DRAWN.fullmatch(path.stem)):
                there = folder / FIGURES / record.path.name
                there.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, there / path.name)


def draw(folder: Path, boards: Boards) -> list[Path]:
    """Draw the boards, and the first cell of each board's first model, from published records.

    What was drawn of boards or records that are gone is removed.
    """
    place = folder / FIGURES
    place.mkdir(exist_ok=True)
    known = {record.path.name for record in boards.records}
    for old in place.iterdir():
        if old.is_dir() and old.name not in known:
            shutil.rmtree(old)
        elif old.is_file() and old.name not in board_figures(boards):
            old.unlink()
    written = draw_boards(boards, place)
    for record in first_cells(boards):
        made, _ = draw_record(record, place / record.path.name, default_registry(), {}, pictures=False)
        written += made
    return written


def first_cells(boards: Boards) -> list[Record]:
    """Of every board, the first cell (fold, then seed) of the model that ranks first."""
    out = []
    for board in boards:
        keys = {key for row in board.rows if row.rank == 1 for key in row.keys}
        cells = sorted((r for r in boards.records if r.key in keys), key=lambda r: r.fold_seed)
        out += cells[:1]
    return out


def figures_text(folder: Path, boards: Boards) -> str:
    """Markdown that shows the pictures that are there; empty without any."""
    lines = []
    for name, caption in board_figures(boards).items():
        if (folder / FIGURES / name).is_file():
            lines.append(f"![{esc(caption)}]({FIGURES}/{name})")
    for record in first_cells(boards):
        place = folder / FIGURES / record.path.name
        names = [path.name for path in sorted(place.glob("*.png")) if DRAWN.fullmatch(path.stem)]
        label = f"{record.label}, fold {record.fold}, seed {record.seed}"
        lines += [
            f"![{esc(label)}: {name.removesuffix('.png')}]({FIGURES}/{place.name}/{name})" for name in names
        ]
    return "## Figures\n\n" + "\n\n".join(lines) + "\n" if lines else ""
