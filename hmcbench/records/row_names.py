"""Names of rows: the short labels of a suite, and the row that a typed name stands for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hmcbench.errors import BadInput, unknown
from hmcbench.records.record import Record
from hmcbench.registry.registry import parse_reference


def with_labels(records: Iterable[Record], info: Mapping[str, Any] | None) -> list[Record]:
    """Records whose label is the short one of ``suite.json``, by their profile and reference.

    A record that gets a label keeps the model with its options as ``model.reference``. Records of models
    that the suite does not label, and of other suites, stay as they are.
    """
    info = info or {}
    labels, suite = info.get("labels"), info.get("suite")
    if not isinstance(labels, dict) or not isinstance(suite, dict):
        return list(records)
    return [_labelled(record, labels) if _of(record, suite) else record for record in records]


def _of(record: Record, suite: Mapping[str, Any]) -> bool:
    return bool(record.data["suite"].get("name", suite.get("name")) == suite.get("name"))


def _labelled(record: Record, labels: Mapping[str, Any]) -> Record:
    of_profile, reference, start = labels.get(record.profile), record.label, ""
    if record.data["model"].get("init_from"):  # a row of its own, named after the model that it started from
        reference, _, key = record.label.rpartition(" from ")
        start = f" from {key}"
    label = of_profile.get(reference) if isinstance(of_profile, dict) else None
    if not isinstance(label, str):
        return record
    model = {**record.data["model"], "label": label + start, "reference": record.label}
    return replace(record, data={**record.data, "model": model})


def model_reference(record: Record) -> str:
    """The model with its options, whatever its row is called."""
    return str(record.data["model"].get("reference") or record.label)


def name_of_version(label: str, version: str) -> str:
    """What a row is called where a board has several versions of its model: ``svm v2``."""
    return f"{label} v{version}"


def labels_named(name: str, rows: Iterable[tuple[str, str]]) -> list[str]:
    """The labels of the rows that a typed name stands for.

    The first of these that some row has: a label, a reference, a label in other letters (``hffnet-2D``),
    the bare name of a model.

    Args:
        name: as typed.
        rows: label and reference of every row.
    """
    pairs = list(dict.fromkeys(rows))
    by_rule = (
        [label for label, _ in pairs if label == name],
        [label for label, reference in pairs if reference == name],
        [label for label, _ in pairs if label.casefold() == name.casefold()],
        [label for label, reference in pairs if name in _bare(reference)],
    )
    return list(dict.fromkeys(next(filter(None, by_rule), [])))


def chosen_row(name: str, rows: Iterable[tuple[str, str]], where: str = "") -> str:
    """The label of the one row that a typed name stands for, by :func:`labels_named`.

    Args:
        name, rows: as there.
        where: what has the rows, for the error.

    Raises:
        BadInput: no such row, or several; the line names them.
    """
    pairs = list(rows)
    labels = labels_named(name, pairs)
    if len(labels) > 1:
        raise BadInput(f"{name} stands for {len(labels)} rows{where}", allowed=listed(labels))
    if not labels:
        raise unknown(f"model{where}", name, dict.fromkeys(label for label, _ in pairs))
    return labels[0]


def listed(labels: Sequence[str], most: int = 12) -> str:
    """``one of a, b, c``; of many the first ones, and how many more."""
    more = f" and {len(labels) - most} more" if len(labels) > most else ""
    return f"one of {', '.join(labels[:most])}{more}"


def _bare(reference: str) -> tuple[str, ...]:
    """``timm:resnet10t[epochs=6]`` -> ``timm:resnet10t``, ``resnet10t``, ``timm``."""
    try:
        parts = parse_reference(reference)
    except BadInput:
        return ()
    return (f"{parts.name}:{parts.variant}", parts.variant, parts.name) if parts.variant else (parts.name,)
