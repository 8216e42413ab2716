"""Deep pixels to bytes, and the values that are no measurement."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hmcbench_sem.reader.stretch import bits_used, fill_values, to_uint8

VALUES = np.random.default_rng(0).integers(1000, 4000, (20, 30)).astype(np.float32)
INSIDE = np.s_[2:-2, 2:-2]


def test_holes_and_constant_pictures() -> None:
    values = np.array([[0.0, np.nan], [1.0, np.inf]], np.float32)
    assert to_uint8(values).tolist() == [[0, 0], [255, 0]]
    assert to_uint8(np.full((2, 2), 7, np.uint16)).tolist() == [[0, 0], [0, 0]]
    assert to_uint8(np.full((1, 2), np.nan, np.float32)).tolist() == [[0, 0]]
    assert fill_values(values) == {"NaN or infinity": 2}


@pytest.mark.parametrize("kind", ["u2", ">u2", "i4", "u4", "i8", "f4", "f8", ">f4"])
def test_one_picture_in_all_types_gives_the_same_bytes(kind: str) -> None:
    np.testing.assert_array_equal(to_uint8(VALUES.astype(kind)), to_uint8(VALUES.astype("u2")))


@pytest.mark.parametrize(
    "fill", [np.nan, np.inf, -np.inf, -1, 65535, -9999, -32768, 1e20, 3.4028235e38, -3.4028235e38]
)
@pytest.mark.parametrize("scale", [1, 0.0002])
def test_a_border_of_a_fill_value_is_named_and_does_not_count(fill: float, scale: float) -> None:
    bordered = np.full(VALUES.shape, fill, np.float32)
    bordered[INSIDE] = VALUES[INSIDE] * scale
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shown = to_uint8(bordered)
        named = fill_values(bordered)
    np.testing.assert_array_equal(shown[INSIDE], to_uint8(bordered[INSIDE]))
    assert list(named.values()) == [600 - 16 * 26]
    assert list(named) == [f"{np.float32(fill):.9g}" if np.isfinite(fill) else "NaN or infinity"]
    assert set(shown[0]) == ({255} if np.isfinite(fill) and fill > 0 else {0})


def test_two_fill_values_at_one_end_and_one_at_the_other() -> None:
    values = VALUES.copy()
    values[0], values[1], values[2] = -9999, -32768, 65535
    assert set(fill_values(values)) == {"-9999", "-32768", "65535"}
    np.testing.assert_array_equal(to_uint8(values)[3:], to_uint8(VALUES[3:]))


def test_integers_far_from_all_others_are_fill_values() -> None:
    values = VALUES.astype(np.uint16)
    values[0] = 65535
    assert fill_values(values) == {"65535": 30}


@pytest.mark.parametrize(
    "values",
    [
        np.linspace(-1, 1, 600, dtype=np.float32).reshape(20, 30),  # -1 is an end of the scale
        np.clip(VALUES * 30, 0, 65535),  # a detector at its limit
        np.where(VALUES > 3990, 9000, VALUES).astype(np.uint16)[:, :1] + VALUES.astype(np.uint16) * 3,
        np.repeat([[0, 1, 255]], 20, axis=0).astype(np.uint16),  # a label map
        np.where(VALUES > 2500, 65535, 0).astype(np.float32),  # two phases
    ],
)
def test_ends_of_the_range_that_are_no_fill_values(values: np.ndarray) -> None:
    assert fill_values(values) == {}
    assert (to_uint8(values).min(), to_uint8(values).max()) == (0, 255)


def test_bytes_stay_and_bits_are_counted() -> None:
    values = np.arange(12, dtype=np.uint8).reshape(3, 4)
    np.testing.assert_array_equal(to_uint8(values), values)
    assert fill_values(values) == {}
    assert bits_used(np.array([4095], np.uint16)) == 12
    assert bits_used(np.array([4095.0])) == 0
