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


def main(source: Path, target: Path, *classes: str) -> None:
    """Write the patches.

    Raises:
        ValueError: a class that no mask has, or that is named twice; nothing is written.
        OSError: a file of the source that cannot be read.
    """
    for place, name in enumerate(classes):
        if name not in PIXELS:
            raise ValueError(f"{name!r} is no class of the masks. Allowed: {', '.join(PIXELS)}")
        if name in classes[:place]:
            raise ValueError(f"{name!r} is named twice")
    boxes = list(patches(source))
    masks = {row["file"]: row["mask"] for row in read(source / "annotated" / "images.csv")} if classes else {}
    answers = [f"target:{name} fraction" for name in classes] or ["labels"]
    rows: list[Sequence[object]] = [("file", *answers, "group")]
    target.mkdir(parents=True, exist_ok=True)
    for patch, box in boxes:
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


def patches(source: Path) -> Iterator[tuple[Mapping[str, str], Box]]:
    """Every row of ``patches.csv``, and its corners in the image: left, upper, right, lower."""
    for row in read(source / "annotated" / "patches.csv"):
        x, y, w, h = (int(row[column]) for column in "xywh")
        yield row, (x, y, x + w, y + h)


def fractions(mask: Image.Image) -> dict[str, float]:
    """The share of the pixels of a mask, from 0 to 1, that every class fills."""
    counts, pixels = mask.histogram(), mask.width * mask.height
    return {name: counts[value] / pixels for name, value in PIXELS.items()}


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


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
