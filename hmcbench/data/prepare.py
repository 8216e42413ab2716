"""Columns as a model takes them: nominal values as columns of 0 and 1, missing values filled in.

What is filled in comes from the training samples alone, so that a view is prepared anew for every split. It
is stored with a kept model, so that new samples are prepared in the same way.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hmcbench.errors import BadInput
from hmcbench.files import write_atomic
from hmcbench.interfaces import ColumnKind, Dataset, ModelSpec

if TYPE_CHECKING:
    import numpy as np

FORMAT = 1


class PreparedView(NamedTuple):
    """A view (N, F) as a model takes it, the kinds of its F columns, and their names (or none)."""

    rows: np.ndarray
    kinds: tuple[ColumnKind, ...]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Preparation:
    """The columns of a view of a dataset, and how a model takes them.

    Attributes:
        names: of the F columns of the dataset, or none.
        kinds: of these columns; none where the dataset does not describe them, and nothing is prepared.
        one_hot: whether nominal columns become columns of 0 and 1.
        fills: what replaces missing values, one number per column after that; empty if they remain.
    """

    names: tuple[str, ...]
    kinds: tuple[ColumnKind, ...] = ()
    one_hot: bool = False
    fills: tuple[float, ...] = ()

    def __call__(self, rows: np.ndarray) -> PreparedView:
        """Rows (n, F) of the dataset's columns as the model takes them."""
        import numpy as np

        view = PreparedView(rows, self.kinds, self.names)
        if self.one_hot:
            view = one_hot(view)
        if self.fills:
            missing = np.isnan(view.rows)
            if missing.any():
                values = np.array(self.fills).astype(view.rows.dtype)
                view = view._replace(rows=np.where(missing, values, view.rows))
            view = view._replace(kinds=tuple(ColumnKind(kind.values) for kind in view.kinds))
        return view


def preparations(dataset: Dataset, train: np.ndarray, spec: ModelSpec) -> dict[str, Preparation]:
    """View -> :class:`Preparation`, of the views whose columns have names or are described.

    Args:
        train: positions of the training samples.
        spec: of the model; see its ``missing`` and ``nominal``.
    """
    by_view = {}
    for name in dict.fromkeys((*dataset.kinds, *dataset.columns)):
        names, kinds = tuple(map(str, dataset.columns.get(name, ()))), tuple(dataset.kinds.get(name, ()))
        preparation = Preparation(names, kinds, one_hot=bool(kinds) and not spec.nominal)
        if kinds and not spec.missing:
            known = preparation(dataset.views[name][train])
            fills = tuple(
                _usual(column, kind) for column, kind in zip(known.rows.T, known.kinds, strict=True)
            )
            preparation = Preparation(names, kinds, preparation.one_hot, fills)
        by_view[name] = preparation
    return by_view


def prepare(dataset: Dataset, prepared_by: Mapping[str, Preparation]) -> dict[str, PreparedView]:
    """The views of a dataset whose columns are described, as a model takes them."""
    return {name: prepared_by[name](dataset.views[name]) for name in dataset.kinds}


def write_preparations(path: Path, prepared_by: Mapping[str, Preparation]) -> None:
    """Write them as JSON."""
    views = {
        name: {
            "columns": list(p.names),
            "kinds": [{"values": list(kind.values), "missing": kind.missing} for kind in p.kinds],
            "one_hot": p.one_hot,
            "fills": list(p.fills),
        }
        for name, p in prepared_by.items()
    }
    write_atomic(path, json.dumps({"format": FORMAT, "views": views}, ensure_ascii=False) + "\n")


def read_preparations(path: Path) -> dict[str, Preparation]:
    """What :func:`write_preparations` wrote; nothing where there is no file.

    Raises:
        BadInput: a damaged file, or one of a later format.
    """
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] > FORMAT:
            raise BadInput(f"{path} has format {content['format']}", allowed=f"up to {FORMAT}")
        return {
            name: Preparation(
                tuple(map(str, view["columns"])),
                tuple(
                    ColumnKind(tuple(map(str, kind["values"])), bool(kind["missing"]))
                    for kind in view["kinds"]
                ),
                bool(view["one_hot"]),
                tuple(map(float, view["fills"])),
            )
            for name, view in content["views"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"{path} cannot be read ({error})"
        raise BadInput(what, allowed="files written by hmcbench run") from None


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


def _usual(column: np.ndarray, kind: ColumnKind) -> float:
    """Of the samples that have a value: the mean, or the most frequent position of a value (the first of
    equals); 0 where no sample has one."""
    import numpy as np

    known = column[~np.isnan(column)]
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
