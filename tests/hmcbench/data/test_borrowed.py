"""Models that other models wrap: what they read of images comes in blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from hmcbench.data import borrowed
from hmcbench.interfaces import ModelSpec

SPEC = ModelSpec(name="any", version="1", summary="any", factory="x:y")


@pytest.mark.parametrize("number", [0, 1, 3, 4, 5, 9])
def test_images_are_read_in_blocks(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(borrowed, "BLOCK", 4)
    lengths: list[int] = []

    def squares(rows: Sequence[int]) -> np.ndarray:
        lengths.append(len(rows))
        return np.array(rows, dtype=float).reshape(-1, 1) ** 2

    def names(rows: Sequence[int]) -> list[str]:
        return [f"image {row}" for row in rows]

    makers: dict[str, Any] = {"squares": squares, "names": names}
    images = list(range(number))
    inputs = borrowed.ImageModel(SPEC, None, makers).inputs([str(i) for i in images], images)
    assert max(lengths) <= 4
    assert sum(lengths) == number
    np.testing.assert_array_equal(np.asarray(inputs.views["squares"]).ravel(), np.square(images))
    assert list(inputs.views["names"]) == names(images)
