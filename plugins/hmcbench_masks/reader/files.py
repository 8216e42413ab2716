"""Which image belongs to which mask."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hmcbench.errors import BadInput, Problem
from hmcbench.hierarchy.csv_rows import csv_rows

IMAGES, MASKS, INDEX = "images", "masks", "images.csv"
IMAGE_TYPES = (".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg")
_WORDS = re.compile(r"(images?|imgs?|masks?|labels?|segmentations?|seg|gt|annotations?|truth)", re.IGNORECASE)
_COLUMNS = ("file", "group", "split", "pixel_um")


@dataclass(frozen=True)
class ImagePair:
    """One image and its mask.

    Attributes:
        id: path of the image below ``images/``, without its ending.
        image, mask: the files; ``mask`` is None where polygons label the image.
        group: of images that a split keeps together, or an empty text.
        split: as in :class:`hmcbench.Dataset`.
        pixel_um: side of a pixel in micrometres; 0 where it is not known.
    """

    id: str
    image: Path
    mask: Path | None
    group: str = ""
    split: str = ""
    pixel_um: float = 0.0


def image_files(folder: Path) -> list[Path]:
    """Image files below a folder, without hidden ones, in the order of their paths."""
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in IMAGE_TYPES]
    return [p for p in paths if not any(part.startswith(".") for part in p.relative_to(folder).parts)]


def by_name(
    root: Path, files: Iterable[Path], name: Callable[[Path], str]
) -> tuple[dict[str, Path], dict[str, Problem]]:
    """Files by their names here, and a problem for every name that several files have.

    Which of the files is meant cannot be known, so none of them may be used.
    """
    files_of: dict[str, list[Path]] = {}
    for file in files:
        files_of.setdefault(name(file), []).append(file)
    problems = {each: same_name(root, paths) for each, paths in files_of.items() if len(paths) > 1}
    return {each: paths[0] for each, paths in files_of.items()}, problems


def same_name(root: Path, paths: Sequence[Path]) -> Problem:
    """That these files are one sample: its name has no ending, and where shapes label it no folder."""
    first, *others = dict.fromkeys(str(path.relative_to(root)) for path in paths)
    what = f"has the same name as {' and '.join(others)}; rename one" if others else "is listed several times"
    return Problem(first, what, "same-name")


def list_pairs(root: Path) -> tuple[list[ImagePair], list[Problem]]:
    """The pairs of ``images/`` and ``masks/``, files without a partner, and files of one name.

    Names are compared without their endings, then without words such as ``image`` and ``mask``.

    Raises:
        BadInput: there is no such folder.
    """
    for name in (IMAGES, MASKS):
        if not (root / name).is_dir():
            raise BadInput(f"{root} has no folder {name}", allowed=f"{IMAGES}/ and {MASKS}/, or polygons")
    (images, same_images), (masks, same_masks) = (
        by_name(root, image_files(root / name), partial(_stem, folder=root / name))
        for name in (IMAGES, MASKS)
    )
    short = _unique({_plain(stem): stem for stem in masks}, masks)
    plain = Counter(_plain(stem) for stem in images)
    pairs, used = [], set()
    problems = [*same_images.values(), *same_masks.values()]
    for stem, image in images.items():
        partner = stem if stem in masks else short.get(_plain(stem)) if plain[_plain(stem)] == 1 else None
        if partner is None:
            where = str(image.relative_to(root))
            problems.append(Problem(where, f"no mask of this name in {MASKS}/", "no-mask"))
            continue
        used.add(partner)
        if stem not in same_images and partner not in same_masks:
            pairs.append(ImagePair(stem, image, masks[partner]))
    for stem in masks.keys() - used:
        where = str(masks[stem].relative_to(root))
        problems.append(Problem(where, f"no image of this name in {IMAGES}/", "no-image", fatal=False))
    return described(root, pairs), problems


def described(root: Path, pairs: list[ImagePair]) -> list[ImagePair]:
    """The pairs with group, split and size of a pixel from ``images.csv``, if there is one.

    Raises:
        BadInput: a file that is no image here, or a pixel that has no size.
    """
    file = root / INDEX
    if not file.is_file():
        return pairs
    rows = list(csv_rows(file.read_text(encoding="utf-8-sig"), INDEX))
    header = [cell.lower() for cell in rows[0][1]] if rows else []
    if "file" not in header or not set(header) & set(_COLUMNS[1:]):
        return pairs  # a table of something else
    known = {
        _stem(Path(cells[header.index("file")]), Path(IMAGES)): (line, cells) for line, cells in rows[1:]
    }
    out = []
    for pair in pairs:
        line, cells = known.get(pair.id, (0, []))
        row = dict(zip(header, cells, strict=False))
        out.append(
            ImagePair(
                pair.id,
                pair.image,
                pair.mask,
                row.get("group", ""),
                row.get("split", ""),
                _micrometres(row.get("pixel_um", ""), f"{INDEX}:{line}"),
            )
        )
    return out


def _micrometres(text: str, where: str) -> float:
    try:
        size = float(text or 0)
    except ValueError:
        size = -1.0
    if not 0 <= size < 1e6:
        raise BadInput(f"{where}: pixel_um {text!r}", allowed="the side of a pixel in micrometres")
    return size


def _stem(path: Path, folder: Path) -> str:
    inside = path.relative_to(folder) if path.is_relative_to(folder) else path
    return inside.with_suffix("").as_posix()


def _plain(stem: str) -> str:
    folder, _, name = stem.rpartition("/")
    return f"{folder}/{re.sub(r'[-_. ]+', '', _WORDS.sub('', name)).lower()}"


def _unique(short: dict[str, str], masks: dict[str, Path]) -> dict[str, str]:
    """Short names that stand for one mask alone."""
    counts = Counter(_plain(stem) for stem in masks)
    return {plain: stem for plain, stem in short.items() if counts[plain] == 1}
