"""Writes docs/performance.md from docs/performance.json, the record of a run of the benchmarks.

tox -e bench -- --ratios docs/performance.json
python docs/make_performance.py
"""

from __future__ import annotations

import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent / "benchmarks"))
from ratios import Ratios  # noqa: E402

PAGE = """<!-- made by docs/make_performance.py from performance.json -->

# Speed

Every benchmark compares hmcbench with the obvious alternative for the same work, in one run on the same
machine. The ratio is their time divided by ours.

Run of {day}, with {versions}. Load of the machine at the start: {load}.

{table}

`tox -e bench` runs the benchmarks on your machine and ends with this table. A benchmark fails below the ratio
asked for; those of whole trainings fail only well below it, as they vary by a third on a shared machine.
Rows of a GPU need one. [performance.json](performance.json) is the record of this run.
"""


def text() -> str:
    """The page as it should be."""
    ratios = Ratios.load_file(DOCS / "performance.json")
    versions = ", ".join(f"{name} {version}" for name, version in ratios.versions.items())
    return PAGE.format(day=ratios.day, versions=versions, load=ratios.load, table=ratios.table("github"))


if __name__ == "__main__":
    (DOCS / "performance.md").write_text(text(), encoding="utf-8")
