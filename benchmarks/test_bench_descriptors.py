"""Descriptors of 6,470 alloys against XenonPy's own featurizers, in the same run.

Both on one core, with all rows; imports and reading of the element table are not measured.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hmcbench_materials.composition.descriptors import statistics
from hmcbench_materials.composition.elements import assembled
from ratios import fastest

ALLOYS = 6470


def alloys(covered: np.ndarray) -> np.ndarray:
    """Three to six elements each, in per cent."""
    rng = np.random.default_rng(0)
    amounts = np.zeros((ALLOYS, 118))
    for row in amounts:
        chosen = rng.choice(np.flatnonzero(covered), rng.integers(3, 7), replace=False)
        row[chosen] = rng.dirichlet(np.ones(len(chosen))) * 100
    return amounts


@pytest.mark.filterwarnings("ignore")
def test_far_faster_than_xenonpy(benchmark: Any, ratio: Callable[..., None]) -> None:
    from hmcbench_materials.composition.xenonpy_backend import xenonpy_statistics

    table = assembled()
    amounts = alloys(table.covered)
    xenonpy_statistics(amounts[:2], table)  # imports and first use
    theirs = fastest(lambda: xenonpy_statistics(amounts, table), 2)
    ours = fastest(lambda: statistics(amounts, table.values), 20)
    benchmark(statistics, amounts, table.values)
    ratio(f"descriptors of {ALLOYS:,} alloys", "XenonPy", theirs, ours, 500, slack=0.8)
