from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def runs(fabricate: Callable[..., Any], tmp_path: Path) -> Path:
    fabricate("a", 0.9)
    fabricate("b", 0.6)
    fabricate("c", 0.6, profile="paper")
    fabricate("d", 0.6, folder=tmp_path / "runs" / "more" / "records", suite={"name": "more"})
    return tmp_path / "runs"


def test_in_words(cli: Callable[..., Any], runs: Path) -> None:
    ended = cli("compare", runs, "a", "b")
    assert ended.status == 0 and ended.out.startswith("a against b\n\nsmoke 1: toy, profile quick")
    for part in (
        "What can be concluded:",
        "hf1_samples: a is better than b",
        "What cannot:",
        "It rests on: paired",
    ):
        assert part in ended.out
    assert cli("compare", runs, "a", "b", "--suite", "smoke", "--metric", "exact_match").status == 0


def test_rows_are_named_as_the_board_names_them_or_by_their_model(
    cli: Callable[..., Any], runs: Path, fabricate: Callable[..., Any]
) -> None:
    fabricate("net[x=1]", 0.9)
    labels = {"quick": {"a": "Model A", "net[x=1]": "Network"}}
    info = {"suite": {"name": "smoke"}, "labels": labels}
    (runs / "smoke" / "suite.json").write_text(json.dumps(info))
    for names in (("Model A", "Network"), ("a", "net"), ("model a", "net[x=1]")):
        assert "Model A is better than b" in cli("compare", runs, names[0], "b").out
        assert "Network is better than b" in cli("compare", runs, names[1], "b").out
    fabricate("net[x=2]", 0.9)
    ended = cli("compare", runs, "net", "b")
    assert ended.status == 2 and "net stands for 2 rows. Allowed: one of" in ended.err


def test_json(cli: Callable[..., Any], runs: Path) -> None:
    (comparison,) = json.loads(cli("compare", runs, "b", "a", "--json").out)
    assert comparison["boards"][0]["metrics"][0]["verdict"] == "a is better than b"
    assert comparison["boards"][0]["metrics"][0]["difference"]["p"] < 0.05


def test_not_comparable(cli: Callable[..., Any], runs: Path) -> None:
    ended = cli("compare", runs, "a", "c")
    assert ended.status == 1 and "Not comparable: a and c were not measured on the same: profile" in ended.out
    ended = cli("compare", runs, "a", "d")
    assert ended.status == 1 and "no suite has records of both (a is in smoke; d is in more)" in ended.out


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["no-such-folder", "a", "b"], "no folder"),
        (["RUNS", "a"], "MODEL_B"),
        (["RUNS", "a", "x"], "unknown model in"),
        (["RUNS", "a", "a"], "cannot be compared with itself"),
        (["RUNS", "a", "b", "--metric", "hf1_sample"], "did you mean 'hf1_samples'"),
        (["RUNS", "a", "b", "--suite", "smok"], "did you mean 'smoke'"),
        (["RUNS", "a", "b", "--jsn"], "--json"),
    ],
)
def test_bad_input(cli: Callable[..., Any], runs: Path, args: list[str], says: str) -> None:
    ended = cli("compare", *(runs if a == "RUNS" else a for a in args))
    assert ended.status == 2 and len(ended.err.strip().splitlines()) == 1
    assert says in ended.err, ended.err
