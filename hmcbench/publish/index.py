"""The index of published results: a card per board, or one per suite of many, as Markdown and as a page."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from hmcbench.errors import BadInput
from hmcbench.files import sweep_temporary, write_atomic
from hmcbench.leaderboard.render.text import distinctions, number
from hmcbench.leaderboard.render.text import markdown as esc
from hmcbench.report.page import Card, index_page

README, PAGE = "README.md", "index.html"
CARDS = 4  # a suite with more boards has one card


def index_text(target: Path) -> str:
    """``README.md`` of the target: a section per card of every suite published there."""
    intro = "Written by `hmcbench publish`. The records lie beside each table."
    return "\n\n".join(["# Published results", intro, *map(_section, _cards(target, README))]) + "\n"


def index_html(target: Path) -> str:
    """The same as an HTML page that links to the pages of the suites."""
    return index_page("Published results", _cards(target, PAGE))


def check_index(target: Path, written: Collection[Path]) -> None:
    """Raise BadInput where the boards of another suite cannot be read; ``written``: folders written anew."""
    for path in sorted(target.glob("*/leaderboard.json")):
        if path.parent in written:
            continue
        try:
            _cards_of(path, README)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise BadInput(
                f"{path} cannot be read ({type(error).__name__}: {error})",
                hint=f"hmcbench publish {path.parent} --to {target} writes it anew",
            ) from None


def write_index(target: Path) -> list[Path]:
    """Write both; the files written."""
    sweep_temporary(target)
    write_atomic(target / README, index_text(target))
    write_atomic(target / PAGE, index_html(target))
    return [target / README, target / PAGE]


def _section(card: Card) -> str:
    question = f"*{esc(card.question)}*\n\n" if card.question else ""
    lines = "\n".join(f"- {esc(line)}" for line in card.lines)
    return f"## [{esc(card.heading)}]({card.address})\n\n{question}{lines}"


def _cards(target: Path, file: str) -> list[Card]:
    """The cards of all suites; ``file`` is the one in its folder that they link to."""
    return [card for path in sorted(target.glob("*/leaderboard.json")) for card in _cards_of(path, file)]


def _cards_of(path: Path, file: str) -> list[Card]:
    """A card per board of a suite, or one where it has many.

    The heading has what distinguishes a board from the others of its suite.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    boards = content["boards"]
    traits = [board.get("traits") or {"data": board.get("data", "")} for board in boards]
    address = f"{path.parent.name}/{file}"
    of_version: dict[str, list[tuple[int, str]]] = {}
    for place, (board, parts) in enumerate(zip(boards, distinctions(traits), strict=True)):
        heading, words = f"{board['suite']} {board['version']}", ", ".join(parts)
        of_version.setdefault(heading, []).append((place, words))
    out = []
    for heading, places in of_version.items():
        if len(places) > CARDS:
            lines = [*_across(content.get("across") or ()), *_short_lines(boards, places)]
            question = boards[places[0][0]].get("question", "")
            out.append(Card(f"{heading}: {len(places)} boards", address, places[0][0], question, lines))
            continue
        for place, words in places:
            title, board = f"{heading}: {words}" if words else heading, boards[place]
            out.append(Card(title, address, place, board.get("question", ""), _lines(board)))
    return out


def _across(comparisons: Sequence[Mapping[str, Any]]) -> list[str]:
    """The mean ranks over datasets, a line per comparison."""
    return [
        f"mean ranks of {c['metric']} over {len(c['datasets'])} datasets: "
        + ", ".join(f"{model} {rank:.2f}" for model, rank in zip(c["models"], c["ranks"], strict=True))
        for c in comparisons
    ]


def _short_lines(boards: Sequence[Mapping[str, Any]], places: Sequence[tuple[int, str]]) -> list[str]:
    """A line per board: what distinguishes it, and the first row."""
    return [f"{words}: {_first(boards[place])}" for place, words in places]


def _lines(board: Mapping[str, Any]) -> list[str]:
    """Data, samples and split; the models and the first row."""
    kind = "synthetic samples" if board["synthetic"] else "real samples"
    size = f"{board['samples']:,} {kind}" if board.get("samples") else kind
    models = len({row["model"] for row in board["rows"]})
    setting = (
        f"{board['dataset']}: {size}, {board.get('division') or 'one split'}, profile {board['profile']}"
    )
    return [setting, f"{models} model{'s' * (models != 1)}; {_first(board)}"]


def _first(board: Mapping[str, Any]) -> str:
    """The first row with its interval, and how many cannot be told apart from it."""
    row = next((row for row in board["rows"] if row["rank"] == 1), None)
    if row is None:
        return "no row is complete"
    style = next((c["style"] for c in board["columns"] if c["id"] == board["primary"]), "number")
    cell = row["cells"][board["primary"]]
    ends = [number(cell[end], style) for end in ("low", "high") if cell[end] is not None]
    interval = f" [{', '.join(ends)}]" if ends else ""
    near = len(board.get("not_told_apart", ()))
    unsure = f", not told apart from {near} other{'s' * (near > 1)}" if near else ""
    return f"first is {row['model']} with {board['primary']} {number(cell['mean'], style)}{interval}{unsure}"
