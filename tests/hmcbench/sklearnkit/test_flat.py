from __future__ import annotations

import numpy as np

from hmcbench.sklearnkit.flat import Exclusive


def test_sums_that_rounding_moved_are_one_again_and_others_stay() -> None:
    class Rounded:
        def predict_proba(self, rows: np.ndarray) -> np.ndarray:
            return rows

    exclusive = Exclusive.__new__(Exclusive)
    exclusive._estimator = Rounded()
    rows = np.array([[1.000003, 0.0], [0.1, 0.9], [0.0, 0.0], [0.75, 0.75]])
    shares = exclusive.shares(rows)
    assert shares[0].tolist() == [1.0, 0.0]
    assert (shares[1:] == rows[1:]).all()
