"""The ids of reported values: ``hf1_samples``, ``level2_accuracy_raw``, ``class_f1[a/b]``.

Plain Python, so that a plan can check the columns of a suite without loading any metric.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from hmcbench.errors import BadInput, unknown
from hmcbench.interfaces import MetricSpec

RAW = "_raw"
"""Ends the id of a metric that reads the raw decision; plain ids read the coherent one."""
FORMER = "_coherent"
"""Ended the ids of coherent decisions in records up to schema 1, when plain ids read the raw ones."""


@dataclass(frozen=True)
class MetricId:
    """One reported value of a metric.

    Attributes:
        raw: whether it reads the raw decisions.
        k: the level, for ``over="levels"``.
        member: the class or target, for ``over="classes"``; empty stands for all of them.
    """

    spec: MetricSpec
    raw: bool = False
    k: int = 0
    member: str = ""

    @property
    def template(self) -> str:
        """The id of all levels, or of all classes, at once: ``level{k}_accuracy``, ``class_f1``."""
        return self.spec.name + RAW * self.raw

    @property
    def text(self) -> str:
        """The id."""
        return self.template.replace("{k}", str(self.k)) + (f"[{self.member}]" if self.member else "")


def stem(metric: str) -> str:
    """An id without its class or target: ``class_f1`` of ``class_f1[a/b]``."""
    return metric.partition("[")[0]


def find_spec(specs: Sequence[MetricSpec], name: str) -> MetricSpec:
    """The spec that an id, or a name, belongs to; raises BadInput with close matches.

    >>> from hmcbench.metrics.builtin import SPECS
    >>> find_spec(SPECS, "level12_f1_macro_raw").name
    'level{k}_f1_macro'
    """
    for spec in sorted(specs, key=lambda spec: -len(spec.name)):
        if name == spec.name + RAW * spec.decided or _reads(spec, name):
            return spec
    refuse_former(specs, name)
    raise unknown("metric", name, [spec.name for spec in specs], "hmcbench list metrics shows them")


def refuse_former(specs: Sequence[MetricSpec], name: str) -> None:
    """Raise BadInput for an id that ends in ``_coherent`` where a metric of these has another one today."""
    stem, former, member = name.partition(FORMER)
    if former and any(spec.decided and _reads(spec, stem + member) for spec in specs):
        raise BadInput(
            f"unknown metric {name!r}",
            allowed=f"{stem + member!r}, which reads the coherent decision, "
            f"or {stem + RAW + member!r}, which reads the model's own",
        )


def _reads(spec: MetricSpec, name: str) -> bool:
    return name == spec.name or parse_id(spec, name) is not None


@functools.lru_cache(maxsize=2**12)  # boards ask for few ids many times
def parse_id(spec: MetricSpec, name: str) -> MetricId | None:
    """The parts of an id of this spec, or None if it is none."""
    stem = re.escape(spec.name).replace(re.escape("{k}"), r"(?P<k>[1-9][0-9]*)")
    raw = f"(?P<raw>{RAW})?" if spec.decided else "(?P<raw>(?!))?"
    member = r"\[(?P<member>.+)\]" if spec.over == "classes" else ""
    match = re.fullmatch(stem + raw + member, name, re.DOTALL)
    if match is None:
        return None
    groups = match.groupdict()
    return MetricId(spec, bool(groups["raw"]), int(groups.get("k") or 0), groups.get("member") or "")
