"""What only a GPU can show; skipped, with the reason, where there is none."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hmcbench.execute.resources import cuda_devices

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.torch,
    pytest.mark.skipif(not cuda_devices(), reason="no CUDA device is visible"),
]


def test_a_cell_runs_on_the_gpu_and_says_so(cli: Callable[..., Any], tmp_path: Path) -> None:
    model = "timm:resnet10t[epochs=1,stem_stride=keep]"
    args = ("run", "--suite", "sem-failure", "--model", model, "--out", tmp_path, "--json")
    (record,) = json.loads(cli(*args, "--device", "cuda:0").out)["records"]
    assert record["status"] == "ok", record["message"]
    assert record["hardware"]["device"] == "cuda"
    assert record["hardware"]["gpu"]
    assert record["memory"]["peak_device_mb"] > 0
    assert record["timing"]["fit_s"] > 0


def test_models_that_need_no_gpu_stay_on_the_cpu(cli: Callable[..., Any], tmp_path: Path) -> None:
    args = ("run", "--suite", "smoke", "--model", "prior", "--out", tmp_path, "--json")
    for record in json.loads(cli(*args).out)["records"]:
        assert record["hardware"]["device"] == "cpu"


def test_cuda_graphs_train_as_the_plain_network_does(cli: Callable[..., Any], tmp_path: Path) -> None:
    """Same seed, two ways to launch the same kernels: the losses agree within bfloat16."""
    losses = {}
    for mode in ("off", "graphs"):
        model = f"timm:resnet10t[epochs=2,stem_stride=keep,augment=none,compile={mode}]"
        out = tmp_path / mode
        args = ("run", "--suite", "sem-failure", "--model", model, "--out", out, "--json")
        (record,) = json.loads(cli(*args, "--device", "cuda:0").out)["records"]
        assert record["status"] == "ok", record["message"]
        (history,) = out.rglob("history.csv")
        rows = list(csv.DictReader(history.open()))
        losses[mode] = [float(row["train_loss"]) for row in rows]
    assert losses["graphs"] == pytest.approx(losses["off"], rel=0.1)
