"""Skeletons: a plugin of every kind is written, installed in a fresh environment, tested and run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hmcbench.registry.registry import default_registry
from hmcbench.testing.skeletons import KINDS, write

SHOWN = {  # kind -> what its leaderboard must show
    "dataset": "my-dataset",
    "model": "| my-model |",
    "metric": "my_metric",
    "featurizer": r"knn\[inputs=my-featurizer\]",
    "shift": "my-shift | ",
    "suite": "my-suite",
}


@pytest.fixture(scope="module")
def authors(fresh: Callable[[Path], Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A shell in a fresh environment in which one plugin of every kind has been written and installed."""
    folder = tmp_path_factory.mktemp("authors")
    for kind in KINDS:
        write(default_registry(), f"my-{kind}", kind, folder)
    shell = fresh(folder)
    shell("pip install " + " ".join(f"./my-{kind}" for kind in KINDS))
    return shell


def test_they_are_listed(authors: Any) -> None:
    plugins = json.loads(authors("hmcbench list plugins --json"))
    rows = {row["plugin"]: row for row in plugins if row["plugin"].startswith("my-")}
    assert rows.keys() == {f"my-{kind}" for kind in KINDS}
    assert all(row["status"] == "ok" and row["package"].endswith(" 0.1.0") for row in rows.values())


def test_their_own_tests_pass(authors: Any) -> None:
    out = authors("pytest -q -p no:cacheprovider " + " ".join(f"my-{kind}/tests" for kind in KINDS))
    assert "11 passed" in out, out


@pytest.mark.parametrize("kind", KINDS)
def test_they_stand_on_a_leaderboard(authors: Any, kind: str) -> None:
    name = "my-suite" if kind == "suite" else f"my-{kind}-example"
    suite = "my-suite" if kind == "suite" else f"my-{kind}/example.toml"
    authors(f"hmcbench run --json --suite {suite}" + (" --shifts all" if kind == "shift" else ""))
    board = (authors.folder / "runs" / name / "leaderboard.md").read_text(encoding="utf-8")
    assert SHOWN[kind] in board, board
    assert "3 of 3 ended well" in board
