"""The ids of reported values: ``hf1_samples``, ``level2_accuracy_coherent``, ``class_f1[a/b]``.

Plain Python, so that a plan can check the columns of a suite without loading any metric.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hmcbench.errors import unknown
from hmcbench.interfaces import MetricSpec

COHERENT = "_coherent"


@dataclass(frozen=True)
class MetricId:
    """One reported value of a metric.

    Attributes:
        coherent: whether it reads the coherent decisions.
        k: the level, for ``over="levels"``.
        member: the class or target, for ``over="classes"``; empty stands for all of them.
    """

    spec: MetricSpec
    coherent: bool = False
    k: int = 0
    member: str = ""

    @property
    def template(self) -> str:
        """The id of all levels, or of all classes, at once: ``level{k}_accuracy``, ``class_f1``."""
        return self.spec.name + COHERENT * self.coherent

    @property
    def text(self) -> str:
        """The id."""
        return self.template.replace("{k}", str(self.k)) + (f"[{self.member}]" if self.member else "")


def find_spec(specs: Sequence[MetricSpec], name: str) -> MetricSpec:
    """The spec that an id, or a name, belongs to; raises BadInput with close matches.

    >>> from hmcbench.metrics.builtin import SPECS
    >>> find_spec(SPECS, "level12_f1_macro_coherent").name
    'level{k}_f1_macro'
    """
    for spec in sorted(specs, key=lambda spec: -len(spec.name)):
        if name in (spec.name, spec.name + COHERENT * spec.decided) or parse_id(spec, name):
            return spec
    raise unknown("metric", name, [spec.name for spec in specs], "hmcbench list metrics shows them")


def parse_id(spec: MetricSpec, name: str) -> MetricId | None:
    """The parts of an id of this spec, or None if it is none."""
    stem = re.escape(spec.name).replace(re.escape("{k}"), r"(?P<k>[1-9][0-9]*)")
    coherent = f"(?P<coherent>{COHERENT})?" if spec.decided else "(?P<coherent>(?!))?"
    member = r"\[(?P<member>.+)\]" if spec.over == "classes" else ""
    found = re.fullmatch(stem + coherent + member, name, re.DOTALL)
    if found is None:
        return None
    groups = found.groupdict()
    return MetricId(spec, bool(groups["coherent"]), int(groups.get("k") or 0), groups.get("member") or "")
