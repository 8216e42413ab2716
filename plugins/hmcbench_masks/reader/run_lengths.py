"""Run lengths in a CSV file, as Severstal published its steel defects: one row per image and class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hmcbench.errors import BadInput, Problem
from hmcbench.files import listed_path
from hmcbench_masks.reader.classes import FILE, category_name, why_no_class
from hmcbench_masks.reader.csv_file import read_rows
from hmcbench_masks.reader.files import FOLDERS, ImagePair, by_name, composed, described, image_files
from hmcbench_masks.reader.shapes import Covered, Shapes

COLUMNS = ("imageid", "classid", "encodedpixels")
JOINED = "imageid_classid"  # image and class in one column, as in the first edition
ABOVE = "defect"  # the class above those of the table
NOT_TRUTH = "sample_submission.csv"  # has the same columns


@dataclass(frozen=True, eq=False)
class Runs:
    """The pixels of one class of one image.

    Attributes:
        name: of the class.
        where: file and line.
        starts, lengths: int64 (n,); positions count from 0 down the first column, then down the next.
    """

    name: str
    where: str
    starts: np.ndarray
    lengths: np.ndarray

    def inside(self, height: int, width: int) -> Covered:
        """The pixels of an image of this size that they cover."""
        ends = self.starts + self.lengths
        left = int(self.starts.min()) // height if len(ends) else 0
        right = -(-int(ends.max()) // height) if len(ends) else 0
        edges = np.zeros((right - left) * height + 1, dtype=np.int32)
        np.add.at(edges, self.starts - left * height, 1)
        np.add.at(edges, ends - left * height, -1)
        covered: np.ndarray = edges[:-1].cumsum() > 0
        return Covered(0, left, covered.reshape(right - left, height).T)

    def problem(self, height: int, width: int) -> Problem | None:
        """That a run leaves the image."""
        ends = self.starts + self.lengths
        if not len(ends) or ends.max() <= height * width:
            return None
        i = int(ends.argmax())
        run = f"{self.starts[i] + 1} {self.lengths[i]}"
        what = f"the run {run} leaves the image of {width} x {height} pixels"
        return Problem(self.where, what, "outside")


def find_run_lengths(root: Path) -> list[Path]:
    """CSV files of run lengths in a folder."""
    tables = [p for p in sorted(root.glob("*.csv")) if p.name.lower() != NOT_TRUTH and not p.is_dir()]
    return [path for path in tables if COLUMNS[2] in _header(path)]


def _header(file: Path) -> list[str]:
    try:
        with file.open(encoding="utf-8-sig", errors="replace") as stream:
            return [cell.strip().strip('"').lower() for cell in stream.readline().split(",")]
    except OSError as error:
        raise BadInput(f"{file} cannot be read ({error.strerror})", allowed="a CSV file") from None


def read_run_lengths(root: Path, file: Path) -> Shapes:
    """The images of a folder and their runs. An image without a row has no defect.

    A row that cannot be read is a problem of its file and line, and its image is left out.

    Raises:
        BadInput: other columns, or no folder of images.
    """
    folder = next((root / name for name in FOLDERS if (root / name).is_dir()), None)
    if folder is None:
        raise BadInput(f"{root} has {file.name} and no images", allowed=f"a folder {' or '.join(FOLDERS)}")
    files = image_files(folder)
    images, same = by_name(root, files, lambda path: path.name)
    rows: dict[str, list[Runs]] = {name: [] for name in images if name not in same}
    problems = []
    names = set()
    names_are_classes = not (root / FILE).is_file()
    for line, listed, name, text in _rows(file):
        where, image = f"{file.name}:{line}", _name_of(listed, images)
        runs = _runs(text, name, where)
        no_class = why_no_class(f"{ABOVE}/{name}") if names_are_classes else ""
        if image not in images:
            problems.append(Problem(where, f"no image {image} in {folder.name}/", "no-image"))
        elif isinstance(runs, str):
            problems.append(Problem(where, runs, "run-length"))
            rows.pop(image, None)
        elif no_class:
            problems.append(Problem(where, f"the category {no_class}", "no-label"))
            rows.pop(image, None)
        elif image in rows:
            names.add((ABOVE, name))
            rows[image] += [runs] if len(runs.starts) else []
    pairs = [ImagePair(Path(image).stem, images[image], None) for image in rows]
    others = ((Path(image).stem, path) for image, path in images.items())
    pairs, bad_rows = described(root, pairs, others)
    problems += bad_rows
    return Shapes(pairs, list(rows.values()), [None] * len(rows), sorted(names), problems, files)


def _name_of(listed: str, images: Mapping[str, Path]) -> str:
    """The name of the image that a row means: folders may stand before it where it lies in them."""
    path = listed_path(listed)
    file = images.get(path.name)
    inside = file is not None and tuple(map(composed, file.parts[-len(path.parts) :])) == path.parts
    return path.name if inside and listed not in images else listed


def _rows(file: Path) -> list[tuple[int, str, str, str]]:
    """Line, image, class and run lengths of every row."""
    rows = read_rows(file)
    header = [cell.lower() for cell in rows[0][1]]
    joined = JOINED in header
    wanted = (JOINED, COLUMNS[2]) if joined else COLUMNS
    if not set(wanted) <= set(header):
        raise BadInput(
            f"{file.name}:1: its columns are {', '.join(header)}", allowed="ImageId, ClassId, EncodedPixels"
        )
    places = [header.index(name) for name in wanted]
    out = []
    for line, cells in rows[1:]:
        if len(cells) <= max(places):
            raise BadInput(f"{file.name}:{line}: {len(cells)} cells", allowed=f"{len(header)}, as in line 1")
        chosen = [cells[i] for i in places]
        image, name = chosen[0].rpartition("_")[::2] if joined else chosen[:2]
        if not image or not name:
            raise BadInput(
                f"{file.name}:{line}: no image or no class", allowed="as in 0a1b.jpg, 3, 11 4 30 2"
            )
        out.append((line, image, category_name(name), chosen[-1]))
    return out


def _runs(text: str, name: str, where: str) -> Runs | str:
    """The runs of a row, or why it has none."""
    words = text.split()
    if not all(word.isascii() and word.isdigit() and len(word) < 12 for word in words):
        wrong = next(w for w in words if not (w.isascii() and w.isdigit() and len(w) < 12))
        return f"the run lengths have {wrong[:20]!r}, which is no whole number from 1"
    if len(words) % 2:
        return f"the run lengths are {len(words)} numbers, not pairs of start and length"
    numbers = np.array(words, dtype=np.int64).reshape(-1, 2)
    if len(numbers) and numbers.min() < 1:
        return "the run lengths have a 0: starts and lengths count from 1"
    return Runs(name, where, numbers[:, 0] - 1, numbers[:, 1])
