"""Which model one would have taken, had the test side never been opened."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from hmcbench.leaderboard.grouping import RowRecords
from hmcbench.records.record import Record

Sided = dict[int, list[tuple[float, float]]]  # fold -> (validation, test) of every seed


def chosen(rows: Sequence[RowRecords], primary: str, better: str) -> str:
    """``timm:resnet10t (validation 0.961): test 0.955, mean of 5 folds; ...``, or nothing.

    The choice is by the mean over folds and seeds on validation. Over folds, it is also made in each
    fold anew, by that fold's validation side alone: an estimate of the whole procedure, choice
    included [Cawley & Talbot 2010]. A model that was fitted on validation samples too has no score
    there, and cannot be chosen.

    Args:
        rows: models with all their cells; those that lack a fold of the others are not eligible.
        primary: id of the metric that decides, as it stands in the records of both sides.
        better: ``higher`` or ``lower``.
    """
    blind = [row.label for row in rows if any(_saw_validation(record) for record in row.ok)]
    held = [row for row in rows if row.label not in blind]
    found = {row.label: sides for row in held if (sides := _sides(row.ok, primary))}
    folds = {fold for sides in found.values() for fold in sides}
    found = {label: sides for label, sides in found.items() if set(sides) == folds}
    if len(found) < 2 or better not in ("higher", "lower"):
        return ""
    best = max if better == "higher" else min
    label = best(sorted(found), key=lambda name: _mean(found[name], folds, 0))
    over = f", mean of {len(folds)} folds" if len(folds) > 1 else ""
    valid, test = (_mean(found[label], folds, side) for side in (0, 1))
    text = f"{label} (validation {primary} {valid:.3f}): test {test:.3f}{over}"
    if len(folds) > 1:
        taken = {f: found[best(sorted(found), key=lambda name: _mean(found[name], {f}, 0))] for f in folds}
        text += f"; chosen in each fold anew: test {fmean(_mean(taken[f], {f}, 1) for f in folds):.3f}"
    if blind:
        text += f"; not to be chosen, as they were fitted on validation too: {', '.join(blind)}"
    return text


def _saw_validation(record: Record) -> bool:
    return "validation" in str(record.data["model"].get("fitted_on") or "")


def _sides(records: Sequence[Record], primary: str) -> Sided:
    found: Sided = {}
    for record in records:
        values = [record.metrics(side).get(primary) for side in ("validation", "test")]
        numbers = [float(value) for value in values if isinstance(value, (int, float))]
        if len(numbers) == 2:
            found.setdefault(record.fold, []).append((numbers[0], numbers[1]))
    return found


def _mean(sides: Sided, folds: set[int], side: int) -> float:
    """The mean over folds of the mean over seeds."""
    return fmean(fmean(pair[side] for pair in sides[fold]) for fold in folds)
