"""Records that are made of other records or files: all are made, and checked, before any is written."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hmcbench.records.predictions import Predictions
from hmcbench.records.record import NPZ, Record, begin_record, commit_record, sweep_killed


@dataclass(frozen=True, eq=False)
class NewRecord:
    """A record before it is written: its data and predictions."""

    data: dict[str, Any]
    predictions: Predictions


def write_records(folder: Path, new: Sequence[NewRecord], replaced: Sequence[Record] = ()) -> list[Record]:
    """Write records, each whole or not at all, and then remove those that they replace."""
    sweep_killed(folder)
    written = []
    for new_record in new:
        temporary = begin_record(folder, new_record.data["key"])
        new_record.predictions.save(temporary / NPZ)
        written.append(commit_record(temporary, folder, new_record.data))
    kept = {record.path for record in written}
    for record in replaced:
        if record.path not in kept:
            shutil.rmtree(record.path, ignore_errors=True)
    return written
