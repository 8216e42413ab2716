"""``hmcbench doctor``."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


def test_doctor_runs_the_smoke_suite(cli: Callable[..., Any]) -> None:
    ended = cli("doctor")
    assert ended.status == 0, ended.out
    assert "9 cells ran" in ended.out
    checks = json.loads(cli("doctor", "--fast", "--json").out)
    assert checks["ok"]
