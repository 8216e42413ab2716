"""Scores stored predictions under decision rules, for records.

A rule that fails, or takes too long, costs the record its own numbers only.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hmcbench.errors import NotApplicable, PluginError
from hmcbench.interfaces import FittedPer, MetricSpec, RuleSpec, Task, Value
from hmcbench.metrics.computing import RAISED, compute_sides, parts_of
from hmcbench.metrics.decisions import Thresholds, hierarchy_of, thresholds_of
from hmcbench.metrics.ids import find_spec, parse_id
from hmcbench.registry.limits import TooSlow, time_limit
from hmcbench.registry.registry import Registry, check_installed, default_registry, load_object

if TYPE_CHECKING:
    from hmcbench.records.predictions import Predictions

RULE_S = 300.0
"""Limit for choosing the parameters of one rule and applying it; it does not count towards that of a cell."""

TOLERANCE = 1e-6
"""A child may exceed its parent by this much in the scores that a rule returns."""


@dataclass(frozen=True)
class Rule:
    """A rule and its parameters. ``label``: the shortest reference to it, which records and boards show."""

    label: str
    spec: RuleSpec
    params: Mapping[str, Value]

    def why_not(self, task: Task) -> str:
        """Why the rule is not defined for a task; empty if it is."""
        if task.kind != "hmc":
            return "regression has no decisions"
        if task.unit == "pixel":
            return "the scores of pixels are not kept"
        return (
            "" if task.paths in self.spec.paths else f"defined for {' and '.join(self.spec.paths)} paths only"
        )

    def fitted(self, valid: Predictions) -> Rule:
        """The rule with the parameters that validation data choose."""
        if not self.spec.fit:
            return self
        chosen = load_object(self.spec.fit)(valid.scores, valid.truth, valid.task, **self.params)
        unknown = sorted(set(chosen) - set(self.spec.params))
        if unknown:
            raise PluginError(f"the fit of rule {self.label} returned {unknown[0]!r}, which is no parameter")
        return replace(self, params={**self.params, **chosen})

    def decide(self, predictions: Predictions) -> Predictions:
        """The predictions with the scores or the sets of the rule.

        Raises:
            PluginError: another shape or type, values that are not finite, or what breaks the hierarchy.
        """
        scores, task = predictions.scores, predictions.task
        check_installed(self.spec)
        seen = scores.view()
        seen.setflags(write=False)  # other rules read the same array
        result = np.asarray(load_object(self.spec.factory)(seen, task, **self.params))
        problem = self._problem(result, scores.shape, task)
        if problem:
            raise PluginError(f"rule {self.label} returned {problem}")
        if self.spec.makes == "sets":
            return replace(predictions, ruled=result)
        return replace(predictions, scores=result.astype(scores.dtype, copy=False), decisions=None)

    def _problem(self, result: np.ndarray, shape: tuple[int, ...], task: Task) -> str:
        hierarchy = hierarchy_of(task)
        kind = "b" if self.spec.makes == "sets" else "f"
        if result.shape != shape or result.dtype.kind != kind:
            wanted = "booleans" if kind == "b" else "floats"
            return f"{result.dtype} of shape {result.shape}, not {wanted} of shape {shape}"
        if kind == "b":
            return "" if hierarchy.is_closed(result) else "a class without its ancestors"
        if not np.isfinite(result).all():
            return "a score that is NaN or infinite"
        parents, children = hierarchy.edge_index.T
        broken = (result[:, children] > result[:, parents] + TOLERANCE).any()
        return "a child that scores more than its parent" if broken else ""


def find_rules(registry: Registry, references: Sequence[str]) -> list[Rule]:
    """The rules of references (``isotonic``, ``cssa[k=5]``); raises BadInput for what is none."""
    rules = {}
    for reference in references:
        spec, params = registry.resolve("rules", reference)
        label = registry.label("rules", spec, params)
        rules[label] = Rule(label, spec, params)
    return list(rules.values())


def decide_again(reference: str, params: Mapping[str, Value], predictions: Predictions) -> Predictions:
    """Apply a rule of a record with the parameters that it chose; BadInput where it is not installed."""
    (rule,) = find_rules(default_registry(), [reference])
    return replace(rule, params=dict(params)).decide(predictions)


def score_rules(
    rules: Sequence[Rule],
    specs: Sequence[MetricSpec],
    predictions: Predictions,
    thresholds: Thresholds | None,
    per: FittedPer = "shared",
    names: Sequence[str] | None = None,
) -> dict[str, dict[str, Any]]:
    """The part ``rules`` of a record: label -> the values that a rule changes, on every partition.

    Args:
        rules: those of another kind of task are left out.
        specs: the metrics.
        predictions: of validation and test partitions, with truth.
        thresholds, per: those of the record; rules on scores get their own, fitted in the same way.
        names: metric ids to compute; all by default. Metrics of single classes, and ``_raw`` ids, which show
            the model's own decision, are never computed; rules on sets also leave out what reads no decision.

    Returns:
        ``version``, ``makes``, ``params``, ``thresholds`` (where the rule has its own), ``seconds`` and
        ``metrics`` (partition -> id -> value), ``metric_failures`` where there are any; or ``version``,
        ``seconds`` and ``failure``, or ``left_out`` where the rule does not apply to the scores.
    """
    blocks = {}
    for rule in rules:
        if not rule.why_not(predictions.task):
            began = time.perf_counter()
            try:
                block = _block(rule, specs, predictions, thresholds, per, names)
            except NotApplicable as error:
                block = {"left_out": str(error)}
            except (*RAISED, TooSlow) as error:  # a plugin may raise anything
                block = {"failure": f"{type(error).__name__}: {error}".splitlines()[0][:300]}
            seconds = round(time.perf_counter() - began, 3)
            blocks[rule.label] = {"version": rule.spec.version, **block, "seconds": seconds}
    return blocks


def _block(
    rule: Rule,
    specs: Sequence[MetricSpec],
    predictions: Predictions,
    thresholds: Thresholds | None,
    per: FittedPer,
    names: Sequence[str] | None,
) -> dict[str, Any]:
    with time_limit(RULE_S, f"took more than {RULE_S:g} s"):
        rule = rule.fitted(predictions.of_side("validation"))
        decided = rule.decide(predictions)
        if rule.spec.makes == "scores":
            valid = decided.of_side("validation")
            thresholds = thresholds_of(valid.scores, valid.truth, valid.task, per)
    chosen = [
        spec for spec in specs if spec.over != "classes" and (spec.decided or rule.spec.makes == "scores")
    ]
    wanted = [spec.name for spec in chosen] if names is None else _plain_ids(specs, chosen, names)
    return {
        "makes": rule.spec.makes,
        "params": dict(rule.params),
        **({"thresholds": thresholds.to_json()} if thresholds and rule.spec.makes == "scores" else {}),
        **parts_of(compute_sides(chosen, decided, thresholds, wanted)),
    }


def _plain_ids(specs: Sequence[MetricSpec], chosen: Sequence[MetricSpec], names: Sequence[str]) -> list[str]:
    """The ids of some metrics, without the ``_raw`` ones."""
    of_spec = {name: find_spec(specs, name) for name in names}
    ids = {name: parse_id(spec, name) for name, spec in of_spec.items() if spec in chosen}
    return [name for name, parts in ids.items() if name == of_spec[name].name or (parts and not parts.raw)]
