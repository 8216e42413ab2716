"""Where the order of two rows changes: by hand."""

from __future__ import annotations

import numpy as np
import pytest

from hmcbench.leaderboard import order
from hmcbench.leaderboard.inference import Basis, Estimate
from hmcbench.leaderboard.order import changes, sentences


def estimate(mean: float, spread: float = 0.01, *, draw: int = 0) -> Estimate:
    draws = mean + spread * np.random.default_rng(draw).standard_normal(1000)
    return Estimate(np.array([mean]), draws, basis=Basis(500, 500), deterministic=True)


ROWS = {
    "a": (estimate(0.9, draw=1), estimate(0.6, draw=2)),
    "b": (estimate(0.8, draw=3), estimate(0.7, draw=4)),
    "c": (estimate(0.2, draw=5), estimate(0.595, draw=6)),
}


def test_pairs_that_change_places_the_clearest_first() -> None:
    (pair,) = changes(ROWS, 1.0)
    assert (pair.ahead, pair.behind, pair.clear) == ("a", "b", (True, True))
    assert pair.before.difference == pytest.approx(0.1) and pair.after.difference == pytest.approx(-0.1)
    told = "a is ahead of b before (+0.100) and behind later (-0.100)"
    assert pair.told("before", "later") == f"{told}; both differences are clear on these samples."
    assert "before (+0.1) and behind later (-0.1)" in pair.told("before", "later", "number")
    assert "before (+0.1) and" in sentences([pair], 2, "before", "later", "number")[0]


def test_only_pairs_that_change_places_are_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    tested = []
    contrast = order.contrast
    monkeypatch.setattr(order, "contrast", lambda a, b: tested.append((a, b)) or contrast(a, b))
    assert len(changes(ROWS, 1.0)) == 1
    assert tested == [(ROWS["a"][i], ROWS["b"][i]) for i in (0, 1)]


def test_less_may_be_better() -> None:
    (pair,) = changes(ROWS, -1.0)
    assert (pair.ahead, pair.behind) == ("b", "a")


def test_what_is_not_clear_is_said() -> None:
    near = {
        "a": (estimate(0.9, draw=1), estimate(0.6, draw=2)),
        "c": (estimate(0.89, 0.1, draw=3), estimate(0.9)),
    }
    (pair,) = changes(near, 1.0)
    assert pair.clear == (False, True) and "only the second is clear" in pair.told("x", "y")
    once = {name: tuple(np_once(part) for part in pair) for name, pair in near.items()}
    assert "trained once" in changes(once, 1.0)[0].told("x", "y")  # type: ignore[arg-type]


def np_once(part: Estimate) -> Estimate:
    return Estimate(part.seeds, part.draws, basis=part.basis)


def test_sentences_are_few() -> None:
    rows = {f"m{i}": (estimate(0.9 - i / 20, draw=i), estimate(0.1 + i / 20, draw=i + 20)) for i in range(5)}
    swaps = changes(rows, 1.0)
    assert len(swaps) == 10
    told = sentences(swaps, 5, "x", "y")
    assert len(told) == 5 and told[-1] == "So do 6 further pairs change places."
    assert sentences([], 3, "x", "y") == ["The order of the 3 rows is the same y."]
    assert sentences([], 1, "x", "y") == []
