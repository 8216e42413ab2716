"""The ratios that benchmarks measure: their record and their table."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from tabulate import tabulate

from hmcbench.execute.resources import hardware, versions

COLUMNS = ("work", "peer", "theirs [s]", "ours [s]", "ratio", "asked for", "processor")


@dataclass(frozen=True)
class Ratio:
    """The time of hmcbench and of a peer for the same work, in the same run.

    Attributes:
        work: the work of both.
        peer: the alternative to hmcbench.
        theirs, ours: seconds of the peer and of hmcbench.
        asked: the least value of theirs / ours that is asked for.
        processor: what it ran on.
    """

    work: str
    peer: str
    theirs: float
    ours: float
    asked: float
    processor: str

    @property
    def value(self) -> float:
        return self.theirs / self.ours


@dataclass
class Ratios:
    """All ratios of one run of the benchmarks.

    Attributes:
        day: of the run, as 2026-01-31.
        load: processes that were running or waiting at its start, the mean of one minute.
        versions: of Python and the packages.
        rows: the ratios, in the order of the benchmarks.
    """

    day: str = field(default_factory=lambda: date.today().isoformat())
    load: float = field(default_factory=lambda: round(os.getloadavg()[0], 2))
    versions: dict[str, str] = field(default_factory=lambda: versions(("torch", "torchvision")))
    rows: list[Ratio] = field(default_factory=list)

    def compare(
        self,
        work: str,
        peer: str,
        theirs: float,
        ours: float,
        asked: float,
        *,
        slack: float = 1.0,
        device: str = "cpu",
    ) -> None:
        """Add a row and assert the ratio.

        Args:
            slack: share of ``asked`` below which the benchmark fails, for measurements that vary.
            device: ``cpu`` or a GPU, as torch names it.
        """
        machine = hardware(device)
        row = Ratio(
            work, peer, theirs, ours, asked, machine["gpu"] or f"{machine['cpu']}, {machine['cores']} cores"
        )
        self.rows.append(row)
        assert row.value >= slack * asked, (
            f"{work}: {theirs:.3g} s of {peer} are {row.value:.3g} times the {ours:.3g} s of hmcbench,"
            f" {asked:.3g} times is asked for"
        )

    def table(self, form: str) -> str:
        """The rows in a format of tabulate."""
        cells = [
            (r.work, r.peer, *(f"{n:.3g}" for n in (r.theirs, r.ours, r.value, r.asked)), r.processor)
            for r in self.rows
        ]
        align = ("left", "left", "right", "right", "right", "right", "left")
        return tabulate(cells, COLUMNS, form, disable_numparse=True, colalign=align if cells else None)

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load_file(cls, path: Path) -> Ratios:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{**data, "rows": [Ratio(**row) for row in data["rows"]]})


def fastest(work: Callable[[], Any], rounds: int) -> float:
    """Seconds of the fastest of several calls."""
    return min(seconds(work) for _ in range(rounds))


def seconds(work: Callable[[], Any]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
