"""Polygons as label maps: COCO JSON (one file for all images) and labelme JSON (one file per image)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
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

    Raises:
        BadInput: a file of neither kind, or an image that is not there.
    """
    contents = [_read(file) for file in files]
    folder = root / IMAGES if (root / IMAGES).is_dir() else root
    pictures = image_files(folder)
    images = {path.relative_to(start).as_posix(): path for start in (root, folder) for path in pictures}
    for path in pictures:
        images.setdefault(path.name, path)
    if not any("annotations" in content and "images" in content for content in contents):
        shapes = _labelme(root, contents, images, files)
    elif len(contents) == 1:
        shapes = _coco(root, contents[0], images, files[0].name)
    else:
        raise BadInput(f"{root} has {len(contents)} JSON files", allowed="one COCO file for all images")
    pairs, bad_rows = described(root, shapes.pairs, ((path.stem, path) for path in pictures))
    return replace(shapes, pairs=pairs, problems=[*bad_rows, *_left_out(root, pictures, pairs)])


def _left_out(root: Path, pictures: Sequence[Path], pairs: Sequence[ImagePair]) -> Iterator[Problem]:
    """A warning of images that no file of polygons names."""
    named = {pair.image for pair in pairs}
    others = [str(path.relative_to(root)) for path in pictures if path not in named]
    if others:
        count = f"{len(others)} images have" if len(others) > 1 else "1 image has"
        first = f"{others[0]}, ..." if len(others) > 1 else others[0]
        what = f"{count} no polygons and {'are' if len(others) > 1 else 'is'} left out: {first}"
        yield Problem(".", what, "no-polygons", fatal=False)


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"{file} cannot be read ({error})", allowed="COCO or labelme JSON") from None
    if not isinstance(content, dict) or not (
        "shapes" in content or {"images", "annotations"} <= set(content)
    ):
        raise BadInput(f"{file} holds no polygons", allowed="COCO or labelme JSON")
    return content


def _coco(root: Path, content: dict[str, Any], images: dict[str, Path], where: str) -> Shapes:
    try:
        paths = _category_paths(content["categories"], where)
        keys = category_keys(paths.values())
        by_image: dict[Any, list[Region]] = {image["id"]: [] for image in content["images"]}
        for note in content["annotations"]:
            rings, title = note["segmentation"], f"annotation {note.get('id')}"
            if not isinstance(rings, list):
                raise BadInput(f"{where}: {title} is a run length", allowed="polygons")
            pairs = [zip(ring[::2], ring[1::2], strict=True) for ring in rings]
            polygons = [[_point(x, y) for x, y in ring] for ring in pairs]
            region = Region(keys[paths[note["category_id"]]], polygons, title=title)
            by_image[note["image_id"]].append(region)
        entries = [(image["file_name"], by_image[image["id"]], image) for image in content["images"]]
        sizes = [(int(i["height"]), int(i["width"])) if "height" in i else None for *_, i in entries]
        image_pairs = [_pair(root, images, Path(name), where) for name, *_ in entries]
    except WRONG as error:
        raise BadInput(f"{where} is no COCO file ({type(error).__name__}: {error})") from None
    return Shapes(image_pairs, [shapes for _, shapes, _ in entries], sizes, list(keys))


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
    root: Path, contents: Sequence[dict[str, Any]], images: dict[str, Path], files: Sequence[Path]
) -> Shapes:
    pairs, all_shapes, sizes, names = [], [], [], dict[tuple[str, ...], None]()
    for content, file in zip(contents, files, strict=True):
        try:
            kinds = {str(shape.get("shape_type", "polygon")) for shape in content["shapes"]}
            shapes = [Region(category_name(str(s["label"])), [_corners(s)]) for s in content["shapes"]]
            size = (
                (int(content["imageHeight"]), int(content["imageWidth"]))
                if "imageHeight" in content
                else None
            )
            name = str(content.get("imagePath") or "").replace("\\", "/")
        except WRONG as error:
            raise BadInput(f"{file} is no labelme file ({type(error).__name__}: {error})") from None
        if any(s["label"] is None or not str(s["label"]).strip() for s in content["shapes"]):
            raise BadInput(f"{file} has a shape without a label", allowed="a name for every shape")
        if not kinds <= {"polygon", "rectangle"}:
            raise BadInput(
                f"{file} has shapes of type {', '.join(sorted(kinds))}", allowed="polygon, rectangle"
            )
        where = str(file.relative_to(root))
        name = name or _name_beside(root, images, file, where)
        place = Path(os.path.relpath(file.parent / name, root))  # labelme writes it from its own file
        pairs.append(_pair(root, images, place, where))
        all_shapes.append(shapes)
        sizes.append(size)
        names |= dict.fromkeys((shape.name,) for shape in shapes)
    return Shapes(pairs, all_shapes, sizes, sorted(names))


def _name_beside(root: Path, images: dict[str, Path], file: Path, where: str) -> str:
    """The name of the image of a labelme file that names none: its own, with the ending of an image.

    Raises:
        BadInput: no such image, or several.
    """
    stem = file.relative_to(root).with_suffix("").as_posix()
    same = {name: image for name, image in images.items() if Path(name).with_suffix("").name == file.stem}
    nearest = {image for name, image in same.items() if Path(name).with_suffix("").as_posix() == stem}
    found = sorted({str(image.relative_to(root)) for image in nearest or same.values()})
    if len(found) != 1:
        what = f"{' and '.join(found)} could be its image" if found else f"no image {file.stem} below {root}"
        raise BadInput(f"{where}: it has no imagePath, and {what}", allowed=", ".join(IMAGE_TYPES))
    return Path(found[0]).name


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


def _pair(root: Path, images: dict[str, Path], path: Path, where: str) -> ImagePair:
    """The image of this folder and name; where the folder is another one here, the first of this name."""
    image = images.get(path.as_posix()) or images.get(path.name)
    if image is None:
        raise BadInput(f"{where}: no image {path.name} below {root}", allowed=f"the image files in {IMAGES}/")
    return ImagePair(path.stem, image, None)
