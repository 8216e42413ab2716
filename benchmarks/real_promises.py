"""Do the promises hold on real tables? Reads the records of promises.toml and prints a Markdown section.

    hmcbench run --suite benchmarks/promises.toml --out RUNS --data steel-plates=F --data hea-phases=F
    python benchmarks/real_promises.py RUNS

Every record is one random split with a model of its own. Nothing was chosen on these splits.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from tabulate import tabulate

from hmcbench.records.record import Record, read_all

ALPHA = 0.1
STEP = 0.02  # of the histogram
PROMISES = {
    "backoff_risk": ("back-off: share of wrong answers", ALPHA),
    "conformal_coverage": ("sets: share of truths inside", 1 - ALPHA),
    "mondrian_coverage": ("Mondrian sets: share of truths inside", 1 - ALPHA),
}


def histogram(values: Iterable[float], promised: float) -> str:
    """``.86-.88: 3, .88-.90: 8 | .90-.92: 9``: splits per bin; the bar stands at what was promised."""
    values = np.array(list(values))
    low = promised - STEP * np.ceil((promised - values.min()) / STEP - 1e-9)
    edges = np.arange(low, values.max() + STEP, STEP).round(6)
    parts = []
    for left in edges:
        n = int(((values >= left - 1e-9) & (values < left + STEP - 1e-9)).sum())
        bar = "\\| " if abs(left - promised) < 1e-6 else ""
        parts.append(f"{bar}{left:.2f}: {n}")
    return ", ".join(parts)


def rows(records: Iterable[Record]) -> list[list[str]]:
    by_data: dict[str, list[Record]] = {}
    for record in records:
        by_data.setdefault(record.dataset_reference, []).append(record)
    table = []
    for data, cells in sorted(by_data.items()):
        for name, (words, promised) in PROMISES.items():
            values = [r.metrics("test")[name] for r in cells if name in r.metrics("test")]
            if not values:
                continue
            counts = cells[0].counts
            mean = float(np.mean(values))
            error = float(np.std(values, ddof=1) / np.sqrt(len(values)))
            table.append(
                [
                    f"{data} ({counts['calibration']} apart, {counts['test']} tested)",
                    words,
                    f"{promised:g}",
                    f"{mean:.3f} ± {error:.3f}",
                    histogram(values, promised),
                ]
            )
    return table


def main(folder: Path) -> None:
    records = [record for record in read_all(folder) if record.ok and record.suite == "promises"]
    heads = [
        "data",
        "promise",
        "promised",
        "mean of 20 splits",
        f"splits per bin of {STEP:g} (\\|: promised)",
    ]
    print(tabulate(rows(records), heads, tablefmt="pipe", disable_numparse=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
