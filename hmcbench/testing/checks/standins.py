"""Small data for any model or featurizer: tiny targets, and stand-ins for the views that it reads.

``table``, ``image`` and ``answers`` (the truth) are made here; any other view of a dataset is
borrowed, row by row, from an installed dataset that has it, the plugin's own first. What featurizers
make of those is made by the featurizers themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from hmcbench.data.featurize import ViewPlan, alternatives, fill, plan_view, transformer
from hmcbench.errors import HmcbenchError, NotApplicable
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Dataset, Task
from hmcbench.registry.registry import create, missing
from hmcbench.testing.checks.base import Skip, Subject
from hmcbench.testing.helpers import Kind, tiny_dataset

SAMPLES = 60
SHAPES: Mapping[str, str] = {  # shape -> what it is, in words
    "tree": "a tree, one leaf per sample",
    "ragged": "a tree, one path per sample that may end anywhere",
    "multiple": "a tree, several leaves per sample",
    "dag": "a DAG, several paths of any depth",
    "one-class": "a hierarchy of one class",
    "regression": "two targets",
}


@dataclass(frozen=True)
class Picture:
    """A small grey picture, as the view ``image`` has them."""

    pixels: np.ndarray

    def load(self, min_side: int | None = None) -> np.ndarray:
        """(32, 32) uint8; never reduced."""
        return self.pixels.copy()


def tiny(shape: str, samples: int = SAMPLES) -> Dataset:
    """The targets of a shape with the views ``table``, ``image`` and ``answers``."""
    if shape == "one-class":
        hierarchy = Hierarchy.from_edges([("", "only")])
        made = tiny_dataset(samples, "tree")
        made = replace(made, task=Task(hierarchy=hierarchy), targets=np.ones((samples, 1), dtype=bool))
    else:
        kind: Kind = shape  # type: ignore[assignment]
        made = tiny_dataset(samples, kind)
    table = np.asarray(made.views["table"], dtype=np.float64)
    noise = np.random.default_rng(0).integers(0, 256, (samples, 32, 32))
    noise[:, :12, :12] = (128 + 40 * table[:, :1, None]).clip(0, 255)
    pictures = [Picture(pixels.astype(np.uint8)) for pixels in noise]
    answers = np.asarray(made.targets, dtype=np.float32)
    return replace(made, views={**made.views, "image": pictures, "answers": answers})


def stand_in(subject: Subject, wanted: Sequence[str], shape: str) -> Dataset:
    """A tiny dataset of that shape whose views are all that ``wanted`` asks for (as in a spec's views).

    Raises:
        Skip: no installed dataset and no featurizer has such a view, or a library is missing.
    """
    base = tiny(shape)
    views, asked = dict(base.views), {}
    for text in wanted:
        for plan in _plans(subject, fill(text, subject.params), views):
            if plan.source not in views:
                views[plan.source] = subject.keep(("rows", plan.source), partial(borrow, subject, plan))
            if plan.steps:
                make = partial(transformer(plan), views[plan.source])
                own = plan.source in base.views  # such rows belong to the shape, borrowed ones to none
                key = ("view", " > ".join(map(str, plan.steps)), shape if own else "")
                views[plan.name] = subject.keep(key, make)
            asked[plan.name] = views[plan.name]
    return replace(base, views=asked)  # as the runner does: what was asked for, and nothing else


def _plans(subject: Subject, text: str, views: Mapping[str, Any]) -> list[ViewPlan]:
    """How to make the views of the first alternative; views of installed datasets may be borrowed."""
    lent = {view for spec in subject.registry.specs("datasets") for view in spec.views} - {"image", "table"}
    problem: NotApplicable | None = None
    for available in ([*views], [*views, *sorted(lent)]):
        for names in alternatives(text):
            try:
                return [plan_view(subject.registry, available, name, ()) for name in names]
            except NotApplicable as error:
                problem = error
    raise Skip(f"no view to try it on: {problem}")


def borrow(subject: Subject, plan: ViewPlan) -> Any:
    """Rows of a view that only datasets have: those of the first installed dataset that can be made."""
    registry = subject.registry
    own = registry.owner(subject.kind, subject.spec.name).name
    owners = [s for s in registry.specs("datasets") if plan.source in s.views and not missing(s)]
    owners.sort(key=lambda s: registry.owner("datasets", s.name).name != own)
    for spec in owners:
        try:
            view = create(spec, registry.resolve("datasets", spec.name)[1]).views[plan.source]
        except (HmcbenchError, KeyError):
            continue
        rows = [view[i % len(view)] for i in range(SAMPLES)]
        return np.asarray(rows) if isinstance(view, np.ndarray) else rows
    raise Skip(f"no installed dataset lends the view {plan.source!r}")
