"""hmcbench: a plugin-based benchmark suite for hierarchical multi-label classification.

The names below are the Python interface (:mod:`hmcbench.api`) and the plugin interface; each is imported when
first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the same names, for type checkers
    from hmcbench.api import load as load
    from hmcbench.api import predict as predict
    from hmcbench.api import run as run
    from hmcbench.api import score as score
    from hmcbench.data.views import Rows as Rows
    from hmcbench.errors import BadInput as BadInput
    from hmcbench.errors import DataProblems as DataProblems
    from hmcbench.errors import Problem as Problem
    from hmcbench.hierarchy.hierarchy import Hierarchy as Hierarchy
    from hmcbench.interfaces import DataReport as DataReport
    from hmcbench.interfaces import Dataset as Dataset
    from hmcbench.interfaces import DatasetSpec as DatasetSpec
    from hmcbench.interfaces import FeaturizerSpec as FeaturizerSpec
    from hmcbench.interfaces import Inputs as Inputs
    from hmcbench.interfaces import Labelled as Labelled
    from hmcbench.interfaces import MetricSpec as MetricSpec
    from hmcbench.interfaces import ModelSpec as ModelSpec
    from hmcbench.interfaces import Param as Param
    from hmcbench.interfaces import RuleSpec as RuleSpec
    from hmcbench.interfaces import Run as Run
    from hmcbench.interfaces import Scores as Scores
    from hmcbench.interfaces import ShiftInputs as ShiftInputs
    from hmcbench.interfaces import ShiftSpec as ShiftSpec
    from hmcbench.interfaces import SuiteSpec as SuiteSpec
    from hmcbench.interfaces import Task as Task
    from hmcbench.interfaces.hookspecs import hookimpl as hookimpl
    from hmcbench.metrics.base import PooledMetric as PooledMetric
    from hmcbench.metrics.base import SampleMetric as SampleMetric
    from hmcbench.metrics.evaluation import Evaluation as Evaluation

_NAMES = {
    "api": "load predict run score",
    "data.views": "Rows",
    "errors": "BadInput DataProblems Problem",
    "hierarchy.hierarchy": "Hierarchy",
    "interfaces.hookspecs": "hookimpl",
    "interfaces": "DataReport Dataset DatasetSpec FeaturizerSpec Inputs Labelled MetricSpec ModelSpec Param"
    " RuleSpec Run Scores ShiftInputs ShiftSpec SuiteSpec Task",
    "metrics.base": "PooledMetric SampleMetric",
    "metrics.evaluation": "Evaluation",
}
_MODULES = {name: f"hmcbench.{module}" for module, names in _NAMES.items() for name in names.split()}
__all__ = ["__version__", *_MODULES]  # noqa: PLE0604 (names are lazy)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("hmcbench")
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'hmcbench' has no attribute {name!r}")
