"""Metric ids of records up to schema 1, as they are written today.

``X`` was the metric of the raw decision and ``X_coherent`` that of the coherent one; today they are ``X_raw``
and ``X``. Metrics that read no decision (``auprc_micro``) had one id and keep it.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping
from typing import TypeVar

from hmcbench.errors import BadInput
from hmcbench.metrics.builtin import SPECS
from hmcbench.metrics.ids import FORMER, RAW, find_spec

_Value = TypeVar("_Value")


def renamed_values(values: Mapping[str, _Value]) -> dict[str, _Value]:
    """Metric id -> value, of one partition; ids come in pairs where the metric reads decisions.

    >>> renamed_values({"hf1_micro": 0.5, "hf1_micro_coherent": 0.75, "auprc_micro": 0.9})
    {'hf1_micro_raw': 0.5, 'hf1_micro': 0.75, 'auprc_micro': 0.9}
    """
    return {_renamed(name, values): value for name, value in values.items()}


def _renamed(name: str, names: Collection[str]) -> str:
    stem, bracket, member = name.partition("[")
    member = bracket + member
    if stem + FORMER + member in names:
        return stem + RAW + member
    plain = stem.removesuffix(FORMER) + member
    return plain if plain != name and plain in names else renamed_id(name)


@functools.cache
def renamed_id(name: str) -> str:
    """An id without its pair; only built-in metrics are renamed, of others it is unknown what they read.

    >>> [renamed_id(name) for name in ("hf1_micro", "class_f1[a]", "hf1_micro_coherent", "auprc_micro")]
    ['hf1_micro_raw', 'class_f1_raw[a]', 'hf1_micro', 'auprc_micro']
    """
    stem, bracket, member = name.partition("[")
    return stem + RAW + bracket + member if _reads_decisions(name) else renamed_column(name)


def renamed_column(name: str) -> str:
    """The column of a suite: one that ended in ``_coherent`` is plain now, and a plain one stays so.

    >>> renamed_column("level{k}_accuracy_coherent"), renamed_column("hf1_micro")
    ('level{k}_accuracy', 'hf1_micro')
    """
    stem, bracket, member = name.partition("[")
    plain = stem.removesuffix(FORMER) + bracket + member
    return plain if plain != name and _reads_decisions(plain) else name


def _reads_decisions(name: str) -> bool:
    """Whether an id belongs to a built-in metric that reads decisions."""
    try:
        return find_spec(SPECS, name).decided
    except BadInput:
        return False
