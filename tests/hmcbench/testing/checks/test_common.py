"""Checks of every kind of spec, and of plugins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hmcbench import DatasetSpec, FeaturizerSpec, MetricSpec, ModelSpec, Param, RuleSpec, ShiftSpec, SuiteSpec
from hmcbench.registry.loading import Plugin
from hmcbench.testing import checks
from hmcbench.testing.checks import common

SPECS: dict[str, Callable[..., Any]] = {
    "datasets": DatasetSpec,
    "models": ModelSpec,
    "metrics": MetricSpec,
    "rules": RuleSpec,
    "featurizers": FeaturizerSpec,
    "shifts": ShiftSpec,
}
KINDS: dict[str, dict[str, Any]] = {
    "datasets": {"views": ("table",)},
    "models": {"views": ("table",)},
    "metrics": {},
    "rules": {},
    "featurizers": {"source": "table"},
    "shifts": {"views": ("table",), "severities": (1.0, 2.0)},
}
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "has a summary and a version": ({"summary": " "}, "one line"),
    "parameters within their bounds": ({"params": {"k": Param(0, "neighbours", low=1)}}, "at least 1"),
    "the factory exists": ({"factory": "hmcbench.testing.helpers:missing"}, "missing"),
}


def spec(kind: str, **changes: Any) -> Any:
    usual = {"name": "wrong", "version": "1", "summary": "one line", "factory": "hmcbench.interfaces:Task"}
    return SPECS[kind](**{**usual, **KINDS[kind], **changes})


def test_every_check_has_a_wrong_spec() -> None:
    assert set(WRONG) == {check.name for check in common.CHECKS}


@pytest.mark.parametrize("kind", SPECS)
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_spec_fails_and_the_right_one_passes(
    kind: str, name: str, outcome: Callable[..., Any], assert_fails: Callable[..., None]
) -> None:
    changes, pattern = WRONG[name]
    assert_fails(kind, name, spec(kind, **changes), pattern)
    right = outcome(kind, name, spec(kind))
    assert right.status == ("skipped" if "parameters" in name else "ok"), right


def test_a_suite_needs_a_summary(outcome: Callable[..., Any], assert_fails: Callable[..., None]) -> None:
    name = "has a summary and a version"
    assert_fails("suites", name, SuiteSpec(name="wrong", summary=" ", source="x:y.toml"), "one line")
    assert (
        outcome("suites", name, SuiteSpec(name="wrong", summary="one line", source="x:y.toml")).status == "ok"
    )


def test_wrong_plugins() -> None:
    broken = Plugin("wrong", "wrong", "1", "hmcbench.hierarchy.hierarchy", error="it raised")
    usable, light = checks.check_plugin(broken)
    assert usable.status == "failed" and "it raised" in usable.detail
    assert light.status == "failed" and "numpy" in light.detail
    absent = list(checks.check_plugin(Plugin("wrong", "wrong", "1", "no_such_module")))
    assert "no_such_module" in absent[1].detail


def test_no_check_at_all_is_a_failure() -> None:
    assert checks.failures([]) == ["no check ran"]
    assert checks.failures([checks.Outcome("models", "m", "c", "skipped", "why")]) == ["no check ran"]
