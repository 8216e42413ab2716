"""``hmcbench doctor``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def test_doctor_runs_the_smoke_suite(cli: Callable[..., Any]) -> None:
    ended = cli("doctor")
    assert ended.status == 0, ended.out
    assert "9 cells ran" in ended.out
    checks = json.loads(cli("doctor", "--fast", "--json").out)
    assert checks["ok"]


def test_a_cache_that_cannot_be_made_is_a_finding(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HMCBENCH_CACHE", str(tmp_path / "file" / "cache"))
    ended = cli("doctor", "--fast")
    assert ended.status == 1
    assert "FAILED  cache: the cache folder" in ended.out and "cannot be created" in ended.out
