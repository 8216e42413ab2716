"""A folder of images with masks or polygons: what is in it, and what is wrong with it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hmcbench.data.borrowed import read_images
from hmcbench.errors import BadInput, Problem
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench_masks.reader import checks
from hmcbench_masks.reader.classes import FILE, ClassTable, of_names, read_classes, value_text, with_greys
from hmcbench_masks.reader.files import IMAGES, MASKS, ImagePair, list_pairs
from hmcbench_masks.reader.masks import MaskFile, read_values
from hmcbench_masks.reader.polygons import Drawing, Region, drawn, find_polygons, read_polygons

SHOWN = 8  # values that a message lists
BACKGROUND = "background"


@dataclass(frozen=True)
class MaskedImage:
    """One image that can be used.

    Attributes:
        row: of the view ``image``.
        labels: its label map: an object with ``load()``.
        counts: int64 (M + 1,): pixels of every row of the legend, and those that are not labelled.
        shape: (H, W).
        digest: of the pixels of the image.
    """

    pair: ImagePair
    row: Any
    labels: Any
    counts: np.ndarray
    shape: tuple[int, int]
    digest: str


@dataclass
class MaskFolder:
    """A folder.

    Attributes:
        sets: rows of the legend.
        images: those that can be used, in the order of their ids.
        problems: of files, and of the folder as a whole (``where`` is ``.``).
        displaced: per image, see :func:`hmcbench_masks.reader.checks.displacement`; only for lint.
    """

    root: Path
    table: ClassTable
    sets: list[tuple[str, ...]]
    images: list[MaskedImage] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    displaced: list[np.ndarray] = field(default_factory=list)

    @property
    def hierarchy(self) -> Hierarchy:
        return self.table.hierarchy

    @property
    def fingerprint(self) -> str:
        """Of names, image pixels, label maps, groups and classes."""
        digest = hashlib.sha256(self.hierarchy.fingerprint.encode())
        digest.update(repr((self.sets, self.table.objects)).encode())
        for image in self.images:
            pair = image.pair
            digest.update(repr((pair.id, image.digest, pair.group, pair.split, pair.pixel_um)).encode())
            digest.update(np.ascontiguousarray(image.labels.load()).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Options:
    """How a folder is read; see the parameters of the dataset."""

    overlap: str = "several"
    max_pixels: int = 0
    table: ClassTable | None = None
    look: bool = False  # whether to look for displaced masks, which takes longer

    @property
    def of_reader(self) -> Mapping[str, Any]:
        return {"max_pixels": self.max_pixels} if self.max_pixels else {}


def read_folder(path: str, options: Options) -> MaskFolder:
    """Everything in a folder.

    Raises:
        BadInput: no such folder, neither masks nor polygons, or a ``classes.csv`` that cannot be used.
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        raise BadInput(f"no folder {path}", allowed=f"a folder with {IMAGES}/, {MASKS}/ and {FILE}")
    content = _of_masks(root, options) if (root / MASKS).is_dir() else _of_polygons(root, options)
    content.images.sort(key=lambda image: image.pair.id)
    if not content.images:
        content.problems.append(Problem(".", "no image can be used", "empty", skippable=False))
    unused = set(content.hierarchy.classes) - set(_present(content))
    for name in sorted(unused):
        content.problems.append(Problem(".", f"no pixel is {name}", "no-positive", fatal=False))
    return content


def _present(content: MaskFolder) -> list[str]:
    total = sum(image.counts[:-1] for image in content.images)
    held = [classes for classes, n in zip(content.sets, np.atleast_1d(total), strict=False) if n]
    return [
        "/".join(c.split("/")[: k + 1]) for classes in held for c in classes for k in range(c.count("/") + 1)
    ]


# --------------------------------------------------------------------------- masks


def _of_masks(root: Path, options: Options) -> MaskFolder:
    pairs, problems = list_pairs(root)
    table = options.table or _table_of(root, pairs)
    content = MaskFolder(root, table, table.sets(), problems=problems)
    places = {classes: i for i, classes in enumerate(content.sets)}
    rows = {
        value: -1 if classes is None else places[classes]
        for value, classes in with_greys(table.labels).items()
        if isinstance(value, int)
    }
    for pair, row in zip(pairs, _images(pairs, options), strict=True):
        where = str(pair.mask.relative_to(root)) if pair.mask else pair.id
        if isinstance(row, Problem):
            content.problems.append(Problem(str(pair.image.relative_to(root)), row.what, row.kind))
            continue
        try:
            values = read_values(pair.mask or pair.image)
        except BadInput as error:
            content.problems.append(Problem(where, error.what, "unreadable"))
            continue
        pixels = row.load()
        found = checks.mask_problems(pair.mask or pair.image, values, pixels.shape[:2], rows, where)
        content.problems += found
        if any(problem.fatal for problem in found):
            continue
        labels = MaskFile(str(pair.mask), rows, len(content.sets))
        _add(content, pair, row, labels, pixels, options)
    return content


def _table_of(root: Path, pairs: Sequence[ImagePair]) -> ClassTable:
    if (root / FILE).is_file():
        return read_classes(root / FILE)
    values: set[int] = set()
    for pair in pairs[:SHOWN]:
        values |= set(np.unique(read_values(pair.mask or pair.image)).tolist())
    shown = ", ".join(value_text(v) for v in sorted(values)[:SHOWN]) + ", ..." * (len(values) > SHOWN)
    raise BadInput(
        f"{root} has no {FILE}; its masks hold the values {shown}",
        allowed="a file with the columns value and path, a row per value",
        hint=f"for example: {value_text(min(values, default=0))},background",
    )


def _images(pairs: Sequence[ImagePair], options: Options) -> list[Any]:
    return read_images([str(pair.image) for pair in pairs], **options.of_reader)


def _add(
    content: MaskFolder, pair: ImagePair, row: Any, labels: Any, pixels: np.ndarray, options: Options
) -> None:
    drawn_map = labels.load()
    counted = np.bincount(drawn_map.ravel(), minlength=int(np.iinfo(drawn_map.dtype).max) + 1)
    counts = np.append(counted[: len(content.sets)], counted[-1])
    where = str((pair.mask or pair.image).relative_to(content.root))
    if not counts[:-1].any():
        content.problems.append(Problem(where, "no pixel is labelled", "empty-mask"))
        return
    if np.count_nonzero(counts[:-1]) == 1:
        only = " and ".join(content.sets[int(counts[:-1].argmax())])
        what = f"every labelled pixel is {only}"
        content.problems.append(Problem(where, what, "one-class", fatal=False))
    if options.look:
        content.displaced.append(checks.displacement(pixels, drawn_map))
    digest = hashlib.sha256(repr(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()
    content.images.append(MaskedImage(pair, row, labels, counts, drawn_map.shape, digest))


# --------------------------------------------------------------------------- polygons


def _of_polygons(root: Path, options: Options) -> MaskFolder:
    files = find_polygons(root)
    if not files:
        raise BadInput(
            f"{root} has no folder {MASKS} and no polygons",
            allowed=f"{IMAGES}/ with {MASKS}/ and {FILE}, or a COCO JSON file, or labelme JSON files",
        )
    polygons = read_polygons(root, files)
    table = options.table or (
        read_classes(root / FILE) if (root / FILE).is_file() else of_names(polygons.names, BACKGROUND)
    )
    if BACKGROUND not in table.labels:
        table = ClassTable({**table.labels, BACKGROUND: (BACKGROUND,)}, table.objects)
    content = MaskFolder(root, table, [])
    sets: dict[tuple[str, ...], int] = {}
    rows: dict[frozenset[str], int] = {}
    loaded = list(
        zip(polygons.pairs, polygons.shapes, polygons.sizes, _images(polygons.pairs, options), strict=True)
    )
    usable = []
    for pair, shapes, size, row in loaded:
        where = str(pair.image.relative_to(root))
        strange = sorted({shape.name for shape in shapes} - set(map(str, table.labels)))
        if isinstance(row, Problem):
            content.problems.append(Problem(where, row.what, row.kind))
        elif strange:
            what = f"the category {strange[0]} is not in {FILE}"
            content.problems.append(Problem(where, what, "unknown-class"))
        elif size is not None and size != row.load().shape[:2]:
            height, width = row.load().shape[:2]
            what = (
                f"the image has {width} x {height} pixels, its polygons were drawn on {size[1]} x {size[0]}"
            )
            content.problems.append(Problem(where, what, "size"))
        else:
            pixels = row.load()
            height, width = pixels.shape[:2]
            for names in drawn(height, width, shapes, options.overlap)[1]:
                rows[names] = _row_of(names, table, sets)
            usable.append((pair, shapes, row, pixels))
    content.sets = list(sets)
    for pair, shapes, row, pixels in usable:
        _add(content, pair, row, _drawing(shapes, pixels.shape, rows, len(sets), options), pixels, options)
    return content


def _row_of(names: frozenset[str], table: ClassTable, sets: dict[tuple[str, ...], int]) -> int:
    """The row of the legend of a set of categories; -1 where one of them is not labelled."""
    parts = [table.labels[name] for name in sorted(names)] if names else [table.labels[BACKGROUND]]
    if any(part is None for part in parts):
        return -1
    classes = tuple(dict.fromkeys(name for part in parts for name in part or ()))
    return sets.setdefault(classes, len(sets))


def _drawing(
    shapes: Sequence[Region],
    size: Sequence[int],
    rows: dict[frozenset[str], int],
    labels: int,
    options: Options,
) -> Drawing:
    return Drawing(size[0], size[1], shapes, rows, labels, options.overlap)
