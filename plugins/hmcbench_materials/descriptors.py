"""Seven statistics of every element property over a composition (MCVN paper, table 1), as XenonPy has them.

All rows are done at once: the k-th element of every composition is one array, and the statistics are
sums, products, minima and maxima over these few arrays. So a row never depends on its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hmcbench.errors import BadInput
from hmcbench_materials.elements import ElementTable, element_table
from hmcbench_materials.periodic import SYMBOLS

STATISTICS = ("ave", "sum", "var", "gmean", "hmean", "max", "min")


class Descriptors:
    """The featurizer ``descriptors``: amounts (n, 118) -> float64 (n, 7 * P), one block per statistic.

    Args:
        elements: see :func:`hmcbench_materials.elements.element_table`.
        backend: ``array``, or ``xenonpy``: XenonPy's own featurizers, slowly.
        exact: the geometric mean as XenonPy computes it, whose powers overflow on amounts in per cent;
            otherwise by logarithms: nan where an element has a negative value, 0 where one has 0.
        finite: put 0 where a statistic is not a finite number, for models that need numbers.
        balance, unit: read by the featurizer's source, not here.
    """

    def __init__(
        self,
        *,
        elements: str = "auto",
        backend: str = "array",
        exact: bool = False,
        finite: bool = True,
        balance: str = "none",
        unit: str = "native",
    ) -> None:
        self.table = element_table(elements)
        self._backend, self._exact, self._finite = backend, exact, finite

    @property
    def columns(self) -> list[str]:
        """``ave:atomic_number``, ...: XenonPy's names."""
        return [f"{statistic}:{name}" for statistic in STATISTICS for name in self.table.properties]

    def transform(self, rows: Sequence[Any] | np.ndarray) -> np.ndarray:
        """See the class.

        Raises:
            BadInput: a composition without any element, or with one that the table does not cover.
        """
        amounts = np.asarray(rows, dtype=np.float64)
        check_covered(amounts, self.table)
        if self._backend == "xenonpy":
            from hmcbench_materials.xenonpy_backend import xenonpy_statistics

            made = xenonpy_statistics(amounts, self.table)
        else:
            made = statistics(amounts, self.table.values, exact=self._exact)
        return np.nan_to_num(made, nan=0.0, posinf=0.0, neginf=0.0) if self._finite else made


def check_covered(amounts: np.ndarray, table: ElementTable) -> None:
    """Raise BadInput for a composition that has no descriptors."""
    used = amounts > 0
    strangers = np.flatnonzero(used.any(axis=0) & ~table.covered)
    if len(strangers):
        names = ", ".join(SYMBOLS[i] for i in strangers)
        raise BadInput(f"the element table ({table.origin}) does not cover {names}")
    if not used.any(axis=1).all():
        raise BadInput("a composition holds no element", hint="hmcbench data lint shows the row")


def statistics(amounts: np.ndarray, table: np.ndarray, *, exact: bool = False) -> np.ndarray:
    """Float (n, 7 * P) of amounts (n, 118) over properties (118, P); an amount of 0 does not count."""
    weights, places = _slots(amounts)
    total = weights.sum(axis=0)  # (n, 1)
    present = weights > 0  # (k, n, 1)
    values = [table[place] for place in places]  # k times (n, P)
    with np.errstate(all="ignore"):  # powers and quotients of zeros and negative values
        summed = sum(w * x for w, x in zip(weights, values, strict=True))
        mean = sum((w / total) * x for w, x in zip(weights, values, strict=True))
        spread = sum((w / total) * (x - mean) ** 2 for w, x in zip(weights, values, strict=True))
        inverse = sum(np.where(p, w / x, 0.0) for w, x, p in zip(weights, values, present, strict=True))
        highest = np.maximum.reduce([np.where(p, x, -np.inf) for x, p in zip(values, present, strict=True)])
        lowest = np.minimum.reduce([np.where(p, x, np.inf) for x, p in zip(values, present, strict=True)])
        gmean = _powers(weights, values, total) if exact else _logarithms(weights, values, present, total)
        return np.hstack([mean, summed, spread, gmean, total / inverse, highest, lowest])


def _slots(amounts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The elements of every row by atomic number: amounts (k, n, 1), 0 beyond the last, and places (k, n).

    A slot beyond a row's last element repeats its first, whose values are at least defined.
    """
    used = amounts > 0
    width = int(used.sum(axis=1).max(initial=1))
    order = np.argsort(~used, axis=1, kind="stable")[:, :width]
    weights = np.take_along_axis(amounts, order, axis=1)
    weights = np.where(weights > 0, weights, 0.0)
    places = np.where(weights > 0, order, order[:, :1])
    return weights.T[:, :, None], places.T


def _logarithms(
    weights: np.ndarray, values: list[np.ndarray], present: np.ndarray, total: np.ndarray
) -> np.ndarray:
    """exp(sum w log x / sum w)."""
    logs = sum(np.where(p, w * np.log(x), 0.0) for w, x, p in zip(weights, values, present, strict=True))
    made: np.ndarray = np.exp(logs / total)
    return made


def _powers(weights: np.ndarray, values: list[np.ndarray], total: np.ndarray) -> np.ndarray:
    """(prod x ** w) ** (1 / sum w), as XenonPy computes it."""
    product = np.ones_like(values[0])
    for w, x in zip(weights, values, strict=True):
        product = product * x**w  # x ** 0 is 1
    made: np.ndarray = np.power(product, 1 / total)
    return made
