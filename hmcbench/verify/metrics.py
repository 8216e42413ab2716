"""Metrics of published records that may not be installed here."""

from __future__ import annotations

from collections.abc import Sequence

from hmcbench.interfaces import MetricSpec
from hmcbench.leaderboard.columns import metric_spec
from hmcbench.registry.registry import missing


def installed(specs: Sequence[MetricSpec], metric: str) -> bool:
    """Whether the metric of a reported id and the libraries that it needs are installed."""
    spec = metric_spec(specs, metric)
    return spec is not None and not missing(spec)


def not_installed(metric: str) -> str:
    """The note on a metric that is not :func:`installed`."""
    return f"metric {metric.partition('[')[0]} is not installed: its values are not checkable here"
