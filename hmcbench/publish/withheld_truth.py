"""Truth that is not published: held at hand while publishing, for the intervals that need it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hmcbench.errors import BadInput
from hmcbench.files import write_atomic
from hmcbench.leaderboard.intervals import FILE, Intervals
from hmcbench.publish.keeping import kept_boards, to_text, withheld
from hmcbench.records.given_data import Given, WithTruth
from hmcbench.records.record import Record, read_all
from hmcbench.records.suite_file import read_info
from hmcbench.registry.registry import default_registry

Truths = Mapping[str, Any]  # key of a record -> truth of its predictions, in their order


def truth_at_hand(found: Sequence[Record], given: Given | None) -> Truths:
    """The truth of those records that are published without it, where it is stored or in the data given.

    Raises:
        BadInput: predictions that cannot be read, or data that are not those of the records.
    """
    out = {}
    for record in found:
        if not record.ok:
            continue
        predictions = record.predictions()
        if not withheld(record):
            continue
        if given is not None:
            predictions, _ = given.join(record, predictions, _refuse)
        if predictions.truth is not None:
            out[record.key] = predictions.truth
    return out


def keep_intervals(folder: Path, truths: Truths, sources: Sequence[Path] = ()) -> list[Path]:
    """Write ``intervals.json`` of a suite that is published, or remove it where there is nothing to keep.

    Args:
        folder: of the suite, with its records as they are published.
        truths: as :func:`truth_at_hand` gives them; of other records what was kept stays.
        sources: folders of suites that records were copied from, which may have kept something too.

    Returns:
        The file, where it was written.
    """
    before = Intervals.read(folder, *sources)
    published = [
        WithTruth(r.path, r.data, truths[r.key]) if r.key in truths else r
        for r in read_all(folder / "records")
    ]
    specs = default_registry().specs("metrics")
    boards = kept_boards(
        published, read_info(folder) or {}, specs, before, datetime.now(UTC).date().isoformat()
    )
    if not boards:
        (folder / FILE).unlink(missing_ok=True)
        return []
    write_atomic(folder / FILE, to_text(boards))
    return [folder / FILE]


def _refuse(where: str, what: str, stated: Any, found: Any) -> None:
    values = "" if stated is None else f" (record {stated}, data {found})"
    raise BadInput(f"{where}: {what}{values}", hint="--data names the data that the records were made with")
