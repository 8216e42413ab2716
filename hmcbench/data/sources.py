"""Where the files of a dataset are: its original place, and the places where a user may have put them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hmcbench.files import cache_dir


@dataclass(frozen=True)
class Source:
    """One original file.

    Attributes:
        base, path: its address is ``base/path``; a mirror replaces the base.
        sha256: of its bytes.
        size: in bytes.
        file: the name under which it is kept.
    """

    base: str
    path: str
    sha256: str
    size: int
    file: str


def variable(dataset: str) -> str:
    """``nims-steel`` -> ``HMCBENCH_DATA_NIMS_STEEL``, which may hold the path of a dataset."""
    return "HMCBENCH_DATA_" + dataset.upper().replace("-", "_")


def cached(dataset: str) -> Path:
    """The folder into which ``hmcbench data fetch`` puts a dataset."""
    return cache_dir("data") / dataset
