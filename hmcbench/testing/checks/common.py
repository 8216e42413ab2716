"""What every spec promises, and every plugin as a whole."""

from __future__ import annotations

import subprocess
import sys

from hmcbench.interfaces import Spec
from hmcbench.registry.registry import convert, load_object
from hmcbench.testing.checks.base import Check, Skip, Subject, need

HEAVY = ("numpy", "scipy", "sklearn", "torch", "pandas", "matplotlib")
IMPORT_S = 5.0


def described(subject: Subject) -> None:
    spec = subject.spec
    need(spec.summary.strip() and "\n" not in spec.summary, "its summary is not one line")
    if isinstance(spec, Spec):
        need(isinstance(spec.version, str) and spec.version, f"its version is {spec.version!r}, not a text")


def parameters(subject: Subject) -> None:
    """Defaults and profiles within the bounds that the parameters state themselves."""
    spec = subject.spec
    if not isinstance(spec, Spec) or not spec.params:
        raise Skip("it has no parameters")
    for name, param in spec.params.items():
        for values in ({name: param.default}, *spec.profiles.values()):
            if values.get(name) is not None:
                convert(spec.name, name, param, values[name])
    mute = [name for name, param in spec.params.items() if not param.help.strip()]
    need(not mute, f"no help for {', '.join(mute)}")


def factory(subject: Subject) -> None:
    if not isinstance(subject.spec, Spec):
        raise Skip("a suite has no factory")
    need(callable(load_object(subject.spec.factory)), f"{subject.spec.factory} cannot be called")


def light(subject: Subject) -> None:
    """In a process of its own, as only there nothing has been imported before."""
    module = subject.spec.module.partition(":")[0]
    code = f"import sys, {module}; print(*[m for m in {HEAVY!r} if m in sys.modules])"
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=IMPORT_S * 4, check=False
        )
    except subprocess.TimeoutExpired:
        raise AssertionError(f"importing {module} takes more than {IMPORT_S * 4:.0f} s") from None
    need(done.returncode == 0, f"importing {module} fails: {done.stderr.strip().rpartition(chr(10))[2]}")
    need(not done.stdout.strip(), f"importing {module} imports {', '.join(done.stdout.split())}")


def usable(subject: Subject) -> None:
    problem = subject.spec.error or subject.spec.warning
    need(not problem, problem)


CHECKS: list[Check] = [
    Check("says what it is", "hmcbench list and show have nothing else to print", described),
    Check("parameters within their bounds", "a default that is refused can never be run", parameters),
    Check("the factory exists", "a run would fail in its worker", factory),
]
PLUGIN: list[Check] = [
    Check("all of it is usable", "what is broken is left out of every list", usable),
    Check("imports nothing heavy", "every command imports every plugin: it would slow them all", light),
]
