"""The columns of a board: metrics of the suite, violations, further test sets, costs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from hmcbench.errors import BadInput
from hmcbench.interfaces import MetricSpec
from hmcbench.leaderboard.board import Column, drop_style
from hmcbench.metrics.ids import MetricId, find_spec, parse_id
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


def split_ids(text: str) -> tuple[str, ...]:
    """Ids with commas between them; a class in brackets may hold commas and brackets itself.

    >>> split_ids("hf1_macro, class_f1[steel [800 C], air],level{k}_accuracy")
    ('hf1_macro', 'class_f1[steel [800 C], air]', 'level{k}_accuracy')
    """
    ids: list[str] = []
    while text:
        end = _id_end(text)
        ids.append(text[:end].strip())
        text = text[end + 1 :]
    return tuple(filter(None, ids))


def _id_end(text: str) -> int:
    """Where the first of several ids ends.

    At the first comma before which there are as many opening as closing brackets, or at the end; without
    such a place, at the first comma behind a closing bracket, else at the first comma.
    """
    ends = [*(match.start() for match in re.finditer(",", text)), len(text)]
    whole = [end for end in ends if text.count("[", 0, end) == text.count("]", 0, end)]
    closed = [end for end in ends if "]" in text[:end]]
    return (*whole, *closed, *ends)[0]


def stored_ids(records: Iterable[Record], side: str = "") -> dict[str, None]:
    """The ids of all values that records store, on one partition or on any."""
    return {
        name: None
        for record in records
        for partition, values in record.data["metrics"].items()
        if side in ("", partition)
        for name in values
    }


def ids_of(name: str, known: Iterable[str]) -> list[str]:
    """The known ids that a typed one stands for: itself, its levels, or the one class with that last part.

    >>> known = ["level2_f1_macro", "level1_f1_macro", "class_f1[a/x]", "class_f1[b/x]", "class_f1[b/y]"]
    >>> ids_of("level{k}_f1_macro", known), ids_of("class_f1[y]", known), ids_of("class_f1[x]", known)
    (['level1_f1_macro', 'level2_f1_macro'], ['class_f1[b/y]'], [])
    """
    known = list(known)
    if name in known:
        return [name]
    if "{k}" in name:
        level = re.compile(re.escape(name).replace(r"\{k\}", r"(\d+)"))
        levels = {int(match[1]): match[0] for item in known if (match := level.fullmatch(item))}
        return [levels[k] for k in sorted(levels)]
    metric, bracket, member = name.partition("[")
    tails = [
        item for item in known if bracket and item.startswith(f"{metric}[") and item.endswith(f"/{member}")
    ]
    return tails if len(tails) == 1 else []


def metric_id(specs: Sequence[MetricSpec], name: str) -> MetricId | None:
    """The parts of a reported id, or None where its plugin is not installed."""
    spec = metric_spec(specs, name)
    return parse_id(spec, name) if spec is not None else None


def wanted_metrics(
    records: Sequence[Record], info: Mapping[str, Any], primary: str = "", columns: Sequence[str] = ()
) -> list[str]:
    """Metric ids, the primary one first, then the suite's (``{k}`` expanded), then violations.

    Ids of the suite stay even if no record has them; others only if a record has them.

    Args:
        primary: instead of the suite's, where these records have it.
        columns: instead of the suite's, those that these records have.
    """
    head = info.get("suite", {})
    data = records[0].data
    task = str(data["dataset"].get("task") or "hmc")
    reported = stored_ids(records)
    if primary not in reported:
        primary = head.get("primary") or data["suite"].get("primary") or USUAL[task][0]
    if columns:
        return list(dict.fromkeys([primary, *(n for name in columns for n in ids_of(name, reported))]))
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


def split_side(column: str) -> tuple[str, str]:
    """The metric of a column, and its further test set (with :data:`DROP` where it is a drop) or nothing.

    >>> split_side("hf1_macro@test [900 C]"), split_side("class_f1[steel@800K]@shifted")
    (('hf1_macro', 'test [900 C]'), ('class_f1[steel@800K]', 'shifted'))
    """
    end = _member_end(column)
    metric, _, side = column[end:].partition(SHIFT)
    return column[:end] + metric, side


def _member_end(column: str) -> int:
    """Where the bracket of a class or target ends; 0 without one.

    Classes and test sets may be called as they like. The bracket is the first that ends before a test set,
    or with the id, and holds as many opening as closing ones; without such a one the first that ends there.
    """
    if "[" not in column.partition(SHIFT)[0]:
        return 0
    ends = [match.end() for match in re.finditer(rf"\](?={SHIFT}|\Z)", column)]
    whole = [end for end in ends if column.count("[", 0, end) == column.count("]", 0, end)]
    return (*whole, *ends, 0)[0]


def further_sides(records: Sequence[Record]) -> list[str]:
    """Test sets beside ``test``, such as ``shifted``."""
    sides = {side for r in records for side in r.data["metrics"]}
    return sorted(sides - {"train", "validation", "calibration", "test"})


def quality_columns(names: Sequence[str], sides: Sequence[str], specs: Sequence[MetricSpec]) -> list[Column]:
    """A column per metric; per further test set, the primary metric there and its drop."""
    out = [metric_column(n, title, metric_spec(specs, n)) for n, title in titles(names, specs).items()]
    for side in sides:
        first = out[0]
        shifted = f"{first.id}{SHIFT}{side}"
        out.append(replace(first, id=shifted, title=f"{first.title} on {side}"))
        # no direction: a model that is equally bad everywhere has the smallest drop
        out.append(Column(f"{shifted}{DROP}", f"drop on {side}", "", drop_style(first.style)))
    return out


def titles(names: Iterable[str], specs: Sequence[MetricSpec]) -> dict[str, str]:
    """Id -> heading: the id, or for a class or target its name and the metric.

    A class is called by the last part of its path, and by as many more as tell it from the others.

    >>> from hmcbench.metrics.builtin import SPECS
    >>> list(titles(["hf1_macro", "class_precision[glass/BMG]", "class_f1_raw[crystal/CRA]"], SPECS).values())
    ['hf1_macro', 'BMG precision', 'CRA F1, raw']
    >>> list(titles(["class_f1[a/x]", "class_f1[b/x]"], SPECS).values())
    ['a/x F1', 'b/x F1']
    >>> list(titles(["class_f1[01]", "class_f1[01/01]"], SPECS).values())
    ['01 F1', '01/01 F1']
    """
    ids = {name: metric_id(specs, name) for name in names}
    members = {parts.member for parts in ids.values() if parts is not None and parts.member}
    return {name: _title(name, parts, members) for name, parts in ids.items()}


def _title(name: str, parts: MetricId | None, members: set[str]) -> str:
    if parts is None or not parts.member:
        return name
    path = parts.member.split("/")
    tails = ("/".join(path[-n:]) for n in range(1, len(path) + 1))
    alone = (t for t in tails if sum(m == t or m.endswith(f"/{t}") for m in members) == 1)
    short = next(alone, parts.member)  # a class may be called as another one ends: 01 and 01/01
    metric = parts.spec.name.partition("_")[2] or parts.spec.name
    return f"{short} {'F1' if metric == 'f1' else metric}{', raw' if parts.raw else ''}"


def metric_column(name: str, title: str, spec: MetricSpec | None) -> Column:
    """The column of a metric; without a spec it has no direction."""
    if spec is None:
        return Column(name, title, "", "number")
    bounded = spec.low is not None and spec.high is not None and spec.high - spec.low <= 2
    of_one = bounded or spec.name in ("r2", "target_r2")  # at most 1, as scores are, and without a unit
    style: Literal["score", "number"] = "score" if of_one else "number"
    return Column(name, title, spec.better, style, spec.trivial)


def column_of(name: str, columns: Sequence[Column], specs: Sequence[MetricSpec]) -> Column:
    """The column of a metric, or the one that it would have where it is none of ``columns``."""
    shown = {column.id: column for column in columns}
    return shown.get(name) or metric_column(name, name, metric_spec(specs, name))


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
