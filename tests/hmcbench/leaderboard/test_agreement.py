"""Agreement of raters: scikit-learn's kappa, Fleiss' own example, a slow version, and raters on a board."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from hmcbench.leaderboard.agreement import FACT, agreement_facts, agreements, cohen, fleiss
from hmcbench.leaderboard.files import boards_of
from hmcbench.leaderboard.grouping import RowRecords, rows
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import Record, read_all
from hmcbench.testing.helpers import tiny_dataset

FLEISS = (
    """0 0 0 0 14|0 2 6 4 2|0 0 3 5 6|0 3 9 2 0|2 2 8 1 1|7 7 0 0 0|3 2 6 3 0|2 5 3 2 2|6 5 2 1 0|0 2 2 3 7"""
)
"""Ratings of ten subjects by fourteen raters, and the kappa that goes with them: .2099."""


def kappa(stats_reduce: tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]) -> float:
    stats, reduce = stats_reduce
    return float(reduce(stats.sum(axis=0)))


def answers(said: np.ndarray, categories: int) -> np.ndarray:
    """(N, R) categories as boolean (N, R, 1, K)."""
    return np.eye(categories, dtype=bool)[said][:, :, None]


def slow_fleiss(said: np.ndarray) -> float:
    """Straight from the definition, pair by pair."""
    pairs = list(itertools.combinations(range(said.shape[1]), 2))
    observed = np.mean([np.mean([row[a] == row[b] for a, b in pairs]) for row in said])
    shares = np.unique(said, return_counts=True)[1] / said.size
    expected = (shares**2).sum()
    return float((observed - expected) / (1 - expected))


def simulated(samples: int = 300, seed: int = 0) -> np.ndarray:
    """Three raters (N, 3), drawn from a confusion matrix of four classes."""
    rng = np.random.default_rng(seed)
    confusion = np.array(
        [[0.8, 0.1, 0.05, 0.05], [0.1, 0.7, 0.2, 0], [0.05, 0.15, 0.8, 0], [0.2, 0.1, 0, 0.7]]
    )
    truth = rng.integers(4, size=samples)
    return np.array([[rng.choice(4, p=confusion[c]) for _ in range(3)] for c in truth])


def test_three_simulated_raters_agree_as_scikit_learn_says() -> None:
    said = simulated()
    for a, b in itertools.combinations(range(3), 2):
        expected = cohen_kappa_score(said[:, a], said[:, b])
        assert kappa(cohen(answers(said[:, [a, b]], 4))) == pytest.approx(expected, abs=1e-12)
    assert kappa(fleiss(answers(said, 4))) == pytest.approx(slow_fleiss(said), abs=1e-12)


def test_fleiss_example() -> None:
    """Fleiss (1971) as reprinted in textbooks: ten subjects, fourteen raters, five categories."""
    table = [list(map(int, row.split())) for row in FLEISS.split("|")]
    said = np.array([[c for c, count in enumerate(row) for _ in range(count)] for row in table])
    assert kappa(fleiss(answers(said, 5))) == pytest.approx(0.2099, abs=5e-5)


def test_fleiss_as_statsmodels_has_it() -> None:
    rater = pytest.importorskip(
        "statsmodels.stats.inter_rater", reason="an independent version, if installed"
    )
    said = simulated(seed=1)
    table, _ = rater.aggregate_raters(said)
    assert kappa(fleiss(answers(said, 4))) == pytest.approx(rater.fleiss_kappa(table), abs=1e-12)


@given(st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=2, max_size=12))
def test_random_answers(rows_of: Sequence[tuple[int, ...]]) -> None:
    said = np.array(rows_of)
    ours = kappa(fleiss(answers(said, 3)))
    if len(np.unique(said)) == 1:
        assert np.isnan(ours)
    else:
        assert ours == pytest.approx(slow_fleiss(said), abs=1e-12)
    pair = said[:, :2]
    if len(np.unique(pair)) > 1:
        expected = cohen_kappa_score(pair[:, 0], pair[:, 1])
        assert kappa(cohen(answers(pair, 3))) == pytest.approx(expected, abs=1e-12)


def test_weights_repeat_samples() -> None:
    said = simulated(40)
    weights = np.arange(40) % 3
    stats, reduce = fleiss(answers(said, 4))
    assert float(reduce(weights @ stats)) == pytest.approx(slow_fleiss(np.repeat(said, weights, axis=0)))


# --------------------------------------------------------------------------- on boards


def raters(
    fabricate: Callable[..., Record], sets: dict[str, np.ndarray], like: Predictions
) -> list[RowRecords]:
    """The rows of raters with closed sets (N, C)."""
    for name, said in sets.items():
        own = Predictions(
            like.ids,
            like.side,
            said.astype(np.float32),
            like.task,
            like.truth,
            groups=like.groups,
            only_sets=True,
        )
        changes: dict[str, Any] = {"brought": {"kind": "rater", "sides": ["test"]}, "name": "brought"}
        record = fabricate(name, predictions=own, model=changes, split={"counts": {"test": len(like)}})
    return rows(read_all(record.path.parent))[0]


@pytest.fixture
def leaves() -> Predictions:
    """Sixty samples of the tiny tree, all of them of the test partition."""
    data = tiny_dataset(60)
    from scipy.sparse import csr_array

    truth = csr_array(data.targets)
    return Predictions(data.ids, ["test"] * 60, np.zeros((60, 0)), data.task, truth, None)


def drawn(like: Predictions, share: float, seed: int) -> np.ndarray:
    """Closed sets that are right for all but a share of the samples; some of these have no class."""
    rng, hierarchy = np.random.default_rng(seed), like.task.hierarchy
    assert hierarchy is not None
    said = like.truth.toarray().astype(bool)
    for i in np.flatnonzero(rng.random(len(said)) < share):
        said[i] = False
        if rng.random() < 0.8:
            said[i] = hierarchy.ancestors[[rng.choice(hierarchy.leaves)]].toarray()[0]
    return said


def test_raters_of_a_board(fabricate: Callable[..., Record], leaves: Predictions) -> None:
    sets = {
        name: drawn(leaves, share, i) for i, (name, share) in enumerate([("A", 0.2), ("B", 0.3), ("C", 0.4)])
    }
    kappas, samples = agreements(raters(fabricate, sets, leaves))
    assert samples == 60
    assert [(a.level, a.raters) for a in kappas[:4]] == [
        (1, ("A", "B", "C")), (1, ("A", "B")), (1, ("A", "C")), (1, ("B", "C")),
    ]  # fmt: skip
    hierarchy = leaves.task.hierarchy
    assert hierarchy is not None
    for k in (1, 2):
        columns = hierarchy.level_classes(k)
        said = {n: np.where(s[:, columns].any(1), s[:, columns].argmax(1), 9) for n, s in sets.items()}
        by_raters = {a.raters: a for a in kappas if a.level == k}
        for pair in itertools.combinations("ABC", 2):
            agreement = by_raters[pair]
            expected = cohen_kappa_score(said[pair[0]], said[pair[1]])
            assert agreement.kappa == pytest.approx(expected, abs=1e-12)
            assert agreement.low < agreement.kappa < agreement.high
        assert by_raters["A", "B", "C"].kappa == pytest.approx(slow_fleiss(np.stack(list(said.values()), 1)))


def test_several_paths_are_questions_per_class(fabricate: Callable[..., Record]) -> None:
    from scipy.sparse import csr_array

    data = tiny_dataset(80, "multiple")
    like = Predictions(data.ids, ["test"] * 80, np.zeros((80, 0)), data.task, csr_array(data.targets), None)
    rng = np.random.default_rng(0)
    hierarchy = data.task.hierarchy
    assert hierarchy is not None
    sets = {n: hierarchy.close(data.targets & (rng.random(data.targets.shape) < 0.7)) for n in ("A", "B")}
    (agreement,) = agreements(raters(fabricate, sets, like))[0]
    a, b = sets.values()
    expected = np.mean(
        [cohen_kappa_score(a[:, c], b[:, c]) for c in range(hierarchy.n) if (a | b)[:, c].any()]
    )
    assert (agreement.level, agreement.raters) == (0, ("A", "B"))
    assert agreement.kappa == pytest.approx(expected, abs=1e-12)


def test_the_board_says_it_and_one_rater_does_not(
    fabricate: Callable[..., Record], leaves: Predictions, tmp_path: Path
) -> None:
    alone = raters(fabricate, {"A": drawn(leaves, 0.2, 0)}, leaves)
    assert agreement_facts(alone) == []
    raters(fabricate, {"B": drawn(leaves, 0.2, 0)}, leaves)  # the same answers
    (board,) = boards_of(tmp_path / "runs" / "smoke")
    facts = [value for name, value in board.facts if name == FACT]
    assert facts == [f"level {k}, 60 samples: Cohen's kappa of A and B 1.000 [1.000, 1.000]" for k in (1, 2)]
    assert [row.marks for row in board.rows] == [["rater"], ["rater"]]


def test_many_pairs_are_told_by_their_ends(fabricate: Callable[..., Record], leaves: Predictions) -> None:
    sets = {name: drawn(leaves, 0.1 * i, i) for i, name in enumerate("ABCDE")}
    facts = agreement_facts(raters(fabricate, sets, leaves))
    assert "Cohen's kappa of 10 pairs " in facts[0][1]
    assert " to " in facts[0][1]


def test_answers_all_alike_are_undefined(fabricate: Callable[..., Record], leaves: Predictions) -> None:
    nothing = np.zeros(leaves.truth.shape, dtype=bool)
    facts = agreement_facts(raters(fabricate, {"A": nothing, "B": nothing}, leaves))
    assert facts[0][1] == "level 1, 60 samples: Cohen's kappa of A and B undefined"


def test_samples_without_a_group_are_drawn_one_by_one(
    fabricate: Callable[..., Record], leaves: Predictions
) -> None:
    """As they are where no sample has a group; as one group the interval would have no width."""
    sets = {name: drawn(leaves, 0.3, i) for i, name in enumerate("AB")}
    groups = ["g", "g", *[""] * 58]
    kappas, _ = agreements(raters(fabricate, sets, replace(leaves, groups=groups)))
    assert 0.1 < kappas[0].high - kappas[0].low < 0.5
