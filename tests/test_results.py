"""The published leaderboard of sem-failure holds what the suite promises; read from its records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hmcbench.records import read_all

FOLDER = Path(__file__).parents[1] / "results" / "sem-failure" / "records"


@pytest.fixture(scope="module")
def board() -> dict[str, Any]:
    """Model label -> record of the quick profile."""
    records = [r for r in read_all(FOLDER) if r.data["profile"] == "quick"]
    assert len({r.data["dataset"]["fingerprint"] for r in records}) == 1
    return {r.data["model"]["label"]: r for r in records}


def score(record: Any, metric: str, side: str = "test") -> float:
    return float(record.data["metrics"][side][metric])


def test_at_least_six_models_within_ten_minutes_on_two_cores(board: dict[str, Any]) -> None:
    assert len(board) >= 6
    assert all(r.ok and r.data["dataset"]["synthetic"] for r in board.values())
    assert {r.data["hardware"]["cores"] for r in board.values()} == {2}
    assert not any(r.data["hardware"]["gpu"] for r in board.values())
    assert sum(r.data["timing"]["total_s"] for r in board.values()) < 600
    assert sum(r.data["model"]["name"] == "timm" for r in board.values()) >= 3


def test_every_learned_model_beats_the_prior_on_both_levels(board: dict[str, Any]) -> None:
    for level in ("level1_accuracy", "level2_accuracy"):
        prior = score(board["prior"], level)
        assert all(score(r, level) > prior for name, r in board.items() if name != "prior"), level


def test_grey_levels_tell_little_texture_more_and_the_best_network_most(board: dict[str, Any]) -> None:
    second = {name: score(r, "level2_accuracy") for name, r in board.items()}
    grey = next(v for name, v in second.items() if "grey_histogram" in name)
    assert grey <= 0.60
    assert grey < second["forest"] < max(second.values())
    assert max(second.values()) >= 0.90
    assert second["hffnet-2d"] > second["forest"]


def test_every_model_is_scored_on_the_shifted_set_too(board: dict[str, Any]) -> None:
    for name, record in board.items():
        assert 0 < score(record, "hf1_samples", "shifted") <= 1, name
