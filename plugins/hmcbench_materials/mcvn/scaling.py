"""Ranges and components of the inputs of MCVN, fitted on training rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmcbench.errors import BadInput
from hmcbench.interfaces import Inputs
from hmcbench_materials.mcvn.architecture import HEADS, IMAGE, MAP


@dataclass(frozen=True)
class Ranges:
    """Smallest and largest training value of every column; a column without a spread becomes 0.

    Values outside are clipped to [0, 1]. The authors took the range over all rows, test rows
    included, which is a leak (docs/mcvn.md).
    """

    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray) -> Ranges:
        """Over the finite values of (n, D)."""
        finite = np.isfinite(rows)
        low = np.where(finite, rows, np.inf).min(axis=0, initial=np.inf)
        high = np.where(finite, rows, -np.inf).max(axis=0, initial=-np.inf)
        empty = low > high
        return cls(np.where(empty, 0.0, low), np.where(empty, 0.0, high))

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """(n, D) -> (n, D) in [0, 1]; NaN becomes 0, as in the authors' images, infinities an end."""
        spread = self.high - self.low
        usable = spread > 0
        scaled = (rows - self.low) / np.where(usable, spread, 1.0)
        clipped: np.ndarray = np.clip(np.nan_to_num(scaled, nan=0.0, posinf=1.0, neginf=0.0), 0.0, 1.0)
        return np.where(usable, clipped, 0.0)


@dataclass(frozen=True)
class Components:
    """Principal components in place of the convolutions (table 8): (n, 504) -> (n, 6)."""

    mean: np.ndarray
    axes: np.ndarray  # (6, 504); zeros where the training rows span fewer dimensions

    @classmethod
    def of(cls, rows: np.ndarray) -> Components:
        from sklearn.decomposition import PCA

        axes = np.zeros((MAP[0] * MAP[1], rows.shape[1]))
        if len(rows) > 1 and np.ptp(rows, axis=0).any():
            axes_of_rows = PCA(min(len(axes), len(rows)), svd_solver="full").fit(rows).components_
            axes[: len(axes_of_rows)] = axes_of_rows
        return cls(rows.mean(axis=0), axes)

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        projected: np.ndarray = (rows - self.mean) @ self.axes.T
        return projected


def images_of(inputs: Inputs) -> np.ndarray:
    """The view ``composition_image`` as (n, 504)."""
    images = np.asarray(inputs.views["composition_image"], dtype=np.float64)
    if images.shape[1:] != IMAGE:
        raise BadInput(
            f"mcvn: composition images of {images.shape[1:]} pixels",
            allowed=f"{IMAGE}, as published",
        )
    return images.reshape(len(images), -1)


def table_of(inputs: Inputs) -> np.ndarray:
    """The view ``table`` as (n, N), an odd N filled up with a column of zeros."""
    table = np.asarray(inputs.views["table"], dtype=np.float64)
    if table.ndim != 2:
        raise BadInput(f"mcvn: a table of shape {table.shape}", allowed="one row of numbers per sample")
    bad = ~np.isfinite(table)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise BadInput(
            f"mcvn: {int(bad.sum())} values of the table are missing or infinite,"
            f" the first in column {column + 1} of sample {inputs.ids[row]}",
            allowed="numbers",
            hint="fill the gaps in the file, or leave the rows out",
        )
    return np.pad(table, ((0, 0), (0, table.shape[1] % HEADS)))
