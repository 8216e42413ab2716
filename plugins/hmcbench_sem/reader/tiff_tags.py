"""Reads the size of a pixel from a TIFF's tags.

In this order: FEI/Thermo (tag 34682), Zeiss (34118), then the resolution tags with their unit.
Resolution tags usually hold a printer's dots per inch, so they count only where a pixel would be
smaller than a microscope's: at most 10 micrometres (2,540 dots per inch).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_FEI, _ZEISS = 34682, 34118
_X_RESOLUTION, _UNIT, _DESCRIPTION = 282, 296, 270
_MICRONS_PER_UNIT = {2: 25_400.0, 3: 10_000.0}  # inch, centimetre
_MICRONS = {"pm": 1e-6, "nm": 1e-3, "um": 1.0, "micron": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6}
_MICRONS |= {"\u00b5m": 1.0, "\u03bcm": 1.0}  # the micro sign and the Greek letter
_COARSEST = 10.0
_FEI_WIDTH = re.compile(r"^\s*PixelWidth\s*=\s*([-+0-9.eE]+)", re.MULTILINE)
_ZEISS_SIZE = re.compile(r"(?:Image )?Pixel Size\s*=\s*([-+0-9.eE]+)\s*(\S+)")
_IMAGEJ_UNIT = re.compile(r"^unit=(\S+)", re.MULTILINE)


def pixel_size(tags: Mapping[int, Any]) -> float | None:
    """Width of one pixel in micrometres, or None where the tags do not tell.

    Args:
        tags: tag number -> value, such as Pillow's ``image.tag_v2``.
    """
    try:
        return _fei(tags) or _zeiss(tags) or _resolution(tags)
    except (ValueError, TypeError, ZeroDivisionError, OverflowError):
        return None  # broken tags say nothing


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        value = value[0] if value else ""
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _fei(tags: Mapping[int, Any]) -> float | None:
    match = _FEI_WIDTH.search(_text(tags[_FEI])) if _FEI in tags else None
    return _positive(float(match[1]) * 1e6) if match else None


def _zeiss(tags: Mapping[int, Any]) -> float | None:
    match = _ZEISS_SIZE.search(_text(tags[_ZEISS])) if _ZEISS in tags else None
    return _positive(float(match[1]) * _MICRONS.get(match[2], 0.0)) if match else None


def _resolution(tags: Mapping[int, Any]) -> float | None:
    if _X_RESOLUTION not in tags:
        return None
    unit = _MICRONS_PER_UNIT.get(int(tags.get(_UNIT, 2)), 0.0)
    imagej = _IMAGEJ_UNIT.search(_text(tags.get(_DESCRIPTION, "")))
    if imagej:  # ImageJ writes pixels per its own unit
        unit = _MICRONS.get(imagej[1].replace("\\u00B5", "\u00b5"), 0.0)
    size = _positive(unit / float(tags[_X_RESOLUTION]))
    return size if size is not None and size <= _COARSEST else None


def _positive(size: float) -> float | None:
    return size if 0 < size < float("inf") else None
