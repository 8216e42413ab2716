"""Files made to do harm, by the command line: refused in one line; nothing in them runs or is unpacked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in an empty folder, so that what leaves it is seen."""
    folder = tmp_path / "outer" / "here"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def tree(here: Path) -> list[Path]:
    """All that lies in the folder and in the one around it."""
    return sorted(here.parent.rglob("*"))


@pytest.fixture
def refused(cli: Callable[..., Any], here: Path) -> Callable[..., str]:
    """The one line that a command ends with; nothing is written and nothing was executed."""

    def call(*args: object) -> str:
        before = tree(here)
        ended = cli(*args)
        assert ended.status == 2, ended
        assert ended.err.startswith("hmcbench: ") and ended.err.count("\n") == 1, ended.err
        assert not ended.out
        assert tree(here) == before
        return str(ended.err)

    return call
