"""Whether promises hold on the test samples: a broken one says that they are not like those put apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from hmcbench.leaderboard.grouping import RowRecords
from hmcbench.metrics.promise import ALPHA
from hmcbench.records.record import Record

DEVIATIONS = 3.0  # standard deviations beyond the promise: chance does that once in 740 rows
_LOSSES = {
    "backoff_risk": False,
    "conformal_coverage": True,
    "mondrian_coverage": True,
    **{f"bounded_coverage_at_{k}": True for k in (1, 2, 3)},
}
"""Metric -> whether it is a share of hits, so that the promise is on what is left of 1."""


def broken_promises(rows: Sequence[RowRecords]) -> list[str]:
    """A note for every row and promise that does worse on test than chance explains.

    Both sides are samples: the share of misses on n test samples, after m calibration samples, has a variance
    of about alpha (1 - alpha) (1 / n + 1 / m).
    """
    notes = []
    for row in rows:
        records = [record for record in row.ok if record.counts.get("calibration")]
        for name, hits in _LOSSES.items():
            known = [record for record in records if record.metrics("test").get(name) is not None]
            if known and (text := _broken(known, name, hits)):
                notes.append(f"{row.label}: {text}")
    return notes


def _broken(records: Sequence[Record], name: str, hits: bool) -> str:
    alpha = float(records[0].part("decision").get("alpha", ALPHA))
    value = fmean(float(record.metrics("test")[name]) for record in records)
    loss = 1 - value if hits else value
    folds = {record.fold: record.counts for record in records}.values()  # seeds share their samples
    tested, apart = (sum(counts.get(side, 0) for counts in folds) for side in ("test", "calibration"))
    if not tested:
        return ""
    reach = DEVIATIONS * math.sqrt(alpha * (1 - alpha) * (1 / tested + 1 / apart))
    if loss <= alpha + reach:
        return ""
    promised = f"at least {1 - alpha:g}" if hits else f"at most {alpha:g}"
    return (
        f"{name} {value:.3f} breaks the promise of {promised}: the test samples are not like those put apart"
    )
