"""Draw docs/explained.png: Grad-CAM of a trained network on synthetic fractographs.

    hmcbench run --suite sem-failure --model hffnet-2d
    python docs/make_explained.py runs/sem-failure/records/sem-failure--hffnet-2d

One row per class: an image of the test set, as `hmcbench explain` shows it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from hmcbench_sem.fractographs.taxonomy import LEAF_IDS
from hmcbench_sem.surfaces.generate import pictures
from PIL import Image

from hmcbench.cli import main as hmcbench

WIDTH, SHADES = 900, 64  # few colours keep the file small


def write_images(folder: Path) -> list[Path]:
    """The first test image of every class."""
    generated = pictures(size=64)  # as the suite draws them
    paths = []
    for leaf in LEAF_IDS:
        first = next(
            image
            for image, partition in zip(generated.images, generated.split, strict=True)
            if partition == "test" and image.classes[0] == leaf
        )
        path = folder / f"synthetic-{leaf.rpartition('/')[2]}.png"
        Image.fromarray(first.load()).save(path)
        paths.append(path)
    return paths


def main(record: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = write_images(folder)
        try:
            hmcbench(["explain", record, *map(str, paths), "--fast", "--output", str(folder / "maps")])
        except SystemExit as stop:
            if stop.code:
                raise
        panels = [Image.open(folder / "maps" / path.name).convert("RGB") for path in paths]
    width, height = max(p.width for p in panels), sum(p.height for p in panels)
    sheet = Image.new("RGB", (width, height), "white")
    top = 0
    for panel in panels:
        sheet.paste(panel, (0, top))
        top += panel.height
    sheet.thumbnail((WIDTH, 10 * WIDTH))
    sheet.quantize(SHADES).save(Path(__file__).with_name("explained.png"), optimize=True)


if __name__ == "__main__":
    main(sys.argv[1])
