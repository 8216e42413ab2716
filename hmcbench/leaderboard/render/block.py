"""A board inside a user's page: a table between two markers; the rest of the page stays unchanged."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tabulate import tabulate

from hmcbench.errors import BadInput, unknown
from hmcbench.files import replacing
from hmcbench.leaderboard.board import Board, Column
from hmcbench.leaderboard.boards import Boards
from hmcbench.leaderboard.columns import ids_of, stored_ids
from hmcbench.leaderboard.render import text
from hmcbench.leaderboard.render.markdown import answer_parts
from hmcbench.leaderboard.render.markdown import value as markdown_value
from hmcbench.leaderboard.render.text import markdown as esc
from hmcbench.metrics.builtin import SPECS
from hmcbench.metrics.ids import refuse_former

RESCORE = "hmcbench rescore RUNS stores the values of metrics that were installed later"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def with_columns(boards: Boards, ids: Sequence[str]) -> Boards:
    """Boards with only these columns and costs, in this order; a board may lack some of them.

    Args:
        ids: read by :func:`hmcbench.leaderboard.columns.ids_of`.

    Raises:
        BadInput: an id that no board has and no record stores; the nearest stored ones are listed.
    """
    shown = {column.id: None for board in boards for column in (*board.columns, *board.cost_columns)}
    for name in ids:
        if not ids_of(name, shown):
            refuse_former(SPECS, name)
            known = shown | stored_ids(boards.records)
            raise unknown("column", name, known, RESCORE, nearest_first=True)

    def chosen(columns: Sequence[Column]) -> list[Column]:
        by_id = {column.id: column for column in columns}
        return list({i: by_id[i] for name in ids for i in ids_of(name, by_id)}.values())

    chosen_boards = []
    for board in boards:
        columns = chosen(board.columns)
        rules = [table for table in board.rules if table.metric in {column.id for column in columns}]
        costs = chosen(board.cost_columns)
        chosen_boards.append(replace(board, columns=columns, cost_columns=costs, rules=rules))
    return Boards(chosen_boards, boards.records)


def check_primary(boards: Boards, primary: str) -> None:
    """Raise BadInput for a metric that ranks no board; the nearest stored ones are listed."""
    if primary and not any(board.primary == primary for board in boards):
        refuse_former(SPECS, primary)
        stored = stored_ids(boards.records, "test")
        raise unknown("metric", primary, stored, RESCORE, nearest_first=True)


def to_block(boards: Sequence[Board]) -> str:
    """Markdown without headings: per board its title and answer, and quality and costs in one table.

    Costs of several kinds of hardware are not comparable and left out.
    """
    return "\n\n".join(_board(board) for board in boards) or "No records."


def _board(board: Board) -> str:
    parts = [f"**{esc(board.title)}**", *answer_parts(board)]
    marks = list(board.hardware) if board.cost_columns else []
    costs = board.cost_columns if len(marks) == 1 else []
    remarks = [esc(text.remarks_text(board, row)) for row in board.rows]
    head = ["#", "model", *(esc(text.title_text(c)) for c in (*board.columns, *costs))]
    lines = []
    for row, remark in zip(board.rows, remarks, strict=True):
        row_costs = row.costs.get(marks[0], {}) if costs else {}
        cells = [(row.cells.get(c.id), c) for c in board.columns] + [(row_costs.get(c.id), c) for c in costs]
        line = [text.rank_text(row), esc(row.shown), *(markdown_value(*pair) for pair in cells)]
        lines.append(line + ([remark] if any(remarks) else []))
    align = ("right", "left", *("right" for _ in range(len(head) - 2)))
    if any(remarks):
        head, align = [*head, "remarks"], (*align, "left")
    parts.append(tabulate(lines, headers=head, tablefmt="pipe", disable_numparse=True, colalign=align))
    where = f"; costs on {esc(board.hardware[marks[0]])}" if costs else ""
    return "\n\n".join([*parts, f"Means with 95 % intervals{where}."])


def replaced(page: str, name: str, block: str, where: str = "the page") -> str:
    """``page`` with ``block`` between the lines ``<!-- name -->`` and ``<!-- /name -->``.

    Raises:
        BadInput: an invalid name, or markers that are missing, repeated or in the wrong order.
    """
    if not _NAME.fullmatch(name):
        raise BadInput(f"--marker {name!r}", allowed="letters, digits, '.', '_' and '-'")
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    lines = page.splitlines(keepends=True)
    places = []
    for marker in (begin, end):
        positions = [i for i, line in enumerate(lines) if line.strip() == marker]
        if not positions:
            allowed = f"the lines {begin} and {end}, each alone on its line"
            raise BadInput(f"{where} has no line {marker}", allowed=allowed)
        if len(positions) > 1:
            where_ = " and ".join(str(i + 1) for i in positions[:2])
            raise BadInput(
                f"{where} has the line {marker} {len(positions)} times (lines {where_})", allowed="one"
            )
        places.append(positions[0])
    first, last = places
    if last < first:
        raise BadInput(f"{where}: {end} (line {last + 1}) is before {begin} (line {first + 1})")
    ending = "\r\n" if lines[first].endswith("\r\n") else "\n"
    inner = ending.join(["", *block.strip("\n").split("\n"), "", ""])
    return "".join([*lines[: first + 1], inner, *lines[last:]])


def write_block(path: Path, name: str, block: str) -> bool:
    """Replace the block in a file in one step; False where nothing changes.

    Raises:
        BadInput: a file that cannot be read as UTF-8 text, or see :func:`replaced`.
    """
    try:
        page = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise BadInput(
            f"--into {path} cannot be read ({error.strerror})", allowed="a Markdown file"
        ) from None
    except UnicodeDecodeError:
        raise BadInput(f"--into {path} is not UTF-8 text", allowed="a Markdown file") from None
    updated = replaced(page, name, block, str(path))
    if updated == page:
        return False
    target = path.resolve()
    with replacing(target) as temporary:
        temporary.write_bytes(updated.encode("utf-8"))
        shutil.copymode(target, temporary)
    return True
