"""The model chosen on validation, win rates and the Pareto front."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hmcbench.leaderboard import grouping
from hmcbench.leaderboard.boards import Boards
from hmcbench.leaderboard.build import build
from hmcbench.leaderboard.render.markdown import to_markdown
from hmcbench.leaderboard.summary import chosen, pairwise_wins, pareto_front, trades, win_rates
from hmcbench.records.record import FoldSeed, Record

Fabricate = Callable[..., Any]


def text(*records: Any) -> str:
    rows, _ = grouping.rows(list(records))
    return chosen(rows, "hf1", "higher")


def scored(fabricate: Fabricate, name: str, fold: int, validation: float, test: float, **model: str) -> Any:
    sides = {"validation": {"hf1": validation}, "test": {"hf1": test}}
    return fabricate(name, fold=fold, split={"kind": "kfold"}, metrics=sides, model=model)


def test_the_mean_over_folds_decides_and_each_fold_anew(fabricate: Fabricate) -> None:
    said = text(
        scored(fabricate, "a", 0, 0.9, 0.5),
        scored(fabricate, "a", 1, 0.9, 0.6),
        scored(fabricate, "b", 0, 0.8, 0.7),
        scored(fabricate, "b", 1, 0.95, 0.8),
    )
    assert said.startswith("a (validation hf1 0.900): test 0.550, mean of 2 folds")
    assert said.endswith("chosen in each fold anew: test 0.650")


def test_what_was_fitted_on_validation_has_no_score_there(fabricate: Fabricate) -> None:
    rows = [scored(fabricate, name, 0, value, 0.5) for name, value in (("a", 0.7), ("b", 0.8))]
    greedy = scored(fabricate, "c", 0, 1.0, 0.4, fitted_on="train and validation")
    said = text(*rows, greedy)
    assert said.startswith("b (validation hf1 0.800)")
    assert said.endswith("not to be chosen, as they were fitted on validation too: c")
    assert text(rows[0], greedy) == ""


# --------------------------------------------------------------------------- win rates


def test_pairwise_wins() -> None:
    table = np.array([[3, 1, 2], [3, 3, 1], [1, 2, 3]])
    assert pairwise_wins(table, "higher")[0].tolist() == [0.5, 0.5, 2 / 3]
    assert np.allclose(pairwise_wins(table, "higher") + pairwise_wins(table, "lower"), 1)


def test_win_rates_over_common_cells() -> None:
    a = {FoldSeed(0, 0): 0.9, FoldSeed(1, 0): 0.8, FoldSeed(2, 0): 0.1}
    b = {FoldSeed(0, 0): 0.8, FoldSeed(1, 0): 0.8}
    rates = win_rates({"a": a, "b": b}, "higher")
    assert [(w.model, w.rate, w.cells) for w in rates] == [("a", 0.75, 2), ("b", 0.25, 2)]
    assert [w.rate for w in win_rates({"a": a, "b": b}, "lower")] == [0.25, 0.75]
    assert win_rates({"a": a}, "higher") == [] == win_rates({"a": a, "b": b}, "")
    assert win_rates({"a": a, "b": {FoldSeed(0, 0): 1.0}}, "higher") == []
    assert win_rates({"a": a, "b": b | {FoldSeed(1, 0): float("nan")}}, "higher") == []


def test_win_rates_on_a_board(fabricate: Callable[..., Record]) -> None:
    records = [
        fabricate(m, acc, seed=s, sizes={"test": 80})
        for m, acc in (("a", 0.9), ("b", 0.6))
        for s in (0, 1, 2)
    ]
    (board,) = build(records)
    assert [(w.model, w.rate, w.cells) for w in board.wins] == [("a", 1, 3), ("b", 0, 3)]
    assert "### Win rates" in to_markdown(Boards([board])) and "100 %" in to_markdown(Boards([board]))


# --------------------------------------------------------------------------- Pareto


@pytest.mark.parametrize(
    ("points", "better", "expected"),
    [
        ([(0.9, 10), (0.8, 1), (0.7, 5)], "higher", [1, 0]),
        ([(0.9, 1), (0.8, 2)], "higher", [0]),
        ([(0.9, 1), (0.9, 1)], "higher", [0, 1]),
        ([(0.9, 1), (0.9, 2)], "higher", [0]),
        ([(0.2, 5), (0.1, 9), (0.3, 5)], "lower", [0, 1]),
        ([], "higher", []),
    ],
)
def test_front(points: list[tuple[float, float]], better: str, expected: list[int]) -> None:
    assert pareto_front(points, better, "lower") == expected


def test_front_against_its_definition() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        points = [(float(q), float(c)) for q, c in rng.integers(0, 5, size=(12, 2))]
        front = set(pareto_front(points, "higher", "lower"))
        for i, (q, c) in enumerate(points):
            beaten = [(x, y) for x, y in points if x >= q and y <= c and (x, y) != (q, c)]
            assert (i in front) == (not beaten)


def test_the_front_of_a_board(fabricate: Callable[..., Record]) -> None:
    speeds = (("good", 0.95, 100.0), ("quick", 0.7, 1.0), ("neither", 0.6, 50.0))
    records = [fabricate(m, acc, seed=k, timing={"total_s": s}) for m, acc, s in speeds for k in (0, 1)]
    records += [fabricate("half", status="failed", cause="crash")]
    (board,) = build(records)
    assert ("Pareto front", "hf1_samples against whole cell (s): quick, good") in board.facts
    (trade,) = trades(board)
    assert [row.model for row, _, _ in trade.rows] == ["good", "quick", "neither"]
    alone = build(records[:2])[0]
    assert trades(alone) == []
    (once,) = build([record for record in records if record.seed == 0])
    (drawn,) = trades(once)
    assert len(drawn.rows) == 3 and drawn.front == []  # costs of one run
    assert "Pareto front" not in dict(once.facts)


def test_the_front_is_of_the_cost_that_most_rows_have(fabricate: Callable[..., Record]) -> None:
    older = [
        fabricate(m, 0.9, seed=k, timing={"fit_s": 2.0, "total_s": None})
        for m in ("a", "b", "c")
        for k in (0, 1)
    ]
    newer = [fabricate("d", 0.8, seed=k, timing={"fit_s": 1.0, "total_s": 3.0}) for k in (0, 1)]
    (board,) = build([*older, *newer])
    (trade,) = trades(board)
    assert trade.cost.id == "fit_s" and len(trade.rows) == 4
