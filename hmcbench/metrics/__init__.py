"""Metrics: functions of an :class:`hmcbench.metrics.evaluation.Evaluation`.

One file per family; one documented object per id; :mod:`hmcbench.metrics.builtin` lists them.
The names below are imported when first used, so that listing metrics needs no numpy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hmcbench.metrics.base import ClassMetric, LevelMetric, PooledMetric, SampleMetric
    from hmcbench.metrics.computing import (
        Results,
        compute,
        compute_sides,
        is_pooled,
        pooled_counts,
        sample_stats,
    )
    from hmcbench.metrics.ids import find_spec

_WHERE = {
    **dict.fromkeys(("SampleMetric", "PooledMetric", "LevelMetric", "ClassMetric"), "hmcbench.metrics.base"),
    **dict.fromkeys(
        ("Results", "compute", "compute_sides", "is_pooled", "pooled_counts", "sample_stats"),
        "hmcbench.metrics.computing",
    ),
    "find_spec": "hmcbench.metrics.ids",
}
__all__ = [
    "ClassMetric",
    "LevelMetric",
    "PooledMetric",
    "Results",
    "SampleMetric",
    "compute",
    "compute_sides",
    "find_spec",
    "is_pooled",
    "pooled_counts",
    "sample_stats",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'hmcbench.metrics' has no attribute {name!r}")
