"""The columns of a board: metrics of the suite, violations, further test sets, costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hmcbench.errors import BadInput
from hmcbench.interfaces import MetricSpec
from hmcbench.leaderboard.board import Column
from hmcbench.metrics.ids import find_spec
from hmcbench.records.record import Record

VIOLATIONS = ("incoherent_rate", "violation_rate")
USUAL = {
    "hmc": ("hf1_samples", "level{k}_accuracy", "hf1_macro", "auprc_micro", "exact_match"),
    "regression": ("r2", "rmse", "mae"),
}
SHIFT, DROP = "@", "-drop"

COSTS = {
    "fit_s": ("timing", Column("fit_s", "fit (s)", "lower", "number")),
    "search_s": ("timing", Column("search_s", "search, part of fit (s)", "", "number")),
    "search_candidates": ("timing", Column("search_candidates", "candidates tried", "", "count")),
    "featurize_s": ("timing", Column("featurize_s", "featurize (s)", "lower", "number")),
    "total_s": ("timing", Column("total_s", "whole cell (s)", "lower", "number")),
    "as_run_s": ("timing", Column("as_run_s", "cell without cached features (s)", "", "number")),
    "latency_p50_ms": ("timing", Column("latency_p50_ms", "latency p50 (ms)", "lower", "number")),
    "latency_p95_ms": ("timing", Column("latency_p95_ms", "latency p95 (ms)", "lower", "number")),
    "predict_p50_ms": ("timing", Column("predict_p50_ms", "model alone, p50 (ms)", "lower", "number")),
    "throughput_per_s": ("timing", Column("throughput_per_s", "samples per s", "higher", "number")),
    "peak_private_mb": ("memory", Column("peak_private_mb", "own memory, peak (MB)", "lower", "number")),
    "peak_rss_mb": ("memory", Column("peak_rss_mb", "RSS, peak (MB)", "", "number")),
    "peak_device_mb": ("memory", Column("peak_device_mb", "device memory, peak (MB)", "lower", "number")),
    "parameters": ("model", Column("parameters", "parameters", "", "count")),
    "multiply_adds": ("model", Column("multiply_adds", "multiply-adds per sample", "", "count")),
}
"""Cost id -> (part of the record that holds it, its column).

Resident memory has no better direction: it counts what the fork server imported for other models of the plan.
"""
OLD_TIMING = {
    "featurize_s": "",
    "total_s": "",
    "as_run_s": "total_s",
    "latency_p50_ms": "",
    "latency_p95_ms": "",
    "predict_p50_ms": "latency_p50_ms",
    "throughput_per_s": "",
}
"""Cost id -> its key in old records, whose timings left out features from the cache; empty: they lack it."""


def metric_spec(specs: Sequence[MetricSpec], metric: str) -> MetricSpec | None:
    """The spec of a reported id, or None where its plugin is not installed."""
    try:
        return find_spec(specs, metric)
    except BadInput:
        return None


def wanted_metrics(records: Sequence[Record], info: Mapping[str, Any]) -> list[str]:
    """Metric ids, the primary one first, then the suite's (``{k}`` expanded), then violations.

    Ids of the suite stay even if no record has them; others only if a record has them.
    """
    head = info.get("suite", {})
    data = records[0].data
    task = str(data["dataset"].get("task") or "hmc")
    primary = head.get("primary") or data["suite"].get("primary") or USUAL[task][0]
    reported = {name for r in records for side in r.data["metrics"].values() for name in side}
    named = _expanded([primary, *head.get("columns", ())], records)
    usual = [] if head.get("columns") else _expanded(USUAL[task], records)
    usual += [name for name in VIOLATIONS if task == "hmc"]
    return list(dict.fromkeys([*named, *(name for name in usual if name in reported)]))


def _expanded(names: Iterable[str], records: Sequence[Record]) -> list[str]:
    levels = max(int(r.data["dataset"].get("levels") or 0) for r in records)
    out: list[str] = []
    for name in names:
        out += [name.replace("{k}", str(k)) for k in range(1, levels + 1)] if "{k}" in name else [name]
    return out


def further_sides(records: Sequence[Record]) -> list[str]:
    """Test sets beside ``test``, such as ``shifted``."""
    sides = {side for r in records for side in r.data["metrics"]}
    return sorted(sides - {"train", "validation", "test"})


def quality_columns(names: Sequence[str], sides: Sequence[str], specs: Sequence[MetricSpec]) -> list[Column]:
    """A column per metric; per further test set, the primary metric there and its drop."""
    out = [metric_column(name, name, metric_spec(specs, name)) for name in names]
    for side in sides:
        first = out[0]
        out.append(Column(f"{first.id}{SHIFT}{side}", f"{first.title} on {side}", first.better, first.style))
        # no direction: a model that is equally bad everywhere has the smallest drop
        out.append(Column(f"{first.id}{SHIFT}{side}{DROP}", f"drop on {side}", "", "drop"))
    return out


def metric_column(name: str, title: str, spec: MetricSpec | None) -> Column:
    """The column of a metric; without a spec it has no direction."""
    if spec is None:
        return Column(name, title, "", "number")
    bounded = spec.low is not None and spec.high is not None and spec.high - spec.low <= 2
    return Column(name, title, spec.better, "score" if bounded or name.startswith("r2") else "number")


def cost_columns(records: Sequence[Record]) -> list[Column]:
    """The costs that at least one record holds."""
    return [column for name, (_, column) in COSTS.items() if any(cost(r, name) is not None for r in records)]


def cost(record: Record, name: str) -> float | None:
    """A cost of a record; zero device memory means that no device was used.

    None for what an old record cannot give: the cost of features, some or all of which came from the cache.
    """
    part = record.part(COSTS[name][0])
    key = name
    if "views_cached" in part and "featurize_cpu_s" not in part:
        key = OLD_TIMING.get(name, name)
    value = part.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if name == "peak_device_mb" and not value:
        return None
    return float(value)
