"""Runs one check on the spec of a temporary plugin."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from hmcbench import hookimpl
from hmcbench.testing import checks
from hmcbench.testing.checks import Outcome
from hmcbench.testing.helpers import temporary_plugin


def _outcome(kind: str, name: str, spec: Any) -> Outcome:
    plugin = SimpleNamespace(__name__="wrong", **{f"hmcbench_{kind}": hookimpl(lambda: [spec])})
    check = next(check for check in checks.CHECKS[kind] if check.name == name)
    with temporary_plugin(plugin) as registry:
        assert not next(p for p in registry.manager.plugins if p.name == "wrong").error
        return checks.conclude(checks.subject(kind, spec.name, registry), check)


@pytest.fixture
def outcome() -> Callable[[str, str, Any], Outcome]:
    """``outcome(kind, check, spec)``: the outcome of that check for that spec."""
    return _outcome


@pytest.fixture
def assert_fails() -> Callable[[str, str, Any, str], None]:
    """``assert_fails(kind, check, spec, pattern)``: the check fails with a message of that pattern."""

    def call(kind: str, name: str, spec: Any, pattern: str) -> None:
        result = _outcome(kind, name, spec)
        assert result.status == "failed", result
        assert checks.failures([result])
        assert re.search(pattern, result.detail), result.detail
        assert result.why

    return call
