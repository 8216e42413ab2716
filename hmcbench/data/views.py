"""Selected rows of a view, without copying.

A view is a sequence of rows: an ndarray, a memory map, or a list of lazy images. ``Rows`` is a
selection of rows; nothing is read before the values are used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np


class Rows(Sequence[Any]):
    """Rows ``indices`` of ``base`` in that order.

    Attributes:
        base: the whole view (N rows): an ndarray, a memory map or any sequence.
        indices: int64 (n,), positions in ``base``. Engines that keep ``base`` on a device or in
            a memory map index it themselves.
    """

    def __init__(self, base: Any, indices: np.ndarray | Sequence[int] | None = None) -> None:
        self.base = base
        selected = np.arange(len(base)) if indices is None else indices
        self.indices: np.ndarray = np.asarray(selected, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, key: Any) -> Any:
        """An int gives a row; a slice or an index array gives an array, or a list of objects."""
        if isinstance(key, (int, np.integer)):
            return self.base[int(self.indices[key])]
        indices = self.indices[key]
        if isinstance(self.base, np.ndarray):
            return self.base[indices]
        return [self.base[int(i)] for i in indices]

    def __iter__(self) -> Iterator[Any]:
        return (self.base[int(i)] for i in self.indices)

    def take(self, positions: Any) -> Rows:
        """A selection of this selection; nothing is read."""
        return Rows(self.base, self.indices[positions])

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the values: (n, ...); for numeric views only."""
        return (len(self), *self.base.shape[1:])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if not isinstance(self.base, np.ndarray):
            raise TypeError("this view holds objects, not numbers; name a featurizer in the model's views")
        return np.asarray(self.base[self.indices], dtype=dtype)
