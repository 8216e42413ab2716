"""``hmcbench score``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize(
    "names",
    [("01", "1", "1.0", "1e3"), ("007", "7.50", "+3"), ("inf", "nan", "1_000"), ("-5", "0x10", "1e-2")],
)
def test_names_of_classes_that_are_numbers_stay_as_typed(
    cli: Callable[..., Any], tmp_path: Path, names: tuple[str, ...]
) -> None:
    (tmp_path / "H.csv").write_text("parent,child\n" + "".join(f",{name}\n" for name in names))
    (tmp_path / "T.csv").write_text("id,labels\n" + "".join(f"{i},{name}\n" for i, name in enumerate(names)))
    files = {"hierarchy": "H.csv", "truth": "T.csv", "predictions": "T.csv"}
    args = [part for option, file in files.items() for part in (f"--{option}", tmp_path / file)]
    lines = [line.split() for line in cli("score", *args).out.splitlines()]
    shown = {line[0] for line in lines if line[1:] == ["1.0000"] * 4}
    assert shown == set(names)


def test_score_prints_the_numbers_of_the_fixture(cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "H.csv").write_text("parent,child\n,a\n,x\na,b\na,e\nb,c\nb,d\nx,y\ny,z\n")
    (tmp_path / "T.csv").write_text("id,labels\n1,c\n2,d\n3,y\n")
    (tmp_path / "P.csv").write_text("id,labels\n1,d\n2,e\n3,z\n")
    files = (
        "--hierarchy",
        tmp_path / "H.csv",
        "--truth",
        tmp_path / "T.csv",
        "--predictions",
        tmp_path / "P.csv",
    )
    values = json.loads(cli("score", *files, "--json").out)
    text = cli("score", *files).out
    expected = {
        "hp_micro": 0.625,
        "hr_micro": 0.625,
        "hf1_micro": 0.625,
        "hp_samples": 0.6111,
        "hr_samples": 0.6667,
        "hf1_samples": 0.6377,
        "hf1_samples_mean": 0.6222,
    }
    flat = values.get("metrics", values)
    assert {k: round(flat[k], 4) for k in expected} == expected
    for name, value in expected.items():
        assert f"{value:.4f}" in next(line for line in text.splitlines() if line.split()[:1] == [name])


def test_single_paths_of_scores(cli: Callable[..., Any], tmp_path: Path) -> None:
    """Two softmax rows that argmax gets right, and no score of level 2 reaches a threshold of 0.5."""
    (tmp_path / "H.csv").write_text("parent,child\n,a\n,b\na,a1\na,a2\nb,b1\nb,b2\n")
    (tmp_path / "T.csv").write_text("id,labels\n1,a1\n2,b2\n")
    (tmp_path / "P.csv").write_text("id,a,b,a1,a2,b1,b2\n1,.6,.4,.4,.3,.2,.1\n2,.3,.7,.1,.2,.25,.45\n")
    files = {"hierarchy": "H.csv", "truth": "T.csv", "predictions": "P.csv"}
    args = [part for option, file in files.items() for part in (f"--{option}", tmp_path / file)]
    ended = cli("score", *args, "--paths", "single")
    assert ["exact_match", "1.0000"] in [line.split() for line in ended.out.splitlines()]
    assert "threshold" not in ended.out and "note:" not in ended.out
    usual = cli("score", *args).out
    assert ["exact_match", "0.0000"] in [line.split() for line in usual.splitlines()]
    assert "note: every row of the truth is one path: --paths single" in usual
    (tmp_path / "T.csv").write_text("id,labels\n1,a1|b\n2,b2\n")
    refused = cli("score", *args, "--paths", "single")
    assert refused.status == 2 and "T.csv:2: the labels of '1' lie on several paths" in refused.err
    assert len(refused.err.splitlines()) == 1
    for number in ("nan", "inf", "-inf", "NaN"):
        (tmp_path / "P.csv").write_text(f"id,a,b,a1,a2,b1,b2\n1,.6,.4,.4,.3,.2,{number}\n2,0,0,0,0,0,0\n")
        refused = cli("score", *args)
        assert refused.status == 2 and f"P.csv:2: the score of 'b2' is '{number}'" in refused.err
