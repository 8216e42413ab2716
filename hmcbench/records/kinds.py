"""Which kind of value the parts of a record are: somebody may have edited it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Kinds = tuple[type, ...]
TEXT, WHOLE, NUMBER, TABLE, LIST = (str,), (int,), (int, float), (dict,), (list,)
WORDS = {str: "a text", int: "a whole number", float: "a number", dict: "a table", list: "a list"}


def _all(kind: Kinds, *names: str) -> dict[str, Kinds]:
    return dict.fromkeys(names, kind)


PARTS = (
    "split",
    "timing",
    "memory",
    "hardware",
    "versions",
    "decision",
    "rules",
    "shifts",
    "predictions",
    "metric_failures",
)
KINDS: Mapping[str, Mapping[str, Kinds]] = {
    "": {
        **_all(TEXT, "key", "status", "profile", "cause", "message", "created", "git"),
        **_all(WHOLE, "seed"),
        **_all(TABLE, "suite", "dataset", "model", "metrics", "weights", "applied_rule", *PARTS),
    },
    "suite": _all(TEXT, "name", "primary"),
    "dataset": {
        **_all(TEXT, "name", "reference", "fingerprint", "task", "paths", "depth"),
        **_all(WHOLE, "samples", "classes", "levels"),
        **_all(LIST, "notes", "targets"),
    },
    "model": {**_all(TEXT, "name", "label", "reference"), **_all(TABLE, "params", "brought")},
    "split": {
        **_all(TABLE, "counts"),
        **_all(WHOLE, "fold"),
        **_all(TEXT, "fingerprint", "kind"),
        **_all(LIST, "notes", "unknown", "train_share", "label_noise"),
    },
    "decision": {"alpha": NUMBER, "thresholds": (*NUMBER, *LIST), "per": TEXT},
    "shifts": _all(TABLE, "of"),
}
"""Part (empty: the record) -> name -> kind of its value; a part or value may be absent or null."""
TASKS = ("hmc", "regression")
NEEDED = {
    "": ("key", "status", "suite", "dataset", "model", "profile", "seed", "metrics"),
    "suite": ("name",),
    "dataset": ("name",),
    "model": ("label",),
}


def wrong_kind(data: Mapping[str, Any]) -> str:
    """The first value of a record that is of another kind, in words; empty if there is none."""
    for part, kinds in KINDS.items():
        holder = (data.get(part) if part else data) or {}
        for name, kind in kinds.items():
            value = holder.get(name)
            needed = value is None and name in NEEDED.get(part, ())
            if needed or (value is not None and not _is(value, kind)):
                return _told(f"{part}.{name}" if part else name, value, kind)
    return next(_wrong_inside(data), "")


def _is(value: Any, kind: Kinds) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _told(name: str, value: Any, kind: Kinds) -> str:
    return f"{name} is {str(value)[:40]!r}, not {' or '.join(WORDS[type_] for type_ in kind)}"


def _wrong_inside(data: Mapping[str, Any]) -> Iterator[str]:
    """The task, tables of numbers, and tables of tables."""
    task = data["dataset"].get("task")
    if task not in (None, *TASKS):
        yield f"dataset.task is {task!r}, not {' or '.join(TASKS)}"
    tables: dict[str, Any] = {"split.counts": (data.get("split") or {}).get("counts")}
    blocks: dict[str, Any] = {"rules": data.get("rules"), "shifts.of": (data.get("shifts") or {}).get("of")}
    blocks["metrics"] = data["metrics"]
    for name, block in blocks.items():
        for label, table in (block or {}).items():
            if not _is(table, TABLE):
                yield _told(f"{name}.{label}", table, TABLE)
    yield from _wrong_failures("metric_failures", data.get("metric_failures") or {})
    for label, block in (data.get("rules") or {}).items():
        place = f"rules.{label}"
        yield from _wrong_rule(place, block)
        if "metrics" in block:
            tables |= {f"{place}.metrics.{side}": values for side, values in block["metrics"].items()}
    tables |= {f"metrics.{side}": values for side, values in data["metrics"].items()}
    for name, table in tables.items():
        if not {*map(type, (table or {}).values())} <= {int, float, type(None)}:
            wrong = next(item for item in table.items() if not _is(item[1], NUMBER) and item[1] is not None)
            yield _told(f"{name}.{wrong[0]}", wrong[1], NUMBER)
    for label, block in ((data.get("shifts") or {}).get("of") or {}).items():
        yield from _wrong_failures(f"shifts.of.{label}.metric_failures", block.get("metric_failures", {}))
    thresholds = (data.get("decision") or {}).get("thresholds")
    if isinstance(thresholds, list) and not all(_is(value, NUMBER) for value in thresholds):
        yield _told("decision.thresholds", thresholds, NUMBER)


_OF_RULES: Mapping[str, Kinds] = {
    "version": TEXT, "makes": TEXT, "params": TABLE, "metrics": TABLE, "failure": TEXT, "left_out": TEXT,
}  # fmt: skip
_WITH_VALUES = ("version", "makes", "params")  # what a board reads of a rule with values


def _wrong_rule(place: str, block: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong in the block of a decision rule."""
    needed = _WITH_VALUES if "metrics" in block else ()
    for name, kind in _OF_RULES.items():
        if (name in block or name in needed) and not _is(block.get(name), kind):
            yield _told(f"{place}.{name}", block.get(name), kind)
    if _is(block.get("metrics"), TABLE):
        for side, values in block["metrics"].items():
            if not _is(values, TABLE):
                yield _told(f"{place}.metrics.{side}", values, TABLE)
    yield from _wrong_failures(f"{place}.metric_failures", block.get("metric_failures", {}))


def _wrong_failures(place: str, sides: Any) -> Iterator[str]:
    """What is wrong in a table of failed metrics."""
    if not _is(sides, TABLE):
        yield _told(place, sides, TABLE)
        return
    for side, failures in sides.items():
        if not _is(failures, TABLE):
            yield _told(f"{place}.{side}", failures, TABLE)
            continue
        for name, why in failures.items():
            if not _is(why, TEXT):
                yield _told(f"{place}.{side}.{name}", why, TEXT)
