"""What MCVN learns of its inputs before it is trained."""

from __future__ import annotations

import numpy as np
from hmcbench_materials.mcvn.scaling import Ranges


def test_ranges_are_clipped_and_know_no_gaps() -> None:
    ranges = Ranges.of(np.array([[0.0, 5.0, np.nan], [2.0, 5.0, np.nan]]))
    rows = np.array([[1.0, 9.0, 1.0], [-4.0, 5.0, 1.0], [np.inf, 5.0, 1.0], [np.nan, 5.0, 1.0]])
    np.testing.assert_array_equal(ranges(rows), [[0.5, 0, 0], [0, 0, 0], [1, 0, 0], [0, 0, 0]])
