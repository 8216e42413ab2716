"""What is wrong with one mask, and whether masks lie beside their images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from hmcbench.errors import Problem
from hmcbench_masks.reader.classes import value_text

JPEG = (".jpg", ".jpeg")
REACH = 2  # pixels by which masks are moved to see whether they then fit better
LEAST_IMAGES = 4  # below that many a better fit is chance
CLEAR = 4.0  # standard errors
GAIN = 0.1  # share by which the contrast at borders grows
OFF = 2  # pixels of difference in size that look like an error of rounding


def mask_problems(
    file: Path, values: np.ndarray, size: tuple[int, ...], rows: Mapping[int, int] | None, where: str
) -> list[Problem]:
    """Why a mask cannot be used: its size, its values.

    Args:
        values: int64 (H, W).
        size: of the image.
        rows: the values that are known; None for all.
    """
    problems = []
    if values.shape != tuple(size):
        problems.append(Problem(where, _size(values.shape, size), "size"))
    distinct, counts = np.unique(values, return_counts=True)
    strange = np.zeros(len(distinct), bool) if rows is None else ~np.isin(distinct, list(rows))
    if strange.any():
        problems.append(
            Problem(where, _values(file, distinct[strange], counts[strange], values), "unknown-value")
        )
    elif file.suffix.lower() in JPEG:
        problems.append(
            Problem(where, "a JPEG changes the values of a mask; save it as PNG", "jpeg", fatal=False)
        )
    return problems


def _size(mask: Sequence[int], image: Sequence[int]) -> str:
    text = f"the mask has {mask[1]} x {mask[0]} pixels, its image {image[1]} x {image[0]}"
    if all(abs(a - b) <= OFF for a, b in zip(mask, image, strict=True)):
        return text + ": one of them was cut or scaled by rounding"
    if tuple(mask) == tuple(image)[::-1]:
        return text + ": one of them is turned"
    return text


def _values(file: Path, strange: np.ndarray, counts: np.ndarray, values: np.ndarray) -> str:
    shown = ", ".join(value_text(int(v)) for v in strange[:4]) + ", ..." * (len(strange) > 4)
    share = counts.sum() / values.size
    text = f"{len(strange)} values that classes.csv lacks ({shown}), {share:.2%} of the pixels"
    if file.suffix.lower() in JPEG:
        return text + ": a JPEG changes the values of a mask; save it as PNG"
    if len(strange) > 8 and share < 0.2:
        return text + ": edges look smoothed (antialiased or scaled); save the mask without interpolation"
    return text


def displacement(pixels: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """float (2 R + 1, 2 R + 1): mean contrast of an image at the borders of its mask, moved by -R to R pixels
    down and right, in shares of the mean contrast of the image."""
    grey = pixels.astype(np.float32) if pixels.ndim == 2 else pixels.astype(np.float32).mean(axis=2)
    contrast = np.hypot(*np.gradient(grey))
    contrast /= max(float(contrast.mean()), 1e-6)
    border = np.zeros(labels.shape, dtype=bool)
    down, right = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    border[1:] |= down
    border[:-1] |= down
    border[:, 1:] |= right
    border[:, :-1] |= right
    border[: 2 * REACH] = border[-2 * REACH :] = border[:, : 2 * REACH] = border[:, -2 * REACH :] = False
    rows, columns = np.nonzero(border)
    span = range(-REACH, REACH + 1)
    if not len(rows):
        return np.full((len(span), len(span)), np.nan)
    return np.array([[contrast[rows + dy, columns + dx].mean() for dx in span] for dy in span])


def displaced(tables: Sequence[np.ndarray]) -> list[Problem]:
    """A warning where the masks of most images fit better after one and the same move."""
    known = np.array([table for table in tables if np.isfinite(table).all()])
    if len(known) < LEAST_IMAGES:
        return []
    gains = known - known[:, REACH, REACH][:, None, None]
    mean = gains.mean(axis=0)
    dy, dx = divmod(int(mean.argmax()), mean.shape[1])
    best = gains[:, dy, dx]
    error = best.std(ddof=1) / np.sqrt(len(best))
    clear = best.mean() > CLEAR * max(error, 1e-9) and best.mean() > GAIN * known[:, REACH, REACH].mean()
    if (dy, dx) == (REACH, REACH) or not clear:
        return []
    down, right = dy - REACH, dx - REACH
    what = f"masks fit their images better when moved by {right} pixels to the right and {down} down"
    return [Problem(".", what, "misaligned", fatal=False, skippable=False)]
