"""Draw docs/contact-sheet.png: what the synthetic fractographs look like.

    python docs/make_contact_sheet.py

One row per class: five pictures of the training set, two of the shifted test set. The last row
shows composite failures.
"""

from __future__ import annotations

from pathlib import Path

from hmcbench_sem.fractographs.generate import VERSION, Fractograph, fractographs
from hmcbench_sem.fractographs.taxonomy import LEAF_IDS
from PIL import Image, ImageDraw, ImageFont

SIZE, GAP, HEAD, SHADES = 128, 2, 18, 16  # few shades of grey keep the file small; noise hides them
COLUMNS = ("train",) * 5 + ("shifted",) * 2


def rows() -> list[tuple[str, list[Fractograph]]]:
    """Title and pictures of every row."""
    plain, mixed = fractographs(size=SIZE), fractographs(size=SIZE, composite=1.0)
    found = []
    for leaf in LEAF_IDS:
        sides = zip(plain.images, plain.split, strict=True)
        of_class = [(image, side) for image, side in sides if image.classes[0] == leaf]
        left = {side: [image for image, where in of_class if where == side] for side in COLUMNS}
        found.append((leaf, [left[side].pop(0) for side in COLUMNS]))
    step = len(mixed.images) // len(COLUMNS)
    found.append(("composite: two failures in one picture", list(mixed.images[::step])[: len(COLUMNS)]))
    return found


def main() -> None:
    table = rows()
    cell = SIZE + GAP
    sheet = Image.new("L", (cell * len(COLUMNS) - GAP, HEAD + (cell + HEAD) * len(table)), 255)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    title = f"SYNTHETIC fractographs (version {VERSION}), no real specimens"
    title += "; right of the line: the shifted test set"
    pen.text((3, 1), title, fill=0, font=font)
    for r, (name, pictures) in enumerate(table):
        top = HEAD + r * (cell + HEAD)
        pen.text((3, top + 1), name, fill=0, font=font)
        for c, picture in enumerate(pictures):
            sheet.paste(Image.fromarray(picture.load()), (c * cell, top + HEAD))
    edge = COLUMNS.index("shifted") * cell - GAP
    pen.line([(edge, HEAD * 2), (edge, HEAD + (cell + HEAD) * len(LEAF_IDS))], fill=0, width=GAP)
    sheet.quantize(SHADES).save(Path(__file__).with_name("contact-sheet.png"), optimize=True)


if __name__ == "__main__":
    main()
