"""Folders as the benchmarks of MicroNet have them: ``train/`` beside ``train_annot/``, and so on.

Environmental barrier coatings (EBC1 to EBC3) and nickel superalloys (Super1 to Super4) of Stuckner, Harder
and Smith 2022 (doi 10.1038/s41524-022-00878-5), GitHub nasa/pretrained-microscopy-models.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from hmcbench.errors import Problem
from hmcbench_masks.reader.classes import OTHER, ClassTable, colour_number
from hmcbench_masks.reader.files import ImagePair, by_name, described, image_files

MASKS = "_annot"  # after the name of a folder of images
MASK = "_mask"  # after the name of an image, in the Super folders
SPLITS = {"train": "train", "val": "validation", "test": "test", "different_test": "shifted"}
"""Folder -> partition; ``different_test`` shows other alloys."""

EBC = ClassTable({0: ("background",), 1: ("damage/oxide",), 2: ("damage/crack",)}, ("damage/crack",))
SECONDARY, TERTIARY = colour_number(255, 0, 0), colour_number(0, 0, 255)
SUPER = ClassTable(
    {OTHER: ("matrix",), SECONDARY: ("precipitate/secondary",), TERTIARY: ("precipitate/tertiary",)},
    ("precipitate/secondary", "precipitate/tertiary"),
)
"""Precipitates are painted over the micrograph itself, which is what all other pixels show."""


def is_micronet(root: Path) -> bool:
    """Whether a folder has one of the folders of images beside that of its masks."""
    return any((root / name).is_dir() and (root / f"{name}{MASKS}").is_dir() for name in SPLITS)


def list_micronet(root: Path) -> tuple[list[ImagePair], list[Problem]]:
    """The pairs of all folders, files without a partner, and files of one name; ids are ``train/NAME``."""
    pairs: list[ImagePair] = []
    all_images: list[tuple[str, Path]] = []
    problems: list[Problem] = []
    for name, split in SPLITS.items():
        folder = root / f"{name}{MASKS}"
        masks, same_masks = by_name(root, image_files(folder), lambda path: path.stem.removesuffix(MASK))
        images, same_images = by_name(root, image_files(root / name), lambda path: path.stem)
        problems += [*same_images.values(), *same_masks.values()]
        all_images += [(f"{name}/{stem}", image) for stem, image in images.items()]
        for stem, image in images.items():
            if stem in same_images or stem in same_masks:
                continue
            if stem in masks:
                pairs.append(ImagePair(f"{name}/{stem}", image, masks[stem], split=split))
            else:
                where = str(image.relative_to(root))
                problems.append(Problem(where, f"no mask of this name in {folder.name}/", "no-mask"))
        for stem in sorted(masks.keys() - images.keys()):
            where = str(masks[stem].relative_to(root))
            problems.append(Problem(where, f"no image of this name in {name}/", "no-image", fatal=False))
    pairs, bad_rows = described(root, pairs, all_images)
    return pairs, problems + bad_rows


def table_of(values: Collection[int]) -> ClassTable | None:
    """The classes of masks that hold these values; None where they are those of neither benchmark."""
    if set(values) <= set(EBC.labels):
        return EBC
    return SUPER if {SECONDARY, TERTIARY} & set(values) else None
