"""Predictions of files in blocks."""

from __future__ import annotations

import csv
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest

from hmcbench.apply import predict_files as inference


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text)))


def test_blocks_change_nothing(
    cli: Callable[..., Any], trained_run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = rows(cli("predict", trained_run.record, trained_run.images).out)
    monkeypatch.setattr(inference, "BLOCK", 7)
    parts = rows(cli("predict", trained_run.record, trained_run.images).out)
    assert [r["path"] for r in parts] == [r["path"] for r in whole]
    assert [r["raw"] for r in parts] == [r["raw"] for r in whole]
