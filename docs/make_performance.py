"""Writes docs/performance.md from docs/performance/*.json: one run of the benchmarks per kind of processor.

tox -e bench -- --ratios docs/performance/NAME.json
python docs/make_performance.py
"""

from __future__ import annotations

import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent / "benchmarks"))
from ratios import Ratios  # noqa: E402

BUSY = 0.3  # processes at work; the engine's own measurement allows others as much
PAGE = """<!-- made by docs/make_performance.py from performance/*.json -->

# Speed

Every benchmark compares hmcbench with the obvious alternative for the same work, in one run on the same
machine. The ratio is their time divided by ours.

{sections}

`tox -e bench` runs the benchmarks on your machine and ends with this table. A benchmark fails below the ratio
asked for; those of whole trainings fail only well below it, as they vary by a third on a shared machine.
Rows of a GPU need one.
"""

SECTION = """## {processor}

Run of {day}, with {versions}.
{load}
The record: [{file}](performance/{file}){unnamed}.

{table}

{below}"""


def text() -> str:
    """The page as it should be."""
    sections = [section(path) for path in sorted((DOCS / "performance").glob("*.json"))]
    return PAGE.format(sections="\n\n".join(sections))


def section(path: Path) -> str:
    """The part of the page about one run."""
    ratios = Ratios.load_file(path)
    versions = ", ".join(f"{name} {version}" for name, version in ratios.versions.items())
    return SECTION.format(
        processor=ratios.rows[0].processor,
        day=ratios.day,
        versions=versions,
        load=load_text(ratios.load),
        file=path.name,
        unnamed="" if "family" in ratios.rows[0].processor else ", without the processor's family and model",
        table=ratios.table("github"),
        below=below(ratios),
    )


def load_text(load: float) -> str:
    """The load at the start, and whether the machine was idle."""
    told = f"In the minute before the start {load} processes were running or waiting on average"
    return f"{told}: the machine was not idle." if load > BUSY else f"{told}."


def below(ratios: Ratios) -> str:
    """Which ratios are below what is asked for."""
    rows = [row for row in ratios.rows if row.value < row.asked]
    listed = "; ".join(f"{row.work}, beside {row.peer} ({row.value:.3g} of {row.asked:.3g})" for row in rows)
    return f"Below what is asked for: {listed or 'none'}."


if __name__ == "__main__":
    (DOCS / "performance.md").write_text(text(), encoding="utf-8")
