"""Checks of every spec, and of every plugin as a whole."""

from __future__ import annotations

import subprocess
import sys

from hmcbench.interfaces import Spec
from hmcbench.registry.registry import convert, load_object
from hmcbench.testing.checks.base import Check, Skip, Subject, need

HEAVY = ("numpy", "scipy", "sklearn", "torch", "pandas", "matplotlib")
IMPORT_S = 20.0


def described(subject: Subject) -> None:
    spec = subject.spec
    need(spec.summary.strip() and "\n" not in spec.summary, "its summary is not one line")
    if isinstance(spec, Spec):
        need(isinstance(spec.version, str) and spec.version, f"its version is {spec.version!r}, not a text")


def parameters(subject: Subject) -> None:
    """Defaults and values of profiles must be within the bounds of their parameters."""
    spec = subject.spec
    if not isinstance(spec, Spec) or not spec.params:
        raise Skip("it has no parameters")
    for name, param in spec.params.items():
        for values in ({name: param.default}, *spec.profiles.values()):
            if values.get(name) is not None:
                convert(spec.name, name, param, values[name])
    without_help = [name for name, param in spec.params.items() if not param.help.strip()]
    need(not without_help, f"no help for {', '.join(without_help)}")


def factory(subject: Subject) -> None:
    if not isinstance(subject.spec, Spec):
        raise Skip("a suite has no factory")
    need(callable(load_object(subject.spec.factory)), f"{subject.spec.factory} cannot be called")


def light(subject: Subject) -> None:
    """Checked in a new process, where nothing else has been imported."""
    if subject.spec.named:
        raise Skip("only commands that name it import it")
    module = subject.spec.module.partition(":")[0]
    code = f"import sys, {module}; print(*[m for m in {HEAVY!r} if m in sys.modules])"
    command = [sys.executable, "-c", code]
    try:
        completed = subprocess.run(command, capture_output=True, text=True, timeout=IMPORT_S, check=False)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"importing {module} takes more than {IMPORT_S:.0f} s") from None
    need(
        completed.returncode == 0,
        f"importing {module} fails: {completed.stderr.strip().rpartition(chr(10))[2]}",
    )
    need(not completed.stdout.strip(), f"importing {module} imports {', '.join(completed.stdout.split())}")


def usable(subject: Subject) -> None:
    problem = subject.spec.error or subject.spec.warning
    need(not problem, problem)


CHECKS: list[Check] = [
    Check("has a summary and a version", "hmcbench list and show print them", described),
    Check("parameters within their bounds", "a default that is refused can never be run", parameters),
    Check("the factory exists", "a run would fail in its worker", factory),
]
PLUGIN: list[Check] = [
    Check("all of it is usable", "broken specs are missing from every list", usable),
    Check("imports nothing heavy", "every command imports every plugin and would be slowed", light),
]
