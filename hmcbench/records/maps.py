"""Label maps in the file of predictions: one PNG per image, which any program opens after unzipping."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from typing import IO

import numpy as np

from hmcbench.hierarchy.label_maps import LabelMaps, PngMap, png_of

Read = Callable[[str], np.ndarray]
"""Name of a part -> its array."""
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the date of every part: the same values give the same file


def map_arrays(name: str, maps: LabelMaps) -> dict[str, np.ndarray]:
    """What is stored of label maps beside the PNG files."""
    return {
        f"{name}_legend": maps.legend,
        f"{name}_tolerance": np.asarray(maps.tolerance, dtype=np.float64),
        f"{name}_objects": np.array(list(maps.objects), dtype=np.str_),
    }


def append_maps(file: IO[bytes], named: Mapping[str, LabelMaps]) -> None:
    """Add ``truth/0.png`` and so on to an ``.npz`` file that is open for writing."""
    if not named:
        return
    with zipfile.ZipFile(file, "a", zipfile.ZIP_STORED) as archive:
        for name, maps in named.items():
            for i, row in enumerate(maps.maps):
                archive.writestr(zipfile.ZipInfo(_member(name, i), _EPOCH), png_of(row))


def read_maps(archive: zipfile.ZipFile, array: Read, name: str, n: int) -> LabelMaps | None:
    """The maps of that name, decoded when they are needed; None where they are not stored."""
    if f"{name}_legend.npy" not in archive.NameToInfo:
        return None
    rows = [PngMap(archive.read(_member(name, i))) for i in range(n)]
    objects = tuple(array(f"{name}_objects").tolist())
    return LabelMaps(rows, array(f"{name}_legend"), array(f"{name}_tolerance"), objects)


def _member(name: str, i: int) -> str:
    return f"{name}/{i}.png"
