"""Which image belongs to which mask."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
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


def list_pairs(root: Path) -> tuple[list[ImagePair], list[Problem]]:
    """The pairs of ``images/`` and ``masks/``, and files without a partner.

    Names are compared without their endings, then without words such as ``image`` and ``mask``.

    Raises:
        BadInput: there is no such folder.
    """
    for name in (IMAGES, MASKS):
        if not (root / name).is_dir():
            raise BadInput(f"{root} has no folder {name}", allowed=f"{IMAGES}/ and {MASKS}/, or polygons")
    masks = {_stem(path, root / MASKS): path for path in image_files(root / MASKS)}
    images = {_stem(path, root / IMAGES): path for path in image_files(root / IMAGES)}
    short = _unique({_plain(stem): stem for stem in masks}, masks)
    plain = Counter(_plain(stem) for stem in images)
    pairs, problems, used = [], [], set()
    for stem, image in images.items():
        partner = stem if stem in masks else short.get(_plain(stem)) if plain[_plain(stem)] == 1 else None
        if partner is None:
            where = str(image.relative_to(root))
            problems.append(Problem(where, f"no mask of this name in {MASKS}/", "no-mask"))
            continue
        used.add(partner)
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
