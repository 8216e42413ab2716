"""Columns as a model takes them: nominal values as columns of 0 and 1, missing values filled in.

What is filled in comes from the training samples alone, so that a view is prepared anew for every split. It
is a function of the dataset and the split, and is never stored with a model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from hmcbench.interfaces import ColumnKind, Dataset, ModelSpec

if TYPE_CHECKING:
    import numpy as np


class PreparedView(NamedTuple):
    """A view (N, F) as a model takes it, the kinds of its F columns, and their names (or none)."""

    rows: np.ndarray
    kinds: tuple[ColumnKind, ...]
    names: tuple[str, ...]


def prepare(dataset: Dataset, train: np.ndarray, spec: ModelSpec) -> dict[str, PreparedView]:
    """The views of a dataset whose columns are described, as a model takes them.

    Args:
        train: positions of the training samples.
        spec: of the model; see its ``missing`` and ``nominal``.

    Returns:
        The views in :attr:`Dataset.kinds`; others are no concern of this module.
    """
    prepared = {}
    for name, kinds in dataset.kinds.items():
        view = PreparedView(dataset.views[name], tuple(kinds), tuple(dataset.columns.get(name, ())))
        if not spec.nominal:
            view = one_hot(view)
        if not spec.missing:
            view = fill(view, train)
        prepared[name] = view
    return prepared


def one_hot(view: PreparedView) -> PreparedView:
    """A column for every value of the nominal columns, 1 where a row has it; all 0 where it is missing."""
    import numpy as np

    if not any(kind.values for kind in view.kinds):
        return view
    blocks: list[np.ndarray] = []
    kinds: list[ColumnKind] = []
    names: list[str] = []
    labels = view.names or tuple(map(str, range(len(view.kinds))))
    for column, kind, label in zip(view.rows.T, view.kinds, labels, strict=True):
        if kind.values:
            blocks.append(column[:, None] == np.arange(len(kind.values)))
            kinds += [ColumnKind()] * len(kind.values)
            names += [f"{label}={value}" for value in kind.values]
        else:
            blocks.append(column[:, None])
            kinds.append(kind)
            names.append(label)
    rows = np.concatenate(blocks, axis=1, dtype=view.rows.dtype)
    return PreparedView(rows, tuple(kinds), tuple(names) if view.names else ())


def fill(view: PreparedView, train: np.ndarray) -> PreparedView:
    """Missing numbers become the mean of the training samples, nominal values the most frequent one.

    A column that no training sample has becomes 0.
    """
    import numpy as np

    missing = np.isnan(view.rows)
    if missing.any():
        known = view.rows[train]
        values = np.array([_usual(c[~np.isnan(c)], k) for c, k in zip(known.T, view.kinds, strict=True)])
        view = view._replace(rows=np.where(missing, values.astype(view.rows.dtype), view.rows))
    return view._replace(kinds=tuple(ColumnKind(kind.values) for kind in view.kinds))


def _usual(known: np.ndarray, kind: ColumnKind) -> float:
    """The mean, or the most frequent position of a value (the first of equals); 0 without a known value."""
    import numpy as np

    if not len(known):
        return 0.0
    if kind.values:
        return float(np.bincount(known.astype(np.int64)).argmax())
    return float(known.mean(dtype=np.float64))


def direct_views(
    plans: Sequence[Any], rows: Mapping[str, Any], prepared: Mapping[str, PreparedView]
) -> dict[str, Any]:
    """The rows of every planned view, prepared where the model reads the dataset's own view.

    Args:
        plans: of :func:`hmcbench.data.featurize.plan_views`.
        rows: view -> N rows.
    """
    own = {plan.name for plan in plans if not plan.steps}
    return {name: prepared[name].rows if name in own & set(prepared) else view for name, view in rows.items()}
