"""A large hierarchy from file to page: ``python benchmarks/large_hierarchy.py``.

Writes ARFF files of a made DAG (layers of growing size, two parents for every third class, labels at any
depth, several paths), runs a suite on them, makes the board, verifies it and publishes the page. Of each
command it prints the time, and the largest memory of all its processes together (the sum of what each has
for itself alone). The exit status is 1 where a command failed or took more than ``--most-gib``.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

FEATURES = 60
LAYERS = 10
SHARES = {"train": 0.6, "valid": 0.2, "test": 0.2}
SUITE = """
[suite]
name = "large"
version = 1
datasets = ["arff"]
primary = "auprc_micro"
[protocol]
kind = "predefined"
refit = true
score_bits = 16
[profiles.quick]
models = ["prior", "mlp-bce[epochs=3]", "c-hmcnn[epochs=3]", "pct-forest[trees=20]"]
time_limit = 3600
threads = 1
"""


def made_edges(classes: int, rng: random.Random) -> dict[int, list[int]]:
    """Class -> its parents, in layers that grow by a constant factor; -1 is the root."""
    growth = classes ** (1 / LAYERS)
    starts = sorted({min(classes, round(growth**depth)) for depth in range(LAYERS + 1)} | {0, classes})
    parents: dict[int, list[int]] = {}
    above: range | None = None
    for first, last in itertools.pairwise(starts):
        for number in range(first, last):
            count = 1 if above is None or len(above) < 2 or number % 3 else 2
            parents[number] = [-1] if above is None else rng.sample(above, count)
        above = range(first, last)
    return parents


def written(folder: Path, classes: int, samples: int, rng: random.Random) -> None:
    """One file for each side. A sample has one to three labels of a hidden group, which its features show."""
    parents = made_edges(classes, rng)
    pairs = ",".join(
        f"{'root' if parent < 0 else f'c{parent}'}/c{number}"
        for number, over in parents.items()
        for parent in over
    )
    header = [
        "@relation made",
        *(f"@attribute x{k} numeric" for k in range(FEATURES)),
        f"@attribute class hierarchical {pairs}",
        "@data",
    ]
    centres = [[rng.gauss(0.0, 1.0) for _ in range(FEATURES)] for _ in range(50)]
    for side, share in SHARES.items():
        rows = []
        for _ in range(round(share * samples)):
            group = rng.randrange(len(centres))
            labels = {rng.randrange(group, classes, len(centres)) for _ in range(rng.randint(1, 3))}
            values = ",".join(f"{rng.gauss(mean, 1.0):.3f}" for mean in centres[group])
            rows.append(f"{values},{'@'.join(f'c{label}' for label in sorted(labels))}")
        (folder / f"made.{side}.arff").write_text("\n".join([*header, *rows]) + "\n", "utf-8")


def own_memory(process: psutil.Process) -> int:
    """Bytes that a process and those that it has started have for themselves alone."""
    total = 0
    for part in (process, *process.children(recursive=True)):
        try:
            total += part.memory_full_info().uss
        except psutil.Error:
            continue
    return total


def measured(place: Path, *arguments: str) -> tuple[int, float, float]:
    """Exit status, seconds and GiB of a command."""
    began, largest = time.monotonic(), 0
    environment = {**os.environ, "HMCBENCH_CACHE": str(place / "cache")}
    output = (place / "output.txt").open("w")
    with (
        output,
        subprocess.Popen(
            [sys.executable, "-m", "hmcbench", *arguments],
            cwd=place,
            env=environment,
            stdout=output,
            stderr=output,
        ) as command,
    ):
        process = psutil.Process(command.pid)
        while command.poll() is None:
            try:
                largest = max(largest, own_memory(process))
            except psutil.Error:
                break
            time.sleep(0.2)
    return command.returncode, time.monotonic() - began, largest / 2**30


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--classes", type=int, default=20_000)
    parser.add_argument("--samples", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--most-gib", type=float, default=4.0)
    options = parser.parse_args()
    good = True
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "data").mkdir()
        (place / "suite.toml").write_text(SUITE, "utf-8")
        written(place / "data", options.classes, options.samples, random.Random(options.seed))
        commands = {
            "run, with the board": "run --suite suite.toml --data arff=data --quiet --out runs",
            "the board again": "leaderboard runs",
            "verify": "verify runs",
            "publish, with the page": "publish runs --to board",
        }
        for title, arguments in commands.items():
            status, seconds, gib = measured(place, *arguments.split())
            print(f"{title}: {seconds:.0f} s, {gib:.2f} GiB, status {status}", flush=True)
            if status:
                print((place / "output.txt").read_text("utf-8")[-2000:])
            good &= not status and gib <= options.most_gib
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
