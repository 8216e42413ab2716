"""Draws of many seeds: the same in threads as one after the other."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from hmcbench.interfaces import MetricSpec
from hmcbench.leaderboard import samples
from hmcbench.leaderboard.build import build
from hmcbench.leaderboard.render.csv_json import to_json
from hmcbench.leaderboard.samples import Samples
from hmcbench.leaderboard.shift_draws import _Samples
from hmcbench.leaderboard.statistics import Bootstrap
from hmcbench.metrics.base import SampleMetric, first_over_second
from hmcbench.metrics.builtin import SPECS
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.ids import find_spec
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import NPZ, Record
from hmcbench.testing.helpers import tiny_dataset

Fabricate = Callable[..., Record]
COLUMNS = ["hf1_samples", "level1_brier", "hf1_samples_mean", "auprc_micro", "auprc_macro"]
INFO = {"suite": {"name": "smoke", "columns": COLUMNS}}


@pytest.fixture
def four_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)


def many_seeds(fabricate: Fabricate, models: str = "ab") -> list[Record]:
    sizes = {"validation": 20, "test": 90, "shifted": 40}
    return [fabricate(model, 0.8, seed=seed, sizes=sizes) for model in models for seed in range(9)]


@pytest.mark.usefixtures("four_processors")
def test_threads_give_the_same_board(fabricate: Fabricate, monkeypatch: pytest.MonkeyPatch) -> None:
    records = many_seeds(fabricate)
    threads = set()
    evaluations = samples.Samples._evaluations

    def noted(*args: object) -> list[Evaluation]:
        threads.add(threading.current_thread().name)
        return evaluations(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(samples.Samples, "_evaluations", noted)
    in_threads = to_json(build(records, INFO))
    assert len(threads) > 2
    threads.clear()
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert to_json(build(records, INFO)) == in_threads
    assert threads == {threading.main_thread().name}


def test_seeds_in_groups_are_those_of_one_at_a_time(
    fabricate: Fabricate, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = many_seeds(fabricate)
    in_groups = build(records, INFO)[0]
    monkeypatch.setattr(samples, "GROUP", 1)
    alone = build(records, INFO)[0]
    for row, other in zip(in_groups.rows, alone.rows, strict=True):
        for name, cell in row.cells.items():
            assert (cell.low, cell.high) == pytest.approx((other.cells[name].low, other.cells[name].high))


@pytest.mark.usefixtures("four_processors")
def test_a_damaged_seed_is_the_same_note(fabricate: Fabricate, monkeypatch: pytest.MonkeyPatch) -> None:
    records = many_seeds(fabricate)
    (records[5].path / NPZ).write_bytes(b"damaged")
    (records[7].path / NPZ).unlink()
    (board,) = build(records, INFO)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    (other,) = build(records, INFO)
    assert board.notes == other.notes and f"{records[5].path / NPZ} cannot be read" in board.notes[0]


@pytest.mark.usefixtures("four_processors")
def test_metrics_of_plugins_stay_in_one_thread(fabricate: Fabricate) -> None:
    threads = set()

    def stats(evaluation: Evaluation) -> np.ndarray:
        threads.add(threading.current_thread())
        return np.ones((len(evaluation), 1))

    metric = SampleMetric(stats, lambda sums: sums[..., 0] / 90)
    spec = MetricSpec(name="mine", version="1", summary="", factory=metric, decided=False)
    records = [
        replace(r, data={**r.data, "metrics": {"test": {"mine": 1.0}}}) for r in many_seeds(fabricate, "a")
    ]
    (board,) = build(records, {"suite": {"name": "smoke", "primary": "mine"}}, specs=[*SPECS, spec])
    assert board.rows[0].cells["mine"].mean == 1
    assert threads == {threading.main_thread()}


def test_the_samples_behind_a_value(fabricate: Fabricate) -> None:
    names = ("mistake_severity", "exact_match", "hf1_samples", "auprc_micro")
    specs = {name: find_spec(SPECS, name) for name in names}
    record = fabricate("net", 0.98)
    basis = Samples([0], [], specs, "exact_match").draws([record]).basis
    wrong = round(200 * (1 - record.metrics("test")["exact_match"]))
    assert 0 < wrong < 10 and basis["mistake_severity"] == (wrong, wrong, 0)
    assert basis["exact_match"] == (200, 200, 1)
    assert basis["hf1_samples"][:2] == basis["auprc_micro"][:2] == (200, 200)
    halves = Bootstrap(200, [str(i % 2) for i in range(200)]).unit
    right = np.stack([np.ones(200), np.ones(200)], axis=1)
    assert samples._basis(right, first_over_second, halves) == (2, 200, 1)


def test_samples_without_a_group_are_drawn_one_by_one() -> None:
    dataset = tiny_dataset(6)
    groups = ["g", "g", "", "", "", ""]
    test = Predictions(dataset.ids, ["test"] * 6, np.zeros((6, 7)), dataset.task, groups=groups)
    for bootstrap in (samples._bootstrap([test]), _Samples([], [test], []).bootstrap()):
        assert bootstrap.unit[0] == bootstrap.unit[1]
        assert len(np.unique(bootstrap.unit)) == 5
