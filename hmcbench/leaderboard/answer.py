"""The answer of a board in two or three sentences, before its table."""

from __future__ import annotations

from collections.abc import Sequence

from hmcbench.leaderboard.board import Board, Difference, Row
from hmcbench.leaderboard.grouping import RowRecords
from hmcbench.leaderboard.inference import FOLDS
from hmcbench.leaderboard.render.text import clean, interval_text, number, value_text

PRIOR = "prior"
MOST_NAMED = 4
_COSTS = {"total_s": "for a whole cell", "fit_s": "to fit"}  # the first that a board has is compared


def answer(board: Board, by_row: Sequence[RowRecords], above_prior: Difference | None) -> list[str]:
    """Which rows may be the best, how far they are from the prior, which is cheapest, what may change it.

    Args:
        board: with rows, costs and ``not_told_apart``.
        by_row: its records by model.
        above_prior: the first row minus the prior, by the primary metric; None where there is no such row.
    """
    ranked = [row for row in board.rows if row.rank is not None]
    if not ranked:
        return ["No row is complete, so nothing can be said yet."]
    group = [ranked[0], *(row for row in ranked[1:] if row.model in board.not_told_apart)]
    whole_board = len(group) == len(ranked) > MOST_NAMED
    cheapest = "" if whole_board else _cheapest(board, ranked, group)
    facts = filter(None, [_above_prior(board, ranked, above_prior), cheapest])
    middle = "; ".join(facts)
    return [
        sentence
        for sentence in (
            _first(board, ranked, group, by_row),
            middle and f"{middle[0].upper()}{middle[1:]}.",
            _doubts(board, by_row),
        )
        if sentence
    ]


def names_text(names: Sequence[str], most: int = MOST_NAMED) -> str:
    """``a``, ``a and b``, ``a, b, c, d and 3 more``.

    >>> names_text(["a", "b", "c"]), names_text(["a", "b", "c", "d", "e", "f"])
    ('a, b and c', 'a, b, c, d and 2 more')
    """
    more = len(names) - most
    shown = [*names[:most], f"{more} more"] if more > 0 else list(names)
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]


def _trained_once(row: RowRecords) -> bool:
    """Whether a row has one seed on one split, or on so few folds that they are no repetition either."""
    folds = {record.fold for record in row.ok}
    repeated = len(folds) > 1 and row.ok[0].part("split").get("kind") != "kfold"
    return len({record.seed for record in row.ok}) == 1 and len(folds) < FOLDS and not repeated


def _one_draw(by_row: Sequence[RowRecords]) -> set[str]:
    """The rows that were trained once, where another seed may give another model."""
    return {
        clean(row.label) for row in by_row if row.ok and _trained_once(row) and not row.ok[0].deterministic
    }


def _first(board: Board, ranked: Sequence[Row], group: Sequence[Row], by_row: Sequence[RowRecords]) -> str:
    """The first row with its value, and the rows that cannot be told apart from it."""
    first, column = ranked[0], board.primary_column
    cell = first.cells[board.primary]
    value = " ".join(filter(None, (column.title, value_text(cell, column), interval_text(cell, column))))
    if len(ranked) == 1:
        return f"{first.shown} is the only complete row: {value}."
    text = f"{first.shown} comes first with {value}"
    if len(group) == 1:
        return f"{text}, and differs from every other row."
    ended, one_draw = [row for row in by_row if row.ok], _one_draw(by_row)
    once = all(map(_trained_once, ended))
    chance = first.model in one_draw or all(row.model in one_draw for row in ranked[1:])
    if once and chance and len(group) == len(ranked):
        if any(len(row.ok) > 1 for row in ended):
            return f"{text}, but one seed on fewer than {FOLDS} folds does not tell models apart."
        return f"{text}, but every model was trained once, and one training does not tell models apart."
    if len(group) == len(ranked) > MOST_NAMED:
        return f"{text}, but cannot be told apart from any of the other {len(ranked) - 1} rows."
    return f"{text}, but cannot be told apart from {names_text([row.model for row in group[1:]])}."


def is_prior(row: Row) -> bool:
    return PRIOR in (row.reference, row.model)


def _above_prior(board: Board, ranked: Sequence[Row], above: Difference | None) -> str:
    """By how much the first row beats the prior, on the same samples."""
    prior = next((row for row in ranked if is_prior(row)), None)
    if prior is None or len(ranked) == 1:
        return ""
    if prior is ranked[0]:
        return "no model is ahead of the prior, which gives every sample the same answer"
    if above is None:
        return ""
    column = board.primary_column
    side = "below" if column.better == "lower" else "above"
    text = number(abs(above.mean), column.style)
    the_prior = f"{side} the prior ({value_text(prior.cells[board.primary], column)})"
    if above.low is None or above.high is None:
        return f"it is {text} {the_prior}"
    if above.low <= 0 <= above.high:
        return f"it is {text} {the_prior}, which may be chance"
    low, high = sorted(map(abs, (above.low, above.high)))
    return f"it is {text} [{number(low, column.style)}, {number(high, column.style)}] {the_prior}"


def _cheapest(board: Board, ranked: Sequence[Row], group: Sequence[Row]) -> str:
    """The cheapest of the models that may be the best, where one hardware timed all of them.

    A wide interval keeps a row in the group that comes behind the prior: nobody is told to take that one.
    """
    may_be_best = [row for row in group if not is_prior(row)]
    behind = ranked[next((i for i, row in enumerate(ranked) if is_prior(row)), len(ranked)) :]
    models = [row for row in may_be_best if row not in behind]
    name = next((name for name in _COSTS if any(c.id == name for c in board.cost_columns)), None)
    if len(models) < 2 or name is None:
        return ""
    for mark in board.hardware:
        cells = [row.costs.get(mark, {}).get(name) for row in models if "shared timings" not in row.marks]
        costs = [cell.mean for cell in cells if cell is not None and cell.mean is not None]
        if len(costs) < len(models):
            continue
        value = min(costs)
        cheapest = models[costs.index(value)].model
        of_first = (
            "" if cheapest == models[0].model else f" ({models[0].model}: {number(costs[0], 'number')} s)"
        )
        those = "the two models" if len(models) == 2 else f"these {len(models)} models"
        if len(models) < len(may_be_best):
            those = f"the {len(models)} that are ahead of the prior"
        cost = f"{number(value, 'number')} s {_COSTS[name]}"
        return f"of {those}, {cheapest} is the cheapest with {cost}{of_first}"
    return ""


def _doubts(board: Board, by_row: Sequence[RowRecords]) -> str:
    """What would change the answer, the most important first."""
    used = [record for row in by_row for record in row.ok]
    seeds, folds = {r.seed for r in used}, {r.fold for r in used}
    ranked = [row.model for row in board.rows if row.rank is not None]
    lacking = sorted({r.model for r in board.rows if r.rank is None and r.cause != "not applicable"})
    incomplete = [model for model in lacking if model not in ranked]
    doubts = []
    if board.synthetic:
        doubts.append("real samples (these are synthetic)")
    if len(seeds) == 1:
        doubts.append("another seed (--seeds 5)")
    if len(folds) == 1:
        more = " (--splits 10)" if "random" in board.division else ""
        doubts.append(f"another split{more}")
    if board.profile != "paper":
        doubts.append(f"a larger budget than profile {board.profile}")
    if incomplete:
        doubts.append(f"{names_text(incomplete)}, not complete so far")
    if ranked[0] in lacking:
        doubts.append(f"the failed or missing cells of {ranked[0]}")
    return f"What may change this: {'; '.join(doubts)}." if doubts else ""
