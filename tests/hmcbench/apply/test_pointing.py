"""Saliency maps against true masks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hmcbench.apply.pointing import Found, centre, fitted_mask, found, summary


def blob(row: int, column: int) -> np.ndarray:
    rows, columns = np.mgrid[:20, :30]
    return np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 8)


def test_a_map_on_the_class_points_and_one_beside_does_not() -> None:
    mask = np.zeros((20, 30), dtype=bool)
    mask[2:9, 3:11] = True
    f = found("i", 1, "a", mask, [blob(5, 6), blob(15, 25), np.zeros((20, 30))])
    assert f.pointing.tolist() == [1.0, 0.0, 0.0]
    assert f.energy[0] > 0.9
    assert f.energy[1] < 1e-6
    assert f.energy[2] == 0
    assert f.area == pytest.approx(56 / 600)
    slow = max(
        (mask & (blob(5, 6) >= t)).sum() / (mask | (blob(5, 6) >= t)).sum()
        for t in np.linspace(0.05, 0.95, 19)
    )
    assert f.iou[0].max() == pytest.approx(slow)
    assert f.iou[2].max() == 0


def test_masks_are_seen_as_the_network_sees_the_image() -> None:
    mask = np.zeros((40, 80), dtype=bool)
    mask[:20, :40] = True
    seen = fitted_mask(mask, (16, 16))
    assert seen[:8, :8].all()
    assert seen.sum() == 64
    assert centre((16, 16)).argmax() in (7 * 16 + 7, 7 * 16 + 8, 8 * 16 + 7, 8 * 16 + 8)


def test_means_have_intervals_over_images() -> None:
    rng = np.random.default_rng(0)

    def one(image: int) -> Found:
        hit = float(rng.random() < 0.7)
        values = np.array([hit, 0.3, 0.2])
        return Found(f"i{image}", 1, "a", 0.2, values, values, np.tile(values[:, None], (1, 19)))

    results = [one(i // 2) for i in range(80)]
    table = summary(results, 1)
    network = table["network"]["pointing"]
    assert network.value == pytest.approx(np.mean([f.pointing[0] for f in results]))
    assert network.low < network.value < network.high
    assert table["centre"]["energy"].value == pytest.approx(0.2)
    assert table["chance"]["energy"].value == pytest.approx(0.2)
    assert set(table) == {"network", "random weights", "centre", "chance"}
    assert summary(results, 2) == {}


@pytest.mark.torch
def test_the_command(cli: Callable[..., Any], run_once: Callable[..., Any], tmp_path: Path) -> None:
    """The classes of the trained network and of masks without a common class are refused; so are both inputs."""
    run = run_once()
    ended = cli("explain", run.record, run.images, "--masks", "fractograph-masks[size=32,train=12,test=12]")
    assert ended.status == 2
    assert "cannot be given together" in ended.err
    ended = cli("explain", run.record)
    assert ended.status == 2
    assert "no images" in ended.err
    ended = cli(
        *("explain", run.record, "--masks", "fractograph-masks[size=64,train=12,test=24]"),
        "--output",
        tmp_path,
    )
    if ended.status == 0:
        levels = json.loads((tmp_path / "pointing.json").read_text())["levels"]
        assert set(levels["1"]["maps"]) == {"network", "random weights", "centre", "chance"}
    else:
        assert "none of the network" in ended.err or "no predicted class" in ended.err
