"""docs/submit.md: the check passes for a row that is added, and fails for records that were changed."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hmcbench.files import write_atomic
from hmcbench.records.record import JSON, Record, read_all, record_json

DOCS = Path(__file__).parents[3] / "docs" / "submit.md"
Cli = Callable[..., Any]


def git(*args: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *args], check=True, capture_output=True)


def check(cli: Cli) -> list[int]:
    """The exit status of every line of the job; ``hmcbench`` runs in this process."""
    (job,) = re.findall(r"<!-- check -->\n```yaml\n(.*?)```", DOCS.read_text(), re.DOTALL)
    status = []
    for line in re.findall(r"- run: (.*)", job):
        program, *args = line.split()
        code = (
            cli(*args).status
            if program == "hmcbench"
            else subprocess.run(["bash", "-c", line], check=False, capture_output=True).returncode
        )
        status.append(code)
    return status


def test_the_check_of_a_submission(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fabricate: Callable[..., Record]
) -> None:
    if shutil.which("git") is None or shutil.which("bash") is None:
        pytest.skip("the job needs git and bash")
    monkeypatch.chdir(tmp_path)
    fabricate("first", 0.8)
    assert cli("publish", "runs", "--to", "results", "--no-figures").status == 0
    git("init", "--initial-branch=main", ".")
    git("add", "results")
    git("commit", "-m", "boards")
    git("update-ref", "refs/remotes/origin/main", "HEAD")
    git("checkout", "-b", "row")
    shutil.rmtree("runs")
    fabricate("second", 0.7)
    assert cli("publish", "runs", "--to", "results", "--no-figures").status == 0
    git("add", "results")
    git("commit", "-m", "a row")
    assert {record.label for record in read_all(Path("results"))} == {"first", "second"}
    assert check(cli) == [0, 0, 0]

    (other,) = [record for record in read_all(Path("results")) if record.label == "first"]
    worse = {**other.data["metrics"], "test": {**other.metrics("test"), "hf1_samples": 0.1}}
    write_atomic(other.path / JSON, record_json({**other.data, "metrics": worse}))
    git("commit", "-am", "a change")
    assert check(cli) == [0, 1, 1]
