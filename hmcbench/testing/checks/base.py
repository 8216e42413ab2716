"""Checks, their subjects and their outcomes; running the checks of one spec in this process."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple

from hmcbench.errors import BadInput, NotApplicable, Unavailable
from hmcbench.interfaces import Value
from hmcbench.registry.registry import Registry, create, missing

Status = Literal["ok", "failed", "skipped"]


class Skip(Exception):
    """Raised by a check that does not apply, with the reason."""


class Check(NamedTuple):
    """One requirement.

    Attributes:
        name: short, the same for every spec of a kind.
        why: the consequence of a violation, in one sentence.
        run: called with the :class:`Subject`; raises where the requirement is violated.
    """

    name: str
    why: str
    run: Callable[[Any], None]


@dataclass(frozen=True)
class Outcome:
    """The outcome of one check: ``detail`` says what is wrong, or why it was skipped."""

    kind: str
    spec: str
    check: str
    status: Status
    detail: str = ""
    why: str = ""


@dataclass
class Subject:
    """One spec under test, with the parameters of the profile ``quick`` unless others are chosen.

    Attributes:
        kind: ``datasets``, ``models``, ``metrics``, ``rules``, ``featurizers``, ``shifts`` or ``suites``.
        kept: objects that the checks of a subject share, such as a fitted model.
    """

    registry: Registry
    kind: str
    spec: Any
    params: Mapping[str, Value] = field(default_factory=dict)
    kept: dict[Any, Any] = field(default_factory=dict)

    def make(self) -> Any:
        """A new object of the factory; skips where data or libraries are missing."""
        try:
            return create(self.spec, self.params)
        except (Unavailable, BadInput) as error:
            raise Skip(str(error)) from None

    def keep(self, key: Any, make: Callable[[], Any]) -> Any:
        """The result of ``make()``, called once; its error is raised again."""
        if key not in self.kept:
            try:
                self.kept[key] = make(), None
            except Exception as error:
                self.kept[key] = None, error
        value, raised = self.kept[key]
        if raised is not None:
            raise raised
        return value

    @cached_property
    def absent(self) -> list[str]:
        """Libraries that the spec needs and that are not installed."""
        return missing(self.spec) if self.kind not in ("suites", "plugins") else []


def conclude(subject: Subject, check: Check) -> Outcome:
    """Run one check; any exception becomes the outcome. Warnings are ignored."""
    status: Status = "ok"
    detail = ""
    try:
        if subject.absent:
            raise Skip(f"needs {', '.join(subject.absent)}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check.run(subject)
    except (Skip, NotApplicable) as reason:
        status, detail = "skipped", str(reason)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a plugin may raise anything, SystemExit included
        message = " ".join(str(error).split())[:300]
        named = type(error) is not AssertionError or not message
        status, detail = "failed", f"{type(error).__name__}: {message}" if named else message
    why = check.why if status == "failed" else ""
    return Outcome(subject.kind, subject.spec.name, check.name, status, detail, why)


def need(condition: Any, problem: str) -> None:
    """Raise AssertionError with the problem unless the condition holds (``assert`` can be switched off)."""
    if not condition:
        raise AssertionError(problem)
