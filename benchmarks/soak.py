"""One run of very many cells, and one folder of very many records: ``python benchmarks/soak.py``.

- ``--cells 10000``: toy cells in one run. Private memory and open files of the command are read again and
  again. The slope of memory over cells is printed, and the time of a cell beside its own work
  (``timing.elapsed_s``).
- ``--interrupts 10``: that run with more cells, interrupted (Ctrl-C) at random moments: the time until it
  answers (its line ``interrupted`` stands there) and until it has ended.
- ``--records 50000``: a folder of so many records is listed (``leaderboard --format long.csv``), resumed
  (``run`` with nothing left to run) and shown (``leaderboard``): time and memory.

``--of run`` or ``--of records`` does one part alone. The exit status is 1 where a bound is exceeded.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from hmcbench import api
from hmcbench.records.record import JSON, folder_name, read_all, record_json
from hmcbench.testing.helpers import tiny_suite

MOST_BYTES = 1000.0  # of memory for each cell that has ended
MOST_FILES = 4  # by which the highest number of open files may grow from the first half to the second
MOST_BESIDE_S = 0.3  # of a cell beside its work
ANSWER_S = 2.0  # to Ctrl-C
MORE = 2000  # cells, for those that are interrupted
MOST_SEEDS = 1000  # what --seeds allows
WARM = 0.2  # the share of the cells during which memory may still grow


def started(place: Path, *arguments: str) -> subprocess.Popen[str]:
    """A command in a folder; its messages can be read as they come."""
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "hmcbench", *arguments],
        cwd=place,
        env={**os.environ, "HMCBENCH_CACHE": str(place / "cache")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


@dataclass(frozen=True)
class PlanSize:
    """How many: ``splits`` random splits with ``seeds`` each."""

    splits: int
    seeds: int

    @classmethod
    def of(cls, number: int) -> PlanSize:
        seeds = min(number, MOST_SEEDS)
        return cls(max(1, number // seeds), seeds)

    @property
    def number(self) -> int:
        return self.splits * self.seeds

    def run(self) -> list[str]:
        """The arguments of the command."""
        size = ["--splits", str(self.splits), "--seeds", str(self.seeds)]
        options = [*size, "--device", "cpu", "--threads", "1", "--quiet", "--no-weights"]
        return ["run", "--suite", "soak.toml", "--out", "runs", *options]


# --------------------------------------------------------------------------- one run of many cells


@dataclass
class MemoryCourse:
    """What was seen of a command while it ran: cells, bytes of private memory, open files."""

    samples: list[tuple[int, int, int]] = field(default_factory=list)

    def look(self, process: psutil.Process, records: Path) -> None:
        names = os.listdir(records) if records.is_dir() else []  # noqa: PTH208 (thousands of them)
        cells = sum(not name.startswith(".") for name in names)
        self.samples.append((cells, process.memory_full_info().uss, process.num_fds()))

    def slope(self, cells: int) -> float:
        """Bytes for each further cell, after the first share of them."""
        late = np.array([(n, uss) for n, uss, _ in self.samples if WARM * cells <= n < cells], dtype=float)
        return float(np.polyfit(late[:, 0], late[:, 1], 1)[0]) if len(late) > 2 else float("nan")

    def files(self, cells: int) -> tuple[int, int]:
        """The highest number of open files in the first half, after the first share, and in the second."""
        middle = (1 + WARM) / 2 * cells
        halves = ((WARM * cells, middle), (middle, cells))
        first, second = (
            max((fds for n, _, fds in self.samples if low <= n < high), default=0) for low, high in halves
        )
        return first, second


def soaked(place: Path, cells: PlanSize) -> bool:
    """Run the cells; whether all bounds were kept."""
    records, watched, began = place / "runs" / "soak" / "records", MemoryCourse(), time.monotonic()
    command = started(place, *cells.run())
    process, last = psutil.Process(command.pid), began
    while command.poll() is None:
        time.sleep(min(2.0, 0.2 + cells.number / 1000))
        try:
            watched.look(process, records)
        except (psutil.Error, OSError):
            break
        if watched.samples[-1][0] < cells.number:
            last = time.monotonic()
    _, errors = command.communicate()
    written = read_all(records)
    work = sum(record.part("timing")["elapsed_s"] for record in written) / max(1, len(written))
    each = (last - began) / max(1, len(written))
    slope, (first, second) = watched.slope(cells.number), watched.files(cells.number)
    largest = max(uss for _, uss, _ in watched.samples) / 1e6
    print(
        f"{len(written)} cells in {last - began:.0f} s, the board {time.monotonic() - last:.0f} s more;"
        f" a cell took {each:.3f} s, {each - work:.3f} s beside its work;"
        f" {slope:.0f} bytes of memory for each cell ({largest:.0f} MB at most),"
        f" at most {first} open files, then {second}; status {command.returncode}",
        flush=True,
    )
    if errors.strip():
        print(errors[-1000:])
    whole = command.returncode == 0 and len(written) == cells.number and all(record.ok for record in written)
    level = slope < MOST_BYTES and second - first <= MOST_FILES
    return whole and level and each - work <= MOST_BESIDE_S


def interrupted(place: Path, cells: PlanSize, times: int, rng: random.Random) -> bool:
    """Go on with more cells and interrupt it; whether it always answered and ended in good order."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell starts what runs in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)
    answers, ends, good = [], [], True
    for _ in range(times):
        command = started(place, *cells.run())
        lines: list[tuple[float, str]] = []

        def read(command: subprocess.Popen[str] = command, lines: list[tuple[float, str]] = lines) -> None:
            assert command.stderr is not None
            with command.stderr:
                lines.extend((time.monotonic(), line) for line in command.stderr)

        reader = threading.Thread(target=read)
        reader.start()
        time.sleep(rng.uniform(1.0, 12.0))
        sent = time.monotonic()
        command.send_signal(signal.SIGINT)
        command.wait()
        ends.append(time.monotonic() - sent)
        reader.join()
        said = [when - sent for when, line in lines if "interrupted" in line]
        answers.append(min(said, default=ends[-1]))
        good &= bool(said) and command.returncode == 130 and not any("Traceback" in text for _, text in lines)
        if not (said and command.returncode == 130):
            print(f"status {command.returncode}: {''.join(text for _, text in lines)[-1000:]}")
    print(
        f"{times} times Ctrl-C in a run of {cells.number} cells: answered within {max(answers):.1f} s,"
        f" ended within {max(ends):.1f} s",
        flush=True,
    )
    return good and max(answers) <= ANSWER_S


# --------------------------------------------------------------------------- a folder of many records


def filled(place: Path, number: int) -> None:
    """Records of a plan of so many cells, made of one record of each split: other seeds and keys."""
    cells = PlanSize.of(number)
    started(place, *PlanSize(cells.splits, 1).run()).communicate()
    patterns = {record.fold: record for record in read_all(place / "runs" / "soak" / "records")}
    records = place / "many" / "soak" / "records"
    plan = api.make_plan(
        str(place / "soak.toml"), splits=cells.splits, seeds=cells.seeds, threads=1, keep_weights=False
    )
    for cell in plan.cells:
        pattern = patterns[cell.fold]
        data = {**pattern.data, **cell.record, "key": cell.key, "seed": cell.seed}
        folder = records / folder_name(data)
        folder.mkdir(parents=True)
        (folder / JSON).write_text(record_json(data), "utf-8")
        for path in pattern.path.iterdir():
            if path.name != JSON:
                (folder / path.name).hardlink_to(path)


def measured(place: Path, name: str, arguments: Sequence[str]) -> bool:
    """Time and largest memory of a command."""
    began, largest = time.monotonic(), 0
    command = started(place, *arguments)
    process = psutil.Process(command.pid)
    while command.poll() is None:
        try:
            largest = max(largest, process.memory_info().rss)
        except psutil.Error:
            break
        time.sleep(0.1)
    _, errors = command.communicate()
    seconds = time.monotonic() - began
    print(f"{name}: {seconds:.1f} s, {largest / 1e6:.0f} MB, status {command.returncode}", flush=True)
    if command.returncode:
        print(errors[-1000:])
    return command.returncode == 0


def handled(place: Path, number: int) -> bool:
    """List, resume and show a folder of so many records."""
    began = time.monotonic()
    filled(place, number)
    print(f"a folder of {number} records, made in {time.monotonic() - began:.0f} s", flush=True)
    shutil.rmtree(place / "runs")
    (place / "many").rename(place / "runs")
    commands = {
        "listed": ["leaderboard", "runs", "--format", "long.csv", "--output", "long.csv"],
        "resumed, with the board": PlanSize.of(number).run(),
        "shown": ["leaderboard", "runs"],
        "shown again": ["leaderboard", "runs"],
    }
    good = [measured(place, *command) for command in commands.items()]  # all of them, also after a failure
    return all(good)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--interrupts", type=int, default=10)
    parser.add_argument("--records", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--of", choices=["run", "records", "all"], default="all")
    options = parser.parse_args()
    good = True
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "soak.toml").write_text(tiny_suite("soak", ["random"]), "utf-8")
        if options.of != "records":
            good &= soaked(place, PlanSize.of(options.cells))
            more = PlanSize.of(options.cells + MORE)
            good &= interrupted(place, more, options.interrupts, random.Random(options.seed))
            shutil.rmtree(place / "runs")
        if options.of != "run":
            good &= handled(place, options.records)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
