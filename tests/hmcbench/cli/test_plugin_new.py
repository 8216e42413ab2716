"""``hmcbench plugin new``: every kind is written, installed in a fresh environment, tested and run."""

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
    rows = json.loads(authors("hmcbench list plugins --json"))
    found = {row["plugin"]: row for row in rows if row["plugin"].startswith("my-")}
    assert found.keys() == {f"my-{kind}" for kind in KINDS}
    assert all(row["status"] == "ok" and row["package"].endswith(" 0.1.0") for row in found.values())


def test_their_own_tests_pass(authors: Any) -> None:
    out = authors("pytest -q -p no:cacheprovider " + " ".join(f"my-{kind}/tests" for kind in KINDS))
    assert "9 passed" in out, out


@pytest.mark.parametrize("kind", KINDS)
def test_they_stand_on_a_leaderboard(authors: Any, kind: str) -> None:
    name = "my-suite" if kind == "suite" else f"my-{kind}-example"
    authors("hmcbench run --json --suite " + ("my-suite" if kind == "suite" else f"my-{kind}/example.toml"))
    board = (authors.folder / "runs" / name / "leaderboard.md").read_text(encoding="utf-8")
    assert SHOWN[kind] in board, board
    assert "3 of 3 ended well" in board


def test_what_is_printed_can_be_typed(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = cli("plugin", "new", "my-model", "--kind", "model")
    assert done.status == 0
    assert "pip install -e my-model" in done.out and "--suite my-model/example.toml" in done.out
    assert sorted(p.name for p in tmp_path.iterdir()) == ["my-model"]
    assert (tmp_path / "my-model" / "my_model" / "model.py").is_file()
    left = [
        p for p in (tmp_path / "my-model").rglob("*") if p.is_file() and "@" in p.read_text(encoding="utf-8")
    ]
    assert [p.name for p in left] == ["__init__.py"]  # the decorator
    (tmp_path / "there").mkdir()
    assert cli("plugin", "new", "deeper", "--kind", "suite", "--into", "there").status == 0
    assert (tmp_path / "there" / "deeper" / "deeper" / "deeper.toml").is_file()


BAD = [
    (["plugin", "new"], "NAME"),
    (["plugin", "new", "mine"], "--kind"),
    (["plugin", "new", "mine", "--kind", "modl"], "modl"),
    (["plugin", "new", "", "--kind", "model"], "cannot be used"),
    (["plugin", "new", "My-Model", "--kind", "model"], "cannot be used"),
    (["plugin", "new", "my_model", "--kind", "model"], "cannot be used"),
    (["plugin", "new", "../up", "--kind", "model"], "cannot be used"),
    (["plugin", "new", "a/b", "--kind", "model"], "cannot be used"),
    (["plugin", "new", "-x", "--kind", "model"], "-x"),
    (["plugin", "new", "ends-", "--kind", "model"], "cannot be used"),
    (["plugin", "new", "x" * 61, "--kind", "model"], "cannot be used"),
    (["plugin", "new", "modèle", "--kind", "model"], "cannot be used"),
    (["plugin", "new", "class", "--kind", "model"], "is taken"),
    (["plugin", "new", "json", "--kind", "model"], "is taken"),
    (["plugin", "new", "numpy", "--kind", "dataset"], "is taken"),
    (["plugin", "new", "prior", "--kind", "model"], "model 'prior' already"),
    (["plugin", "new", "hf1-micro", "--kind", "metric"], "metric 'hf1_micro' already"),
    (["plugin", "new", "toy", "--kind", "suite"], "plugin 'toy' already"),
    (["plugin", "new", "there", "--kind", "model"], "there already"),
    (["plugin", "new", "mine", "--kind", "model", "--into", "nowhere"], "no folder nowhere"),
    (["plugin", "new", "mine", "--kind", "model", "--into", "there/file"], "no folder there/file"),
    (["plugin", "new", "mine", "extra", "--kind", "model"], "extra"),
]


@pytest.mark.parametrize(("args", "says"), BAD, ids=[" ".join(a) for a, _ in BAD])
def test_bad_input_writes_nothing(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").write_text("kept")
    done = cli(*args)
    assert done.status == 2 and says in done.err and len(done.err.splitlines()) == 1, done
    assert [str(p.relative_to(tmp_path)) for p in sorted(tmp_path.rglob("*"))] == ["there", "there/file"]


def test_a_disk_that_fills_leaves_nothing(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, *args: Any, **kwargs: Any) -> int:
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        done = cli("plugin", "new", "mine", "--kind", "model")
    assert done.status == 2 and "No space left" in done.err
    assert list(tmp_path.iterdir()) == []
