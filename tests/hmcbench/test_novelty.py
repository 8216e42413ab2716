"""A model that says how unlike a sample is: from its predictions to the board and to new samples."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

SUITE = """
[suite]
name = "unlike"
version = 1
datasets = ["table[labels=family;phase]"]
primary = "hf1_samples"
columns = ["hf1_samples", "unknown_auroc"]
[protocol]
kind = "holdout"
test = 0.5
unknown = ["b/four"]
[profiles.quick]
models = ["prior"]
threads = 1
time_limit = 60
"""
MODEL = """
import numpy as np
from hmcbench import Scores


class Guard:
    views = "table"

    def fit(self, train, valid, run):
        self.width, self.mean = train.targets.shape[1], np.asarray(train.views["table"]).mean(axis=0)

    def predict(self, inputs):
        rows = np.asarray(inputs.views["table"], dtype=float)
        return Scores(np.full((len(rows), self.width), 0.25), novelty=np.abs(rows - self.mean).max(axis=1))

    def save(self, folder):
        (folder / "mean.txt").write_text(" ".join(map(str, [self.width, *self.mean])))

    def load(self, folder, run):
        width, *mean = (folder / "mean.txt").read_text().split()
        self.width, self.mean = int(width), np.array(mean, dtype=float)
"""


def table(path: Path) -> Path:
    """The column x of the class that is never shown is far from all others."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["x", "family", "phase"])
        for i in range(80):
            phase = ("one", "two", "three", "four")[i % 4]
            writer.writerow([i % 7 + 100 * (phase == "four"), "a" if i % 4 < 2 else "b", phase])
    return path


def test_the_unknown_are_found_by_novelty(cli: Callable[..., Any], tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "guard.py").write_text(MODEL, encoding="utf-8")
    (tmp_path / "unlike.toml").write_text(SUITE, encoding="utf-8")
    data = table(tmp_path / "table.csv")
    chosen = ("--model", "guard.py:Guard", "--model", "prior")
    ended = cli("run", "--suite", "unlike.toml", "--data", f"table={data}", *chosen, "--out", "runs")
    assert ended.status == 0, ended.err
    board = json.loads((tmp_path / "runs" / "unlike" / "leaderboard.json").read_text("utf-8"))["boards"][0]
    values = {row["model"]: row["cells"]["unknown_auroc"]["mean"] for row in board["rows"]}
    assert values["Guard"] == 1.0 and values["prior"] < 0.7
    assert cli("rescore", "runs").status == 0
    assert cli("verify", "runs/unlike").status == 0
    predicted = cli("predict", "runs/unlike/Guard", str(data))
    assert predicted.status == 0, predicted.err
    rows = list(csv.DictReader(io.StringIO(predicted.out)))
    assert [float(row["novelty"]) > 50 for row in rows[:4]] == [False, False, False, True]
