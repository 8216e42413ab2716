"""Seven statistics of every element property over a composition (MCVN paper, table 1), as in XenonPy.

All rows are computed at once, over the elements that each row holds. Sparse products and reductions take
them in order, so a row does not depend on its neighbours, not even in the last bit, as in a dense product.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from hmcbench.errors import BadInput
from hmcbench_materials.composition.elements import ElementTable, element_table
from hmcbench_materials.composition.periodic_table import SYMBOLS

STATISTICS = ("ave", "sum", "var", "gmean", "hmean", "max", "min")
BLOCK = 512  # rows at a time, so that what lies between stays in the cache


class Descriptors:
    """The featurizer ``descriptors``: amounts (n, 118) -> float64 (n, 7 * P), one block per statistic.

    Args:
        elements: see :func:`hmcbench_materials.composition.elements.element_table`.
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
            from hmcbench_materials.composition.xenonpy_backend import xenonpy_statistics

            values = xenonpy_statistics(amounts, self.table)
        else:
            values = statistics(amounts, self.table.values, exact=self._exact)
        return np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0) if self._finite else values


def check_covered(amounts: np.ndarray, table: ElementTable) -> None:
    """Raise BadInput for a composition that has no descriptors."""
    used = amounts > 0
    uncovered = np.flatnonzero(used.any(axis=0) & ~table.covered)
    if len(uncovered):
        names = ", ".join(SYMBOLS[i] for i in uncovered)
        raise BadInput(f"the element table ({table.origin}) does not cover {names}")
    if not used.any(axis=1).all():
        raise BadInput("a composition holds no element", hint="hmcbench data lint shows the row")


def statistics(amounts: np.ndarray, table: np.ndarray, *, exact: bool = False) -> np.ndarray:
    """Float (n, 7 * P) of amounts (n, 118) over properties (118, P); an amount of 0 does not count.

    Every row needs an element. Sums over elements are products of the sparse amounts with the table, its
    inverse and its logarithm; only what differs from row to row is gathered, element after element.
    """
    out = np.empty((len(amounts), len(STATISTICS), table.shape[1]))
    with np.errstate(all="ignore"):  # powers, logarithms and inverses of zeros and negative values
        summands = np.stack([table, 1 / table, np.log(table)], axis=1)
        for first in range(0, len(amounts), BLOCK):
            block = slice(first, first + BLOCK)
            _fill(out[block], amounts[block], summands, exact)
    return out.reshape(len(amounts), -1)


def _fill(out: np.ndarray, amounts: np.ndarray, summands: np.ndarray, exact: bool) -> None:
    """Write the statistics (n, 7, P) of some rows; ``summands`` (118, 3, P) are x, 1 / x and log x."""
    mean, total_of, spread, gmean, hmean, highest, lowest = (out[:, k] for k in range(len(STATISTICS)))
    held = np.flatnonzero(amounts > 0)
    rows, places = np.divmod(held, amounts.shape[1])
    counts = np.bincount(rows, minlength=len(amounts))
    ends = np.concatenate([[0], np.cumsum(counts)])
    values, weights = summands[places, 0], amounts.take(held)  # of all rows' elements, in a row
    sparse = csr_array((weights, places, ends), shape=amounts.shape)
    members = csr_array((np.ones(len(rows)), np.arange(len(rows)), ends))
    total = (members @ weights)[:, None]
    sums = (sparse @ summands.reshape(len(summands), -1)).reshape(len(amounts), *summands.shape[1:])
    total_of[:] = sums[:, 0]
    np.divide(sums[:, 0], total, out=mean)
    np.divide(total, sums[:, 1], out=hmean)
    if exact:  # as XenonPy computes it
        _fold({np.multiply: gmean}, values ** weights[:, None], ends, counts)
        np.power(gmean, 1 / total, out=gmean)
    else:
        np.exp(sums[:, 2] / total, out=gmean)
    _fold({np.maximum: highest, np.minimum: lowest}, values, ends, counts)
    values -= mean[rows]
    values *= values
    values *= (weights / total[rows, 0])[:, None]
    spread[:] = members @ values


def _fold(
    out: Mapping[np.ufunc, np.ndarray], values: np.ndarray, ends: np.ndarray, counts: np.ndarray
) -> None:
    """Each function over the elements of every row; ``reduceat`` does the same, many times slower."""
    order = np.argsort(-counts)  # rows with a k-th element come first, and are a slice
    starts = ends[:-1][order]
    so_far = {function: values.take(starts, axis=0) for function in out}
    for k in range(1, counts.max(initial=1)):
        longer = np.count_nonzero(counts > k)
        further = values[starts[:longer] + k]
        for function, folded in so_far.items():
            function(folded[:longer], further, out=folded[:longer])
    for function, folded in so_far.items():
        out[function][order] = folded
