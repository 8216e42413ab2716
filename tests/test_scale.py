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
from hmcbench.execute.resources import MemoryWatch
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


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.torch
def test_twenty_thousand_images_stay_below_three_gibibytes(tmp_path: Path) -> None:
    write_images(tmp_path / "images")
    (tmp_path / "large.toml").write_text(SUITE)
    args = ("run", "--suite", "large.toml", "--data", "images=images", "--device", "cpu", "--json")
    completed = subprocess.run(
        [sys.executable, "-c", COMMAND, *args], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, completed.stderr
    text, _, last = completed.stdout.strip().rpartition("\n")
    parent = json.loads(last)
    assert parent["status"] == 0
    (record,) = json.loads(text)["records"]
    assert sum(record["split"]["counts"].values()) == IMAGES
    assert record["status"] == "ok"
    assert record["metrics"]["test"]["level2_accuracy"] > 0.5
    assert parent["peak_private_mb"] < LIMIT_MB
    assert 0 < record["memory"]["peak_private_mb"] < LIMIT_MB
    assert record["memory"]["peak_rss_mb"] > 0


PIXELS = """
import json, sys
import numpy as np
import torch
from torch import nn
from hmcbench.interfaces import Labelled, Run, Task
from hmcbench.execute.resources import MemoryWatch
from hmcbench.testing.helpers import tiny_hierarchy
from hmcbench.torchkit.heads import make_head
from hmcbench.torchkit.model import TorchModel
from hmcbench.torchkit.recipes import Recipe
from hmcbench.data.views import Rows

N, STEPS = 50_000, 40

class Enough(Exception):
    pass

class Net(nn.Sequential):
    steps = 0
    def forward(self, x):
        self.steps += self.training
        if self.steps > STEPS:
            raise Enough
        return super().forward(x)

def build(task):
    head = make_head("levels", 4, task)
    return Net(nn.Conv2d(3, 4, 7, stride=8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)

task = Task(hierarchy=tiny_hierarchy())
ends = np.arange(N) % len(task.hierarchy.leaves)
targets = task.hierarchy.encode([[task.hierarchy.classes[task.hierarchy.leaves[e]]] for e in ends])
rows = Rows(np.load(sys.argv[1], mmap_mode="r"))
watch = MemoryWatch()
side = lambda index: Labelled([str(i) for i in index], {"pixels": rows.take(index)}, targets[index])
model = TorchModel(build, Recipe(batch_size=64, augment="paper", epochs=2))
try:
    model.fit(side(np.arange(45_000)), side(np.arange(45_000, N)), Run(task))
except Enough:
    print(json.dumps(watch.stop("cpu")))
"""


@pytest.mark.slow
@pytest.mark.torch
def test_fifty_thousand_images_of_224_pixels_train_from_a_memory_map(tmp_path: Path) -> None:
    """7.5 GB of pixels (a sparse file here); 40 steps from random places show what a training holds."""
    path = tmp_path / "pixels.npy"
    np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(50_000, 224, 224, 3)).flush()
    completed = subprocess.run(
        [sys.executable, "-c", PIXELS, str(path)], capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, completed.stderr
    memory = json.loads(completed.stdout)
    assert 0 < memory["peak_private_mb"] < LIMIT_MB
