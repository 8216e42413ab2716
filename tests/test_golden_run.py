"""A small run gives the metrics that ``golden/golden.json`` keeps: the same numbers tomorrow.

On the processor and with the libraries of the file they agree to 1e-6; elsewhere every value lies in the
interval that the file has for it. A change that moves a number raises the version of the model or dataset
that it changes, or of the suite for a metric, and writes the file anew: ``python tests/test_golden_run.py``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hmcbench.records.record import Record, read_all

SUITE = Path(__file__).parent / "golden" / "golden.toml"
KEPT = SUITE.with_suffix(".json")
ANEW = "then python tests/test_golden_run.py"
LIBRARIES = ("numpy", "scipy", "scikit-learn", "pillow")
CLASSES = {"flat/dark": 60, "flat/light": 180, "noise/fine": 1, "noise/coarse": 8}


def draw_images(folder: Path) -> Path:
    """Forty pictures of 48 x 48 in folders of two levels: flat ones, and noise of two grain sizes."""
    rng = np.random.default_rng(0)
    for name, number in CLASSES.items():
        (folder / name).mkdir(parents=True)
        for i in range(10):
            grain = number if name.startswith("noise") else 1
            values = rng.integers(0, 256, (48 // grain, 48 // grain))
            values = values if name.startswith("noise") else number + values // 16
            pixels = np.kron(values, np.ones((grain, grain), dtype=int)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return folder


def golden_run(folder: Path) -> dict[str, Any]:
    """What the command line makes of the suite: processor, libraries, and the metrics of every cell."""
    images = draw_images(folder / "images")
    command = [sys.executable, "-m", "hmcbench", "run", "--suite", str(SUITE), "--data", f"images={images}"]
    completed = subprocess.run(
        [*command, "--out", str(folder / "runs")], capture_output=True, text=True, check=False, timeout=600
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr
    boards = json.loads((folder / "runs" / "golden" / "leaderboard.json").read_text("utf-8"))["boards"]
    intervals = {
        (board["fingerprint"], row["model"]): {
            name: [cell["low"], cell["high"]]
            for name, cell in row["cells"].items()
            if cell["low"] is not None
        }
        for board in boards
        for row in board["rows"]
    }
    records = read_all(folder / "runs" / "golden" / "records")
    return {
        "processor": records[0].data["hardware"]["cpu"],
        "libraries": {name: version(name) for name in LIBRARIES},
        "cells": {name_of(record): cell_of(record, intervals) for record in sorted(records, key=name_of)},
    }


def name_of(record: Record) -> str:
    return f"{record.dataset_reference} x {record.label}, fold {record.fold}"


def cell_of(record: Record, intervals: dict[Any, Any]) -> dict[str, Any]:
    """What is kept of a cell."""
    data, model = record.data["dataset"], record.data["model"]
    return {
        "versions": {
            "suite": record.data["suite"]["version"],
            "dataset": data.get("version"),
            "model": model["version"],
        },
        "data": data["fingerprint"],
        "split": record.data["split"]["fingerprint"],
        "metrics": dict(sorted(record.data["metrics"]["test"].items())),
        "intervals": intervals[data["fingerprint"], model["label"]],
    }


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return golden_run(tmp_path_factory.mktemp("golden"))


@pytest.fixture(scope="module")
def kept() -> dict[str, Any]:
    return dict(json.loads(KEPT.read_text("utf-8")))


def test_the_same_data_and_splits(measured: dict[str, Any], kept: dict[str, Any]) -> None:
    assert measured["cells"].keys() == kept["cells"].keys()
    for name, cell in kept["cells"].items():
        again = measured["cells"][name]
        assert again["versions"] == cell["versions"], f"{name}: a version was raised: {ANEW}"
        assert again["data"] == cell["data"], f"{name}: other data: raise the version of the dataset, {ANEW}"
        assert again["split"] == cell["split"], (
            f"{name}: another split: raise the version of the suite, {ANEW}"
        )


def test_every_interval_holds_the_value(measured: dict[str, Any], kept: dict[str, Any]) -> None:
    """On any processor, with any libraries."""
    for name, cell in kept["cells"].items():
        assert cell["intervals"]
        for metric, (low, high) in cell["intervals"].items():
            value = measured["cells"][name]["metrics"][metric]
            assert low - 1e-6 <= value <= high + 1e-6, f"{name}: {metric} {value} is not in [{low}, {high}]"


def test_every_metric_to_one_millionth(measured: dict[str, Any], kept: dict[str, Any]) -> None:
    for what in ("processor", "libraries"):
        if measured[what] != kept[what]:
            pytest.skip(
                f"the file is of {what} {kept[what]}, here is {measured[what]}: only intervals are held"
            )
    for name, cell in kept["cells"].items():
        moved = {
            metric: (value, measured["cells"][name]["metrics"].get(metric))
            for metric, value in cell["metrics"].items()
            if not np.isclose(
                measured["cells"][name]["metrics"].get(metric, np.inf), value, rtol=0, atol=1e-6
            )
        }
        assert not moved, (
            f"{name}: raise the version of the model, or of the suite for a metric, {ANEW}: {moved}"
        )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        KEPT.write_text(json.dumps(golden_run(Path(name)), indent=1) + "\n", "utf-8")
