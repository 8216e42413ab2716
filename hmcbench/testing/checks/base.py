"""What a check is, what comes out of one, and how the checks of one spec are run in this process."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple

from hmcbench.errors import BadInput, NotApplicable, Unavailable
from hmcbench.interfaces import Value
from hmcbench.registry.registry import Registry, create, missing

Status = Literal["ok", "failed", "skipped"]


class Skip(Exception):
    """Raised by a check that has nothing to say here, with the reason."""


class Check(NamedTuple):
    """One promise.

    Attributes:
        name: short, the same for every spec of a kind.
        why: what goes wrong where the promise is broken, in one sentence.
        run: called with the :class:`Subject`; raises where the promise is broken.
    """

    name: str
    why: str
    run: Callable[[Any], None]


@dataclass(frozen=True)
class Outcome:
    """What became of one check: ``detail`` says what was found, or why it was skipped."""

    kind: str
    spec: str
    check: str
    status: Status
    detail: str = ""
    why: str = ""


@dataclass
class Subject:
    """One spec under test, with the parameters of the profile ``quick`` and what was chosen over them.

    Attributes:
        kind: ``datasets``, ``models``, ``metrics``, ``featurizers`` or ``suites``.
        kept: what checks of the same subject share (a fitted model, say).
    """

    registry: Registry
    kind: str
    spec: Any
    params: Mapping[str, Value] = field(default_factory=dict)
    kept: dict[Any, Any] = field(default_factory=dict)

    def make(self) -> Any:
        """A new object of the factory; what it lacks on this machine is a reason to skip."""
        try:
            return create(self.spec, self.params)
        except (Unavailable, BadInput) as error:
            raise Skip(str(error)) from None

    def keep(self, key: Any, make: Callable[[], Any]) -> Any:
        """``make()`` once; what it raised, it raises again."""
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
    """Run one check; whatever it raises becomes the outcome. Warnings are the plugin's own affair."""
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
        told = " ".join(str(error).split())[:300]
        named = told if type(error) is AssertionError and told else f"{type(error).__name__}: {told}"
        status, detail = "failed", named
    why = check.why if status == "failed" else ""
    return Outcome(subject.kind, subject.spec.name, check.name, status, detail, why)


def run_checks(subject: Subject, checks: list[Check], start: int = 0) -> Iterator[Outcome]:
    """The outcomes of ``checks[start:]``, one by one."""
    for check in checks[start:]:
        yield conclude(subject, check)


def need(condition: Any, problem: str) -> None:
    """Raise AssertionError with the problem unless the condition holds (``assert`` can be switched off)."""
    if not condition:
        raise AssertionError(problem)
