"""Selections of rows."""

from __future__ import annotations

import numpy as np
import pytest

from hmcbench.data.views import Rows


def test_rows_select_without_copying() -> None:
    base = np.arange(20).reshape(10, 2)
    rows = Rows(base, [4, 2, 9])
    assert len(rows) == 3
    assert rows.shape == (3, 2)
    assert rows.base is base
    assert np.array_equal(rows[1], [4, 5])
    assert np.array_equal(np.asarray(rows), base[[4, 2, 9]])
    assert np.array_equal(np.asarray(rows.take(np.array([2, 0]))), base[[9, 4]])
    assert [tuple(r) for r in rows] == [(8, 9), (4, 5), (18, 19)]
    objects = Rows(["a", "b", "c"], [2, 0])
    assert objects[:] == ["c", "a"]
    with pytest.raises(TypeError, match="name a featurizer"):
        np.asarray(objects)
