"""``hmcbench data fetch NAME`` for the tables of this plugin."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from hmcbench.data.fetch import fetch
from hmcbench.data.sources import cached
from hmcbench_materials.data.sources import SOURCES


def fetch_table(dataset: str, mirror: str = "") -> Path:
    """The original table in the cache folder; see :func:`hmcbench.data.fetch.fetch`."""
    return fetch(SOURCES[dataset], cached(dataset), dataset, mirror)


# What the specs name.
fetch_nims, fetch_glass = partial(fetch_table, "nims-steel"), partial(fetch_table, "metallic-glass")
fetch_phases, fetch_hardness = partial(fetch_table, "hea-phases"), partial(fetch_table, "hea-hardness")
