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
from hmcbench_masks.reader.classes import FILE, category_keys, category_name, why_no_class
from hmcbench_masks.reader.files import IMAGE_TYPES, ImagePair, described
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
    contents, unread = _read_all(root, files)
    if unread and len(files) == 1:  # there is nothing that could be left out
        raise BadInput(f"{files[0]}: {unread[0].what}", allowed="COCO or labelme JSON")
    images = NamedImages.below(root)
    if not any("annotations" in content and "images" in content for content in contents.values()):
        shapes, named = _labelme(root, contents, images)
    elif len(files) == 1:
        shapes, named = _coco(root, contents[files[0]], images, files[0].name)
    else:
        raise BadInput(f"{root} has {len(files)} JSON files", allowed="one COCO file for all images")
    pairs, bad_rows = described(root, shapes.pairs, ((path.stem, path) for path in images.files))
    of_unread = {image for file in files if file not in contents for image in images.beside(file)}
    problems = [*unread, *shapes.problems, *bad_rows, *_left_out(root, images.files, named | of_unread)]
    return replace(shapes, pairs=pairs, problems=problems)


def _left_out(root: Path, pictures: Sequence[Path], named: Set[Path]) -> Iterator[Problem]:
    """A warning of images that no file of polygons names."""
    others = [str(path.relative_to(root)) for path in pictures if path not in named]
    if others:
        count = f"{len(others)} images have" if len(others) > 1 else "1 image has"
        first = f"{others[0]}, ..." if len(others) > 1 else others[0]
        what = f"{count} no polygons and {'are' if len(others) > 1 else 'is'} left out: {first}"
        yield Problem(".", what, "no-polygons", fatal=False)


def _read_all(root: Path, files: Sequence[Path]) -> tuple[dict[Path, dict[str, Any]], list[Problem]]:
    """What the files hold, and a problem for every one that cannot be read."""
    contents, problems = {}, []
    for file in files:
        where = str(file.relative_to(root))
        try:
            content = json.loads(file.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError, RecursionError) as error:
            problems.append(Problem(where, f"it cannot be read as JSON ({error})", "unreadable"))
            continue
        if isinstance(content, dict) and ("shapes" in content or {"images", "annotations"} <= set(content)):
            contents[file] = content
        else:
            problems.append(Problem(where, "it holds no polygons of COCO or labelme", "unreadable"))
    return contents, problems


def _coco(root: Path, content: dict[str, Any], images: NamedImages, where: str) -> tuple[Shapes, Set[Path]]:
    """The images of a COCO file, and the files of all that it names."""
    records, notes, categories = (
        _records(content, part, where) for part in ("images", "annotations", "categories")
    )
    try:
        paths = _category_paths(categories, where)
    except WRONG as error:
        raise BadInput(f"{where} is no COCO file ({type(error).__name__}: {error})") from None
    keys = category_keys(paths.values())
    counts = Counter(_id_of(record, "id") for record in records)
    regions, problems = _coco_regions(notes, {key: keys[path] for key, path in paths.items()}, counts, where)
    usable: list[_Labelled] = []
    named: set[Path] = set()
    for i, record in enumerate(records):
        place, key = where, _id_of(record, "id")
        try:
            path = _file_name(record, _title("image", record, i))
            file = images.find(path)
            named.add(file)
            place = str(file.relative_to(root))
            if key is None or counts[key] > 1:
                what = "it has no id" if key is None else f"several images have its id {key!r}"
                raise NotUsable(f"{what} in {where}", "no-id")
            of_image = regions[key]
            if isinstance(of_image, NotUsable):
                raise of_image
            usable.append(_Labelled(ImagePair(path.stem, file, None), of_image, _size(record, where)))
        except NotUsable as error:
            problems.append(Problem(place, str(error), error.kind))
    return _shapes(usable, list(keys), problems), named


def _records(content: dict[str, Any], part: str, where: str) -> list[dict[str, Any]]:
    """One of the lists of a COCO file."""
    records = content.get(part)
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise BadInput(f"{where} is no COCO file: its {part} are no list of objects", allowed="COCO JSON")
    return records


def _id_of(record: dict[str, Any], field: str) -> int | float | str | None:
    """None where there is none, or a value that can be no id."""
    value = record.get(field)
    return value if isinstance(value, (int, float, str)) else None


def _title(kind: str, record: dict[str, Any], i: int) -> str:
    """What a message calls a record: by its id, or else by its place in the list."""
    key = _id_of(record, "id")
    return f"{kind} number {i + 1}" if key is None else f"{kind} {key}"


def _file_name(record: dict[str, Any], title: str) -> Path:
    name = record.get("file_name")
    if not isinstance(name, str):
        raise NotUsable(f"{title} has no file_name", "no-image")
    return Path(name)


def _size(record: dict[str, Any], where: str) -> tuple[int, int] | None:
    """Height and width of an image, where the file says so."""
    if "height" not in record:
        return None
    try:
        return int(record["height"]), int(record["width"])
    except WRONG:
        stated = ", ".join(f"{record.get(side)!r:.20}" for side in ("height", "width"))
        raise NotUsable(f"its height and width in {where} are no numbers ({stated})", "size") from None


def _coco_regions(
    notes: Sequence[dict[str, Any]], names: dict[Any, str], known: Iterable[Any], where: str
) -> tuple[dict[Any, list[Region] | NotUsable], list[Problem]]:
    """Id of an image -> its regions, or its first annotation that cannot be used; and those of no image."""
    regions: dict[Any, list[Region]] = {key: [] for key in known}
    wrong: dict[Any, NotUsable] = {}
    strays: list[str] = []
    for i, note in enumerate(notes):
        key, title = _id_of(note, "image_id"), _title("annotation", note, i)
        if key is None or key not in regions:
            strays.append(f"{title} (image_id {note.get('image_id')!r:.40})")
            continue
        try:
            regions[key].append(_coco_region(note, names, title))
        except NotUsable as error:
            wrong.setdefault(key, error)
    problems = []
    if strays:
        more = f" and {len(strays) - 1} more are" if len(strays) > 1 else " is"
        problems.append(Problem(where, f"{strays[0]}{more} of no image that the file lists", "no-image"))
    return {**regions, **wrong}, problems


def _coco_region(note: dict[str, Any], names: dict[Any, str], title: str) -> Region:
    rings, category = note.get("segmentation"), _id_of(note, "category_id")
    if isinstance(rings, dict):
        raise NotUsable(f"{title} is a run length; allowed: polygons", "run-length")
    if not isinstance(rings, list):
        raise NotUsable(f"{title} has no polygons; allowed: a segmentation that lists them", "no-polygon")
    if category is None or category not in names:
        stated = f"{note.get('category_id')!r:.40}"
        raise NotUsable(f"{title} is of category {stated}, which the file lacks", "unknown-class")
    try:
        return Region(names[category], [_ring(ring) for ring in rings], title=title)
    except ValueError as error:
        raise NotUsable(f"{title} has a polygon that cannot be read: {error}", "no-polygon") from None


def _ring(numbers: Any) -> list[tuple[float, float]]:
    """The corners of a polygon of COCO, x and y in turn."""
    if not isinstance(numbers, list):
        raise ValueError(f"{numbers!r:.20} is no list of numbers")
    if len(numbers) % 2:
        raise ValueError(f"{len(numbers)} numbers are no pairs of x and y")
    return [_point(x, y) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]


def _category_paths(categories: Sequence[dict[str, Any]], where: str) -> dict[Any, tuple[str, ...]]:
    """Id -> path of a category below its supercategory, which may have one of its own.

    Raises:
        BadInput: a supercategory that is several categories, or lies below itself.
    """
    pairs = {category["id"]: _category(category) for category in categories}
    above: dict[str, set[str]] = {}
    for name, over in pairs.values():
        above.setdefault(name, set()).add(over)
    paths = {}
    for key, (name, over) in pairs.items():
        path = [name]
        while over:
            if over in path:
                raise BadInput(f"{where}: the category {over} lies below itself", allowed="a tree")
            path.append(over)
            if len(above.get(over, ())) > 1:
                what = f"{where}: the supercategory {over} of {path[-2]} is the name of several categories"
                raise BadInput(what, allowed="a name that one category has")
            over = min(above.get(over, {""}))
        paths[key] = tuple(path[::-1])
    return paths


def _category(category: dict[str, Any]) -> tuple[str, str]:
    """Name and supercategory; an empty one where there is none."""
    name = category_name(str(category["name"]))
    above = category_name(str(category.get("supercategory") or ""))
    return name, "" if above in ("none", name) else above


def _labelme(
    root: Path, contents: Mapping[Path, dict[str, Any]], images: NamedImages
) -> tuple[Shapes, Set[Path]]:
    """The images of labelme files, and the files of all that they name."""
    usable: list[_Labelled] = []
    problems: list[Problem] = []
    named: set[Path] = set()
    labels_are_classes = not (root / FILE).is_file()
    for file, content in contents.items():
        try:
            pair = _pair_of_labelme(content, images, file)
            named.add(pair.image)
            usable.append(_Labelled(pair, *_labelme_regions(content, labels_are_classes)))
        except NotUsable as error:
            problems.append(Problem(str(file.relative_to(root)), str(error), error.kind))
    names = {(region.name,) for labelled in usable for region in labelled.regions}
    return _shapes(usable, sorted(names), problems), named


def _labelme_regions(
    content: dict[str, Any], labels_are_classes: bool
) -> tuple[list[Region], tuple[int, int] | None]:
    """The regions of a labelme file, and the size of its image, where it says so."""
    try:
        shapes = content["shapes"]
        kinds = {str(shape.get("shape_type", "polygon")) for shape in shapes}
        if any(shape["label"] is None or not str(shape["label"]).strip() for shape in shapes):
            raise NotUsable("it has a shape without a label", "no-label")
        if not kinds <= {"polygon", "rectangle"}:
            what = f"it has shapes of type {', '.join(sorted(kinds))}; allowed: polygon, rectangle"
            raise NotUsable(what, "no-polygon")
        regions = [Region(category_name(str(shape["label"])), [_corners(shape)]) for shape in shapes]
        stated = "imageHeight" in content
        size = (int(content["imageHeight"]), int(content["imageWidth"])) if stated else None
    except WRONG as error:
        raise NotUsable(f"it is no labelme file ({type(error).__name__}: {error})", "unreadable") from None
    reasons = (why_no_class(region.name) for region in regions if labels_are_classes)
    reason = next(filter(None, reasons), "")
    if reason:
        raise NotUsable(f"the label {reason}", "no-label")
    return regions, size


def _pair_of_labelme(content: dict[str, Any], images: NamedImages, file: Path) -> ImagePair:
    """The image that a labelme file names, from its own place; the image beside it where it names none."""
    name = str(content.get("imagePath") or "").replace("\\", "/") or _name_beside(images, file)
    try:
        path = Path(os.path.relpath(file.parent / name, images.root))
    except ValueError as error:  # a null character
        raise NotUsable(f"its imagePath is no path ({error})", "no-image") from None
    return ImagePair(path.stem, images.find(path, of_its_file="/" not in name), None)


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


def _shapes(usable: Sequence[_Labelled], names: list[tuple[str, ...]], problems: list[Problem]) -> Shapes:
    return Shapes(
        [labelled.pair for labelled in usable],
        [labelled.regions for labelled in usable],
        [labelled.size for labelled in usable],
        names,
        problems,
    )
