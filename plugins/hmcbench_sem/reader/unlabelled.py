"""Reads single pictures without labels, for ``hmcbench predict`` and ``explain``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hmcbench.errors import Problem
from hmcbench_sem.reader.collection import parse_crop
from hmcbench_sem.reader.images import KNOWN_EXTENSIONS, MAX_PIXELS, ImageFile
from hmcbench_sem.reader.scan import scan_one


def read_images(
    paths: Sequence[str], *, crop_bottom: str = "0", max_pixels: int = MAX_PIXELS, **_of_the_run: Any
) -> list[ImageFile | Problem]:
    """For every path the picture, or why it cannot be used.

    Args:
        paths: files of any name; their format is told by their content.
        crop_bottom: as in the run: ``auto`` or a number of rows.
        max_pixels: a picture of more cannot be used.
    """
    crop = parse_crop(crop_bottom)
    return [_read(path, crop, max_pixels) for path in paths]


def _read(path: str, crop: str, max_pixels: int) -> ImageFile | Problem:
    scan = scan_one(Path(path), crop, max_pixels)
    if not scan.problem:
        return ImageFile(path, scan.crop, max_pixels)
    if Path(path).suffix.lower() not in KNOWN_EXTENSIONS:
        return Problem(path, "no image", "extension", fatal=False)
    return Problem(path, scan.problem, scan.kind)
