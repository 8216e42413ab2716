"""A results folder of 10,000 records beside a loop of ``json.loads`` over the same files.

The records are those of the suite ``smoke``, copied under other keys and seeds: about 10 kB each, 100 MB
in all. The ratio is of processor time; ``-s`` prints elapsed times too, with the files in memory (warm) and
after asking the system to drop them (cold; folders stay in memory).
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from hmcbench.records.record import JSON, folder_name, read_all, record_json

MANY, ROUNDS = 10_000, 5


def folder_of_many(root: Path) -> Path:
    """``root/many/smoke/records`` with 10,000 folders; predictions are not copied, as none is read."""
    program = "from hmcbench.cli import main; main()"
    command = [sys.executable, "-c", program, "run", "--suite", "smoke", "--out", str(root / "runs")]
    subprocess.run(command, check=True, capture_output=True)
    real = [dict(record.data) for record in read_all(root / "runs")]
    assert len(real) == 9
    for i in range(MANY):
        data = real[i % len(real)] | {"key": hashlib.sha256(str(i).encode()).hexdigest(), "seed": i}
        folder = root / "many" / "smoke" / "records" / folder_name(data)
        folder.mkdir(parents=True)
        (folder / JSON).write_text(record_json(data), encoding="utf-8")
    os.sync()  # pages that are not yet on the disk cannot be dropped
    return root / "many"


def obvious(root: Path) -> list[Any]:
    """The obvious loop."""
    paths = sorted(root.glob(f"**/{JSON}"))
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def timed(call: Callable[[Path], Sequence[Any]], root: Path) -> tuple[float, float]:
    """Elapsed seconds, and seconds of processor time."""
    wall, cpu = time.perf_counter(), time.process_time()
    assert len(call(root)) == MANY
    return time.perf_counter() - wall, time.process_time() - cpu


def forget(root: Path) -> None:
    """Ask the system to drop the files' content from memory."""
    for path in root.glob(f"**/{JSON}"):
        handle = os.open(path, os.O_RDONLY)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


def test_ten_thousand_records(tmp_path: Path, ratio: Callable[..., None]) -> None:
    many = folder_of_many(tmp_path)
    warm, plain, cold = [], [], []
    for _ in range(ROUNDS):
        plain.append(timed(obvious, many))
        warm.append(timed(read_all, many))
        if hasattr(os, "posix_fadvise"):
            forget(many)
            cold.append(timed(read_all, many))
    for name, pairs in {"json.loads": plain, "read_all, warm": warm, "read_all, cold": cold}.items():
        if pairs:
            wall, cpu = (median(values) for values in zip(*pairs, strict=True))
            print(f"{name:15} {wall:.2f} s elapsed, {cpu:.2f} s of processor time")
    theirs, ours = (median(cpu for _, cpu in times) for times in (plain, warm))
    ratio(f"reading {MANY:,} records (processor time)", "json.loads", theirs, ours, 1 / 0.8)
