"""``hmcbench data featurize``: descriptors of a column of formulas, without any model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hmcbench.errors import BadInput, Problem
from hmcbench.interfaces import Value
from hmcbench_materials.composition.descriptors import Descriptors
from hmcbench_materials.composition.periodic_table import SYMBOLS
from hmcbench_materials.data.sheet import Sheet
from hmcbench_materials.tables import read_table


def tabulate_descriptors(
    file: Path, column: str, **params: Value
) -> tuple[Sequence[str], np.ndarray, Sequence[Problem]]:
    """Column names, float (N, F) with nan throughout a row that cannot be used, and why it cannot.

    Raises:
        BadInput: no such file or column, or parameters that need more than a formula.
    """
    if params.get("balance", "none") != "none" or params.get("unit", "native") != "native":
        raise BadInput("balance and unit are for datasets", allowed="formulas as they are written")
    sheet = Sheet(read_table(file), [(column, ())], hint="--column NAME reads another")
    amounts = sheet.formulas(column)
    featurizer = Descriptors(**{**params, "finite": False})  # type: ignore[arg-type]
    uncovered = (amounts > 0) & ~featurizer.table.covered
    for row in np.flatnonzero(uncovered.any(axis=1)):
        names = ", ".join(SYMBOLS[i] for i in np.flatnonzero(uncovered[row]))
        sheet.reject(int(row), "unknown-element", f"{column}: the element table does not cover {names}")
    usable = [row for row in range(len(sheet)) if row not in sheet.bad]
    values = np.full((len(sheet), len(featurizer.columns)), np.nan)
    if usable:
        values[usable] = featurizer.transform(amounts[usable])
    return featurizer.columns, values, sorted(sheet.problems, key=lambda p: p.order)
