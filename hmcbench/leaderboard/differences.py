"""How far every model stands from one reference model, pair by pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hmcbench.leaderboard.board import Column, Difference
from hmcbench.leaderboard.statistics import Estimate, compare, difference_interval, holm

MEASURES = 3  # the first columns of the board: those a suite cares for most


def differences(
    reference: str,
    quality: Mapping[str, Mapping[str, Estimate]],
    columns: Sequence[Column],
    most: int = 0,
) -> list[Difference]:
    """Differences of the first scores to the reference model; nothing if that has no row.

    Rows share their bootstrap draws, so what is resampled is the difference on the same samples.
    p-values are Holm-adjusted over all differences of the block.

    Args:
        reference: label of a model of the board.
        quality: label -> column id -> estimate.
        columns: of the board.
        most: compare this many columns, whatever their style, instead of the first three scores.
    """
    base = quality.get(reference, {})
    wanted = [c.id for c in columns if (most or c.style == "score") and c.better and c.id in base]
    wanted = wanted[: most or MEASURES]
    found = [
        _difference(label, name, estimates[name], base[name])
        for label, estimates in quality.items()
        for name in wanted
        if label != reference and name in estimates
    ]
    known = [i for i, row in enumerate(found) if row.p is not None]
    for i, p in zip(known, holm([found[i].p or 0.0 for i in known]), strict=True):
        found[i].p = float(p)
    return found


def _difference(label: str, metric: str, a: Estimate, b: Estimate) -> Difference:
    low, high = difference_interval(a, b) or (None, None)
    return Difference(label, metric, a.mean - b.mean, low, high, compare(a, b))
