"""Calibrated rows: what the maps do, on what they are fitted, and what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logit

from hmcbench.derive.calibration import (
    LEAST,
    METHODS,
    Level,
    apply_level,
    calibrate_records,
    calibrated,
    fit,
    fit_level,
)
from hmcbench.derive.new_records import write_records
from hmcbench.errors import BadInput
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Task
from hmcbench.leaderboard.files import boards_of
from hmcbench.metrics.builtin import SPECS
from hmcbench.metrics.computing import compute, compute_sides
from hmcbench.metrics.decisions import coherent, hierarchy_of
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import NPZ, Record, read_all
from hmcbench.registry.registry import default_registry
from hmcbench.testing.helpers import tiny_hierarchy

SIDES = {"validation": 100, "calibration": 400, "test": 1500}


def single(sharper: float, *, stop: bool = False, seed: int = 0) -> Predictions:
    """Single paths whose true shares are known; the model's are sharper by a power."""
    rng = np.random.default_rng(seed)
    hierarchy = Hierarchy.from_paths([(a, f"{a}{i}") for a in "ab" for i in range(3)])
    n, side = sum(SIDES.values()), [name for name, size in SIDES.items() for _ in range(size)]
    scores, truth = np.zeros((n, hierarchy.n)), np.zeros((n, hierarchy.n), dtype=bool)
    first = rng.dirichlet([1, 1], n)
    below = rng.dirichlet(np.full(3 + stop, 0.7), (n, 2))
    branch = (rng.random(n) > first[:, 0]).astype(int)
    chosen = below[np.arange(n), branch]
    leaf = (chosen.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    truth[np.arange(n), branch] = True
    rows = np.flatnonzero(leaf < 3)
    truth[rows, 2 + 3 * branch[rows] + leaf[rows]] = True
    scores[:, :2] = first
    scores[np.arange(n)[:, None], 2 + 3 * branch[:, None] + np.arange(3)] = chosen[:, :3]
    ended = np.stack([np.zeros(n), chosen[:, -1]], axis=1) if stop else None
    for k, columns in enumerate((slice(0, 2), slice(2, 8))):
        parts = scores[:, columns] if ended is None else np.column_stack([scores[:, columns], ended[:, k]])
        parts = parts**sharper
        parts /= parts.sum(axis=1, keepdims=True)
        scores[:, columns] = parts[:, : columns.stop - columns.start]
        if ended is not None:
            ended[:, k] = parts[:, -1]
    task = Task("hmc", "single", "ragged" if stop else "full", hierarchy)
    ids = [f"s{i}" for i in range(n)]
    return Predictions(ids, side, scores.astype(np.float32), task, truth, stop=ended)


def several(scale: float, shift: float = 0.0) -> Predictions:
    """Several paths: every class is there with a known probability; the model's logits are scaled."""
    rng, hierarchy = np.random.default_rng(1), tiny_hierarchy("multiple")
    n, side = sum(SIDES.values()), [name for name, size in SIDES.items() for _ in range(size)]
    logits = rng.normal(0, 1.5, (n, hierarchy.n))
    truth = rng.random(logits.shape) < expit(logits)
    scores = expit(scale * logits + shift).astype(np.float32)
    task = Task("hmc", "multiple", "ragged", hierarchy)
    return Predictions([f"s{i}" for i in range(n)], side, scores, task, truth)


def values(predictions: Predictions, *names: str) -> list[float]:
    computed = compute(SPECS, Evaluation.of_predictions(predictions.of_side("test")), names)
    return [computed[name] for name in names]


@pytest.mark.parametrize("stop", [False, True])
def test_temperature_finds_the_power(stop: bool) -> None:
    predictions = single(2.5, stop=stop)
    maps = fit(predictions, "temperature")
    assert [fitted["t"] for fitted in maps] == pytest.approx([2.5, 2.5], rel=0.3)
    changed = calibrated(predictions, maps)
    names = ("level1_ece", "level2_ece")
    assert all(b < 0.8 * a for a, b in zip(values(predictions, *names), values(changed, *names), strict=True))
    for k in (1, 2):
        columns = hierarchy_of(predictions.task).level_classes(k)
        total = changed.scores[:, columns].sum(axis=1)
        total += 0 if changed.stop is None else changed.stop[:, k - 1]
        np.testing.assert_allclose(total, 1, atol=1e-5)
        order = predictions.scores[:, columns].argmax(axis=1)
        assert (changed.scores[:, columns].argmax(axis=1) == order).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("depth", ["ragged", "full"])
def test_paths_may_end_early_without_stop_outputs(depth: Any, method: Any) -> None:
    """What classes leave of 1 says so. Every level was scaled to 1, and no path ended above the last."""
    model = replace(single(2.5, stop=True), stop=None)
    if depth == "full":  # a tree with a leaf on level 1, where paths end at leaves alone
        tree = Hierarchy.from_paths([("a",), *[("b", f"b{i}") for i in range(3)]])
        kept = model.truth[:, 1] & ~model.truth[:, 5:].any(axis=1)  # ends at b
        truth = np.column_stack([model.truth[:, :1], ~model.truth[:, :1], model.truth[:, 5:]])
        scores = np.column_stack([model.scores[:, :2], model.scores[:, 5:]])
        model = replace(model, scores=scores, truth=truth, task=Task("hmc", "single", "full", tree))
        model = model.take(np.flatnonzero(~kept))
    changed = calibrated(model, fit(model, method))

    def ended(predictions: Predictions) -> np.ndarray:
        sets = predictions.truth if predictions is model else decided(predictions)
        return np.asarray(sets[:, 2:].sum(axis=1) == 0)

    def decided(predictions: Predictions) -> np.ndarray:
        return coherent(predictions.scores, predictions.stop, predictions.task)

    assert changed.stop is None
    assert ended(changed).mean() == pytest.approx(ended(model).mean(), abs=0.1)
    before, after = (values(part, "level1_ece")[0] for part in (model, changed))
    assert after < 0.9 * before
    columns = hierarchy_of(model.task).level_classes(1)
    np.testing.assert_allclose(changed.scores[:, columns].sum(axis=1), 1, atol=1e-5)
    assert changed.scores.sum(axis=1).max() <= 2 + 1e-5


def test_platt_finds_the_line_and_temperature_the_slope() -> None:
    for fitted in fit(several(2.0, 1.0), "platt"):
        assert (fitted["a"], fitted["b"]) == pytest.approx((0.5, -0.5), abs=0.2)
    for fitted in fit(several(2.0), "temperature"):
        assert fitted["t"] == pytest.approx(2.0, rel=0.2)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["single", "stop", "several"])
def test_every_method_lowers_the_losses_of_new_samples(kind: str, method: Any) -> None:
    predictions = several(2.5) if kind == "several" else single(2.5, stop=kind == "stop")
    names = (
        ["multi_ece", "multi_log_loss"]
        if kind == "several"
        else ["level1_ece", "level1_log_loss", "level2_ece"]
    )
    changed = calibrated(predictions, fit(predictions, method))
    assert changed.scores.dtype == predictions.scores.dtype
    assert 0 <= changed.scores.min() <= changed.scores.max() <= 1
    for before, after in zip(values(predictions, *names), values(changed, *names), strict=True):
        assert after < 0.9 * before


def test_maps_are_those_of_plain_formulas() -> None:
    scores = np.array([[0.2, 0.5], [0.75, 0.25], [0.0, 1.0]])
    alone = Level(scores, scores > 0.4, single=False)
    expected = expit(0.5 * logit(np.clip(scores, LEAST, 1 - LEAST)) + 1)
    np.testing.assert_allclose(apply_level(alone, {"a": 0.5, "b": 1.0}), expected)
    np.testing.assert_allclose(apply_level(alone, {"x": [0, 1], "y": [0.5, 1]}), 0.5 + scores / 2)
    together = replace(alone, single=True)
    power = scores**0.5
    expected = scores.sum(axis=1)[:, None] * power / power.sum(axis=1)[:, None]
    np.testing.assert_allclose(apply_level(together, {"t": 2.0}), expected)
    steps = fit_level(alone, "isotonic")
    assert (np.diff(steps["y"]) >= 0).all()
    assert min(steps["y"]) > 0 < 1 - max(steps["y"])


def test_only_the_calibration_side_is_read() -> None:
    predictions = single(2.0)
    rows = np.array([i for i, side in enumerate(predictions.side) if side != "calibration"])
    truth = np.array(predictions.truth)
    truth[rows] = truth[rows[::-1]]
    assert fit(replace(predictions, truth=truth), "platt") == fit(predictions, "platt")


def test_values_under_shifts_are_not_those_of_the_row_that_was_calibrated(
    fabricate: Callable[..., Record], shift: Callable[..., Record]
) -> None:
    record = shift(fabricate("forest", predictions=single(2.5)), 0.5)
    assert record.part("shifts")
    (new,) = calibrate_records(None, [record], "platt", default_registry())
    assert "shifts" not in new.data


def test_rows_are_written_beside_the_others(fabricate: Callable[..., Record]) -> None:
    record = fabricate("forest[trees=5]", predictions=single(2.5))
    folder, registry = record.path.parent, default_registry()
    for method in METHODS:
        write_records(folder, calibrate_records(None, read_all(folder), method, registry))
    records = {r.label: r for r in read_all(folder)}
    labels = {f"forest[trees=5,calibrated={method}]" for method in METHODS}
    assert set(records) == {"forest[trees=5]", *labels}
    platt = records["forest[trees=5,calibrated=platt]"]
    assert platt.data["model"]["members"][0]["key"] == record.key
    assert len(platt.data["model"]["maps"]) == 2
    assert platt.part("timing") == record.part("timing")
    again = compute_sides(SPECS, platt.predictions(), platt.thresholds)
    assert {side: dict(v) for side, v in again.items()} == platt.data["metrics"]
    (board,) = boards_of(folder.parent)
    assert {row.model for row in board.rows} == set(records)


def test_nothing_is_written_where_a_later_suite_cannot_be_calibrated(
    fabricate: Callable[..., Record], cli: Callable[..., Any], tmp_path: Path
) -> None:
    """Two suites: of the second the calibration side is missing, or an ensemble has no second member."""
    folder = fabricate("forest", predictions=single(2.5)).path.parent.parent
    fabricate("knn", predictions=single(2.5))
    runs = tmp_path / "two"
    shutil.copytree(folder, runs / "a")
    shutil.copytree(folder, runs / "b")
    (broken,) = [r for r in read_all(runs / "b" / "records") if r.label == "knn"]
    keep = [i for i, side in enumerate(broken.predictions().side) if side != "calibration"]
    broken.predictions().take(np.array(keep)).save(broken.path / NPZ)
    before = sorted(runs.rglob("record.json"))
    ended = cli("calibrate", runs)
    assert ended.status == 2 and "no samples to calibrate on" in ended.err
    shutil.rmtree(broken.path)
    ended = cli("ensemble", runs, "--rows", "forest,knn")
    assert ended.status == 2 and "knn" in ended.err
    assert sorted(runs.rglob("record.json")) == [p for p in before if p.parent != broken.path]


def test_what_cannot_be_calibrated_says_why(fabricate: Callable[..., Record]) -> None:
    record, registry = fabricate("forest"), default_registry()
    with pytest.raises(BadInput, match=r"no samples to calibrate on.*calibration = 0\.1"):
        calibrate_records(None, [record], "platt", registry)
    with pytest.raises(BadInput, match="did you mean 'isotonic'"):
        calibrate_records(None, [record], "isotonik", registry)
    with pytest.raises(BadInput, match="only rank"):
        fit(replace(single(1.0), scores=single(1.0).scores + 1), "platt")
    nothing = replace(single(1.0), truth=np.zeros_like(single(1.0).truth))
    with pytest.raises(BadInput, match="no class on one of the levels"):
        fit(nothing, "platt")
    regression = Predictions(["a"], ["calibration"], np.zeros((1, 1)), Task("regression", targets=("y",)))
    with pytest.raises(BadInput, match="regression"):
        fit(regression, "platt")


def test_without_named_rows_those_without_probabilities_stay_out(fabricate: Callable[..., Record]) -> None:
    """One ranking row, or one of sets that a person answered, kept all others from being calibrated."""
    good, registry = single(2.5), default_registry()
    ranks = replace(good, scores=good.scores + 1)
    sets = replace(good, scores=(good.scores > 0.5).astype(np.float32), only_sets=True)
    records = [
        fabricate(name, predictions=p, metrics={"test": {"hf1_samples": 0.5}}, seed=seed)
        for name, *seeds in (("forest", good), ("ranks", good, ranks), ("sets", sets))
        for seed, p in enumerate(seeds)
    ]
    new = calibrate_records(None, records, "platt", registry)
    assert [record.data["model"]["label"] for record in new] == ["forest[calibrated=platt]"]
    for named, says in ((["ranks"], "only rank"), (["forest", "sets"], "no scores of classes")):
        with pytest.raises(BadInput, match=says):
            calibrate_records(None, records, "platt", registry, named)
    with pytest.raises(BadInput, match="only rank"):
        calibrate_records(None, records[1:], "platt", registry)
