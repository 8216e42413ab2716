"""Scores in fewer bits: what is loaded is what was scored, and nothing that matters moves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hmcbench.data.protocol import Protocol
from hmcbench.data.splits import make_split
from hmcbench.errors import BadInput
from hmcbench.execute.predict import join_scores
from hmcbench.interfaces import Scores
from hmcbench.records.predictions import Predictions
from hmcbench.records.score_bits import bits_for, rounded
from hmcbench.testing.helpers import tiny_dataset

PROBABILITIES = arrays(np.float32, 20, elements=st.floats(0, 1, width=32))


@given(PROBABILITIES, st.sampled_from([16, 32]))
def test_rounding_twice_changes_nothing_and_keeps_the_order(values: np.ndarray, bits: int) -> None:
    once = rounded(values, bits)
    assert once.dtype == np.float32
    assert np.array_equal(rounded(once, bits), once)
    order = np.argsort(values, kind="stable")
    assert (np.diff(once[order]) >= 0).all()


@pytest.mark.parametrize("bits", [16, 32])
def test_a_file_holds_the_rounded_scores(tmp_path: Path, bits: int) -> None:
    dataset = tiny_dataset(40, "dag")
    split = make_split(dataset, Protocol(validation=0.3, test=0.3))
    rng = np.random.default_rng(0)
    assert dataset.task.hierarchy is not None
    scores = {
        side: Scores(rng.random((len(split.sides[side]), dataset.task.hierarchy.n), dtype=np.float32) ** 4)
        for side in ("validation", "test")
    }
    predictions = join_scores(dataset, split, scores, bits)
    predictions.save(tmp_path / "p.npz")
    loaded = Predictions.load(tmp_path / "p.npz")
    assert np.array_equal(loaded.scores, predictions.scores) and loaded.bits == bits
    assert loaded.scores.dtype == np.float32
    loaded.take(np.arange(3)).save(tmp_path / "again.npz")
    assert Predictions.load(tmp_path / "again.npz").bits == bits


def test_scores_that_do_not_fit_keep_more_bits() -> None:
    assert bits_for(np.array([-1.0, 1.0]), 16) == 16
    assert bits_for(np.array([0.0, 1e5]), 16) == 32
    assert bits_for(np.empty((0, 3)), 16) == 16
    assert np.isfinite(rounded(np.array([65_504.0]), 16)).all()


def test_predictions_of_regression_are_not_rounded(tmp_path: Path) -> None:
    dataset = tiny_dataset(12, "regression")
    split = make_split(dataset, Protocol(validation=0.3, test=0.3))
    values = np.full((len(split.sides["test"]), len(dataset.task.targets)), 1.23456789012345)
    predictions = join_scores(dataset, split, {"test": Scores(values)}, 16)
    predictions.save(tmp_path / "p.npz")
    assert np.array_equal(Predictions.load(tmp_path / "p.npz").scores, values)


def test_the_protocol_names_the_bits_only_where_they_are_fewer() -> None:
    assert "score_bits" not in Protocol().to_json()
    assert Protocol(score_bits=16).to_json()["score_bits"] == 16
    with pytest.raises(BadInput, match="score_bits = 12"):
        replace(Protocol(), score_bits=12).check("suite s")
