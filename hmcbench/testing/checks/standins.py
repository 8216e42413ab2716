"""Small data for any model or featurizer: tiny targets, and the views that it reads.

``table``, ``image`` and ``answers`` (the truth) are made here. The rows of any other view are taken
from an installed dataset, the plugin's own first. Featurizers compute their own views from these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import numpy as np

from hmcbench.data.featurize import ViewPlan, alternatives, fill, plan_view, transformer
from hmcbench.errors import HmcbenchError, NotApplicable
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Dataset, Task
from hmcbench.registry.registry import create, missing
from hmcbench.testing.checks.base import Skip, Subject
from hmcbench.testing.helpers import Kind, tiny_dataset

SAMPLES = 60
SHAPES: Mapping[str, str] = {  # shape -> description
    "tree": "a tree, one leaf per sample",
    "ragged": "a tree, one path per sample that may end anywhere",
    "multiple": "a tree, several leaves per sample",
    "dag": "a DAG, several paths of any depth",
    "chain": "a tree with chains of only children, one path per sample that may end anywhere",
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
        dataset = tiny_dataset(samples, "tree")
        dataset = replace(dataset, task=Task(hierarchy=hierarchy), targets=np.ones((samples, 1), dtype=bool))
    else:
        dataset = tiny_dataset(samples, cast("Kind", shape))
    table = np.asarray(dataset.views["table"], dtype=np.float64)
    noise = np.random.default_rng(0).integers(0, 256, (samples, 32, 32))
    noise[:, :12, :12] = (128 + 40 * table[:, :1, None]).clip(0, 255)
    pictures = [Picture(pixels.astype(np.uint8)) for pixels in noise]
    answers = np.asarray(dataset.targets, dtype=np.float32)
    return replace(dataset, views={**dataset.views, "image": pictures, "answers": answers})


def stand_in(subject: Subject, wanted: Sequence[str], shape: str) -> Dataset:
    """A tiny dataset of a shape with the ``wanted`` views (as in a spec's views) and no others.

    Raises:
        Skip: no installed dataset and no featurizer has such a view, or a library is missing.
    """
    base = tiny(shape)
    views, requested = dict(base.views), {}
    for text in wanted:
        for plan in _plans(subject, fill(text, subject.params), views):
            if plan.source not in views:
                views[plan.source] = subject.keep(("rows", plan.source), partial(borrow, subject, plan))
            if plan.steps:
                make = partial(transformer(plan), views[plan.source])
                own = plan.source in base.views  # these rows depend on the shape, borrowed ones do not
                key = ("view", " > ".join(map(str, plan.steps)), shape if own else "")
                views[plan.name] = subject.keep(key, make)
            requested[plan.name] = views[plan.name]
    return replace(base, views=requested)  # no other views, as in a run


def _plans(subject: Subject, text: str, views: Mapping[str, Any]) -> list[ViewPlan]:
    """Plans for the views of the first possible alternative, if need be from views of installed datasets."""
    borrowed = {view for spec in subject.registry.specs("datasets") for view in spec.views} - {
        "image",
        "table",
    }
    problem: NotApplicable | None = None
    for available in ([*views], [*views, *sorted(borrowed)]):
        for names in alternatives(text):
            try:
                return [plan_view(subject.registry, available, name, ()) for name in names]
            except NotApplicable as error:
                problem = error
    raise Skip(f"no data to check it with: {problem}")


def borrow(subject: Subject, plan: ViewPlan) -> Any:
    """Rows of a view from the first installed dataset that has it and can be loaded."""
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
    raise Skip(f"no installed dataset has the view {plan.source!r}")
