"""Synthetic pictures are drawn once per machine, into the cache, before any clock starts.

Without it every featurizer draws them anew: texture draws what pixels drew. A new sample needs no drawing, so
it is no cost of a model's features.
"""

from __future__ import annotations

import hashlib
import math
import multiprocessing
import pickle
import signal
import sys
import time
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hmcbench.files import cache_dir, no_main_module, replacing
from hmcbench.interfaces import Dataset

MOST_BYTES = 1 << 30  # of pictures that are kept on the disk; more are drawn whenever they are needed
LONG_S = 4.0  # of drawing, from which on starting processes pays


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
    """Write all pictures to a file; False, and no file, if they do not suit one."""
    began = time.perf_counter()
    first = rows[0].load()
    seconds = (time.perf_counter() - began) * len(rows)
    if first.dtype != np.uint8 or first.nbytes * len(rows) > MOST_BYTES:
        return False
    header: dict[str, Any] = {
        "descr": first.dtype.str,
        "fortran_order": False,
        "shape": (len(rows), *first.shape),
    }
    parts = max(1, threads)
    try:
        with replacing(path) as temporary:
            with temporary.open("wb") as file:
                np.lib.format.write_array_header_1_0(file, header)
                offset = file.tell()
            places = [PicturePlaces(temporary, offset, first.shape, k, parts) for k in range(parts)]
            if parts == 1 or seconds < LONG_S or not _in_processes(rows, places):
                with ThreadPoolExecutor(parts) as pool:
                    list(pool.map(lambda place: place.fill(rows[place.start :: place.step]), places))
    except _SeveralSizes:
        return False
    return True


@dataclass(frozen=True)
class PicturePlaces:
    """The places ``start``, ``start + step``, ... of a file of pictures.

    Attributes:
        offset: of the first picture in the file, bytes.
        shape: of a picture.
    """

    path: Path
    offset: int
    shape: tuple[int, ...]
    start: int
    step: int

    def fill(self, rows: Sequence[Any]) -> None:
        """Draw the pictures of these places. Written, not mapped: a full disk is an error, not a crash."""
        place = self.offset + self.start * math.prod(self.shape)
        with self.path.open("r+b") as file:
            for row in rows:
                picture = row.load()
                if picture.shape != self.shape:
                    raise _SeveralSizes
                file.seek(place)
                file.write(picture.tobytes())
                place += self.step * picture.nbytes

    def fill_alone(self, rows: Sequence[Any]) -> None:
        """:meth:`fill` in a process of its own; its parent finds out what is wrong if it fails."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the runner decides what Ctrl-C ends
        try:
            self.fill(rows)
        except Exception:
            sys.exit(1)


def _in_processes(rows: Sequence[Any], places: Sequence[PicturePlaces]) -> bool:
    """Draw in processes, as threads wait for each other in many small steps; False where one failed.

    Every process ends by itself after its part, also where this one was killed.
    """
    methods = multiprocessing.get_all_start_methods()
    context: Any = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    processes = []
    try:
        for place in places:
            part = list(rows[place.start :: place.step])
            processes.append(context.Process(target=place.fill_alone, args=(part,), daemon=False))
            with no_main_module():
                processes[-1].start()
    except (pickle.PicklingError, AttributeError, TypeError):  # pictures that cannot be sent to a process
        processes.pop()
    for process in processes:
        process.join()
    return len(processes) == len(places) and all(process.exitcode == 0 for process in processes)


class _SeveralSizes(Exception):
    """Pictures of several sizes do not fit into one array."""
