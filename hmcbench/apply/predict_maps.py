"""Label maps of new images, one image at a time, and the files that show them.

The folder that is written is one of masks: ``masks/`` and ``classes.csv`` are as the dataset ``masks`` reads
them, so that a person can correct the maps and train on them.
"""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hmcbench.apply.predict_files import Reader
from hmcbench.errors import BadInput, Problem
from hmcbench.execute.pixels import PixelModel
from hmcbench.files import write_atomic
from hmcbench.hierarchy.label_maps import png_of
from hmcbench.interfaces import Inputs
from hmcbench.records.weights import Trained
from hmcbench.registry.registry import Registry

if TYPE_CHECKING:
    from hmcbench.hierarchy.hierarchy import Hierarchy

MASKS, OVERLAYS, CLASSES = "masks", "overlays", "classes.csv"
SHOWN = 0.5
"""How much of the colour of a class an overlay has; the rest is the image."""


@dataclass(frozen=True, eq=False)
class PredictedMap:
    """The label map of one image.

    Attributes:
        path: of the image.
        pixels: the image, uint8 (H, W) or (H, W, 3).
        labels: uint8 or uint16 (H, W), rows of the legend.
        legend: boolean (M, C), ancestor-closed; numbers keep their meaning over all images.
    """

    path: str
    pixels: np.ndarray
    labels: np.ndarray
    legend: np.ndarray

    def areas(self) -> np.ndarray:
        """float64 (C,): the share of the pixels of each class, 0 to 1; a parent has those of its parts."""
        counts = np.bincount(self.labels.ravel(), minlength=len(self.legend))
        shares: np.ndarray = counts[: len(self.legend)] @ self.legend / self.labels.size
        return shares


def predict_maps(
    trained: Trained, registry: Registry, paths: Sequence[str], max_pixels: int | None = None
) -> Iterator[PredictedMap | Problem]:
    """Maps of images in their order, or why an image cannot be read; one image is in memory.

    Raises:
        BadInput: a model that needs more than images.
    """
    reader = Reader(trained, registry, max_pixels, of_pixels=True)
    if tuple(trained.spec.views) != tuple(reader.spec.views[:1]):
        raise BadInput(
            f"{trained.spec.name} needs {', '.join(trained.spec.views)}",
            allowed="a model that needs images alone",
        )
    model = PixelModel(trained.model, trained.spec, trained.task)
    with ThreadPoolExecutor(1) as pool:
        for path in paths:
            (row,) = reader.read([path], pool)
            if isinstance(row, Problem):
                yield row
                continue
            maps = model.predict(Inputs([path], {reader.spec.views[0]: [row]}))
            yield PredictedMap(path, np.asarray(row.load()), maps.load(0), maps.legend)


class MapFolder:
    """Writes maps and overlays; the folder is made with the first image.

    Args:
        folder: new or empty.
        paths: of all images: their names below the folder that all share become those of the maps.
        hierarchy: of the classes.

    Raises:
        BadInput: a folder that holds files: nothing that exists is replaced.
    """

    def __init__(self, folder: Path, paths: Sequence[str], hierarchy: Hierarchy) -> None:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise BadInput(f"{folder} holds files already", allowed="a new or an empty folder for the maps")
        self._folder, self._hierarchy = folder, hierarchy
        self._names, self._labels = map_names(paths), 0

    def write(self, predicted: PredictedMap) -> None:
        """Write the map and the overlay of an image, and ``classes.csv`` where it has new classes."""
        colours = self._colours(predicted.legend)
        drawn = colours[predicted.labels]
        image = np.atleast_3d(predicted.pixels)[..., :3].astype(np.float32)
        overlay = np.rint(SHOWN * drawn + (1 - SHOWN) * image).astype(np.uint8)
        name = self._names[predicted.path]
        self._save(self._folder / MASKS / name, _map_png(predicted.labels, colours))
        self._save(self._folder / OVERLAYS / name, png_of(overlay))
        if len(predicted.legend) > self._labels:
            self._labels = len(predicted.legend)
            write_atomic(self._folder / CLASSES, self._classes(predicted.legend))

    def _save(self, path: Path, content: bytes) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, content)
        except OSError as error:
            raise BadInput(f"{path} cannot be written ({error.strerror})", hint="--maps FOLDER") from None

    def _colours(self, legend: np.ndarray) -> np.ndarray:
        """uint8 (M, 3): the mean colour of the most specific classes of every set; white without any."""
        from hmcbench.report.figures.label_maps import colours

        last = _most_specific(legend, self._hierarchy)
        held = last.sum(axis=1, keepdims=True)
        mixed = last @ np.array(colours(self._hierarchy.n)) / np.maximum(held, 1)
        table: np.ndarray = np.rint(255 * np.where(held > 0, mixed, 1.0)).astype(np.uint8)
        return table

    def _classes(self, legend: np.ndarray) -> str:
        """The values of the maps as the dataset ``masks`` reads them."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["value", "path"])
        for value, row in enumerate(_most_specific(legend, self._hierarchy)):
            paths = [self._hierarchy.classes[c] for c in np.flatnonzero(row)]
            writer.writerow([value, "|".join(paths) or "ignore"])
        return stream.getvalue()


def map_names(paths: Sequence[str]) -> dict[str, str]:
    """Image -> the file of its map: the same name as PNG, below the folder that all images share.

    Images that differ in the ending alone keep it.

    >>> map_names(["in/a.tif", "in/b/a.tif", "in/b/a.png"])
    {'in/a.tif': 'a.png', 'in/b/a.tif': 'b/a.tif.png', 'in/b/a.png': 'b/a.png.png'}
    """
    # a link keeps its own name, and no ".." is left, which would lead out of the folder of the maps
    whole = [os.path.abspath(path) for path in paths]  # noqa: PTH100
    shared = os.path.commonpath([Path(path).parent for path in whole]) if whole else ""
    below = [Path(os.path.relpath(path, shared)) for path in whole]
    often = Counter(path.with_suffix("") for path in below)
    names = [
        (p.with_suffix(".png") if often[p.with_suffix("")] == 1 else p.with_name(f"{p.name}.png")).as_posix()
        for p in below
    ]
    return dict(zip(paths, names, strict=True))


def _most_specific(legend: np.ndarray, hierarchy: Hierarchy) -> np.ndarray:
    """boolean (M, C): the classes of each set without those that have a part in it."""
    above = np.zeros_like(legend)
    for parent, child in hierarchy.edge_index:
        above[:, parent] |= legend[:, child]
    result: np.ndarray = legend & ~above
    return result


def _map_png(labels: np.ndarray, colours: np.ndarray) -> bytes:
    """A map as PNG; its numbers are values of a palette where they fit into one."""
    if labels.dtype != np.uint8:
        return png_of(labels)
    from PIL import Image

    image, content = Image.fromarray(labels, "P"), io.BytesIO()
    image.putpalette(np.vstack([colours, np.zeros((256 - len(colours), 3), np.uint8)]).tobytes())
    image.save(content, "PNG")
    return content.getvalue()
