"""Synthetic pictures are drawn once per machine, into the cache, before any clock starts.

Without it every featurizer draws them anew: texture draws what pixels drew. A new sample needs no drawing, so
it is no cost of a model's features.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hmcbench.files import cache_dir, replacing
from hmcbench.interfaces import Dataset

MOST_BYTES = 1 << 30  # of pictures that are kept on the disk; more are drawn whenever they are needed
BLOCK = 64  # pictures that a thread draws at a time


class KeptPictures(Sequence[Any]):
    """The pictures of a view, from an array of them.

    Attributes:
        pixels: (N, H, W) or (N, H, W, 3) uint8, a memory map.
    """

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [KeptPicture(pixels) for pixels in self.pixels[index]]
        return KeptPicture(self.pixels[index])


class KeptPicture:
    """One of them."""

    def __init__(self, pixels: np.ndarray) -> None:
        self._pixels = pixels

    def load(self, min_side: int | None = None) -> np.ndarray:
        """(H, W) or (H, W, 3) uint8, a copy; ``min_side`` changes nothing."""
        return np.array(self._pixels)


def with_drawn_pictures(dataset: Dataset, sources: Collection[str], threads: int = 1) -> Dataset:
    """A synthetic dataset whose pictures are read from the cache, after they were drawn into it if need be.

    Args:
        sources: the views whose pictures are needed. Views without pictures, with pictures of several sizes
            or of more than :data:`MOST_BYTES` stay as they are, as do datasets that are not synthetic.
    """
    if not dataset.synthetic:
        return dataset
    views = dict(dataset.views)
    for name in sources:
        rows = views[name]
        if len(rows) and hasattr(rows[0], "load"):
            views[name] = _drawn(rows, _file(dataset, name), threads) or rows
    return replace(dataset, views=views)


def _file(dataset: Dataset, view: str) -> Path:
    key = hashlib.sha256(f"{dataset.fingerprint} {view}".encode()).hexdigest()
    return cache_dir("views") / f"drawn-{key[:32]}.npy"


def _drawn(rows: Sequence[Any], path: Path, threads: int) -> KeptPictures | None:
    """The pictures of a file, which is written if it is not there; None if they do not suit a file."""
    if not path.exists() and not _draw(rows, path, threads):
        return None
    try:
        pixels = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):  # damaged: the pictures are drawn without it
        path.unlink(missing_ok=True)
        return None
    return KeptPictures(pixels) if len(pixels) == len(rows) else None


def _draw(rows: Sequence[Any], path: Path, threads: int) -> bool:
    """Write all pictures to a file, one block at a time; False, and no file, if they do not suit one."""
    first = rows[0].load()
    if first.dtype != np.uint8 or first.nbytes * len(rows) > MOST_BYTES:
        return False
    starts = range(0, len(rows), BLOCK)

    def block(start: int) -> list[np.ndarray]:
        return [rows[i].load() for i in range(start, min(start + BLOCK, len(rows)))]

    header: dict[str, Any] = {
        "descr": first.dtype.str,
        "fortran_order": False,
        "shape": (len(rows), *first.shape),
    }
    try:
        with (
            replacing(path) as temporary,
            temporary.open("wb") as file,
            ThreadPoolExecutor(max(1, threads)) as pool,
        ):
            np.lib.format.write_array_header_1_0(file, header)
            for pictures in pool.map(block, starts):
                if any(picture.shape != first.shape for picture in pictures):
                    raise _SeveralSizes
                file.write(np.stack(pictures).tobytes())
    except _SeveralSizes:
        return False
    return True


class _SeveralSizes(Exception):
    """Pictures of several sizes do not fit into one array."""
