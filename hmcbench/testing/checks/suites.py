"""Checks of suites: the file can be read, and cells can be planned."""

from __future__ import annotations

from hmcbench.errors import BadInput, Unavailable
from hmcbench.plan.cells import make_plan
from hmcbench.plan.choices import Choices
from hmcbench.plan.shifts import shifts_of_suite
from hmcbench.plan.suite import Suite, load_suite
from hmcbench.registry.registry import missing, parse_reference
from hmcbench.testing.checks.base import Check, Skip, Subject, need


def read(subject: Subject) -> Suite:
    suite: Suite = subject.keep("suite", lambda: load_suite(subject.registry, subject.spec.name))
    return suite


def reads(subject: Subject) -> None:
    suite = read(subject)
    need(suite.name == subject.spec.name, f"the spec says {subject.spec.name!r}, the file {suite.name!r}")
    need(suite.summary, "the file has no summary")
    need(suite.primary in suite.columns, f"the primary metric {suite.primary} is not among the columns")


def names(subject: Subject) -> None:
    registry, suite = subject.registry, read(subject)
    for reference in suite.datasets:
        registry.resolve("datasets", reference)
    for name, profile in suite.profiles.items():
        for reference in profile.models:
            registry.resolve("models", reference, name)
    shifts_of_suite(suite, registry)


def plans(subject: Subject) -> None:
    registry, suite = subject.registry, read(subject)
    for reference in suite.datasets:
        spec = registry.get("datasets", parse_reference(reference).name)
        if missing(spec):
            raise Skip(f"dataset {spec.name} needs {', '.join(missing(spec))}")
    try:
        plan = make_plan(suite, registry, Choices())
    except (BadInput, Unavailable) as error:
        raise Skip(f"its data are missing: {error}") from None
    need(plan.cells, "no cell can be planned: no model applies to any dataset")


CHECKS: list[Check] = [
    Check("the file can be read", "hmcbench run reads it", reads),
    Check("every name is known", "a run would refuse to start", names),
    Check("cells can be planned", "a run needs cells", plans),
]
