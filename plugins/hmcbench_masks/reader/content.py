"""A folder of images with masks or polygons: what is in it, and what is wrong with it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from hmcbench.data.borrowed import read_images
from hmcbench.errors import BadInput, Problem
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench_masks.reader import checks
from hmcbench_masks.reader.classes import (
    FILE,
    OTHER,
    ClassTable,
    category_keys,
    of_names,
    read_classes,
    value_text,
    with_categories,
    with_greys,
)
from hmcbench_masks.reader.files import IMAGES, MASKS, ImagePair, composed, list_pairs, same_name
from hmcbench_masks.reader.masks import MaskFile, read_values
from hmcbench_masks.reader.micronet import is_micronet, list_micronet
from hmcbench_masks.reader.micronet import table_of as micronet_table
from hmcbench_masks.reader.polygons import find_polygons, read_polygons
from hmcbench_masks.reader.run_lengths import find_run_lengths, read_run_lengths
from hmcbench_masks.reader.shapes import Drawing, LabelledShape, Shapes, drawn

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
        BadInput: no such folder, neither masks nor shapes, or a ``classes.csv`` that cannot be used.
    """
    root = Path(os.path.expanduser(path))  # noqa: PTH111 (of pathlib, it raises for a folder named ~x)
    if not root.is_dir():
        raise BadInput(f"no folder {path}", allowed=f"a folder with {IMAGES}/, {MASKS}/ and {FILE}")
    masked = (root / MASKS).is_dir() or is_micronet(root)
    content = _of_masks(root, options) if masked else _of_shapes(root, _read_shapes(root), options)
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
    pairs, problems = list_pairs(root) if (root / MASKS).is_dir() else list_micronet(root)
    table = options.table or _table_of(root, pairs)
    content = MaskFolder(root, table, table.sets(), problems=problems)
    places = {classes: i for i, classes in enumerate(content.sets)}
    rows = {
        value: -1 if classes is None else places[classes]
        for value, classes in with_greys(table.labels).items()
        if isinstance(value, int)
    }
    others = table.labels.get(OTHER)
    rest = (-1 if others is None else places[others]) if OTHER in table.labels else None
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
        of_mask = checks.mask_problems(
            pair.mask or pair.image, values, pixels.shape[:2], rows if rest is None else None, where
        )
        content.problems += of_mask
        if any(problem.fatal for problem in of_mask):
            continue
        labels = MaskFile(str(pair.mask), rows, len(content.sets), rest)
        _add(content, pair, row, labels, pixels, options)
    return content


def _table_of(root: Path, pairs: Sequence[ImagePair]) -> ClassTable:
    if (root / FILE).is_file():
        return read_classes(root / FILE)
    values: set[int] = set()
    for pair in pairs[:SHOWN]:
        values |= set(np.unique(read_values(pair.mask or pair.image)).tolist())
    embedded = micronet_table(values) if is_micronet(root) else None
    if embedded is not None:
        return embedded
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


# --------------------------------------------------------------------------- shapes


def _read_shapes(root: Path) -> Shapes:
    """Run lengths in a CSV file, or polygons in JSON files."""
    tables, files = find_run_lengths(root), find_polygons(root)
    if len(tables) > 1:
        raise BadInput(f"{root} has {len(tables)} CSV files of run lengths", allowed="one for all images")
    if tables:
        return read_run_lengths(root, tables[0])
    if not files:
        raise BadInput(
            f"{root} has no folder {MASKS} and no polygons",
            allowed=f"{IMAGES}/ with {MASKS}/ and {FILE}, COCO JSON, labelme JSON, a CSV file of run lengths,"
            " or train/ with train_annot/",
        )
    return read_polygons(root, files)


def _of_shapes(root: Path, shapes: Shapes, options: Options) -> MaskFolder:
    table = _table_of_names(root, shapes, options)
    content = MaskFolder(root, table, [], problems=list(shapes.problems))
    sets: dict[tuple[str, ...], int] = {}
    rows: dict[frozenset[str], int] = {}
    usable = []
    images, same = _images(shapes.pairs, options), _same_names(root, shapes.named)
    content.problems += same.values()
    for pair, drawing, size, row in zip(shapes.pairs, shapes.shapes, shapes.sizes, images, strict=True):
        if pair.id in same:
            continue
        problem = _shape_problem(str(pair.image.relative_to(root)), row, drawing, size, table)
        if problem is not None:
            content.problems.append(problem)
            continue
        height, width = row.load().shape[:2]
        for names in drawn(height, width, drawing, options.overlap)[1]:
            rows[names] = _row_of(names, table, sets)
        usable.append((pair, drawing, row))
    content.sets = list(sets)
    for pair, drawing, row in usable:
        pixels = row.load()  # again: the pixels of all images are not in memory at once
        height, width = pixels.shape[:2]
        labels = Drawing(height, width, drawing, rows, len(sets), options.overlap)
        _add(content, pair, row, labels, pixels, options)
    return content


def _same_names(root: Path, images: Sequence[Path]) -> dict[str, Problem]:
    """A problem for every id of several images, or of one that is there several times."""
    images_of: dict[str, list[Path]] = {}
    for image in images:
        images_of.setdefault(composed(image.stem), []).append(image)
    return {name: same_name(root, paths) for name, paths in images_of.items() if len(paths) > 1}


def _table_of_names(root: Path, shapes: Shapes, options: Options) -> ClassTable:
    """The classes of categories, whose names are texts, and of the background."""
    keys = category_keys(shapes.names)
    if options.table is None and not (root / FILE).is_file():
        return of_names(keys, BACKGROUND)
    table = options.table or read_classes(root / FILE, names=True)
    labels: dict[int | str, tuple[str, ...] | None] = {value_text(v): c for v, c in table.labels.items()}
    used = {shape.name for drawing in shapes.shapes for shape in drawing}
    keys = {path: key for path, key in keys.items() if key in used}
    return with_categories(ClassTable({BACKGROUND: (BACKGROUND,), **labels}, table.objects), keys)


def _shape_problem(
    image: str, row: Any, drawing: Sequence[LabelledShape], size: tuple[int, int] | None, table: ClassTable
) -> Problem | None:
    """Why an image cannot be used."""
    if isinstance(row, Problem):
        return Problem(image, row.what, row.kind)
    strange = sorted({shape.name for shape in drawing} - set(map(str, table.labels)))
    if strange:
        return Problem(image, f"the category {strange[0]} is not in {FILE}", "unknown-class")
    height, width = row.load().shape[:2]
    if size is not None and size != (height, width):
        what = f"the image has {width} x {height} pixels, its polygons were drawn on {size[1]} x {size[0]}"
        return Problem(image, what, "size")
    wrong = next(filter(None, (shape.problem(height, width) for shape in drawing)), None)
    return replace(wrong, where=wrong.where or image) if wrong else None


def _row_of(names: frozenset[str], table: ClassTable, sets: dict[tuple[str, ...], int]) -> int:
    """The row of the legend of a set of categories; -1 where one of them is not labelled."""
    parts = [table.labels[name] for name in sorted(names)] if names else [table.labels[BACKGROUND]]
    if any(part is None for part in parts):
        return -1
    classes = tuple(dict.fromkeys(name for part in parts for name in part or ()))
    return sets.setdefault(classes, len(sets))
