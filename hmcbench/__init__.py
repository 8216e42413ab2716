"""hmcbench: a plugin-based benchmark suite for hierarchical multi-label classification.

The names below are what plugins write to; each is imported when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the same names, for type checkers
    from hmcbench.data.views import Rows as Rows
    from hmcbench.errors import BadInput as BadInput
    from hmcbench.errors import DataProblems as DataProblems
    from hmcbench.errors import Problem as Problem
    from hmcbench.hierarchy.hierarchy import Hierarchy as Hierarchy
    from hmcbench.hookspecs import hookimpl as hookimpl
    from hmcbench.interfaces import DataReport as DataReport
    from hmcbench.interfaces import Dataset as Dataset
    from hmcbench.interfaces import DatasetSpec as DatasetSpec
    from hmcbench.interfaces import FeaturizerSpec as FeaturizerSpec
    from hmcbench.interfaces import Inputs as Inputs
    from hmcbench.interfaces import Labelled as Labelled
    from hmcbench.interfaces import MetricSpec as MetricSpec
    from hmcbench.interfaces import ModelSpec as ModelSpec
    from hmcbench.interfaces import Param as Param
    from hmcbench.interfaces import Run as Run
    from hmcbench.interfaces import Scores as Scores
    from hmcbench.interfaces import SuiteSpec as SuiteSpec
    from hmcbench.interfaces import Task as Task
    from hmcbench.metrics.base import PooledMetric as PooledMetric
    from hmcbench.metrics.base import SampleMetric as SampleMetric
    from hmcbench.metrics.evaluation import Evaluation as Evaluation

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
    "Hierarchy": "hmcbench.hierarchy.hierarchy",
    "Rows": "hmcbench.data.views",
    "PooledMetric": "hmcbench.metrics.base",
    "SampleMetric": "hmcbench.metrics.base",
    "Evaluation": "hmcbench.metrics.evaluation",
}
__all__ = ["__version__", *_WHERE]  # noqa: PLE0604 (names are lazy)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("hmcbench")
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'hmcbench' has no attribute {name!r}")
