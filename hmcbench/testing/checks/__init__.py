"""The conformance kit: the checks of ``hmcbench plugin check``; hmcbench's own tests use it too.

In the tests of a plugin::

    from hmcbench.testing import checks

    def test_the_conformance_checks():
        assert checks.failures(checks.check("models", "nearest", size=8)) == []
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hmcbench.interfaces import PROFILES, Value
from hmcbench.registry.loading import Plugin
from hmcbench.registry.registry import KINDS, Registry, default_registry
from hmcbench.testing.checks import (
    common,
    datasets,
    featurizers,
    metrics,
    models,
    pixels,
    rules,
    shifts,
    suites,
)
from hmcbench.testing.checks.base import Check, Outcome, Skip, Subject, conclude

__all__ = [
    "CHECKS",
    "Check",
    "Outcome",
    "Skip",
    "Subject",
    "check",
    "check_plugin",
    "checks_of",
    "conclude",
    "failures",
    "of_plugin",
    "subject",
]

CHECKS: dict[str, list[Check]] = {
    "datasets": [*common.CHECKS, *datasets.CHECKS],
    "models": [*common.CHECKS, *models.CHECKS],
    "metrics": [*common.CHECKS, *metrics.CHECKS],
    "rules": [*common.CHECKS, *rules.CHECKS],
    "featurizers": [*common.CHECKS, *featurizers.CHECKS],
    "shifts": [*common.CHECKS, *shifts.CHECKS],
    "suites": [*common.CHECKS, *suites.CHECKS],
}
"""Kind -> its checks, in the order in which they run."""


def subject(kind: str, reference: str, registry: Registry | None = None, **params: Value) -> Subject:
    """The subject of a spec, by its reference (``name[param=value]``).

    Raises:
        BadInput: there is no such spec, or it has no such parameter.
    """
    registry = registry or default_registry()
    if kind in ("suites", "metrics"):
        return Subject(registry, kind, registry.get(kind, reference))
    return Subject(registry, kind, *registry.resolve(kind, reference, PROFILES[0], **params))


def checks_of(kind: str, spec: Any) -> list[Check]:
    """The checks of one spec: of its kind; of models of pixels, their own."""
    if kind == "models" and spec.unit == "pixel":
        return [*common.CHECKS, *pixels.CHECKS]
    return CHECKS[kind]


def check(kind: str, reference: str, registry: Registry | None = None, **params: Value) -> list[Outcome]:
    """The outcomes of all checks of one spec, run in this process."""
    checked = subject(kind, reference, registry, **params)
    return [conclude(checked, check) for check in checks_of(kind, checked.spec)]


def failures(outcomes: Sequence[Outcome]) -> list[str]:
    """One line per failed check; or one where no check ran, which proves nothing."""
    if not any(o.status != "skipped" for o in outcomes):
        return ["no check ran"]
    return [
        f"{o.kind[:-1]} {o.spec}: {o.check}: {o.detail} ({o.why})" for o in outcomes if o.status == "failed"
    ]


def of_plugin(registry: Registry, plugin: Plugin) -> list[tuple[str, str]]:
    """(kind, name) of all specs of a plugin."""
    return [
        (kind, spec.name)
        for kind in KINDS
        for spec in registry.specs(kind)
        if registry.owner(kind, spec.name) is plugin
    ]


def check_plugin(plugin: Plugin) -> list[Outcome]:
    """The outcomes of the checks of a plugin as a whole."""
    return [conclude(Subject(default_registry(), "plugins", plugin), check) for check in common.PLUGIN]
