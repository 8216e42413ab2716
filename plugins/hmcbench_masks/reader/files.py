"""Which image belongs to which mask."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from hmcbench.errors import BadInput, Problem
from hmcbench.files import listed_path
from hmcbench_masks.reader.csv_file import read_rows

IMAGES, MASKS, INDEX = "images", "masks", "images.csv"
FOLDERS = (IMAGES, "train_images")  # of images; a row may leave them out
IMAGE_TYPES = (".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg")
_WORDS = re.compile(r"(images?|imgs?|masks?|labels?|segmentations?|seg|gt|annotations?|truth)", re.IGNORECASE)
_COLUMNS = ("file", "group", "split", "pixel_um")


@dataclass(frozen=True)
class ImagePair:
    """One image and its mask.

    Attributes:
        id: path of the image below ``images/``, without its ending, in composed form.
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
    shown = [p for p in paths if not any(part.startswith(".") for part in p.relative_to(folder).parts)]
    return [path for path in shown if not path.is_dir()]  # a link without its file is told when it is read


def composed(text: str) -> str:
    """A name in Unicode's composed form (NFC): Macs store decomposed names, other programs compose them."""
    return unicodedata.normalize("NFC", text)


def by_name(
    root: Path, files: Iterable[Path], name: Callable[[Path], str]
) -> tuple[dict[str, Path], dict[str, Problem]]:
    """Files by their composed names here, and a problem for every name that several files have.

    Which of the files is meant cannot be known, so none of them may be used.
    """
    files_of: dict[str, list[Path]] = {}
    for file in files:
        files_of.setdefault(composed(name(file)), []).append(file)
    problems = {each: same_name(root, paths) for each, paths in files_of.items() if len(paths) > 1}
    return {each: paths[0] for each, paths in files_of.items()}, problems


def same_name(root: Path, paths: Sequence[Path]) -> Problem:
    """That these files are one sample: its name has no ending, and where shapes label it no folder."""
    first, *others = dict.fromkeys(str(path.relative_to(root)) for path in paths)
    what = f"has the same name as {' and '.join(others)}" if others else "is listed several times"
    if others:
        alike = {composed(each) for each in (first, *others)} == {composed(first)}
        what += f"{' in another form of Unicode' if alike else ''}; rename one"
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
    pairs, bad_rows = described(root, pairs, images.items())
    return pairs, problems + bad_rows


def described(
    root: Path, pairs: list[ImagePair], others: Iterable[tuple[str, Path]] = ()
) -> tuple[list[ImagePair], list[Problem]]:
    """The pairs with group, split and size of a pixel from ``images.csv``, if there is one.

    A row names an image by its path in the folder or in that of the images, with or without its ending, or
    by its id. A pair keeps what no row says.

    Args:
        others: ids and files of further images, which rows may name although they are in no pair.

    Returns:
        The pairs, and a problem for every row that names no image or contradicts an earlier one.

    Raises:
        BadInput: a table that cannot be read, a row without a file, or a pixel that has no size.
    """
    rows = read_rows(root / INDEX) if (root / INDEX).is_file() else []
    header = [cell.lower() for cell in rows[0][1]] if rows else []
    if "file" not in header or not set(header) & set(_COLUMNS[1:]):
        return pairs, []  # a table of something else
    places = _places(root, [*((pair.id, pair.image) for pair in pairs), *others])
    known: dict[int, dict[str, str]] = {}
    lines: dict[int, int] = {}
    problems = []
    for line, cells in rows[1:]:
        row = {name: cell for name, cell in zip(header, cells, strict=False) if name in _COLUMNS and cell}
        where, file = f"{INDEX}:{line}", row.pop("file", "")
        if not file:
            raise BadInput(f"{where}: no file", allowed="a row per image, with its path")
        _micrometres(row.get("pixel_um", ""), where)
        place = _place(file, places)
        if place is None:
            problems.append(Problem(where, f"no image {file} in this folder", "no-image"))
        elif known.setdefault(place, row) != row:
            what = f"says something else of {file} than line {lines[place]}"
            problems.append(Problem(where, what, "listed-twice", skippable=False))
        else:
            lines.setdefault(place, line)
    return [_described(pair, known.get(i, {})) for i, pair in enumerate(pairs)], problems


def _described(pair: ImagePair, row: dict[str, str]) -> ImagePair:
    group, split = row.get("group", pair.group), row.get("split", pair.split)
    return replace(pair, group=group, split=split, pixel_um=float(row.get("pixel_um", pair.pixel_um)))


def _places(root: Path, images: Sequence[tuple[str, Path]]) -> dict[str, int]:
    """Position of an image (id and file) by all its names; of two images the one with the longer name."""
    spellings = []
    for name, image in images:
        path = image.relative_to(root)
        inside = Path(*path.parts[1:]) if path.parts[0] in FOLDERS else path
        paths = (path, inside, path.with_suffix(""), inside.with_suffix(""))
        spellings.append((*(each.as_posix() for each in paths), name))
    places: dict[str, int] = {}
    for names in zip(*spellings, strict=True):
        for i, name in enumerate(names):
            places.setdefault(composed(name), i)  # as the cells of the table are
    return places


def _place(file: str, places: dict[str, int]) -> int | None:
    """The image that a cell names; None where there is none."""
    path = listed_path(file)
    short = path.with_suffix("") if path.suffix.lower() in IMAGE_TYPES else path
    return places.get(path.as_posix(), places.get(short.as_posix()))


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
