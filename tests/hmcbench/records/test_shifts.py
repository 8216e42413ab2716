"""Predictions under shifts in small form, and what follows from them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hmcbench import BadInput, Scores
from hmcbench.interfaces import MetricSpec, Task
from hmcbench.metrics import decisions
from hmcbench.metrics.builtin import SPECS
from hmcbench.metrics.computing import compute_sides
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.records import shifts
from hmcbench.records.predictions import Predictions
from hmcbench.records.shifts import Shifted, ShiftPoint
from hmcbench.testing.helpers import tiny_dataset

TREE = tiny_dataset(2).task
SHAPES = ("tree", "ragged", "multiple", "dag", "regression")
NAMES = ["hf1_samples", "level{k}_accuracy", "auprc_micro"]


def predictions_of(shape: Any, samples: int = 30) -> Predictions:
    """Random predictions: two thirds test, the others of the side that was put apart."""
    dataset = tiny_dataset(samples, shape)
    truth = np.asarray(dataset.targets)
    scores = np.random.default_rng(0).random(truth.shape).astype(np.float32)
    side = ["calibration" if i % 3 == 0 else "test" for i in range(samples)]
    return Predictions(dataset.ids, side, scores, dataset.task, truth)


def points_of(predictions: Predictions, count: int = 3) -> dict[ShiftPoint, Scores]:
    n, width = predictions.of_side("test").scores.shape
    rng = np.random.default_rng(1)
    return {ShiftPoint("noise", float(i + 1)): Scores(rng.random((n, width))) for i in range(count)}


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_stored_is_read_again(shape: str, tmp_path: Path) -> None:
    predictions = predictions_of(shape)
    points = shifts.in_small_form(points_of(predictions), {}, predictions.task, None)
    digest = shifts.save(tmp_path / "shifts.npz", points, predictions.task)
    assert shifts.save(tmp_path / "again.npz", points, predictions.task) == digest
    again = shifts.load(tmp_path / "shifts.npz", predictions.task)
    assert list(again) == list(points)
    for point, shifted in again.items():
        assert np.array_equal(shifted.scores, points[point].scores) and shifted.sets is None
        assert np.allclose(shifted.scores, points_of(predictions)[point].values, atol=1e-3)


def some_see(predictions: Predictions) -> tuple[dict[ShiftPoint, Scores], dict[str, np.ndarray]]:
    """Points of ``noise``, which all test samples see, and of ``blur``, which five see."""
    points = points_of(predictions)
    places = np.array([0, 3, 4, 9, 11])
    rng = np.random.default_rng(2)
    width = predictions.scores.shape[1]
    points |= {ShiftPoint("blur", s): Scores(rng.random((5, width))) for s in (1.0, 2.0)}
    return points, {"blur": places}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("most", [shifts.MOST_BYTES, 10])
def test_who_saw_a_shift_is_read_again(
    shape: str, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shifts, "MOST_BYTES", most)
    predictions = predictions_of(shape)
    scores, seen = some_see(predictions)
    points = shifts.in_small_form(scores, seen, predictions.task, None)
    shifts.save(tmp_path / "shifts.npz", points, predictions.task)
    again = shifts.load(tmp_path / "shifts.npz", predictions.task)
    assert list(again) == list(points)
    for point, shifted in again.items():
        part = np.arange(20) if point.shift == "noise" else seen["blur"]
        assert len(shifted) == len(part)
        under, before = shifts.under_shift(predictions, shifted), shifts.before_shift(predictions, shifted)
        test = predictions.of_side("test")
        assert under.of_side("test").ids == before.of_side("test").ids == [test.ids[i] for i in part]
        assert np.array_equal(before.of_side("test").scores, test.scores[part])
        if shifted.sets is None:
            assert np.array_equal(under.of_side("test").scores, points[point].scores)


def test_before_is_measured_on_those_that_see_a_shift() -> None:
    predictions = predictions_of("tree")
    scores, seen = some_see(predictions)
    points = shifts.in_small_form(scores, seen, predictions.task, None)
    values = shifts.shift_metrics(SPECS, predictions, points, None, NAMES)
    assert {point for point in values if not point.severity} == {ShiftPoint("blur", 0.0)}
    slow = compute_sides(SPECS, predictions.of_side("test").take(seen["blur"]), None, NAMES)
    assert values[ShiftPoint("blur", 0.0)] == dict(slow["test"])
    blocks = {
        "noise": {"severities": [1.0, 2.0, 3.0], "metrics": [{}, {}, {}]},
        "blur": {"severities": [1.0, 2.0], "metrics": [{}, {}], "before": {"old": 1.0}},
        "bad": {"severities": [1.0], "problem": "no"},
    }
    out = shifts.with_metrics(blocks, values)
    assert out["blur"]["before"] == {"old": 1.0, **slow["test"]} and "before" not in out["noise"]
    assert (
        out["blur"]["metrics"] == [values["blur", 1.0], values["blur", 2.0]] and out["bad"] == blocks["bad"]
    )
    recorded = {(label, severity): values for label, severity, values in shifts.recorded_values(out)}
    assert recorded == {**values, ("blur", 0.0): out["blur"]["before"]}


def test_what_fails_at_a_point_is_told_there() -> None:
    def of_many(evaluation: Evaluation) -> float:
        if len(evaluation) < 20:
            raise RuntimeError("too few")
        return 1.0

    predictions = predictions_of("tree")
    scores, seen = some_see(predictions)
    points = shifts.in_small_form(scores, seen, predictions.task, None)
    spec = MetricSpec(name="mine", version="1", summary="", factory=of_many, decided=False)
    values = shifts.shift_metrics([*SPECS, spec], predictions, points, None, ["mine"])
    reason = {"mine": "RuntimeError: too few"}
    assert {point: results.failures for point, results in values.items()} == {
        point: reason if point.shift == "blur" else {} for point in values
    }
    blocks: dict[str, Any] = {"noise": {"metric_failures": {"1": {"other": "x"}}}, "blur": {"version": "1"}}
    told = shifts.with_failures(blocks, {point: results.failures for point, results in values.items()})
    assert told == {
        "noise": {},
        "blur": {"version": "1", "metric_failures": {"0": reason, "1": reason, "2": reason}},
    }
    assert shifts.failed_at(told, ShiftPoint("blur", 2.0)) == reason
    assert shifts.failed_at(told, ShiftPoint("noise", 1.0)) == {}


def test_files_of_the_first_format_are_read(tmp_path: Path) -> None:
    header = {"format": 1, "points": [["noise", 1.0], ["noise", 2.0]]}
    scores = np.random.default_rng(0).random((2, 20, 7)).astype(np.float16)
    np.savez_compressed(tmp_path / "shifts.npz", header=np.array(json.dumps(header)), scores=scores)
    points = shifts.load(tmp_path / "shifts.npz", predictions_of("tree").task)
    assert [np.array_equal(p.scores, s) for p, s in zip(points.values(), scores, strict=True)] == [True, True]


@pytest.mark.parametrize("shape", SHAPES[:4])
def test_too_many_scores_are_stored_as_decisions(
    shape: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shifts, "MOST_BYTES", 10)
    predictions = predictions_of(shape)
    scores = points_of(predictions)
    points = shifts.in_small_form(scores, {}, predictions.task, None)
    shifts.save(tmp_path / "shifts.npz", points, predictions.task)
    for point, shifted in shifts.load(tmp_path / "shifts.npz", predictions.task).items():
        coherent = decisions.coherent(scores[point].values, None, predictions.task)
        assert shifted.scores is None and np.array_equal(shifted.sets.toarray(), coherent)
        under = shifts.under_shift(predictions, shifted)
        assert under.only_sets and set(under.side) == {"test"}


def test_a_cell_of_eleven_shifts_stays_below_three_megabytes(tmp_path: Path) -> None:
    """10,000 test samples of 128 classes, as CIFAR-100 has them; random decisions compress worst."""
    from hmcbench.hierarchy.hierarchy import Hierarchy

    edges = [("", f"g{g:02}") for g in range(20)]
    edges += [(f"g{leaf % 20:02}", f"c{leaf:03}") for leaf in range(108)]
    task = Task(hierarchy=Hierarchy.from_edges(edges))
    rng = np.random.default_rng(0)
    leaves = task.hierarchy.leaves if task.hierarchy else np.zeros(0)
    points = {}
    for i in range(55):
        sets = np.zeros((10_000, 128), dtype=bool)
        sets[np.arange(10_000), rng.choice(leaves, 10_000)] = True
        assert task.hierarchy is not None
        points[ShiftPoint(f"shift-{i // 5}", float(i % 5 + 1))] = Shifted(sets=task.hierarchy.close(sets))
    shifts.save(tmp_path / "shifts.npz", points, task)
    assert (tmp_path / "shifts.npz").stat().st_size < 3_000_000
    again = shifts.load(tmp_path / "shifts.npz", task)
    point = ShiftPoint("shift-10", 5.0)
    assert np.array_equal(again[point].sets.toarray(), points[point].sets)


def test_stop_outputs_and_decisions_of_the_model_are_kept(tmp_path: Path) -> None:
    predictions = predictions_of("ragged")
    (scores,) = points_of(predictions, 1).values()
    decided = scores.values > 0.7
    stop = np.full((len(scores.values), 2), 0.25, dtype=np.float32)
    point = ShiftPoint("noise", 1.0)
    small = shifts.in_small_form(
        {point: replace(scores, stop=stop, decisions=decided)}, {}, predictions.task, None
    )
    shifts.save(tmp_path / "shifts.npz", small, predictions.task)
    again = shifts.load(tmp_path / "shifts.npz", predictions.task)[point]
    assert np.array_equal(again.stop, stop) and np.array_equal(again.decided.toarray(), decided)


def test_metrics_are_those_of_predictions_with_these_scores() -> None:
    """The slow way: whole predictions with other scores in the rows of the test side."""
    predictions = predictions_of("multiple")
    points = shifts.in_small_form(points_of(predictions), {}, predictions.task, None)
    values = shifts.shift_metrics(SPECS, predictions, points, None, [*NAMES, "conformal_coverage"])
    test = np.array([side == "test" for side in predictions.side])
    for point, shifted in points.items():
        scores = predictions.scores.copy()
        scores[test] = shifted.scores
        slow = compute_sides(SPECS, replace(predictions, scores=scores), None, [*NAMES, "conformal_coverage"])
        assert values[point] == dict(slow["test"]) and "hf1_samples" in values[point]


def test_other_samples_are_refused() -> None:
    predictions = predictions_of("tree")
    with pytest.raises(BadInput, match="predictions of shape"):
        shifts.under_shift(predictions, Shifted(np.zeros((3, 7), dtype=np.float32)))


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 broken"])
def test_a_damaged_file_is_one_line(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "shifts.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput, match="is missing" if content is None else "cannot be read"):
        shifts.load(path, predictions_of("tree").task)


def with_novelty(points: dict[ShiftPoint, Scores], n: int) -> dict[ShiftPoint, Scores]:
    rng = np.random.default_rng(3)
    return {point: replace(scores, novelty=rng.random(n)) for point, scores in points.items()}


def test_suspicion_under_a_shift_is_that_of_the_shifted_samples(tmp_path: Path) -> None:
    predictions = predictions_of("tree")
    n = len(predictions)
    predictions = replace(
        predictions, unknown=np.arange(n) % 2 == 0, novelty=np.arange(n, dtype=np.float32) / n
    )
    scores = with_novelty(points_of(predictions), 20)
    shifts.save(tmp_path / "shifts.npz", shifts.in_small_form(scores, {}, predictions.task, None), TREE)
    again = shifts.load(tmp_path / "shifts.npz", TREE)
    values = shifts.shift_metrics(SPECS, predictions, again, None, ["unknown_auroc"])
    for point, shifted in again.items():
        assert np.allclose(shifted.novelty, scores[point].novelty)
        test = replace(predictions.of_side("test"), novelty=scores[point].novelty)
        (expected,) = compute_sides(SPECS, test, None, ["unknown_auroc"]).values()
        assert values[point]["unknown_auroc"] == pytest.approx(expected["unknown_auroc"])
    assert len({value["unknown_auroc"] for value in values.values()}) == 3


def test_without_the_novelty_of_a_shift_no_sample_is_suspected_there() -> None:
    """Files of earlier versions; a model that gives none is judged by its scores."""
    predictions = replace(predictions_of("tree"), unknown=np.arange(30) % 2 == 0)
    points = shifts.in_small_form(points_of(predictions), {}, predictions.task, None)
    by_scores = shifts.shift_metrics(SPECS, predictions, points, None, ["unknown_auroc"])
    assert all("unknown_auroc" in values for values in by_scores.values())
    novel = replace(predictions, novelty=np.zeros(30, dtype=np.float32))
    names = ["unknown_auroc", "hf1_samples"]
    assert {*shifts.shift_metrics(SPECS, novel, points, None, names)["noise", 1.0]} == {"hf1_samples"}
    for wrong in with_novelty(points_of(predictions), 19).values():
        with pytest.raises(BadInput, match="novelty of shape"):
            shifts.under_shift(novel, Shifted(wrong.values, novelty=wrong.novelty))
