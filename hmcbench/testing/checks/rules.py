"""Checks of decision rules, on random scores over tiny trees and DAGs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from hmcbench.metrics.rules.scoring import Rule
from hmcbench.records.predictions import Predictions
from hmcbench.testing.checks.base import Check, Skip, Subject, need
from hmcbench.testing.checks.metrics import examples
from hmcbench.testing.checks.state import state_check, unchanged
from hmcbench.testing.helpers import tiny_dataset

SHAPES: tuple[Any, ...] = ("tree", "ragged", "multiple", "dag")


def rule_of(subject: Subject, predictions: Predictions) -> Rule:
    """The rule with the parameters that it chooses on some predictions."""
    return Rule(subject.spec.name, subject.spec, subject.params).fitted(predictions)


def problems(subject: Subject) -> Iterator[tuple[str, Predictions]]:
    """Shape and random predictions, for the tasks that the rule is defined for."""
    for shape in SHAPES:
        dataset = tiny_dataset(40, shape)
        if dataset.task.paths in subject.spec.paths:
            truth = np.asarray(dataset.targets)
            noise = np.random.default_rng(1).random(truth.shape)
            scores = (0.4 * truth + 0.6 * noise).astype(np.float32)
            yield shape, Predictions(dataset.ids, ["test"] * len(scores), scores, dataset.task, truth)


def result(rule: Rule, predictions: Predictions) -> np.ndarray:
    """Its scores or sets; raises PluginError where they are not what the contract asks for."""
    decided = rule.decide(predictions)
    return decided.scores if decided.ruled is None else decided.ruled


def coherent(subject: Subject) -> None:
    """Random scores, and scores of 0 and 1."""
    for shape, predictions in problems(subject):
        rule = rule_of(subject, predictions)
        for scores in (predictions.scores, np.round(predictions.scores), np.zeros_like(predictions.scores)):
            ruled = result(rule, _with(predictions, scores))
            if subject.spec.makes == "sets" and predictions.task.paths == "single":
                assert predictions.task.hierarchy is not None
                _, crowded = predictions.task.hierarchy.level_positions(ruled)
                need(not crowded.any(), f"{shape}: several classes at one level, where one path is promised")


def alone(subject: Subject) -> None:
    for shape, predictions in problems(subject):
        rule = rule_of(subject, predictions)
        everything = result(rule, predictions)
        for rows in (np.arange(0, 40, 3), np.arange(39, -1, -1)):
            part = result(rule, predictions.take(rows))
            need(np.array_equal(part, everything[rows]), f"{shape}: a sample's result depends on the others")


def empty(subject: Subject) -> None:
    for _, predictions in problems(subject):
        result(rule_of(subject, predictions), predictions.take(np.arange(0)))
        rule_of(subject, predictions.take(np.arange(0)))  # there may be no validation partition


def repeated(subject: Subject) -> None:
    for shape, predictions in problems(subject):
        rule = rule_of(subject, predictions)
        same = np.array_equal(result(rule, predictions), result(rule, predictions))
        need(same, f"{shape}: another result for the same scores")


def chosen(subject: Subject) -> None:
    if not subject.spec.fit:
        raise Skip("it chooses no parameter")
    for _, predictions in problems(subject):
        json.dumps(dict(rule_of(subject, predictions).params), allow_nan=False)


def state(subject: Subject) -> None:
    with unchanged():
        for _, predictions in problems(subject):
            result(rule_of(subject, predictions), predictions)


def _with(predictions: Predictions, scores: np.ndarray) -> Predictions:
    return Predictions(predictions.ids, predictions.side, scores, predictions.task, predictions.truth)


CHECKS: list[Check] = [
    Check("respects the hierarchy", "a record refuses the result of a rule that does not", coherent),
    Check("every sample alone", "a decision would depend on what else is in a file", alone),
    Check("no sample", "predictions and partitions may be empty", empty),
    Check("the same when repeated", "a published number could not be recomputed", repeated),
    Check("chooses its own parameters", "the record keeps them, so that they are used again", chosen),
    Check("the example in its docstring", "readers check a formula by an example", examples),
    state_check(state),
]
