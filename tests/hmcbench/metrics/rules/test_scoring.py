"""What a record keeps of a rule, and what a wrong rule costs."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hmcbench import MetricSpec, RuleSpec, hookimpl
from hmcbench.errors import BadInput
from hmcbench.interfaces import Task
from hmcbench.metrics.builtin import RULES, SPECS
from hmcbench.metrics.computing import compute
from hmcbench.metrics.decisions import Thresholds, fit_threshold, thresholds_of
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.rules import scoring
from hmcbench.metrics.rules.isotonic import isotonic
from hmcbench.metrics.rules.most_probable import most_probable
from hmcbench.metrics.rules.scoring import Rule, decide_again, find_rules, score_rules
from hmcbench.records.predictions import Predictions
from hmcbench.registry.registry import default_registry
from hmcbench.testing.helpers import temporary_plugin, tiny_dataset


def predictions_of(shape: Any) -> Predictions:
    dataset = tiny_dataset(60, shape)
    truth = np.asarray(dataset.targets)
    scores = (0.4 * truth + 0.6 * np.random.default_rng(0).random(truth.shape)).astype(np.float32)
    return Predictions(dataset.ids, ["validation"] * 20 + ["test"] * 40, scores, dataset.task, truth)


def blocks_of(predictions: Predictions, *names: str, **more: Any) -> dict[str, dict[str, Any]]:
    valid = predictions.of_side("validation")
    thresholds = thresholds_of(valid.scores, valid.truth, valid.task)
    return score_rules(find_rules(default_registry(), names), SPECS, predictions, thresholds, **more)


@pytest.mark.parametrize("shape", ["tree", "ragged", "multiple", "dag"])
def test_every_rule_has_values_on_every_partition(shape: Any) -> None:
    predictions = predictions_of(shape)
    blocks = blocks_of(predictions, *(rule.name for rule in RULES))
    assert blocks.keys() == {rule.name for rule in RULES if predictions.task.paths in rule.paths}
    for block in blocks.values():
        assert "failure" not in block
        assert block["metrics"].keys() == {"validation", "test"}
        assert 0.3 < block["metrics"]["test"]["hf1_samples"] <= 1
        names = {*block["metrics"]["test"], *block["metrics"]["validation"]}
        assert not any(name.endswith("_raw") or "[" in name for name in names)
        assert ("auprc_micro" in names) == (block["makes"] == "scores")
        own = block["makes"] == "scores" and predictions.task.paths == "multiple"
        assert ("thresholds" in block) == own


def test_a_rule_on_scores_has_its_own_thresholds_and_rankings() -> None:
    predictions = predictions_of("dag")
    task, hierarchy = predictions.task, predictions.task.hierarchy
    assert hierarchy is not None
    block = blocks_of(predictions, "isotonic")["isotonic"]
    valid, test = (predictions.of_side(side) for side in ("validation", "test"))
    thresholds = fit_threshold(isotonic(valid.scores, task), valid.truth, hierarchy)
    assert block["thresholds"] == thresholds.to_json()
    evaluation = Evaluation.of(task, test.truth, isotonic(test.scores, task), None, thresholds)
    expected = compute(SPECS, evaluation, ["hf1_micro", "exact_match", "auprc_micro", "violation_rate"])
    assert {name: block["metrics"]["test"][name] for name in expected} == expected


def test_a_rule_on_sets_keeps_the_thresholds_and_rankings_of_the_model() -> None:
    predictions = predictions_of("multiple")
    block = blocks_of(predictions, "map")["map"]
    test = predictions.of_side("test")
    expected = (most_probable(test.scores, test.task) == test.truth).all(axis=1).mean()
    assert block["metrics"]["test"]["exact_match"] == pytest.approx(expected)
    assert not {"auprc_micro", "violation_rate"} & block["metrics"]["test"].keys()


def test_thresholds_are_fitted_as_the_suite_says() -> None:
    block = blocks_of(predictions_of("multiple"), "max", per="per_class")["max"]
    assert len(set(block["thresholds"])) > 1


def test_parameters_are_chosen_on_validation_and_kept() -> None:
    predictions = predictions_of("multiple")
    blocks = blocks_of(predictions, "cssa", "cssa[k=1]")
    assert blocks["cssa"]["params"]["k"] > 0
    assert blocks["cssa[k=1]"]["params"] == {"k": 1}


def test_only_wanted_ids_are_computed() -> None:
    names = ["hf1_micro", "level{k}_accuracy", "exact_match_raw", "class_f1", "auprc_micro"]
    block = blocks_of(predictions_of("multiple"), "map", names=names)["map"]
    assert block["metrics"]["test"].keys() == {"hf1_micro", "level1_accuracy", "level2_accuracy"}


def broken(scores: np.ndarray, task: Task) -> np.ndarray:
    raise SystemExit("no")


def slow(scores: np.ndarray, task: Task) -> np.ndarray:
    time.sleep(5)
    return scores


def writes(scores: np.ndarray, task: Task) -> np.ndarray:
    scores[:] = 1
    return scores


def narrow(scores: np.ndarray, task: Task) -> np.ndarray:
    return scores[:, 1:]


def endless(scores: np.ndarray, task: Task) -> np.ndarray:
    return np.full_like(scores, np.nan)


def incoherent(scores: np.ndarray, task: Task) -> np.ndarray:
    return 1 - scores


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (broken, "SystemExit: no"),
        (slow, "took more than 0.1 s"),
        (writes, "read-only"),
        (narrow, "of shape"),
        (endless, "NaN or infinite"),
        (incoherent, "a child that scores more than its parent"),
    ],
)
def test_a_wrong_rule_costs_its_own_values_only(
    function: Any, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "RULE_S", 0.1 if function is slow else 60)
    spec = RuleSpec(name="wrong", version="7", summary="", factory=function, makes="scores")
    predictions = predictions_of("multiple")
    before = predictions.scores.copy()
    rules = [Rule("wrong", spec, {}), *find_rules(default_registry(), ["max"])]
    blocks = score_rules(rules, SPECS, predictions, Thresholds())
    assert says in blocks["wrong"]["failure"]
    assert blocks["wrong"].keys() == {"version", "failure", "seconds"}
    assert "failure" not in blocks["max"]
    assert (predictions.scores == before).all()


def test_the_time_of_a_rule_ends_a_metric_that_its_fit_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The metric took the end for its own, and the fit went on."""
    monkeypatch.setattr(scoring, "RULE_S", 0.1)
    slow_metric = MetricSpec(name="slow", version="1", summary="", factory=lambda _e: time.sleep(5) or 0.0)

    def fit(scores: np.ndarray, truth: np.ndarray, task: Task) -> dict[str, Any]:
        compute([slow_metric], Evaluation.of(task, truth, scores))
        return {}

    spec = RuleSpec(name="fitted", version="1", summary="", factory=halves, makes="scores", fit=fit)
    block = score_rules([Rule("fitted", spec, {})], SPECS, predictions_of("multiple"), Thresholds())["fitted"]
    assert block.keys() == {"version", "failure", "seconds"}
    assert "took more than 0.1 s" in block["failure"] and block["seconds"] < 2


def test_scores_that_only_rank_have_no_probable_sets() -> None:
    predictions = predictions_of("multiple")
    ranking = replace(predictions, scores=5 * predictions.scores - 2)
    blocks = blocks_of(ranking, *(rule.name for rule in RULES))
    failed = {name for name, block in blocks.items() if "these scores only rank" in block.get("left_out", "")}
    assert failed == {"product", "map", "expected-hf1"}
    assert all("metrics" in block for name, block in blocks.items() if name not in failed)


def test_decisions_of_the_model_itself_are_no_part_of_a_rule() -> None:
    predictions = predictions_of("multiple")
    own = replace(predictions, decisions=np.zeros(predictions.scores.shape, dtype=bool))
    for name, block in blocks_of(own, "max", "map").items():
        assert block["metrics"] == blocks_of(predictions, name)[name]["metrics"]


def test_a_record_applies_its_rule_again() -> None:
    predictions = predictions_of("multiple")
    again = decide_again("cssa", {"k": 2}, predictions)
    assert again.ruled is not None
    assert (again.ruled.sum(axis=1) == 2).all()
    evaluation = Evaluation.of_predictions(again)
    assert (evaluation.coherent == again.ruled).all()
    assert (evaluation.raw == Evaluation.of_predictions(predictions).raw).all()  # the model's own stays


def test_regression_has_no_rules() -> None:
    task = Task(kind="regression", targets=("x",))
    predictions = Predictions(["a"], ["test"], np.zeros((1, 1)), task, np.zeros((1, 1)))
    assert score_rules(find_rules(default_registry(), ["max"]), SPECS, predictions, None) == {}


def test_references_are_read_and_named() -> None:
    rules = find_rules(default_registry(), ["cssa[k=0]", "cssa", "cssa[k=3]"])
    assert [rule.label for rule in rules] == ["cssa", "cssa[k=3]"]
    with pytest.raises(BadInput, match="did you mean 'isotonic'"):
        find_rules(default_registry(), ["isotonik"])
    with pytest.raises(BadInput, match="at least 0"):
        find_rules(default_registry(), ["cssa[k=-1]"])


def test_a_plugin_adds_a_rule() -> None:
    spec = RuleSpec(name="halves", version="1", summary="half of all", factory=halves, makes="scores")
    plugin = SimpleNamespace(__name__="third", hmcbench_rules=hookimpl(lambda: [spec]))
    with temporary_plugin(plugin) as registry:
        (rule,) = find_rules(registry, ["halves"])
    blocks = score_rules([rule], SPECS, predictions_of("multiple"), Thresholds())
    assert "failure" not in blocks["halves"]


def halves(scores: np.ndarray, task: Task) -> np.ndarray:
    assert task.hierarchy is not None
    return task.hierarchy.cohere(scores) / 2
