"""Large folders: 20,000 images are read, split and trained on within 3 GiB of anonymous memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

IMAGES, LIMIT_MB = 20_000, 3 * 1024 * 1.048576
SUITE = """
[suite]
name = "large"
version = 1
datasets = ["images"]
primary = "hf1_samples"
[protocol]
kind = "holdout"
[profiles.quick]
models = ["timm:lcnet_050[image_size=32,epochs=1]"]
time_limit = 900
"""
COMMAND = """
import json, sys
from hmcbench.cli import main
from hmcbench.resources import MemoryWatch
watch = MemoryWatch()
try:
    main(sys.argv[1:])
except SystemExit as stop:
    status = stop.code
print(json.dumps({"status": status, **watch.stop("cpu")}))
"""


def write_images(folder: Path) -> None:
    """Six classes of gratings; every image is different from every other."""
    from PIL import Image

    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:40, 0:40]
    for leaf in range(6):
        target = folder / f"group{leaf // 3}" / f"leaf{leaf}"
        target.mkdir(parents=True)
        angle = np.pi * leaf / 6
        wave = 90 * np.sin((np.cos(angle) * x + np.sin(angle) * y) * 0.8)
        for i in range(leaf, IMAGES, 6):
            noisy = 128 + wave + rng.normal(0, 20, (40, 40))
            Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(target / f"{i:05}.jpg", quality=80)


@pytest.mark.slow
@pytest.mark.torch
def test_twenty_thousand_images_stay_below_three_gibibytes(tmp_path: Path) -> None:
    write_images(tmp_path / "images")
    (tmp_path / "large.toml").write_text(SUITE)
    args = ("run", "--suite", "large.toml", "--data", "images=images", "--device", "cpu", "--json")
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *args], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    text, _, last = done.stdout.strip().rpartition("\n")
    parent = json.loads(last)
    assert parent["status"] == 0
    (record,) = json.loads(text)["records"]
    assert sum(record["split"]["counts"].values()) == IMAGES
    assert record["status"] == "ok"
    assert record["metrics"]["test"]["level2_accuracy"] > 0.5
    assert parent["peak_anon_mb"] < LIMIT_MB
    assert 0 < record["memory"]["peak_anon_mb"] < LIMIT_MB
    assert record["memory"]["peak_rss_mb"] > 0
