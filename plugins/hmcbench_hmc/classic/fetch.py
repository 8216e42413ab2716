"""``hmcbench data fetch hmc-classic[:SET]``."""

from __future__ import annotations

from pathlib import Path

from hmcbench.data.fetch import fetch
from hmcbench.data.sources import cached
from hmcbench.errors import BadInput, unknown
from hmcbench_hmc.classic.sets import DATASET, SETS, SYNTHETIC, sources


def fetch_sets(mirror: str = "", set: str = "") -> Path:
    """The files of one set, or of all, in the cache folder; see :func:`hmcbench.data.fetch.fetch`."""
    if set in SYNTHETIC:
        raise BadInput(f"{set} needs no files", allowed=", ".join(SETS))
    if set and set not in SETS:
        raise unknown(f"set of {DATASET}", set, SETS)
    folder = cached(DATASET)
    for name in [set] if set else SETS:
        for source in sources(name).values():
            fetch(source, folder, DATASET, mirror)
    return folder
