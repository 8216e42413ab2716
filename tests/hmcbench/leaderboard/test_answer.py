"""What a board says before its table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hmcbench.leaderboard.board import Board
from hmcbench.leaderboard.build import build
from hmcbench.records.record import Record

Fabricate = Callable[..., Record]


def seeds(fabricate: Fabricate, model: str, accuracy: float, count: int = 4, **changes: Any) -> list[Record]:
    return [fabricate(model, accuracy, seed=seed, **changes) for seed in range(count)]


def said(records: list[Record]) -> list[str]:
    board: Board = build(records)[0]
    return board.answer


def test_the_first_row_and_what_cannot_be_told_apart_from_it(fabricate: Fabricate) -> None:
    records = [
        *seeds(fabricate, "net", 0.9, timing={"total_s": 90.0}),
        *seeds(fabricate, "tree", 0.9, timing={"total_s": 3.0}),
        *seeds(fabricate, "prior", 0.3),
        *seeds(fabricate, "poor", 0.5),
    ]
    first, middle, doubts = said(records)
    assert first.startswith("net comes first with hf1_samples 0.9")
    assert first.endswith("but cannot be told apart from tree.")
    assert middle.startswith("It is 0.") and " above the prior (0.3" in middle
    assert middle.endswith("of the two models, tree is the cheapest with 3 s for a whole cell (net: 90 s).")
    assert doubts == "What may change this: another split (--splits 10); a larger budget than profile quick."


def test_the_cheapest_is_none_that_comes_behind_the_prior(fabricate: Fabricate) -> None:
    """A row that was trained once is told apart from none, however low its value."""
    records = [
        *seeds(fabricate, "net", 0.9, timing={"total_s": 90.0}),
        *seeds(fabricate, "tree", 0.9, timing={"total_s": 30.0}),
        *seeds(fabricate, "prior", 0.5),
        fabricate("poor", 0.2, timing={"total_s": 3.0}, model={"deterministic": False}),
    ]
    first, middle, _ = said(records)
    assert first.endswith("but cannot be told apart from tree and poor.")
    expected = (
        "the 2 that are ahead of the prior, tree is the cheapest with 30 s for a whole cell (net: 90 s)."
    )
    assert middle.endswith(expected)
    first, middle, _ = said([record for record in records if record.label != "tree"])
    assert first.endswith("but cannot be told apart from poor.") and "cheapest" not in middle


def test_a_row_that_differs_from_all_others(fabricate: Fabricate) -> None:
    first, *_ = said([*seeds(fabricate, "net", 0.95), *seeds(fabricate, "tree", 0.5)])
    assert first.endswith("and differs from every other row.")


def test_one_training_each_tells_nothing_apart(fabricate: Fabricate) -> None:
    once = "but every model was trained once, and one training does not tell models apart."
    chance: dict[str, Any] = {"model": {"deterministic": False}}
    for net, tree in ((chance, chance), (chance, {}), ({}, chance)):
        first, *_ = said([fabricate("net", 0.9, **net), fabricate("tree", 0.89, **tree)])
        assert first.endswith(once)


def test_one_seed_on_few_folds_tells_nothing_apart(fabricate: Fabricate) -> None:
    def on_folds(model: str, accuracy: float, kind: str) -> list[Record]:
        parts: dict[str, Any] = {"model": {"deterministic": False}, "split": {"kind": kind}}
        return [fabricate(model, accuracy, fold=i, prefix=f"f{i}-", **parts) for i in range(3)]

    first, *_ = said([*on_folds("net", 0.9, "kfold"), *on_folds("tree", 0.5, "kfold")])
    assert first.endswith("but one seed on fewer than 5 folds does not tell models apart.")
    first, *_ = said([*on_folds("net", 0.9, "holdout"), *on_folds("tree", 0.9, "holdout")])
    assert first.endswith("but cannot be told apart from tree.")


def test_models_that_every_training_gives_are_told_apart_by_samples_alone(fabricate: Fabricate) -> None:
    first, *_ = said([fabricate("knn", 0.9), fabricate("tree", 0.9)])
    assert first.endswith("but cannot be told apart from tree.")


def test_a_prior_that_comes_first_is_named_as_what_it_is(fabricate: Fabricate) -> None:
    sentences = said([*seeds(fabricate, "net", 0.3), *seeds(fabricate, "prior", 0.9)])
    assert "No model is ahead of the prior, which gives every sample the same answer." in sentences


@pytest.mark.parametrize("status", ["failed", "ok"])
def test_one_row_or_none(fabricate: Fabricate, status: str) -> None:
    sentences = said([fabricate("net", 0.9, status=status, cause="nan" if status == "failed" else None)])
    expected = {"ok": "net is the only complete row: hf1_samples 0.9", "failed": "No row is complete"}
    assert sentences[0].startswith(expected[status])


def test_rows_that_are_not_complete_may_change_it(fabricate: Fabricate) -> None:
    records = [*seeds(fabricate, "net", 0.9), fabricate("tree", status="failed", cause="nan")]
    records.append(fabricate("net", seed=9, status="failed", cause="nan"))
    assert said(records)[-1].endswith("tree, not complete so far; the failed or missing cells of net.")


def test_a_metric_that_is_better_when_lower_is_below_the_prior(fabricate: Fabricate) -> None:
    suite = {"name": "smoke", "primary": "tree_path_distance"}
    records = [*seeds(fabricate, "net", 0.9, suite=suite), *seeds(fabricate, "prior", 0.3, suite=suite)]
    first, middle, *_ = said(records)
    assert first.startswith("net comes first with tree_path_distance")
    assert " below the prior" in middle and "chance" not in middle
