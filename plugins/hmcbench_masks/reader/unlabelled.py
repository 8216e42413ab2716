"""Reads single images without masks, for ``hmcbench predict``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hmcbench.data.borrowed import read_images as read
from hmcbench.errors import Problem


def read_images(paths: Sequence[str], *, max_pixels: int = 0, **_of_the_run: Any) -> list[Any | Problem]:
    """For every path the image, or why it cannot be used.

    Args:
        max_pixels: an image of more cannot be used; 0 for the reader's limit.
    """
    return read(paths, **({"max_pixels": max_pixels} if max_pixels else {}))
