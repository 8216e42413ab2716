"""``--shifts`` on the command line: listed, run, added to records, refused in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hmcbench.records.shifts import FILE
from hmcbench.testing.helpers import tiny_suite


def test_they_are_listed_and_shown(cli: Callable[..., Any]) -> None:
    rows = {row["name"]: row for row in json.loads(cli("list", "shifts", "--json").out)}
    assert len(rows) >= 17 and rows["noise"]["severities"].endswith("training deviations")
    assert "normal noise" in cli("show", "shift", "noise").out.lower()
    assert cli("show", "shift", "nois").status == 2


def test_a_second_run_adds_shifts_with_the_kept_models(cli: Callable[..., Any], tmp_path: Path) -> None:
    suite, out = tmp_path / "suite.toml", tmp_path / "runs"
    suite.write_text(tiny_suite("shifted", ["knn", "prior"]))
    assert cli("run", "--suite", suite, "--out", out, "--quiet").status == 0
    ended = cli("run", "--suite", suite, "--out", out, "--shifts", "noise", "--shifts", "missing-values")
    assert ended.status == 0
    assert (
        "predict shifts with the models that they kept" in ended.out
        and "hf1_samples under shifts" in ended.out
    )
    assert len(list(out.glob(f"*/records/*/{FILE}"))) == len(list(out.glob("*/records/*")))
    again = cli("run", "--suite", suite, "--out", out, "--shifts", "noise")
    assert "0 to run" in again.out
    again = cli("run", "--suite", suite, "--out", out, "--rerun", "all", "--dry-run")
    assert "predict the shifts of their records again (--shifts none leaves them out)" in again.out
    none = cli("run", "--suite", suite, "--out", out, "--rerun", "all", "--shifts", "none", "--dry-run")
    assert "lose the predictions under shifts of their records" in none.out
    refused = cli("run", "--suite", suite, "--out", out, "--shifts", "defocus")
    assert refused.status == 2 and refused.err.count("\n") == 1
