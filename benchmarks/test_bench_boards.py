"""Boards of 1,000 and 10,000 records with 2,000 test samples each, beside a loop that reads the same files.

Eleven models, three metrics and ``auprc_micro``. A first board reads all predictions and draws; a second one
finds the draws in the cache folder. Ratios are of processor time, with matrix products on one thread, as most
machines are shared; ``-s`` prints elapsed times too.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Task
from hmcbench.leaderboard.files import boards_of
from hmcbench.leaderboard.render.csv_json import to_json
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import JSON, NPZ, SUITE, folder_name, record_json

MODELS, SAMPLES, VALIDATION, DIFFERENT = 11, 2000, 200, 100
COLUMNS = ["hf1_samples", "level1_accuracy", "hf1_macro", "auprc_micro"]


def predictions_of(number: int, hierarchy: Hierarchy) -> Predictions:
    """Scores of one cell; samples and truth are those of every cell."""
    total = VALIDATION + SAMPLES
    leaf = np.random.default_rng(0).integers(0, 6, total)
    truth = np.zeros((total, hierarchy.n), dtype=bool)
    truth[np.arange(total), leaf // 3] = truth[np.arange(total), 2 + leaf] = True
    rng = np.random.default_rng(number)
    lift = (0.3 + 0.02 * (number % MODELS)) * truth * rng.random(truth.shape)
    ids = [f"image-{i:05}" for i in range(total)]
    side = ["validation"] * VALIDATION + ["test"] * SAMPLES
    scores = ((rng.random(truth.shape) + lift) / 2).astype(np.float32)
    return Predictions(ids, side, scores, Task("hmc", "single", "full", hierarchy), truth)


def data_of(model: int, seed: int, hierarchy: Hierarchy) -> dict[str, Any]:
    """A ``record.json``."""
    values = dict.fromkeys(COLUMNS, 0.5 + 0.001 * ((7 * model + 3 * seed) % 97))
    return {
        "schema": 1,
        "status": "ok",
        "key": hashlib.sha256(f"{model} {seed}".encode()).hexdigest(),
        "suite": {"name": "many", "version": 1, "primary": COLUMNS[0]},
        "dataset": {
            **{"name": "made", "reference": "made", "fingerprint": "d" * 64, "synthetic": True},
            **{"task": "hmc", "paths": "single", "depth": "full", "classes": 8, "levels": 2},
        },
        "split": {"kind": "holdout", "fold": 0, "fingerprint": "f" * 64, "counts": {"test": SAMPLES}},
        "model": {"label": f"model-{model:02}", "name": f"model-{model:02}", "version": "1"},
        "profile": "quick",
        "seed": seed,
        "metrics": {"test": values, "validation": values},
        "timing": {"fit_s": 10.0 + seed % 7, "total_s": 12.0 + seed % 7},
        "hardware": {"fingerprint": "hw1", "cpu": "made up"},
        "created": "2026-01-02T03:04:05+00:00",
    }


def folder_of(root: Path, seeds: int) -> Path:
    """A suite's folder of 11 models and that many seeds; some cells share a file of predictions."""
    hierarchy = Hierarchy.from_paths([(above, f"{above}-{i}") for above in "ab" for i in range(3)])
    (root / "records").mkdir(parents=True)
    info = {"suite": {"name": "many", "primary": COLUMNS[0], "columns": COLUMNS}}
    (root / SUITE).write_text(json.dumps(info), encoding="utf-8")
    for number in range(DIFFERENT):
        predictions_of(number, hierarchy).save(root / f"{number}.npz")
    for number in range(MODELS * seeds):
        data = data_of(number % MODELS, number // MODELS, hierarchy)
        folder = root / "records" / folder_name(data)
        folder.mkdir()
        (folder / JSON).write_text(record_json(data), encoding="utf-8")
        os.link(root / f"{number % DIFFERENT}.npz", folder / NPZ)
    return root


def read_alone(root: Path) -> int:
    """The obvious loop over all files; the bytes of their arrays."""
    size = 0
    for path in sorted((root / "records").glob(f"*/{JSON}")):
        json.loads(path.read_text(encoding="utf-8"))
        with np.load(path.with_name(NPZ)) as arrays:
            size += sum(arrays[name].nbytes for name in arrays.files)
    return size


def timed(name: str, call: Callable[[], Any]) -> tuple[Any, float]:
    """The result of a call, and seconds of processor time; both times are printed."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = call()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{name:28} {wall:7.2f} s elapsed, {cpu:7.2f} s of processor time")
    return result, cpu


@pytest.mark.parametrize("seeds", [91, 910])
def test_boards(
    benchmark: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    seeds: int,
    ratio: Callable[..., None],
) -> None:
    monkeypatch.setenv("HMCBENCH_CACHE", str(tmp_path / "cache"))
    few = folder_of(tmp_path / "few", 1)
    boards_of(few)  # imports
    many = folder_of(tmp_path / "many", seeds)
    print(f"\n{MODELS * seeds:,} records")
    with threadpool_limits(1, "blas"):
        _, reading = timed("reading alone", lambda: read_alone(many))
        first, drawing = timed("first board", lambda: boards_of(many))
        second, again = timed("second board", lambda: boards_of(many))
        benchmark.pedantic(boards_of, (many,), rounds=1)
    assert to_json(first) == to_json(second)
    assert len(first[0].rows) == MODELS and first[0].rows[0].cells["auprc_micro"].low is not None
    work = f"board of {MODELS * seeds:,} records (processor time)"
    ratio(f"first {work}", "reading the files", reading, drawing, 1 / 15)
    ratio(f"second {work}", "reading the files", reading, again, 2)
