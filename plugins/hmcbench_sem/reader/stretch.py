"""Turns pixels deeper than 8 bits into uint8, and names the values that stand for "not measured".

A picture is stretched from its own darkest to its own brightest pixel. Values that are no
measurement (NaN, infinity, a fill value far from all others) do not count for that range: they are
shown black below it and white above it, NaN and infinity black.
"""

from __future__ import annotations

import numpy as np

_LEAST_VALUES = 16  # distinct values in a picture that can have a fill value; label maps have fewer
_SAMPLED = 65_536  # pixels that are looked at to count them
_BORDER = 4  # pixels that hold a known fill value
_GAP = 0.01  # of the range of the other pixels, between them and a known fill value
_HUGE = 1e30  # beyond it a single pixel is enough
_KNOWN = (-32768.0, -9999.0, -999.0, 65535.0, 99999.0)  # what software writes for "no data"


def to_uint8(array: np.ndarray) -> np.ndarray:
    """uint8 as it is; anything deeper stretched to 0..255, fill values left out of the range.

    Args:
        array: (H, W) or (H, W, 3), any integer or float type. Channels share one range.
    """
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    finite = np.isfinite(array)
    low, high = _range(array, finite)
    if not high > low:
        return np.zeros(array.shape, np.uint8)
    values = _numbers(array, low, high)
    values = np.where(finite, values, low).clip(low, high)
    return ((values - low) * (255 / (high - low)) + 0.5).astype(np.uint8)


def fill_values(array: np.ndarray) -> dict[str, int]:
    """``NaN or infinity`` and fill values, each with how many numbers of the array are it."""
    if array.dtype == np.uint8:
        return {}
    finite = np.isfinite(array)
    broken = {} if finite.all() else {"NaN or infinity": int((~finite).sum())}
    return broken | {f"{value:.9g}": int((array == value).sum()) for value in _fills(array, finite)}


def bits_used(array: np.ndarray) -> int:
    """How many bits the largest value of unsigned integers needs; 0 for other types."""
    return int(array.max()).bit_length() if array.dtype.kind == "u" and array.size else 0


def _numbers(array: np.ndarray, low: float, high: float) -> np.ndarray:
    """float32 where that holds all values of the picture and its range; else float64.

    One picture saved as uint16, int32, float32 or float64 then gives the same bytes.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        single = array.astype(np.float32)
    exact = array.dtype.itemsize <= 2 or array.dtype == np.float32 or _same(single, array)
    return single if exact and high - low < np.finfo(np.float32).max else array.astype(np.float64)


def _same(single: np.ndarray, array: np.ndarray) -> bool:
    return np.array_equal(
        single.astype(np.float64), array.astype(np.float64), equal_nan=array.dtype.kind == "f"
    )


def _range(array: np.ndarray, finite: np.ndarray) -> tuple[float, float]:
    """The darkest and the brightest value that is finite and no fill value; equal where there is none."""
    measured = finite
    for value in _fills(array, finite):
        measured = measured & (array != value)
    return _ends(array, measured) if measured.any() else (0.0, 0.0)


def _ends(array: np.ndarray, where: np.ndarray) -> tuple[float, float]:
    inner = array[where]
    return float(inner.min()), float(inner.max())


def _fills(array: np.ndarray, finite: np.ndarray) -> list[float]:
    """Fill values: the ends of the range that lie far from all other values, at most two at each end."""
    sample = array.ravel()[:: max(1, array.size // _SAMPLED)]
    if not finite.any() or np.unique(sample[np.isfinite(sample)]).size < _LEAST_VALUES:
        return []
    fills: list[float] = []
    measured = finite
    for _ in range(2):
        outer = _outer_values(array, measured)
        if not outer:
            break
        fills += outer
        for value in outer:
            measured = measured & (array != value)
    return fills


def _outer_values(array: np.ndarray, measured: np.ndarray) -> list[float]:
    """The lowest and the highest value, each where it is a fill value."""
    low, high = _ends(array, measured)
    inside = measured & (array > low) & (array < high)
    if not inside.any():
        return []
    inner_low, inner_high = _ends(array, inside)
    spread = inner_high - inner_low
    ends = ((low, inner_low - low), (high, high - inner_high))
    return [value for value, gap in ends if _is_fill(array, value, gap, inner_low, spread)]


def _is_fill(array: np.ndarray, value: float, gap: float, inner_low: float, spread: float) -> bool:
    if gap > spread:  # farther away than all others lie from each other
        return abs(value) > _HUGE or int((array == value).sum()) > 1
    if array.dtype.kind != "f":
        return False  # 65535 may be the white of a scale bar, or a detector's limit
    known = (value in _KNOWN and gap >= _GAP * spread) or (value == -1 and inner_low >= 0)
    return known and int((array == value).sum()) >= _BORDER
