"""Verdicts on published values: reproduced, better, not reproduced, undecided, or not testable.

A published value is one training on one split. It is compared with the interval in which the value of one
further split of ours lies (:func:`hmcbench.leaderboard.inference.prediction_interval`), and the values of a
row are judged together: all of them lie within their intervals with a probability of 95 %. An interval that
is wide holds the value of many a worse model too, so beyond a margin nothing is decided.

A row can only be tested on its own data and under its own conditions; otherwise the verdict is "not
testable" with the reasons, whatever the numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from hmcbench.interfaces import MetricSpec
from hmcbench.leaderboard.board import Board, Column, Row, Verdict
from hmcbench.leaderboard.columns import column_of
from hmcbench.leaderboard.inference import Estimate, prediction_interval
from hmcbench.leaderboard.render.text import clean, number, published_text
from hmcbench.leaderboard.statistics import LEVEL

REPRODUCED, BETTER, NOT = "reproduced", "better", "not reproduced"
UNDECIDED, UNTESTABLE = "undecided", "not testable"
MARGIN = 0.05
"""The widest half-width with which a value is reproduced: absolute for scores, else relative to the value."""


def joint_level(values: int) -> float:
    """The level of each of several intervals that hold all values with 95 % [Sidak 1967].

    >>> round(joint_level(9), 4)
    0.9943
    """
    return float(LEVEL ** (1 / max(values, 1)))


def value_verdict(
    published: float,
    interval: tuple[float, float] | None,
    better: str,
    digits: int,
    high: float | None,
    margin: float = MARGIN,
) -> str:
    """The verdict on one value.

    Args:
        published: NaN where the paper has none.
        interval: of one further split; None where it cannot be computed, so that nothing is decided.
        better: ``higher`` or ``lower``; empty: beyond the interval nothing is decided.
        digits: decimals that the paper prints.
        high: the upper bound of the metric; None for unbounded.
        margin: the widest half-width with which a value is reproduced.
    """
    if math.isnan(published):
        return UNTESTABLE
    if interval is None:
        return UNDECIDED
    half = 0.5 * 10.0**-digits
    low, top = interval
    if low <= published + half and top >= published - half:
        widest = margin if high is not None else margin * abs(published)
        return UNDECIDED if (top - low) / 2 > widest else REPRODUCED
    if not better:
        return UNDECIDED
    return BETTER if (low > published) == (better == "higher") else NOT


def row_verdict(verdicts: Sequence[str]) -> str:
    """Of a row: the first of not reproduced, better, undecided and reproduced that one of its values has."""
    return next((v for v in (NOT, BETTER, UNDECIDED, REPRODUCED) if v in verdicts), UNTESTABLE)


def verdict(
    item: Mapping[str, Any],
    board: Board,
    estimates: Mapping[str, Estimate],
    specs: Sequence[MetricSpec] = (),
) -> Verdict | None:
    """The verdict on a ``[[published]]`` row that names a measured model (``measured``); else ``None``.

    Conditions are the row's ``fingerprint`` (of the data), ``pretrained`` and ``profile``.

    Args:
        item: the row.
        board: with its rows.
        estimates: metric id -> estimate, of the measured model.
        specs: the metrics; they tell the direction and the style of what is no column of the board.
    """
    name = clean(item.get("measured"))
    if not name:
        return None
    rows = [row for row in board.rows if row.status == "ok" and row.model == name]
    row = rows[0] if rows else None
    published: Mapping[str, float] = item.get("metrics", {})
    known = {k: estimates[k] for k in published if row is not None and k in estimates}
    measured = {k: estimate.mean for k, estimate in known.items()}
    reasons = [clean(reason) for reason in _lacking(item, board, row)]
    if row is not None and not measured:
        reasons.append("the board has none of the published metrics")
    if reasons:
        return Verdict(name, UNTESTABLE, _data(board), reasons, measured)
    verdicts = {}
    for k, estimate in known.items():
        interval = prediction_interval(estimate, joint_level(len(known)))
        column = column_of(k, board.columns, specs)
        verdicts[k] = value_verdict(
            published[k], interval, column.better, _decimals(published[k]), estimate.bounds[1]
        )
        reasons += _reason(column, published[k], verdicts[k], interval, estimate)
    return Verdict(name, row_verdict(list(verdicts.values())), _data(board), reasons, measured)


def _decimals(published: float) -> int:
    """How many decimals a paper prints: four, or more where the suite gives more, as of small errors.

    >>> _decimals(0.95), _decimals(0.0000512)
    (4, 7)
    """
    exponent = Decimal(str(published)).as_tuple().exponent
    return max(4, -exponent) if isinstance(exponent, int) else 4


def _reason(
    column: Column,
    published: float,
    outcome: str,
    interval: tuple[float, float] | None,
    estimate: Estimate,
) -> list[str]:
    """Why a value is not reproduced."""
    if outcome == REPRODUCED:
        return []
    if interval is None:
        return [f"{column.id}: {_why_unknown(estimate)}"]
    ends = f"[{', '.join(number(end, column.style) for end in interval)}]"
    value = published_text(published, column.style)
    outside = f"{column.id} {value} is outside {ends}, where one split of ours lies"
    if outcome == UNDECIDED and not column.better and not interval[0] <= published <= interval[1]:
        return [f"{outside}, and has no direction"]
    if outcome == UNDECIDED:
        return [f"{column.id}: one split of ours may lie anywhere in {ends}, which is too wide"]
    return [outside]


def _why_unknown(estimate: Estimate) -> str:
    """Why nothing is known of the value of a further split."""
    if estimate.repeats is not None:
        return "all splits have the same value, which says nothing of another"
    if estimate.one_draw:
        return "trained once, so the spread is unknown"
    return "the spread over test samples is unknown"


def _lacking(item: Mapping[str, Any], board: Board, row: Row | None) -> list[str]:
    """The conditions of the published row that the run does not meet."""
    out = []
    if row is None:
        out.append("our model has no whole row here")
    fingerprint = str(item.get("fingerprint") or "")
    if not fingerprint:
        out.append("its images are not public")
    elif fingerprint != board.fingerprint:
        out.append("measured on other data")
    if item.get("pretrained") and row is not None and "pretrained" not in row.marks:
        out.append("measured without pretrained weights")
    profile = str(item.get("profile") or board.profile)
    if profile != board.profile:
        out.append(f"measured in profile {board.profile}, not {profile}")
    return out


def _data(board: Board) -> str:
    kind = "synthetic data" if board.synthetic else "data"
    return f"{board.dataset} ({kind} {board.fingerprint[:8] or 'unknown'})"
