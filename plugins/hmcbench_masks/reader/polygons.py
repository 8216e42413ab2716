"""Polygons as label maps: COCO JSON (one file for all images) and labelme JSON (one file per image)."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from hmcbench.errors import BadInput, Problem
from hmcbench_masks.reader.categories import Categories, id_of, read_categories, title_of
from hmcbench_masks.reader.classes import FILE, category_name, why_no_class
from hmcbench_masks.reader.files import IMAGE_TYPES, ImagePair, composed, described
from hmcbench_masks.reader.named_images import NamedImages, NotUsable
from hmcbench_masks.reader.shapes import Covered, Shapes

WRONG = (AttributeError, KeyError, OverflowError, TypeError, ValueError)
"""What the wrong kind of value in a JSON file raises."""
FARTHEST = 1e7
CORNERS = 3  # the least of a polygon
SPARE = 8  # pixels around a box: more than the error of a border from FARTHEST to FARTHEST


@dataclass(frozen=True)
class Region:
    """One labelled region: what stands for its category, and polygons of (x, y) in pixels.

    Attributes:
        title: what a message calls it.
    """

    name: str
    polygons: Sequence[Sequence[tuple[float, float]]]
    where: str = ""
    title: str = "a shape"

    def inside(self, height: int, width: int) -> Covered:
        """The pixels of an image of this size that it covers.

        Polygons are moved up only, and the columns cut afterwards: moved to the left as well, some borders
        would lie one pixel aside, because Pillow computes their columns in single precision.
        """
        usable = [polygon for polygon in self.polygons if len(polygon) >= CORNERS]
        points = [[(int(x), int(y)) for x, y in polygon] for polygon in usable]
        (left, right), (top, bottom) = (
            _span([point[axis] for polygon in points for point in polygon], size)
            for axis, size in enumerate((width, height))
        )
        canvas = Image.new("1", (right, bottom - top))
        draw = ImageDraw.Draw(canvas)
        for polygon in points:
            draw.polygon([(x, y - top) for x, y in polygon], fill=1)
        return Covered(top, left, np.array(canvas, dtype=bool)[:, left:])

    def problem(self, _height: int, _width: int) -> Problem | None:
        """That it has no polygon, so that its pixels would be background; a polygon may leave its image."""
        if any(len(polygon) >= CORNERS for polygon in self.polygons):
            return None
        what = f"{self.title} ({self.name}) has no polygon of {CORNERS} corners or more"
        return Problem(self.where, what, "no-polygon")


@dataclass(frozen=True)
class _Labelled:
    """An image with its regions, and its (height, width) as the file of polygons says."""

    pair: ImagePair
    regions: list[Region]
    size: tuple[int, int] | None


def _span(places: Sequence[int], size: int) -> tuple[int, int]:
    """The first pixel of an axis that polygons may cover, and the one after the last."""
    if not places:
        return 0, 0
    first, last = max(0, min(places) - SPARE), min(size, max(places) + 1 + SPARE)
    return (first, last) if first < last else (0, 0)


def find_polygons(root: Path) -> list[Path]:
    """JSON files of polygons in a folder or below it."""
    return [p for p in sorted(root.rglob("*.json")) if not p.name.startswith(".") and not p.is_dir()]


def read_polygons(root: Path, files: Sequence[Path]) -> Shapes:
    """All polygons of a folder: one COCO file, or labelme files.

    A labelme file, or an image of a COCO file, that cannot be used is a problem, and its image is left out.

    Raises:
        BadInput: the only file cannot be read, a COCO file has no lists of images, annotations and
            categories, or there are several JSON files and one is of COCO.
    """
    contents, damaged, unread = _read_all(root, files)
    if unread and len(files) == 1:  # there is nothing that could be left out
        raise BadInput(f"{files[0]}: {unread[0].what}", allowed="COCO or labelme JSON")
    images = NamedImages.below(root)
    if not any("annotations" in content and "images" in content for content in contents.values()):
        shapes = _labelme(root, contents, images)
    elif len(files) == 1:
        shapes = _coco(root, contents[files[0]], images, files[0].name)
    else:
        raise BadInput(f"{root} has {len(files)} JSON files", allowed="one COCO file for all images")
    pairs, bad_rows = described(root, shapes.pairs, ((path.stem, path) for path in images.files))
    of_unread = {image for file in files if file not in contents for image in images.beside(file)}
    told = {*shapes.named, *of_unread}
    problems = [*unread, *shapes.problems, *bad_rows, *_left_out(root, images.files, told)]
    of_damaged = [image for file in damaged for image in images.beside(file)[:1]]  # all have the same id
    return replace(shapes, pairs=pairs, problems=problems, named=[*shapes.named, *of_damaged])


def _left_out(root: Path, pictures: Sequence[Path], told: Set[Path]) -> Iterator[Problem]:
    """A warning of images that no file of polygons names."""
    others = [str(path.relative_to(root)) for path in pictures if path not in told]
    if others:
        count = f"{len(others)} images have" if len(others) > 1 else "1 image has"
        first = f"{others[0]}, ..." if len(others) > 1 else others[0]
        what = f"{count} no polygons and {'are' if len(others) > 1 else 'is'} left out: {first}"
        yield Problem(".", what, "no-polygons", fatal=False)


def _read_all(
    root: Path, files: Sequence[Path]
) -> tuple[dict[Path, dict[str, Any]], list[Path], list[Problem]]:
    """What the files hold, those that are no JSON, and a problem for each of these and of other content."""
    contents, damaged, problems = {}, [], []
    for file in files:
        where = str(file.relative_to(root))
        try:
            content = json.loads(file.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError, RecursionError) as error:
            problems.append(Problem(where, f"it cannot be read as JSON ({error})", "unreadable"))
            damaged.append(file)
            continue
        if isinstance(content, dict) and ("shapes" in content or {"images", "annotations"} <= set(content)):
            contents[file] = content
        else:
            problems.append(Problem(where, "it holds no polygons of COCO or labelme", "unreadable"))
    return contents, damaged, problems


def _coco(root: Path, content: dict[str, Any], images: NamedImages, where: str) -> Shapes:
    """The images of a COCO file."""
    records, notes, kinds = (
        _records(content, part, where) for part in ("images", "annotations", "categories")
    )
    categories = read_categories(kinds, names_are_classes=not (root / FILE).is_file())
    counts = Counter(id_of(record, "id") for record in records)
    regions, problems = _coco_regions(notes, categories, counts, where)
    used = (id_of(note, "category_id") for note in notes if id_of(note, "image_id") in counts)
    problems += categories.unused(used, where)
    usable: list[_Labelled] = []
    named: list[Path] = []
    for i, record in enumerate(records):
        place, key = where, id_of(record, "id")
        try:
            file = images.find(images.path_of(_file_name(record, title_of("image", record, i))))
            named.append(file)
            place = str(file.relative_to(root))
            if key is None or counts[key] > 1:
                what = "it has no id" if key is None else f"several images have its id {key!r}"
                raise NotUsable(f"{what} in {where}", "no-id")
            of_image = regions[key]
            if isinstance(of_image, NotUsable):
                raise of_image
            size = _size(record, "height", "width", f" in {where}")
            usable.append(_Labelled(_pair(file), of_image, size))
        except NotUsable as error:
            problems.append(Problem(place, str(error), error.kind))
    return _shapes(usable, list(categories.keys), problems, named)


def _records(content: dict[str, Any], part: str, where: str) -> list[dict[str, Any]]:
    """One of the lists of a COCO file; what is no object in it lacks all that it should have."""
    records = content.get(part)
    if not isinstance(records, list) or (records and not any(isinstance(each, dict) for each in records)):
        raise BadInput(f"{where} is no COCO file: its {part} are no list of objects", allowed="COCO JSON")
    return [record if isinstance(record, dict) else {} for record in records]


def _file_name(record: dict[str, Any], title: str) -> str:
    name = record.get("file_name")
    if not isinstance(name, str) or not name.strip():
        raise NotUsable(f"{title} has no file_name", "no-image")
    return name


def _size(record: dict[str, Any], height: str, width: str, where: str) -> tuple[int, int] | None:
    """Height and width of an image from these fields; None where the file states neither, or null."""
    stated = record.get(height), record.get(width)
    if stated == (None, None):
        return None
    try:
        return int(stated[0]), int(stated[1])  # type: ignore[arg-type]
    except WRONG:
        listed = ", ".join(f"{side!r:.20}" for side in stated)
        raise NotUsable(f"its {height} and {width}{where} are no numbers ({listed})", "size") from None


def _coco_regions(
    notes: Sequence[dict[str, Any]], categories: Categories, known: Iterable[Any], where: str
) -> tuple[dict[Any, list[Region] | NotUsable], list[Problem]]:
    """Id of an image -> its regions, or its first annotation that cannot be used; and those of no image."""
    regions: dict[Any, list[Region]] = {key: [] for key in known}
    wrong: dict[Any, NotUsable] = {}
    strays: list[str] = []
    for i, note in enumerate(notes):
        key, title = id_of(note, "image_id"), title_of("annotation", note, i)
        if key is None or key not in regions:
            strays.append(f"{title} (image_id {note.get('image_id')!r:.40})")
            continue
        try:
            regions[key].append(_coco_region(note, categories, title))
        except NotUsable as error:
            wrong.setdefault(key, error)
    problems = []
    if strays:
        more = f" and {len(strays) - 1} more are" if len(strays) > 1 else " is"
        problems.append(Problem(where, f"{strays[0]}{more} of no image that the file lists", "no-image"))
    return {**regions, **wrong}, problems


def _coco_region(note: dict[str, Any], categories: Categories, title: str) -> Region:
    rings, category = note.get("segmentation"), id_of(note, "category_id")
    if isinstance(rings, dict):
        raise NotUsable(f"{title} is a run length; allowed: polygons", "run-length")
    if not isinstance(rings, list):
        raise NotUsable(f"{title} has no polygons; allowed: a segmentation that lists them", "no-polygon")
    if category is not None and category in categories.wrong:
        raise NotUsable(f"{title}: {categories.wrong[category]}", "no-label")
    if category is None or category not in categories.names:
        stated = f"{note.get('category_id')!r:.40}"
        raise NotUsable(f"{title} is of category {stated}, which the file lacks", "unknown-class")
    try:
        return Region(categories.names[category], [_ring(ring) for ring in rings], title=title)
    except ValueError as error:
        raise NotUsable(f"{title} has a polygon that cannot be read: {error}", "no-polygon") from None


def _ring(numbers: Any) -> list[tuple[float, float]]:
    """The corners of a polygon of COCO, x and y in turn."""
    if not isinstance(numbers, list):
        raise ValueError(f"{numbers!r:.20} is no list of numbers")
    if len(numbers) % 2:
        raise ValueError(f"{len(numbers)} numbers are no pairs of x and y")
    return [_point(x, y) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]


def _labelme(root: Path, contents: Mapping[Path, dict[str, Any]], images: NamedImages) -> Shapes:
    """The images of labelme files."""
    usable: list[_Labelled] = []
    problems: list[Problem] = []
    named: list[Path] = []
    labels_are_classes = not (root / FILE).is_file()
    for file, content in contents.items():
        try:
            pair = _pair_of_labelme(content, images, file)
            named.append(pair.image)
            regions = _labelme_regions(content, labels_are_classes)
            usable.append(_Labelled(pair, regions, _size(content, "imageHeight", "imageWidth", "")))
        except NotUsable as error:
            problems.append(Problem(str(file.relative_to(root)), str(error), error.kind))
    names = {(region.name,) for labelled in usable for region in labelled.regions}
    return _shapes(usable, sorted(names), problems, named)


def _labelme_regions(content: dict[str, Any], labels_are_classes: bool) -> list[Region]:
    """The regions of a labelme file."""
    try:
        shapes = content["shapes"]
        kinds = {str(shape.get("shape_type", "polygon")) for shape in shapes}
        if any(shape["label"] is None or not str(shape["label"]).strip() for shape in shapes):
            raise NotUsable("it has a shape without a label", "no-label")
        if not kinds <= {"polygon", "rectangle"}:
            what = f"it has shapes of type {', '.join(sorted(kinds))}; allowed: polygon, rectangle"
            raise NotUsable(what, "no-polygon")
        regions = [Region(category_name(str(shape["label"])), [_corners(shape)]) for shape in shapes]
    except WRONG as error:
        raise NotUsable(f"it is no labelme file ({type(error).__name__}: {error})", "unreadable") from None
    reasons = (why_no_class(region.name) for region in regions if labels_are_classes)
    reason = next(filter(None, reasons), "")
    if reason:
        raise NotUsable(f"the label {reason}", "no-label")
    return regions


def _pair_of_labelme(content: dict[str, Any], images: NamedImages, file: Path) -> ImagePair:
    """The image that a labelme file names, from its own place; the image beside it where it names none."""
    text = str(content.get("imagePath") or "")
    named = images.path_of(text if text.strip() else _name_beside(images, file))
    try:
        path = Path(os.path.relpath(file.parent / named, images.root))
    except ValueError as error:  # a null character
        raise NotUsable(f"its imagePath is no path ({error})", "no-image") from None
    return _pair(images.find(path, of_its_file=path.parent == file.parent.relative_to(images.root)))


def _pair(image: Path) -> ImagePair:
    return ImagePair(composed(image.stem), image, None)


def _name_beside(images: NamedImages, file: Path) -> str:
    """The name of the image of a labelme file that names none: its own, with the ending of an image."""
    candidates = [str(image.relative_to(images.root)) for image in images.beside(file)]
    if len(candidates) > 1:
        raise NotUsable(f"it has no imagePath, and {' and '.join(candidates)} could be its image", "no-image")
    if not candidates:
        what = f"it has no imagePath, and no image {file.stem} below {images.root} ({', '.join(IMAGE_TYPES)})"
        raise NotUsable(what, "no-image")
    return Path(candidates[0]).name


def _corners(shape: dict[str, Any]) -> list[tuple[float, float]]:
    points = [_point(x, y) for x, y in shape["points"]]
    if shape.get("shape_type") == "rectangle" and len(points) == 2:
        (left, top), (right, bottom) = points
        return [(left, top), (right, top), (right, bottom), (left, bottom)]
    return points


def _point(x: Any, y: Any) -> tuple[float, float]:
    """A place in pixels; a polygon may leave its image, but not by millions of them."""
    try:
        place = float(x), float(y)
    except (OverflowError, TypeError, ValueError):
        place = math.nan, math.nan
    if not all(abs(number) <= FARTHEST for number in place):  # nan is no place either
        raise ValueError(f"{x!r:.20}, {y!r:.20} is no place in pixels")
    return place


def _shapes(
    usable: Sequence[_Labelled],
    names: list[tuple[str, ...]],
    problems: list[Problem],
    named: Sequence[Path],
) -> Shapes:
    return Shapes(
        [labelled.pair for labelled in usable],
        [labelled.regions for labelled in usable],
        [labelled.size for labelled in usable],
        names,
        problems,
        named,
    )
