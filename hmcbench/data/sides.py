"""The sides of a split as a model sees them: ids and views, targets only of what it may learn from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hmcbench.data.splits import Split
from hmcbench.data.views import Rows
from hmcbench.interfaces import Dataset, Inputs, Labelled


def inputs(dataset: Dataset, views: Mapping[str, Any], rows: np.ndarray) -> Inputs:
    return Inputs([dataset.ids[i] for i in rows], {k: Rows(v, rows) for k, v in views.items()})


def side(dataset: Dataset, views: Mapping[str, Any], split: Split, name: str) -> Labelled:
    """Train or validation samples with their targets."""
    rows = split.sides[name]
    groups = None if dataset.groups is None else [dataset.groups[i] for i in rows]
    given = inputs(dataset, views, rows)
    return Labelled(given.ids, given.views, targets=dataset.targets[rows], groups=groups)
