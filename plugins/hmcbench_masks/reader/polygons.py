"""Polygons as label maps: COCO JSON (one file for all images) and labelme JSON (one file per image)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from hmcbench.errors import BadInput, Problem
from hmcbench_masks.reader.classes import category_keys, category_name
from hmcbench_masks.reader.files import IMAGE_TYPES, IMAGES, ImagePair, described, image_files
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


class _NotUsable(Exception):
    """Why a file of labelme cannot be used, and the kind of problem."""

    def __init__(self, what: str, kind: str) -> None:
        super().__init__(what)
        self.kind = kind


def _span(places: Sequence[int], size: int) -> tuple[int, int]:
    """The first pixel of an axis that polygons may cover, and the one after the last."""
    if not places:
        return 0, 0
    first, last = max(0, min(places) - SPARE), min(size, max(places) + 1 + SPARE)
    return (first, last) if first < last else (0, 0)


def find_polygons(root: Path) -> list[Path]:
    """JSON files of polygons in a folder or below it."""
    return [p for p in sorted(root.rglob("*.json")) if not p.name.startswith(".")]


def read_polygons(root: Path, files: Sequence[Path]) -> Shapes:
    """All polygons of a folder: one COCO file, or labelme files.

    A labelme file, or an image of a COCO file, that cannot be used is a problem, and its image is left out.

    Raises:
        BadInput: a COCO file that cannot be read, or several JSON files and one is of COCO.
    """
    contents, unread = _read_all(root, files)
    folder = root / IMAGES if (root / IMAGES).is_dir() else root
    pictures = image_files(folder)
    images = {path.relative_to(start).as_posix(): path for start in (root, folder) for path in pictures}
    for path in pictures:
        images.setdefault(path.name, path)
    if not any("annotations" in content and "images" in content for content in contents.values()):
        shapes, named = _labelme(root, contents, images)
    elif len(files) == 1:
        shapes, named = _coco(root, contents[files[0]], images, files[0].name)
    else:
        raise BadInput(f"{root} has {len(files)} JSON files", allowed="one COCO file for all images")
    pairs, bad_rows = described(root, shapes.pairs, ((path.stem, path) for path in pictures))
    problems = [*unread, *shapes.problems, *bad_rows, *_left_out(root, pictures, named)]
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
    """What the files hold, and a problem for every one that holds no polygons."""
    contents, problems = {}, []
    for file in files:
        where = str(file.relative_to(root))
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            problems.append(Problem(where, f"it cannot be read as JSON ({error})", "unreadable"))
            continue
        if isinstance(content, dict) and ("shapes" in content or {"images", "annotations"} <= set(content)):
            contents[file] = content
        else:
            problems.append(Problem(where, "it holds no polygons of COCO or labelme", "no-polygons"))
    return contents, problems


def _coco(
    root: Path, content: dict[str, Any], images: dict[str, Path], where: str
) -> tuple[Shapes, Set[Path]]:
    """The images of a COCO file, and the files of all that it names."""
    usable: list[_Labelled] = []
    problems: list[Problem] = []
    named: set[Path] = set()
    try:
        paths = _category_paths(content["categories"], where)
        keys = category_keys(paths.values())
        regions, run_lengths = _coco_regions(content, {key: keys[path] for key, path in paths.items()})
        for image in content["images"]:
            path = Path(image["file_name"])
            size = (int(image["height"]), int(image["width"])) if "height" in image else None
            file = _file_of(images, path)
            if file is None:
                problems.append(Problem(where, f"no image {path.name} below {root}", "no-image"))
                continue
            named.add(file)
            if image["id"] in run_lengths:
                what = f"{run_lengths[image['id']]} is a run length; allowed: polygons"
                problems.append(Problem(str(file.relative_to(root)), what, "run-length"))
            else:
                usable.append(_Labelled(ImagePair(path.stem, file, None), regions[image["id"]], size))
    except WRONG as error:
        raise BadInput(f"{where} is no COCO file ({type(error).__name__}: {error})") from None
    return _shapes(usable, list(keys), problems), named


def _coco_regions(
    content: dict[str, Any], names: dict[Any, str]
) -> tuple[dict[Any, list[Region]], dict[Any, str]]:
    """Id of an image -> its regions, and id -> its first annotation that is no polygon."""
    regions: dict[Any, list[Region]] = {image["id"]: [] for image in content["images"]}
    run_lengths: dict[Any, str] = {}
    for note in content["annotations"]:
        rings, title = note["segmentation"], f"annotation {note.get('id')}"
        of_image = regions[note["image_id"]]
        if not isinstance(rings, list):
            run_lengths.setdefault(note["image_id"], title)
            continue
        pairs = [zip(ring[::2], ring[1::2], strict=True) for ring in rings]
        polygons = [[_point(x, y) for x, y in ring] for ring in pairs]
        of_image.append(Region(names[note["category_id"]], polygons, title=title))
    return regions, run_lengths


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
    root: Path, contents: Mapping[Path, dict[str, Any]], images: dict[str, Path]
) -> tuple[Shapes, Set[Path]]:
    """The images of labelme files, and the files of all that they name."""
    usable: list[_Labelled] = []
    problems: list[Problem] = []
    named: set[Path] = set()
    for file, content in contents.items():
        try:
            pair = _pair_of_labelme(root, content, images, file)
            named.add(pair.image)
            usable.append(_Labelled(pair, *_labelme_regions(content)))
        except _NotUsable as error:
            problems.append(Problem(str(file.relative_to(root)), str(error), error.kind))
    names = {(region.name,) for labelled in usable for region in labelled.regions}
    return _shapes(usable, sorted(names), problems), named


def _labelme_regions(content: dict[str, Any]) -> tuple[list[Region], tuple[int, int] | None]:
    """The regions of a labelme file, and the size of its image, where it says so."""
    try:
        shapes = content["shapes"]
        kinds = {str(shape.get("shape_type", "polygon")) for shape in shapes}
        if any(shape["label"] is None or not str(shape["label"]).strip() for shape in shapes):
            raise _NotUsable("it has a shape without a label", "no-label")
        if not kinds <= {"polygon", "rectangle"}:
            what = f"it has shapes of type {', '.join(sorted(kinds))}; allowed: polygon, rectangle"
            raise _NotUsable(what, "no-polygon")
        regions = [Region(category_name(str(shape["label"])), [_corners(shape)]) for shape in shapes]
        stated = "imageHeight" in content
        size = (int(content["imageHeight"]), int(content["imageWidth"])) if stated else None
    except WRONG as error:
        raise _NotUsable(f"it is no labelme file ({type(error).__name__}: {error})", "unreadable") from None
    return regions, size


def _pair_of_labelme(root: Path, content: dict[str, Any], images: dict[str, Path], file: Path) -> ImagePair:
    """The image that a labelme file names, from its own place; the image beside it where it names none."""
    name = str(content.get("imagePath") or "").replace("\\", "/") or _name_beside(root, images, file)
    try:
        path = Path(os.path.relpath(file.parent / name, root))
    except ValueError as error:  # a null character
        raise _NotUsable(f"its imagePath is no path ({error})", "no-image") from None
    image = _file_of(images, path)
    if image is None:
        raise _NotUsable(f"no image {path.name} below {root}", "no-image")
    return ImagePair(path.stem, image, None)


def _name_beside(root: Path, images: dict[str, Path], file: Path) -> str:
    """The name of the image of a labelme file that names none: its own, with the ending of an image."""
    stem = file.relative_to(root).with_suffix("").as_posix()
    same = {name: image for name, image in images.items() if Path(name).with_suffix("").name == file.stem}
    nearest = {image for name, image in same.items() if Path(name).with_suffix("").as_posix() == stem}
    candidates = sorted({str(image.relative_to(root)) for image in nearest or same.values()})
    if len(candidates) > 1:
        raise _NotUsable(
            f"it has no imagePath, and {' and '.join(candidates)} could be its image", "no-image"
        )
    if not candidates:
        what = f"it has no imagePath, and no image {file.stem} below {root} ({', '.join(IMAGE_TYPES)})"
        raise _NotUsable(what, "no-image")
    return Path(candidates[0]).name


def _corners(shape: dict[str, Any]) -> list[tuple[float, float]]:
    points = [_point(x, y) for x, y in shape["points"]]
    if shape.get("shape_type") == "rectangle" and len(points) == 2:
        (left, top), (right, bottom) = points
        return [(left, top), (right, top), (right, bottom), (left, bottom)]
    return points


def _point(x: Any, y: Any) -> tuple[float, float]:
    """A place in pixels; a polygon may leave its image, but not by millions of them."""
    place = float(x), float(y)
    if not all(abs(number) <= FARTHEST for number in place):  # nan is no place either
        raise ValueError(f"{x}, {y} is no place in pixels")
    return place


def _file_of(images: dict[str, Path], path: Path) -> Path | None:
    """The image of this folder and name; where the folder is another one here, the first of this name."""
    return images.get(path.as_posix()) or images.get(path.name)


def _shapes(usable: Sequence[_Labelled], names: list[tuple[str, ...]], problems: list[Problem]) -> Shapes:
    return Shapes(
        [labelled.pair for labelled in usable],
        [labelled.regions for labelled in usable],
        [labelled.size for labelled in usable],
        names,
        problems,
    )
