"""Cut 19 micrographs of Ti-6Al-4V fractures into 475 patches: prepare.py SOURCE TARGET [CLASS ...].

SOURCE holds ``annotated/patches.csv`` (file, x, y, w, h, ..., labels_ge15pct: every class that fills 15 % of
the patch or more), ``annotated/images.csv`` (file, mask), and the images and masks they name. TARGET gets the
patches and ``index.csv`` with the parent image as group, so that its patches stay on one side of a split.

Without a CLASS, a patch is labelled with its classes, and TARGET gets ``hierarchy.csv`` too. With some
(ductile, background, brittle), the share of the patch that each of them fills is a number to predict,
counted in the mask.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from PIL import Image

HIERARCHY = [("", "fracture"), ("", "background"), ("fracture", "ductile"), ("fracture", "brittle")]
PIXELS = {"ductile": 0, "background": 1, "brittle": 2}  # class -> its value in a mask

Box = tuple[int, int, int, int]
PlacedPatch = tuple[str, Mapping[str, str], Box]
"""A row of ``patches.csv``: its place in words, its values, its corners (left, upper, right, lower)."""


def main(source: Path, target: Path, *classes: str) -> None:
    """Write the patches.

    Raises:
        ValueError: a class that no mask has, or that is named twice; a table that lacks a column or a value,
            a micrograph without a mask, a patch that is not inside its image. Nothing is written.
        OSError: a file of the source that cannot be read. Nothing is written where it is absent or no image.
    """
    for place, name in enumerate(classes):
        if name not in PIXELS:
            raise ValueError(f"{name!r} is no class of the masks. Allowed: {', '.join(PIXELS)}")
        if name in classes[:place]:
            raise ValueError(f"{name!r} is named twice")
    placed_patches = list(patches(source, () if classes else ("labels_ge15pct",)))
    masks = masks_of(source, placed_patches) if classes else {}
    check_inside(source, placed_patches, masks)
    answers = [f"target:{name} fraction" for name in classes] or ["labels"]
    rows: list[Sequence[object]] = [("file", *answers, "group")]
    target.mkdir(parents=True, exist_ok=True)
    for _where, patch, box in placed_patches:
        parent = Path(patch["file"]).stem
        name = f"{parent}-{box[0]}-{box[1]}.png"
        with Image.open(source / patch["file"]) as image:
            image.crop(box).save(target / name)
        if classes:
            with Image.open(source / masks[patch["file"]]) as mask:
                shares = fractions(mask.crop(box))
            answer: list[object] = [round(shares[name], 6) for name in classes]
        else:
            answer = [patch["labels_ge15pct"].replace(";", "|")]
        rows.append((name, *answer, parent))
    write(target / "index.csv", rows)
    if not classes:
        write(target / "hierarchy.csv", [("parent", "child"), *HIERARCHY])


def patches(source: Path, more: Sequence[str]) -> Iterator[PlacedPatch]:
    """Every patch.

    Args:
        more: columns that are needed beside the file and its box.

    Raises:
        ValueError: a column or value is missing, or the values are no box.
    """
    for where, row in read(source / "annotated" / "patches.csv", ("file", *"xywh", *more)):
        try:
            x, y, w, h = (int(row[column]) for column in "xywh")
        except ValueError:
            raise ValueError(f"{where}: x, y, w and h are not all whole numbers") from None
        if min(x, y) < 0 or min(w, h) < 1:
            raise ValueError(f"{where}: x or y is negative, or w or h is not positive")
        yield where, row, (x, y, x + w, y + h)


def masks_of(source: Path, placed_patches: Sequence[PlacedPatch]) -> dict[str, str]:
    """The mask of every micrograph; raises ValueError where a patch has none."""
    table = source / "annotated" / "images.csv"
    masks = {row["file"]: row["mask"] for _where, row in read(table, ("file", "mask"))}
    for where, patch, _box in placed_patches:
        if patch["file"] not in masks:
            raise ValueError(f"{where}: {table} names no mask of {patch['file']}")
    return masks


def check_inside(source: Path, placed_patches: Sequence[PlacedPatch], masks: Mapping[str, str]) -> None:
    """Raise ValueError for a patch that is not inside its image and mask: what is outside would be black."""
    sizes: dict[str, tuple[int, int]] = {}
    for where, patch, (_left, _upper, right, lower) in placed_patches:
        for name in filter(None, (patch["file"], masks.get(patch["file"]))):
            if name not in sizes:
                with Image.open(source / name) as image:
                    sizes[name] = image.size
            width, height = sizes[name]
            if right > width or lower > height:
                raise ValueError(
                    f"{where}: the patch leaves {name}, which is {width} x {height} pixels large"
                )


def fractions(mask: Image.Image) -> dict[str, float]:
    """The share of the pixels of a mask, from 0 to 1, that every class fills."""
    counts, pixels = mask.histogram(), mask.width * mask.height
    return {name: counts[value] / pixels for name, value in PIXELS.items()}


def read(path: Path, columns: Sequence[str]) -> list[tuple[str, dict[str, str]]]:
    """The rows of a table, each with its place in words.

    Raises:
        ValueError: one of the columns is absent, or a value of theirs.
    """
    rows = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file)
            for name in columns:
                if name not in (table.fieldnames or ()):
                    raise ValueError(f"{path} has no column {name!r}")
            for row in table:
                where = f"{path}, line {table.line_num}"
                for name in columns:
                    if not row[name]:
                        raise ValueError(f"{where}: no value of {name!r}")
                rows.append((where, row))
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no table: {error}") from None
    return rows


def write(path: Path, rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
    except (ValueError, OSError) as error:
        sys.exit(f"prepare.py: {error}")
