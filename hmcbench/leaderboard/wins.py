"""How often one model beats another in cells of the same fold and seed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from hmcbench.leaderboard.board import Win
from hmcbench.records.record import FoldSeed


def win_rates(values: Mapping[str, Mapping[FoldSeed, float]], better: str) -> list[Win]:
    """One entry per model, in the order given.

    The rate is the mean over opponents of the share of common cells in which the model is better;
    a tie counts half. Nothing for fewer than two models, two common cells, or without a direction.

    Args:
        values: model -> the metric of each of its cells.
        better: ``higher`` or ``lower``.
    """
    if len(values) < 2 or better not in ("higher", "lower"):
        return []
    common = set.intersection(*(set(cells) for cells in values.values()))
    cells = sorted(c for c in common if all(math.isfinite(v[c]) for v in values.values()))
    if len(cells) < 2:
        return []
    table = np.array([[found[c] for c in cells] for found in values.values()])
    rates = pairwise_wins(table.T, better)
    return [Win(model, float(np.delete(rates[i], i).mean()), len(cells)) for i, model in enumerate(values)]


def pairwise_wins(table: np.ndarray, better: str) -> np.ndarray:
    """(D, M) values -> (M, M): the share of the D rows in which column i beats column j; ties half.

    >>> pairwise_wins(np.array([[0.9, 0.8], [0.7, 0.7]]), "higher").tolist()
    [[0.5, 0.75], [0.25, 0.5]]
    """
    sign = -1.0 if better == "lower" else 1.0
    difference = sign * (table[:, :, None] - table[:, None, :])
    shares: np.ndarray = ((difference > 0) + 0.5 * (difference == 0)).mean(axis=0)
    return shares


def lines(wins: Sequence[Win]) -> list[list[str]]:
    """As :data:`HEAD` names them."""
    return [[win.model, f"{100 * win.rate:.0f} %", str(win.cells)] for win in wins]


HEAD = ("model", "win rate", "cells")
HEADING = "Win rates: the share of common cells (fold and seed) that a model wins, mean over opponents"
