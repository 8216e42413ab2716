"""Draw docs/contact-sheet.png: examples of the synthetic fractographs.

    python docs/make_contact_sheet.py

One row per class: five images of the training set, two of the shifted test set. The last row
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
    """Title and images of every row."""
    single, composite = fractographs(size=SIZE), fractographs(size=SIZE, composite=1.0)
    table = []
    for leaf in LEAF_IDS:
        pairs = zip(single.images, single.split, strict=True)
        of_class = [(image, partition) for image, partition in pairs if image.classes[0] == leaf]
        unused = {name: [image for image, partition in of_class if partition == name] for name in COLUMNS}
        table.append((leaf, [unused[name].pop(0) for name in COLUMNS]))
    step = len(composite.images) // len(COLUMNS)
    table.append(("composite: two failures in one picture", list(composite.images[::step])[: len(COLUMNS)]))
    return table


def main() -> None:
    table = rows()
    cell = SIZE + GAP
    sheet = Image.new("L", (cell * len(COLUMNS) - GAP, HEAD + (cell + HEAD) * len(table)), 255)
    canvas, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    title = f"SYNTHETIC fractographs (version {VERSION}), no real specimens"
    title += "; right of the line: the shifted test set"
    canvas.text((3, 1), title, fill=0, font=font)
    for r, (name, images) in enumerate(table):
        top = HEAD + r * (cell + HEAD)
        canvas.text((3, top + 1), name, fill=0, font=font)
        for c, image in enumerate(images):
            sheet.paste(Image.fromarray(image.load()), (c * cell, top + HEAD))
    edge = COLUMNS.index("shifted") * cell - GAP
    canvas.line([(edge, HEAD * 2), (edge, HEAD + (cell + HEAD) * len(LEAF_IDS))], fill=0, width=GAP)
    sheet.quantize(SHADES).save(Path(__file__).with_name("contact-sheet.png"), optimize=True)


if __name__ == "__main__":
    main()
