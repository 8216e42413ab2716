"""Cut 19 micrographs of Ti-6Al-4V fractures into 475 labelled patches: prepare.py SOURCE TARGET.

SOURCE holds ``annotated/patches.csv`` (file, x, y, w, h, ..., labels_ge15pct: every class that fills 15 % of
the patch or more) and the images it names. TARGET gets the patches, ``index.csv`` with the parent image as
group, so that its patches stay on one side of a split, and ``hierarchy.csv``.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from PIL import Image

HIERARCHY = [("", "fracture"), ("", "background"), ("fracture", "ductile"), ("fracture", "brittle")]


def main(source: Path, target: Path) -> None:
    with (source / "annotated" / "patches.csv").open(newline="", encoding="utf-8") as file:
        patches = list(csv.DictReader(file))
    target.mkdir(parents=True, exist_ok=True)
    rows = [("file", "labels", "group")]
    for patch in patches:
        x, y, w, h = (int(patch[column]) for column in "xywh")
        parent = Path(patch["file"]).stem
        name = f"{parent}-{x}-{y}.png"
        with Image.open(source / patch["file"]) as image:
            image.crop((x, y, x + w, y + h)).save(target / name)
        rows.append((name, patch["labels_ge15pct"].replace(";", "|"), parent))
    write(target / "index.csv", rows)
    write(target / "hierarchy.csv", [("parent", "child"), *HIERARCHY])


def write(path: Path, rows: list[tuple[str, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
