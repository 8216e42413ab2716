"""Draw docs/contact-sheet.png: examples of the synthetic fractographs, version 3.

    python docs/make_contact_sheet.py

One row per look of a class: six images of one lab, two of the shifted test set. The last rows show
composite images and the masks of their mechanisms.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hmcbench_sem.fractographs.taxonomy import LEAF_IDS
from hmcbench_sem.surfaces.generate import VERSION, Scene, pictures
from hmcbench_sem.surfaces.looks import LOOKS
from PIL import Image, ImageDraw, ImageFont

SIZE, GAP, HEAD, SHADES = 112, 2, 16, 16  # few shades of grey keep the file small; noise hides them
COLUMNS = ("train",) * 6 + ("shifted",) * 2


def rows() -> list[tuple[str, list[np.ndarray]]]:
    """Title and pixels of every row."""
    single, composite = pictures(size=SIZE), pictures(size=SIZE, composite=1.0)
    table = []
    for look in LOOKS:
        pairs = zip(single.images, single.split, strict=True)
        scenes = [(scene, side) for scene, side in pairs if scene.looks[0] == look.name]
        unused = {name: [scene for scene, side in scenes if side == name] for name in COLUMNS}
        table.append((f"{look.leaf}: {look.name}", [unused[name].pop(0).load() for name in COLUMNS]))
    step = len(composite.images) // len(COLUMNS)
    mixed = list(composite.images[::step])[: len(COLUMNS)]
    table.append(("composite: two or three mechanisms in one image", [scene.load() for scene in mixed]))
    table.append(("their masks, one shade per class", [shades(scene) for scene in mixed]))
    return table


def shades(scene: Scene) -> np.ndarray:
    """One grey level per class, black where no mechanism shows."""
    grey = np.zeros((SIZE, SIZE), dtype=np.uint8)
    for leaf, mask in scene.masks().items():
        grey[mask] = 255 * (LEAF_IDS.index(leaf) + 1) // len(LEAF_IDS)
    return grey


def main() -> None:
    table = rows()
    cell = SIZE + GAP
    sheet = Image.new("L", (cell * len(COLUMNS) - GAP, HEAD + (cell + HEAD) * len(table)), 255)
    canvas, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    title = f"SYNTHETIC fractographs (version {VERSION}), no real specimens"
    title += "; right of the line: the shifted test set"
    canvas.text((3, 1), title, fill=0, font=font)
    for r, (name, images) in enumerate(table):
        top = HEAD + r * (cell + HEAD)
        canvas.text((3, top + 1), name, fill=0, font=font)
        for c, image in enumerate(images):
            sheet.paste(Image.fromarray(image), (c * cell, top + HEAD))
    edge = COLUMNS.index("shifted") * cell - GAP
    canvas.line([(edge, HEAD * 2), (edge, HEAD + (cell + HEAD) * len(LOOKS))], fill=0, width=GAP)
    sheet.quantize(SHADES).save(Path(__file__).with_name("contact-sheet.png"), optimize=True)


if __name__ == "__main__":
    main()
