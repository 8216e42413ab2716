"""Names of rows: two models of one board never share one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping


def unique_names(boards: Collection[Mapping[str, str]]) -> dict[str, str]:
    """Model -> the name of its row, the same on all boards.

    A model is called as its records call it where it should have other names on other boards, or where
    another model of a board would have its name.

    Args:
        boards: of each, the models as records call them -> the names that their rows should have.

    >>> unique_names([{"net": "small", "net[epochs=16]": "large"}, {"net": "small"}])
    {'net': 'small', 'net[epochs=16]': 'large'}
    >>> unique_names([{"net": "small", "net[epochs=16]": "large"}, {"net": "large"}])
    {'net': 'net', 'net[epochs=16]': 'large'}
    >>> unique_names([{"net": "small", "net[epochs=16]": "small"}])
    {'net': 'net', 'net[epochs=16]': 'net[epochs=16]'}
    """
    wanted: dict[str, set[str]] = {}
    for board in boards:
        for model, name in board.items():
            wanted.setdefault(model, set()).add(name)
    names = {model: min(of_it) if len(of_it) == 1 else model for model, of_it in wanted.items()}
    while shared := {model for board in boards for model in _sharing(board, names)}:
        names |= {model: model for model in shared}
    return names


def _sharing(board: Mapping[str, str], names: Mapping[str, str]) -> list[str]:
    """The models of a board that have the name of another one, but for the one that records call so."""
    counts = Counter(names[model] for model in board)
    return [model for model in board if counts[names[model]] > 1 and names[model] != model]
