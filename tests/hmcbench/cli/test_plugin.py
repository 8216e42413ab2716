"""``hmcbench plugin new`` and ``hmcbench plugin check``: output, exit status, plugins that hang or crash."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hmcbench.testing import checks
from hmcbench.testing.helpers import installed_plugin

PLUGIN = """
from hmcbench import ModelSpec, Param, hookimpl

@hookimpl
def hmcbench_models():
    return [ModelSpec(name="mine", version="1", summary="...", factory="my_plugin:Model", views=("table",),
                      paths=("single",), depths=("full",), params={"high": Param(1.0, "the score", low=0)})]

class Model:
    def __init__(self, high):
        self.high = high

    def fit(self, train, valid, run):
        self.n = train.targets.shape[1]
        BODY

    def predict(self, inputs):
        import numpy as np
        from hmcbench import Scores
        return Scores(np.full((len(inputs), self.n), self.high))
"""


def test_a_plugin_that_passes(cli: Callable[..., Any], tmp_path: Path) -> None:
    with installed_plugin(tmp_path, "my_plugin", PLUGIN.replace("BODY", "pass")):
        ended = cli("plugin", "check", "my_plugin")
        assert ended.status == 0, ended.out
        assert "model mine: 19 checks ran, 0 failed, 11 skipped" in ended.out
        assert ended.out.splitlines()[-1].startswith("21 checks ran, 0 failed")


def test_failures_are_printed_with_reason_and_consequence(cli: Callable[..., Any], tmp_path: Path) -> None:
    with installed_plugin(tmp_path, "my_plugin", PLUGIN.replace("BODY", "pass")):
        ended = cli("plugin", "check", "--spec", "mine", "--set", "mine.high=7", "--verbose")
        assert ended.status == 1
        assert "FAILED  model mine: scores, a tree, one leaf per sample" in ended.out
        assert "probabilities outside [0, 1] (7 to 7)" in ended.out
        assert "why it matters: " in ended.out
        assert "ok      model mine: same seed, same scores" in ended.out
        assert "skipped model mine: scores, two targets: its spec declares no tasks" in ended.out
        assert "imports nothing heavy" not in ended.out


FOREVER = """import time
        while True:
            try:
                time.sleep(9)
            except BaseException:
                continue"""


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("import os; os._exit(3)", "the process ended with status 3"),
        (FOREVER, "killed"),
    ],
)
def test_a_model_that_dies_or_never_ends_is_caught(
    cli: Callable[..., Any], tmp_path: Path, body: str, says: str
) -> None:
    with installed_plugin(tmp_path, "my_plugin", PLUGIN.replace("BODY", body)):
        ended = cli("plugin", "check", "--spec", "mine", "--timeout", "1.5", "--json")
    assert ended.status == 1
    data = json.loads(ended.out)
    assert data["failed"] == 2 and data["ran"] == 6 < len(data["checks"])
    details = [c["detail"] for c in data["checks"] if c["status"] == "failed"]
    assert all(says in detail for detail in details)
    assert data["checks"][-1]["detail"].startswith("not tried after 2 checks")


def test_a_broken_plugin_is_told_and_nothing_of_it_runs(cli: Callable[..., Any], tmp_path: Path) -> None:
    with installed_plugin(tmp_path, "my_plugin", "1 / 0"):
        ended = cli("plugin", "check", "my_plugin")
    assert ended.status == 1
    assert "ZeroDivisionError" in ended.out and "2 checks ran, 2 failed" in ended.out


def test_no_check_is_a_failure(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = PLUGIN.replace("BODY", "pass").replace(
        'version="1",', 'version="1", requires=("no_such_library",),'
    )
    with installed_plugin(tmp_path, "my_plugin", source):
        ended = cli("plugin", "check", "my_plugin", "--spec", "mine")
        assert ended.status == 1 and "no check ran: that is a failure" in ended.out
    ended = cli("plugin", "check")
    assert ended.status == 2 and "no check ran" in ended.err
    assert checks.failures([]) == ["no check ran"]


BAD = [
    (["plugin"], 0, ""),
    (["plugin", "chek"], 2, "chek"),
    (["plugin", "check", "to"], 2, "did you mean 'toy'"),
    (["plugin", "check", "toy", "--spec", "priro"], 2, "did you mean 'prior'"),
    (["plugin", "check", "toy", "--set", "prior"], 2, "SPEC.PARAM=VALUE"),
    (["plugin", "check", "toy", "--set", "prior=1"], 2, "SPEC.PARAM=VALUE"),
    (["plugin", "check", "toy", "--set", "knn.k=1"], 2, "unknown spec"),
    (["plugin", "check", "toy", "--set", "prior.k=1"], 2, "unknown parameter of prior"),
    (["plugin", "check", "toy", "--set", "toy-tree.samples=few"], 2, "a whole number"),
    (["plugin", "check", "toy", "--timeout", "0"], 2, "--timeout"),
    (["plugin", "check", "toy", "--timeout", "nan"], 2, "nan"),
    (["plugin", "check", "toy", "extra"], 2, "extra"),
]


@pytest.mark.parametrize(("args", "status", "says"), BAD, ids=[" ".join(a) for a, *_ in BAD])
def test_bad_input(cli: Callable[..., Any], args: list[str], status: int, says: str) -> None:
    ended = cli(*args)
    assert ended.status == status
    assert says in ended.err and len(ended.err.splitlines()) == int(status == 2)


def test_what_is_printed_can_be_typed(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = cli("plugin", "new", "my-model", "--kind", "model")
    assert ended.status == 0
    assert "pip install -e my-model" in ended.out and "--suite my-model/example.toml" in ended.out
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
    (["plugin", "new", "there", "--kind", "model"], "exists already"),
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
    ended = cli(*args)
    assert ended.status == 2 and says in ended.err and len(ended.err.splitlines()) == 1, ended
    assert [str(p.relative_to(tmp_path)) for p in sorted(tmp_path.rglob("*"))] == ["there", "there/file"]


def test_a_disk_that_fills_leaves_nothing(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, *args: Any, **kwargs: Any) -> int:
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        ended = cli("plugin", "new", "mine", "--kind", "model")
    assert ended.status == 2 and "No space left" in ended.err
    assert list(tmp_path.iterdir()) == []
