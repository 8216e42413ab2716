"""Time the main job and keep the times: ``python benchmarks/main_job.py``.

``python docs/make_main_job.py`` then writes them into the documents.

Runs ``hmcbench run --suite sem-failure`` in an empty folder with an empty cache, with ``--jobs 1`` and then
``--jobs 2``, on the processor alone, and writes the time and what the records say into docs/main-job.json.
A measurement replaces the one of the same processor, version of the suite, jobs and hold. It refuses to start
beside other programs; with ``--beside`` it starts and keeps how many cores they took.

``--hold AVX2`` keeps the libraries from wider instructions, and the networks in float32, as on a processor
that has no more. On a machine with more cores: ``taskset -c 0,1 python benchmarks/main_job.py``.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from hmcbench.execute.executors.base import THREAD_VARIABLES
from hmcbench.execute.free_cores import busy_cores
from hmcbench.execute.resources import git_revision
from hmcbench.files import CACHE_VARIABLE, write_atomic
from hmcbench.plan.suite import load_suite
from hmcbench.records.record import Record, read_all
from hmcbench.records.row_names import with_labels
from hmcbench.records.suite_file import read_info
from hmcbench.registry.registry import default_registry, parse_reference

SUITE = "sem-failure"
FILE = Path(__file__).parents[1] / "docs" / "main-job.json"
JOBS = (1, 2)
MOST_BUSY = 0.3  # cores that other programs may take before the start
WATCH_S = 5.0
INSTRUCTION_SETS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_bf16": "AVX-512 BF16",
    "amx_bf16": "AMX BF16",
}
AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
}


@dataclass(frozen=True)
class Row:
    """What the record of one cell says, in seconds as docs/records.md defines them.

    Attributes:
        row: the model as boards name it.
        precision: of a network, else None.
        threads: that it computed with.
    """

    row: str
    fit_s: float
    featurize_s: float
    predict_s: float
    total_s: float
    elapsed_s: float
    precision: str | None
    threads: int


@dataclass(frozen=True)
class Measurement:
    """One run of the main job.

    Attributes:
        processor: as records name it.
        instruction_sets: of this processor, those of :data:`INSTRUCTION_SETS`.
        version: of the suite.
        revision: of the code; None where hmcbench is installed.
        day: as 2026-01-31.
        held: what the libraries were held to; empty: nothing.
        held_by: the variables and options that hold them.
        busy_before: cores that other programs took before the start.
        seconds: of the command, on the clock.
        images_s: generating the images.
        featurize_s: computing features, each once.
    """

    processor: str
    cores: int
    instruction_sets: Sequence[str]
    suite: str
    version: int
    hmcbench: str
    revision: str | None
    day: str
    jobs: int
    held: str
    held_by: Sequence[str]
    busy_before: float
    seconds: float
    images_s: float
    featurize_s: float
    rows: Sequence[Row]

    @property
    def key(self) -> tuple[Any, ...]:
        """What a newer measurement replaces."""
        return self.processor, self.cores, self.suite, self.version, self.jobs, self.held


def load(path: Path = FILE) -> list[Measurement]:
    """The measurements of a file, the latest last; none where there is no file."""
    if not path.is_file():
        return []
    entries = json.loads(path.read_text(encoding="utf-8"))["measurements"]
    return [Measurement(**{**entry, "rows": [Row(**row) for row in entry["rows"]]}) for entry in entries]


def keep(measurement: Measurement, path: Path = FILE) -> None:
    """Add a measurement in the place of the one with its key."""
    others = [known for known in load(path) if known.key != measurement.key]
    content = {"measurements": [asdict(known) for known in (*others, measurement)]}
    write_atomic(path, json.dumps(content, indent=1) + "\n")


def instruction_sets(info: Path = Path("/proc/cpuinfo")) -> list[str]:
    """Those of :data:`INSTRUCTION_SETS` that the first core has; none where the system does not say."""
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    return [name for flag, name in INSTRUCTION_SETS.items() if flag in flags]


# --------------------------------------------------------------------------- the run


def variables_of(held: str) -> dict[str, str]:
    """The variables that hold libraries to AVX2; none where nothing is held."""
    if not held:
        return {}
    numpy_core = importlib.import_module("numpy._core._multiarray_umath")
    wider = [
        name
        for name in numpy_core.__cpu_dispatch__  # numpy warns of other names, and of what the processor lacks
        if numpy_core.__cpu_features__[name] and (name == "X86_V4" or name.startswith("AVX512"))
    ]
    return AVX2 | ({"NPY_DISABLE_CPU_FEATURES": " ".join(wider)} if wider else {})


def settings_of(suite: str, held: str) -> list[str]:
    """Options for networks in float32: torch sees units for bfloat16 also where its libraries are held."""
    if not held:
        return []
    registry = default_registry()
    profile = next(iter(load_suite(registry, suite).profiles.values()))
    names = dict.fromkeys(parse_reference(model).name for model in profile.models)
    networks = [name for name in names if "precision" in registry.get("models", name).params]
    return [f"--set={name}.precision=float32" for name in networks]


def environment_of(cache: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """Of the command: without what a shell sets for hmcbench and for threads, and without GPUs."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("HMCBENCH_") and name not in THREAD_VARIABLES
    }
    return {**kept, "CUDA_VISIBLE_DEVICES": "", CACHE_VARIABLE: str(cache), **variables}


def measure(suite: str, jobs: int, held: str, busy_before: float) -> Measurement:
    """Run the job in an empty folder.

    Args:
        held: ``AVX2``, or empty.
        busy_before: cores that other programs take.

    Raises:
        SystemExit: the command or a cell failed.
    """
    variables, settings = variables_of(held), settings_of(suite, held)
    command = [sys.executable, "-m", "hmcbench", "run", "--suite", suite, "--jobs", str(jobs), *settings]
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "job").mkdir()
        environment = environment_of(place / "cache", variables)
        started = time.perf_counter()
        ended = subprocess.run(
            command, cwd=place / "job", env=environment, capture_output=True, text=True, check=False
        )
        seconds = time.perf_counter() - started
        if ended.returncode:
            raise SystemExit(f"{' '.join(command[2:])} failed ({ended.returncode}): {ended.stderr[-1000:]}")
        (folder,) = (place / "job" / "runs").iterdir()
        records = records_of(folder)
    held_by = [*(f"{name}={value}" for name, value in variables.items()), *settings]
    return measured(records, jobs, seconds, held, held_by, busy_before)


def records_of(folder: Path) -> list[Record]:
    """The records of a suite's folder in the order of the plan, with the names of rows."""
    info = read_info(folder) or {}
    by_key = {record.key: record for record in with_labels(read_all(folder / "records"), info)}
    return [by_key[cell["key"]] for cell in info["cells"]]


def measured(
    records: Sequence[Record],
    jobs: int,
    seconds: float,
    held: str,
    held_by: Sequence[str],
    busy_before: float,
) -> Measurement:
    """What the records of a run say, with its seconds on the clock."""
    first, timings = records[0].data, [record.data["timing"] for record in records]
    return Measurement(
        processor=first["hardware"]["cpu"],
        cores=first["hardware"]["cores"],
        instruction_sets=instruction_sets(),
        suite=first["suite"]["name"],
        version=first["suite"]["version"],
        hmcbench=first["versions"]["hmcbench"],
        revision=first["git"],
        day=date.today().isoformat(),
        jobs=jobs,
        held=held,
        held_by=held_by,
        busy_before=round(busy_before, 2),
        seconds=round(seconds, 1),
        images_s=round(sum(timing.get("draw_s", 0.0) for timing in timings), 1),
        featurize_s=round(
            sum(timing["featurize_s"] for timing in timings if not timing["views_cached"]), 1
        ),  # the others found theirs
        rows=[row_of(record) for record in records],
    )


def row_of(record: Record) -> Row:
    timing, model = record.data["timing"], record.data["model"]
    names = ("fit_s", "featurize_s", "predict_s", "total_s", "elapsed_s")
    return Row(
        record.label,
        **{name: round(timing[name], 3) for name in names},
        precision=model.get("precision"),
        threads=model.get("threads", record.data["hardware"]["threads"]),
    )


def main(arguments: Sequence[str] | None = None, busy: Callable[[float], float] = busy_cores) -> None:
    """Measure and keep; see the top of this file.

    Args:
        busy: seconds -> cores that other programs keep busy.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--suite", default=SUITE)
    parser.add_argument("--jobs", type=int, nargs="+", choices=JOBS, default=JOBS, help="cells at a time")
    parser.add_argument(
        "--hold", type=str.upper, choices=["AVX2"], default="", help="what libraries are held to"
    )
    parser.add_argument("--beside", action="store_true", help="start beside other programs, and say so")
    parser.add_argument("--file", type=Path, default=FILE, help="what the measurements are written to")
    options = parser.parse_args(arguments)
    if options.suite != SUITE and options.file == FILE:
        parser.error(f"{FILE.name} is of the suite {SUITE}: --file names one for {options.suite}")
    is_file = options.suite.endswith(".toml")
    suite = str(Path(options.suite).resolve()) if is_file else options.suite  # it runs in another folder
    revision = git_revision()  # before the file changes, which is a part of it
    for jobs in options.jobs:
        before = busy(WATCH_S)
        if before > MOST_BUSY and not options.beside:
            raise SystemExit(
                f"other programs keep {before:.1f} cores busy (at most {MOST_BUSY}): end them, or --beside"
            )
        measurement = replace(measure(suite, jobs, options.hold, before), revision=revision)
        keep(measurement, options.file)
        print(f"--jobs {jobs}: {measurement.seconds:.0f} s, kept in {options.file}", flush=True)


if __name__ == "__main__":
    main()
