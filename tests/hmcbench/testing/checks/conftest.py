"""A spec of a temporary plugin, and one check of it."""

from __future__ import annotations

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
    one = next(check for check in checks.CHECKS[kind] if check.name == name)
    with temporary_plugin(plugin) as registry:
        assert not next(p for p in registry.manager.plugins if p.name == "wrong").error
        return checks.conclude(checks.subject(kind, spec.name, registry), one)


@pytest.fixture
def outcome() -> Callable[[str, str, Any], Outcome]:
    """``outcome(kind, check, spec)``: what that check finds out about that spec."""
    return _outcome
