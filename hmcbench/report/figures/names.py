"""Names of files: figures that would have the same name get what tells them apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hmcbench.leaderboard.board import Board
from hmcbench.leaderboard.render.text import distinctions
from hmcbench.records.record import slug


def told_apart(names: Sequence[str], traits: Sequence[Mapping[str, str]]) -> list[str]:
    """The names, without endings; to those that occur more than once is added what tells them apart.

    That is the first of their traits in which they differ, else a number.

    Args:
        names: of n figures.
        traits: of each, name -> words, as :attr:`hmcbench.leaderboard.board.Board.traits`.

    >>> told_apart(["a", "b", "b"], [{}, {"version": "version 1"}, {"version": "version 2"}])
    ['a', 'b-version-1', 'b-version-2']
    >>> told_apart(["a", "a"], [{}, {}])
    ['a', 'a-2']
    """
    longer = list(names)
    for name in {name for name in names if names.count(name) > 1}:
        alike = [i for i, other in enumerate(names) if other == name]
        for i, words in zip(alike, distinctions([traits[i] for i in alike]), strict=True):
            longer[i] = f"{name}-{slug('-'.join(words))}" if words else name
    taken: list[str] = []
    for name in longer:
        numbered = (f"{name}-{k}" for k in range(2, len(taken) + 3))
        taken.append(next(free for free in (name, *numbered) if free not in taken))
    return taken


def board_traits(board: Board) -> dict[str, str]:
    """What may distinguish a board from others, also from those of other suites."""
    return {"suite": f"suite {board.suite}", **board.traits}
