"""Where the time of an epoch goes, beside the floor: python benchmarks/profile_engine.py [NETWORK] [BATCH].

The floor is three times the forward pass's operations (forward, and two products per layer on the way
back) at the rate that a large matrix product reaches on this machine.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import torch
from hmcbench_timm.network import build
from torch.profiler import ProfilerActivity, profile

from hmcbench.hierarchy import Hierarchy
from hmcbench.interfaces import Run, Task
from hmcbench.torchkit import Recipe
from hmcbench.torchkit.data import Normaliser, Pixels
from hmcbench.torchkit.engine import Samples, Trainer
from hmcbench.torchkit.layout import Layout
from hmcbench.torchkit.measure import count_multiply_adds
from hmcbench.torchkit.numerics import precision
from hmcbench.views import Rows

STEPS, SIDE, THREADS = 10, 64, 2


def matrix_rate(device: torch.device, side: int = 1536) -> float:
    """Operations per second of a square matrix product in the engine's precision."""
    a = torch.randn(side, side, device=device)
    best = float("inf")
    with precision(device):
        for _ in range(5):
            start = time.perf_counter()
            float((a @ a)[0, 0])
            best = min(best, time.perf_counter() - start)
    return 2 * side**3 / best


def make_trainer(name: str, batch: int, device: torch.device) -> Trainer:
    task = Task(hierarchy=Hierarchy.from_paths([("a", "a1"), ("a", "a2"), ("b", "b1"), ("b", "b2")]))
    net = build(
        task,
        head="levels",
        architecture=name,
        stem_stride="keep",
        image_size=SIDE,
        in_chans=1,
        pretrained=False,
    )
    view = np.random.default_rng(0).integers(0, 256, (batch * STEPS, SIDE, SIDE), dtype=np.uint8)
    pixels = Pixels(Rows(view), device)
    leaf = torch.arange(len(view), device=device) % 4
    train = Samples(pixels, torch.stack([leaf // 2, leaf], 1))
    valid = Samples(Pixels(Rows(view, []), device), train.targets[:0])
    run = Run(task, device=str(device), threads=THREADS)
    net = net.to(device).to(memory_format=torch.channels_last)
    recipe = Recipe(epochs=4, batch_size=batch)
    return Trainer(net, Layout(task, device), Normaliser("image", pixels), recipe, run, train, valid)


def main(name: str = "resnet10t", batch: int = 32) -> None:
    device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    torch.set_num_threads(THREADS)
    trainer = make_trainer(name, batch, device)
    trainer._epoch(0)
    measured = max(trainer._epoch(1)["images_per_second"] for _ in range(3))
    operations = 6 * count_multiply_adds(trainer.module, (1, SIDE, SIDE), device)
    rate = matrix_rate(device)
    print(f"{name}, {SIDE} px, batch {batch}, {device}: {measured:.0f} images/s")
    print(
        f"floor: {operations / 1e6:.0f} MFLOP per image at {rate / 1e9:.0f} GFLOP/s ="
        f" {rate / operations:.0f} images/s; {SIDE * SIDE} bytes of pixels per image"
    )
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (device.type == "cuda")
    with profile(activities=activities) as found:
        trainer._epoch(2)
    print(found.key_averages().table(sort_by="self_cpu_time_total", row_limit=18, max_name_column_width=44))


if __name__ == "__main__":
    main(*sys.argv[1:2], *(int(batch) for batch in sys.argv[2:3]))
