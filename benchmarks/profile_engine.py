"""A profile of an epoch, and the floor of its operations: profile_engine.py [NETWORK] [BATCH] [SIDE].

NETWORK is a name of timm, or hffnet-2d at the paper's sizes. The floor is three times the forward
pass's operations (forward, and two products per layer on the way back) at the rate that a large matrix
product reaches on this machine.
"""

from __future__ import annotations

import sys

import torch
from rates import THREADS, hffnet2d, rate, timm_network
from torch.profiler import ProfilerActivity, profile


def main(name: str = "resnet10t", batch: int = 32, side: int = 64) -> None:
    device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    torch.set_num_threads(THREADS)
    channels = 3 if name == "hffnet-2d" else 1
    build = hffnet2d(side) if name == "hffnet-2d" else timm_network(name, side)
    result, trainer = rate(build, batch, device, side, channels)
    print(f"{name}, {side} px, {device}, {result}; {side * side * channels} bytes of pixels per image")
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (device.type == "cuda")
    with profile(activities=activities) as profiled:
        trainer._epoch(2)
    table = profiled.key_averages()
    print(table.table(sort_by="self_cpu_time_total", row_limit=18, max_name_column_width=44))


if __name__ == "__main__":
    main(*sys.argv[1:2], *(int(number) for number in sys.argv[2:4]))
