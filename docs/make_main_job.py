"""Writes the times of the main job between the markers of docs/fractographs.md and README.md.

python benchmarks/main_job.py
python docs/make_main_job.py

The first measures and writes docs/main-job.json; without that file the blocks are empty.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

from hmcbench.leaderboard.render.block import replaced

DOCS = Path(__file__).parent
README = DOCS.parent / "README.md"
PAGE = DOCS / "fractographs.md"
sys.path.insert(0, str(DOCS.parent / "benchmarks"))
from main_job import MOST_BUSY, Measurement, load  # noqa: E402

MARKER = "main-job"
WAYS = {1: "one cell after another", 2: "with `--jobs 2`"}
HEAD = ("row", "fit", "features", "prediction", "whole cell", "on the clock", "precision", "threads")
BLOCK = """{times}

Kept in [main-job.json](main-job.json). {held}

Seconds of the rows of the latest, on {processor}, {way} (version {version}, {day}). Of {seconds},
generating the images took {images_s:.1f} s and computing features {featurize_s:.1f} s.

{rows}

The *whole cell* is what [records](records.md#what-the-costs-count) call `total_s`: with features that another
cell computed, without generating images, metrics and the measurement of speed. *On the clock* (`elapsed_s`)
has what this cell did."""


@dataclass(frozen=True)
class Kind:
    """The measurements of one processor, as it was held, with one version of the suite.

    Attributes:
        by_jobs: cells at a time -> measurement.
    """

    by_jobs: Mapping[int, Measurement]

    @property
    def any(self) -> Measurement:
        return next(iter(self.by_jobs.values()))

    @property
    def slowest_s(self) -> float:
        return max(measurement.seconds for measurement in self.by_jobs.values())

    @property
    def processor(self) -> str:
        """Its name, cores, and what it was held to."""
        held = f", held to {self.any.held}" if self.any.held else ""
        return f"{self.any.processor}, {self.any.cores} cores{held}"


def kinds(measurements: Sequence[Measurement]) -> list[Kind]:
    """The newest version of the suite first, of each the slowest first."""
    by_kind: dict[tuple[object, ...], dict[int, Measurement]] = {}
    for measurement in measurements:
        of_kind = (measurement.processor, measurement.cores, measurement.held, measurement.version)
        by_kind.setdefault(of_kind, {})[measurement.jobs] = measurement
    return sorted(map(Kind, by_kind.values()), key=lambda kind: (-kind.any.version, -kind.slowest_s))


def minutes(seconds: float) -> str:
    """``208.4`` -> ``3 min 28 s``."""
    whole, rest = divmod(round(seconds), 60)
    return f"{whole} min {rest} s" if whole else f"{rest} s"


def took(measurement: Measurement) -> str:
    """Its time, and the work of other programs where they took more than is allowed."""
    busy = measurement.busy_before
    beside = f" (other programs kept {busy:.1f} cores busy before)" if busy > MOST_BUSY else ""
    return minutes(measurement.seconds) + beside


def block(measurements: Sequence[Measurement]) -> str:
    """The part of docs/fractographs.md; empty without measurements."""
    if not measurements:
        return ""
    ordered = kinds(measurements)
    newest = [measurement for measurement in measurements if measurement.version == ordered[0].any.version]
    latest = next(kind for kind in ordered if newest[-1] in kind.by_jobs.values())
    shown = latest.by_jobs[min(latest.by_jobs)]  # one cell after another: their seconds add up to the run
    rows = [
        (
            row.row,
            *(f"{s:.1f}" for s in (row.fit_s, row.featurize_s, row.predict_s, row.total_s, row.elapsed_s)),
            row.precision or "-",
            row.threads,
        )
        for row in shown.rows
    ]
    align = ("left", *("right" for _ in HEAD[1:-2]), "left", "right")
    return BLOCK.format(
        times=times(ordered),
        held=held_text(measurements),
        processor=latest.processor,
        way=WAYS[shown.jobs],
        version=shown.version,
        day=shown.day,
        seconds=minutes(shown.seconds),
        images_s=shown.images_s,
        featurize_s=shown.featurize_s,
        rows=tabulate(rows, HEAD, "github", disable_numparse=True, colalign=align),
    )


def times(ordered: Sequence[Kind]) -> str:
    """The table of times: a line for each kind."""
    lines = [
        (
            kind.processor,
            ", ".join(kind.any.instruction_sets) or "-",
            kind.any.version,
            *(took(kind.by_jobs[jobs]) if jobs in kind.by_jobs else "not timed" for jobs in WAYS),
            max(measurement.day for measurement in kind.by_jobs.values()),
        )
        for kind in ordered
    ]
    head = ("processor", "instruction sets", "version of the suite", *WAYS.values(), "day")
    return str(tabulate(lines, head, "github", disable_numparse=True))


def held_text(measurements: Sequence[Measurement]) -> str:
    """By what libraries were held; empty where none was."""
    ways = {m.held: ", ".join(f"`{item}`" for item in m.held_by) for m in measurements if m.held}
    return " ".join(f"*Held to {held}*: by {way}." for held, way in ways.items())


def sentence(measurements: Sequence[Measurement]) -> str:
    """The part of README.md: the slowest kind of the newest version, then its fastest one."""
    if not measurements:
        return ""
    ordered = kinds(measurements)
    newest = [kind for kind in ordered if kind.any.version == ordered[0].any.version]
    chosen = newest if len(newest) == 1 else [newest[0], newest[-1]]
    told = "; ".join(figures(kind, chosen[0]) for kind in chosen)
    return textwrap.fill(
        f"From an empty cache, version {newest[0].any.version} of the suite took {told}"
        " ([all times and rows](docs/fractographs.md#how-hard-it-is)).",
        width=118,
        break_long_words=False,
        break_on_hyphens=False,
    )


def figures(kind: Kind, first: Kind) -> str:
    """Its times and its processor; the ways to run are not named again where they are those of the first."""
    jobs_measured = [jobs for jobs in WAYS if jobs in kind.by_jobs]
    again = kind is not first and kind.by_jobs.keys() == first.by_jobs.keys()
    parts = [took(kind.by_jobs[jobs]) + ("" if again else f" {WAYS[jobs]}") for jobs in jobs_measured]
    return f"{' and '.join(parts)} on {kind.processor}"


def texts(measurements: Sequence[Measurement] | None = None) -> dict[Path, str]:
    """The documents as they should be.

    Args:
        measurements: those of docs/main-job.json unless others are given.
    """
    known = load() if measurements is None else measurements
    blocks = {PAGE: block(known), README: sentence(known)}
    return {
        path: replaced(path.read_text(encoding="utf-8"), MARKER, part, path.name)
        for path, part in blocks.items()
    }


if __name__ == "__main__":
    for path, text in texts().items():
        path.write_text(text, encoding="utf-8")
