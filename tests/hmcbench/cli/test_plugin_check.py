"""``hmcbench plugin check``: what it prints, how it ends, and plugins that hang, die or are not there."""

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


def test_a_plugin_that_keeps_its_promises(cli: Callable[..., Any], tmp_path: Path) -> None:
    with installed_plugin(tmp_path, "my_plugin", PLUGIN.replace("BODY", "pass")):
        done = cli("plugin", "check", "my_plugin")
        assert done.status == 0, done.out
        assert "model mine: 17 checks ran, 0 failed, 6 skipped" in done.out
        assert done.out.splitlines()[-1].startswith("19 checks ran, 0 failed")


def test_what_fails_is_told_with_the_reason_and_why_it_matters(
    cli: Callable[..., Any], tmp_path: Path
) -> None:
    with installed_plugin(tmp_path, "my_plugin", PLUGIN.replace("BODY", "pass")):
        done = cli("plugin", "check", "--spec", "mine", "--set", "mine.high=7", "--verbose")
        assert done.status == 1
        assert "FAILED  model mine: scores, a tree, one leaf per sample" in done.out
        assert "probabilities outside [0, 1] (7 to 7)" in done.out
        assert "why it matters: " in done.out
        assert "ok      model mine: same seed, same scores" in done.out
        assert "skipped model mine: scores, two targets: it does not do two targets, and says so" in done.out
        assert "imports nothing heavy" not in done.out


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
        done = cli("plugin", "check", "--spec", "mine", "--timeout", "1.5", "--json")
    assert done.status == 1
    data = json.loads(done.out)
    assert data["failed"] == 2 and data["ran"] == 6 < len(data["checks"])
    told = [c["detail"] for c in data["checks"] if c["status"] == "failed"]
    assert all(says in detail for detail in told)
    assert data["checks"][-1]["detail"].startswith("not tried after 2 checks")


def test_a_broken_plugin_is_told_and_nothing_of_it_runs(cli: Callable[..., Any], tmp_path: Path) -> None:
    with installed_plugin(tmp_path, "my_plugin", "1 / 0"):
        done = cli("plugin", "check", "my_plugin")
    assert done.status == 1
    assert "ZeroDivisionError" in done.out and "2 checks ran, 2 failed" in done.out


def test_no_check_is_a_failure(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = PLUGIN.replace("BODY", "pass").replace(
        'version="1",', 'version="1", requires=("no_such_library",),'
    )
    with installed_plugin(tmp_path, "my_plugin", source):
        done = cli("plugin", "check", "my_plugin", "--spec", "mine")
        assert done.status == 1 and "no check ran: that is a failure" in done.out
    done = cli("plugin", "check")
    assert done.status == 2 and "no check ran" in done.err
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
    done = cli(*args)
    assert done.status == status
    assert says in done.err and len(done.err.splitlines()) == int(status == 2)
