"""Boards as Python objects: several suites, cells of several datasets, predictions without truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hmcbench
from hmcbench.errors import BadInput
from hmcbench.interfaces import Task
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import Record
from hmcbench.report.results import Leaderboards

pandas = pytest.importorskip("pandas", reason="data frames need pandas")

Fabricate = Callable[..., Record]
SIZES = {"validation": 20, "test": 30}


def loaded(fabricate: Fabricate, tmp_path: Path, rows: dict[str, str]) -> Leaderboards:
    """Suites, each on a dataset of its own, with the models of these letters."""
    for suite, models in rows.items():
        for i, model in enumerate(models):
            fabricate(
                model,
                0.9 - i / 4,
                sizes=SIZES,
                timing={"total_s": 10.0 + i},
                suite={"name": suite},
                dataset={"name": f"data-{suite}", "fingerprint": suite * 8},
                folder=tmp_path / "runs" / suite / "records",
            )
    return hmcbench.load(tmp_path / "runs")


def test_suites_without_both_rows_are_left_out_of_a_comparison(fabricate: Fabricate, tmp_path: Path) -> None:
    boards = loaded(fabricate, tmp_path, {"one": "ab", "two": "a", "three": "c"})
    text = boards.compare("a", "b")
    assert "data-one" in text and "data-two" not in text
    assert "no suite has records of both (a is in one, two; c is in three)" in boards.compare("a", "c")
    with pytest.raises(BadInput, match="unknown model 'd'"):
        boards.compare("a", "d")


def test_a_cell_of_several_data_sets_is_named_by_its_own(fabricate: Fabricate, tmp_path: Path) -> None:
    boards = loaded(fabricate, tmp_path, {"one": "ab", "two": "ab"})
    with pytest.raises(BadInput, match=r"2 records of a, .* two, data-two, profile quick.* dataset="):
        boards.record("a")
    assert boards.record("a", dataset="data-two").suite == "two"
    assert len(boards.predictions("a", dataset="data-one")) == SIZES["test"]
    assert boards.figure("confusion-level1", model="a", dataset="data-two").axes
    assert "data-two" in boards.figure(dataset="data-two").axes[0].get_title()
    for call in (boards.record, boards.predictions):
        with pytest.raises(BadInput, match="unknown dataset 'data-tow'; did you mean 'data-two'"):
            call("a", dataset="data-tow")
    with pytest.raises(BadInput, match="unknown dataset 'data-tow'"):
        boards.figure(dataset="data-tow")


def test_cells_of_one_data_set_are_not_told_apart_by_its_name(fabricate: Fabricate, tmp_path: Path) -> None:
    for profile in ("quick", "paper"):
        fabricate("a", sizes=SIZES, profile=profile)
    with pytest.raises(BadInput, match=r"2 records of a, .* take one of \.records") as error:
        hmcbench.load(tmp_path / "runs").record("a")
    assert "dataset=" not in str(error.value)


def test_predictions_without_truth_are_decided(fabricate: Fabricate, tmp_path: Path) -> None:
    record = fabricate("a", 0.8)
    expected = hmcbench.load(tmp_path / "runs").predictions("a")
    replace(record.predictions(), truth=None).save(record.path / "predictions.npz")
    frame = hmcbench.load(tmp_path / "runs").predictions("a")
    assert "truth" not in frame
    assert frame.equals(expected.drop(columns="truth"))


def test_classes_that_no_metric_counts_are_decided_too(fabricate: Fabricate, tmp_path: Path) -> None:
    whole = fabricate("base", 0.8).predictions()
    hierarchy = whole.task.hierarchy
    assert hierarchy is not None
    task = Task(paths="multiple", depth="ragged", hierarchy=hierarchy, unscored=(hierarchy.classes[0],))
    scores = np.random.default_rng(0).random(whole.scores.shape).astype(np.float32)
    predictions: Predictions = replace(whole, task=task, scores=scores)
    fabricate("a", predictions=predictions)
    frame = hmcbench.load(tmp_path / "runs").predictions("a")
    test = replace(predictions, task=replace(task, unscored=())).of_side("test")
    decided = Evaluation.of_predictions(test).closed
    assert frame["coherent"].tolist() == ["|".join(hierarchy.decode(row)) for row in decided]
    assert frame["coherent"].str.contains(hierarchy.classes[0], regex=False).any()
