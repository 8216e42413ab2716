"""Every flag of ``hmcbench run`` is tried with good and with bad input; a new one fails until it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from hmcbench.cli import cli as group

SMOKE = ("--suite", "smoke")
SMALL = (*SMOKE, "--dataset", "toy-tree", "--model", "prior")
# flag -> arguments that work (planned, not run), arguments that are refused, what the refusal says
TRIED: dict[str, tuple[tuple[str, ...], tuple[str, ...], str]] = {
    "--suite": (SMOKE, ("--suite", "smok"), "did you mean 'smoke'"),
    "--data": ((*SMALL,), (*SMALL, "--data", "toy-tree"), "NAME=PATH"),
    "--dataset": ((*SMOKE, "--dataset", "toy-t*"), (*SMOKE, "--dataset", "zz*"), "of this suite"),
    "--model": ((*SMOKE, "--model", "pri*"), (*SMOKE, "--model", "prio"), "did you mean 'prior'"),
    "--profile": ((*SMALL, "--profile", "quick"), (*SMALL, "--profile", "qick"), "did you mean"),
    "--seeds": ((*SMALL, "--seeds", "2"), (*SMALL, "--seeds", "x"), "--seeds"),
    "--splits": ((*SMALL, "--splits", "2"), (*SMALL, "--splits", "1001"), "--splits"),
    "--device": ((*SMALL, "--device", "cpu"), (*SMALL, "--device", "tpu"), "allowed: auto, cpu"),
    "--jobs": ((*SMALL, "--jobs", "2"), (*SMALL, "--jobs", "0"), "--jobs"),
    "--per-gpu": ((*SMALL, "--per-gpu", "2"), (*SMALL, "--per-gpu", "x"), "--per-gpu"),
    "--executor": ((*SMALL, "--executor", "slurm"), (*SMALL, "--executor", "cloud"), "--executor"),
    "--budget": ((*SMALL, "--budget", "1h30m"), (*SMALL, "--budget", "1.5h"), "the form is"),
    "--timeout": ((*SMALL, "--timeout", "9.5"), (*SMALL, "--timeout", "nan"), "nan"),
    "--rerun": ((*SMALL, "--rerun", "failed"), (*SMALL, "--rerun", "some"), "--rerun"),
    "--skip-bad": ((*SMALL, "--skip-bad"), (*SMALL, "--skip-bad=3"), "--skip-bad"),
    "--drop-leaks": ((*SMALL, "--drop-leaks"), (*SMALL, "--drop-leaks=3"), "--drop-leaks"),
    "--crop-bottom": ((*SMALL, "--crop-bottom", "8"), (*SMALL, "--crop-bottom"), "--crop-bottom"),
    "--set": ((*SMALL, "--set", "toy-tree.samples=80"), (*SMALL, "--set", "prior"), "model.param=value"),
    "--no-weights": ((*SMALL, "--no-weights"), (*SMALL, "--no-weights=3"), "--no-weights"),
    "--init-from": ((*SMALL,), (*SMALL, "--init-from", "no-such-run"), "no-such-run"),
    "--out": ((*SMALL, "--out", "elsewhere"), (*SMALL, "--out", "a-file"), "a-file"),
    "--dry-run": ((*SMALL,), (*SMALL, "--dry-run=3"), "--dry-run"),
    "--quiet": ((*SMALL, "--quiet"), (*SMALL, "--quiet", "--json"), "together"),
    "--json": ((*SMALL, "--json"), (*SMALL, "--json=3"), "--json"),
}
ELSEWHERE = {"--data": "test_own_images.py", "--init-from": "test_init_from.py"}  # what works needs data


def test_no_flag_is_forgotten() -> None:
    command = group.get_command(click.Context(group), "run")  # type: ignore[attr-defined]
    assert {option.opts[-1] for option in command.params} == set(TRIED)
    for flag, file in ELSEWHERE.items():
        assert (
            flag
            in (Path(__file__).parent / file).read_text()
            + (Path(__file__).parent / "conftest.py").read_text()
        )


@pytest.mark.parametrize("flag", TRIED)
def test_good_and_bad(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flag: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a-file").write_text("")
    good, bad, says = TRIED[flag]
    planned = cli("run", *good, "--dry-run")
    assert planned.status == 0, planned.err
    assert not planned.err
    refused = cli("run", *bad)
    assert refused.status == 2
    assert len(refused.err.strip().splitlines()) == 1
    assert says in refused.err
    assert [path.name for path in tmp_path.iterdir()] == ["a-file"]
