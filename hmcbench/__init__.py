"""hmcbench: a plugin-based benchmark suite for hierarchical multi-label classification.

The names below are what plugins write to; each is imported when first used.
"""

from __future__ import annotations

import importlib
from typing import Any

_WHERE = {
    "hookimpl": "hmcbench.hookspecs",
    **dict.fromkeys(
        (
            "DataReport",
            "Dataset",
            "DatasetSpec",
            "FeaturizerSpec",
            "Inputs",
            "Labelled",
            "MetricSpec",
            "ModelSpec",
            "Param",
            "Run",
            "Scores",
            "SuiteSpec",
            "Task",
        ),
        "hmcbench.interfaces",
    ),
    "BadInput": "hmcbench.errors",
    "DataProblems": "hmcbench.errors",
    "Problem": "hmcbench.errors",
    "Hierarchy": "hmcbench.hierarchy",
    "Rows": "hmcbench.views",
    "SampleMetric": "hmcbench.metrics",
    "Evaluation": "hmcbench.evaluation",
}
__all__ = ["__version__", *_WHERE]  # noqa: PLE0604 (names are lazy)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("hmcbench")
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'hmcbench' has no attribute {name!r}")
