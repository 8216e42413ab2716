"""Far unknowns: samples of another dataset, which no class of this one can be right for (``far_unknown``)."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np

from hmcbench.data.views import Rows
from hmcbench.errors import BadInput
from hmcbench.interfaces import Dataset
from hmcbench.interfaces.objects import FAR

PREFIX = f"{FAR}/"
"""What their ids begin with."""
MOST = 500
"""So many of them are predicted, drawn by their ids."""


def far_samples(dataset: Dataset, other: Dataset, reference: str) -> Dataset:
    """The samples of ``other`` that stand for what is not in ``dataset``, with the views that both have.

    Args:
        reference: how the suite names ``other``.

    Raises:
        BadInput: the data themselves, no view in common, or a task without single paths of samples.
    """
    where = f"far_unknown = {reference}"
    task = dataset.task
    if task.kind != "hmc" or task.paths != "single" or task.unit != "sample":
        raise BadInput(f"{where}: suspicion is defined for samples with one label path", allowed="such data")
    if other.fingerprint == dataset.fingerprint:
        raise BadInput(f"{where}: these are the data of the suite", allowed="another dataset")
    shared = [name for name in dataset.views if name in other.views and _alike(dataset, other, name)]
    if not shared:
        names = " or ".join(dataset.views)
        raise BadInput(f"{where}: it has no view {names} of the same columns", allowed="a dataset with one")
    digests = [hashlib.sha256(f"far\n{name}".encode()).digest() for name in other.ids]
    chosen = sorted(sorted(range(len(digests)), key=digests.__getitem__)[:MOST])
    taken = hashlib.sha256("\n".join([other.fingerprint, *(other.ids[i] for i in chosen)]).encode())
    return replace(
        other,
        ids=[f"{PREFIX}{other.ids[i]}" for i in chosen],
        views={name: Rows(other.views[name], chosen)[:] for name in shared},
        targets=np.zeros((len(chosen), 0), dtype=bool),
        fingerprint=taken.hexdigest(),
        groups=None,
        duplicates=None,
        split=None,
    )


def _alike(dataset: Dataset, other: Dataset, view: str) -> bool:
    """Whether a model of one view can read the other: pictures, or numbers of the same columns."""
    ours, theirs = dataset.views[view], other.views[view]
    same_columns = list(dataset.columns.get(view, ())) == list(other.columns.get(view, ()))
    same_values = _values(dataset, view) == _values(other, view)
    return same_columns and same_values and _shape(ours) == _shape(theirs)


def _values(dataset: Dataset, view: str) -> list[tuple[str, ...]]:
    return [kind.values for kind in dataset.kinds.get(view, ())]


def _shape(view: Any) -> tuple[int, ...] | None:
    return tuple(view.shape[1:]) if hasattr(view, "shape") else None
