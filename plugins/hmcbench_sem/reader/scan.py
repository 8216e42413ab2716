"""Looks at every picture of a dataset once: is it readable, what is it, is it a copy of another?

Results are kept on disk by file name, size and time of change, so that each worker process of a
run starts at once. Pictures are decoded by two threads and forgotten; only a few numbers stay.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import PIL

from hmcbench.files import cache_dir, write_atomic
from hmcbench_sem.reader import images
from hmcbench_sem.reader.data_bar import bar_height
from hmcbench_sem.reader.stretch import bits_used, fill_values, to_uint8
from hmcbench_sem.reader.tiff_tags import pixel_size

VERSION = "3"  # part of the cache's key: changes whenever results may
THREADS = 2
LEAST_ROWS = 16  # what cutting the bottom must leave


@dataclass(frozen=True, slots=True)
class Scan:
    """What is known of one picture.

    Attributes:
        digest: of the decoded pixels after cutting, with their shape; three equal channels count
            as grey. Equal digests mean pixel-identical pictures.
        format, mode: as decoded (``JPEG``, ``I;16``).
        width, height: upright, in full size, before cutting.
        bar: rows of the instrument's data bar; 0 if there is none.
        crop: rows that are cut off at the bottom.
        pages: pages or frames in the file.
        pixel_um: width of a pixel in micrometres, where TIFF tags tell.
        pixel_type: name of pixels deeper than 8 bits, else empty.
        bits_used: what the largest of unsigned deep pixels needs; 0 for other types.
        fills: fill value or ``NaN or infinity`` -> how many pixels (of one channel) hold it.
        transparent: alpha is zero everywhere, so it was ignored.
        blank: every pixel that is left after cutting is the same.
        kind, problem: why the picture cannot be used; empty if it can.
    """

    digest: str = ""
    format: str = ""
    mode: str = ""
    width: int = 0
    height: int = 0
    bar: int = 0
    crop: int = 0
    pages: int = 1
    pixel_um: float | None = None
    pixel_type: str = ""
    bits_used: int = 0
    fills: Mapping[str, int] = field(default_factory=dict)
    transparent: bool = False
    blank: bool = False
    kind: str = ""
    problem: str = ""


def scan_all(
    root: Path, files: Iterable[str], crop: str, max_pixels: int = images.MAX_PIXELS
) -> dict[str, Scan]:
    """Scan files below ``root``.

    Args:
        root: the data folder.
        files: paths relative to it.
        crop: ``auto`` cuts the data bar of each picture that has one; otherwise a number of rows.
        max_pixels: a picture of more cannot be used.

    Returns:
        file -> Scan, for every file that is given, in that order.
    """
    store = _store(root, crop, max_pixels)
    known = _read(store)
    result: dict[str, Scan] = {}
    fresh: dict[str, list[Any]] = {}
    todo: list[tuple[str, list[int]]] = []
    for file in files:
        stamp = _stamp(f"{root}/{file}")
        before = _remembered(known.get(file), stamp)
        result[file] = before or Scan()  # a place holder keeps the order
        if before is None:
            todo.append((file, stamp))
    try:
        with ThreadPoolExecutor(THREADS) as pool:
            scans = pool.map(lambda item: scan_one(root / item[0], crop, max_pixels), todo)
            for (file, stamp), scan in zip(todo, scans, strict=True):
                result[file] = scan
                fresh[file] = [stamp, asdict(scan)]
    finally:  # an interrupted scan goes on where it was
        if fresh:
            _write(store, {**known, **fresh})
    return result


def scan_one(path: Path, crop: str, max_pixels: int = images.MAX_PIXELS) -> Scan:
    """Look at one picture; whatever is wrong with it is in the result, never raised."""
    try:
        if path.stat().st_size == 0:
            return Scan(kind="empty-file", problem="the file is empty (0 bytes)")
        return _look(images.decode(path, max_pixels=max_pixels), crop)
    except Exception as error:  # decoders raise whatever comes to hand
        return Scan(kind="unreadable", problem=images.reason(error))


def _look(picture: images.Decoded, crop: str) -> Scan:
    raw = picture.array
    bar = bar_height(images.grey(to_uint8(raw)))
    height, width = raw.shape[:2]
    cut = bar if crop == "auto" else int(crop)
    problem = ""
    if cut and height - cut < LEAST_ROWS:
        problem = f"cutting {cut} of {height} rows leaves less than {LEAST_ROWS}"
    kept = raw[: height - cut]
    shown = raw[:0].astype(np.uint8) if problem else to_uint8(kept)
    return Scan(
        digest="" if problem else _digest(shown),
        format="JPEG" if picture.format == "MPO" else picture.format,
        mode=picture.mode,
        width=width,
        height=height,
        bar=bar,
        crop=cut,
        pages=picture.pages,
        pixel_um=pixel_size(picture.tags) if picture.format == "TIFF" else None,
        pixel_type=picture.pixel_type,
        bits_used=bits_used(raw) if picture.pixel_type else 0,
        fills={} if problem else fill_values(kept),
        transparent=picture.transparent,
        blank=not problem and bool((shown == shown[:1, :1]).all()),
        kind="crop" if problem else "",
        problem=problem,
    )


def _digest(array: np.ndarray) -> str:
    """Hex digest of shape and pixels; three equal channels count as one."""
    if array.ndim == 3:
        red, green, blue = (array[..., k] for k in range(3))
        if (red == green).all() and (red == blue).all():
            array = red
    digest = hashlib.sha256(repr(array.shape).encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


# --------------------------------------------------------------------------- on disk


def _store(root: Path, crop: str, max_pixels: int) -> Path:
    key = json.dumps([VERSION, PIL.__version__, os.fspath(root.resolve()), crop, max_pixels])
    return cache_dir("scan") / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"


def _stamp(path: str) -> list[int]:
    try:
        status = os.stat(path)  # noqa: PTH116 (a Path costs more than the call)
    except OSError:
        return [-1, -1]  # gone since it was listed; the scan will say so
    return [status.st_size, status.st_mtime_ns]


def _read(store: Path) -> Mapping[str, Any]:
    try:
        data = json.loads(store.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _remembered(entry: Any, stamp: list[int]) -> Scan | None:
    """What the store says of a file, if the file is still the same."""
    try:
        before, fields = entry
        return Scan(**fields) if before == stamp else None
    except (TypeError, ValueError):  # not there, or damaged
        return None


def _write(store: Path, entries: Mapping[str, Any]) -> None:
    with contextlib.suppress(OSError):  # a full disk costs time later, not the run
        write_atomic(store, json.dumps(entries))
