"""The whole plugin contract on one screen.

A plugin is a module (or object) named by an entry point of the group ``hmcbench``. It implements
any of these functions with ``@hmcbench.hookimpl`` and returns light specs: importing it must not
import torch, scikit-learn or numpy. Each hook is called once, when the registry is built.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from hmcbench.interfaces import specs

PROJECT = "hmcbench"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks an implementation::

    from hmcbench import ModelSpec, hookimpl

    @hookimpl
    def hmcbench_models():
        return [ModelSpec(name="mine", version="1", summary="...", factory="mine.model:Mine")]
"""


@hookspec
def hmcbench_datasets() -> list[specs.DatasetSpec]:  # type: ignore[empty-body]
    """Datasets: samples with ids, views and targets."""


@hookspec
def hmcbench_models() -> list[specs.ModelSpec]:  # type: ignore[empty-body]
    """Models: fitted on named views, return one score per class or target."""


@hookspec
def hmcbench_metrics() -> list[specs.MetricSpec]:  # type: ignore[empty-body]
    """Metrics: functions of stored predictions and truth."""


@hookspec
def hmcbench_rules() -> list[specs.RuleSpec]:  # type: ignore[empty-body]
    """Decision rules: from stored scores to scores or sets that respect the hierarchy."""


@hookspec
def hmcbench_featurizers() -> list[specs.FeaturizerSpec]:  # type: ignore[empty-body]
    """Featurizers: stateless steps from one view to another, cached on disk."""


@hookspec
def hmcbench_shifts() -> list[specs.ShiftSpec]:  # type: ignore[empty-body]
    """Shifts: what makes test inputs worse, step by step, before features are computed."""


@hookspec
def hmcbench_suites() -> list[specs.SuiteSpec]:  # type: ignore[empty-body]
    """Suites: TOML files inside the plugin's package."""
