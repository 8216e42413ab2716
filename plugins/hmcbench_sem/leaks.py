"""What may leak from training into test images: views of one place, and groups that are not declared."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from hmcbench.errors import Problem
from hmcbench.files import cache_dir, write_atomic
from hmcbench.hierarchy.csv_rows import csv_rows
from hmcbench.interfaces import PicturePair
from hmcbench_sem.reader import near_copies
from hmcbench_sem.reader.collection import Collection, Sample
from hmcbench_sem.reader.images import ImageFile, grey
from hmcbench_sem.reader.listing import INDEX
from hmcbench_sem.reader.near_copies import NearCopy
from hmcbench_sem.reader.scan import THREADS

VERSION = "1"  # part of the cache's key: changes whenever a thumbnail may
NAMED = 3  # files that a warning names beside the first
_GROUP_WORDS = {
    *(
        "group",
        "groups",
        "specimen",
        "sample",
        "heat",
        "melt",
        "cast",
        "batch",
        "lot",
        "coil",
        "slab",
        "billet",
    ),
    *("scene", "micrograph", "tile", "site", "region", "area", "location", "stub", "plate", "piece", "part"),
    *("series", "session", "run", "source", "origin", "parent", "subject", "patient", "case", "block"),
}
_READ = re.compile(r"file|labels|split|level\d+")
_SHARED = 0.8  # share of the images whose file name begins like another one's


def near_copies_of(collection: Collection, max_pixels: int) -> list[NearCopy]:
    """Pairs of samples that show one place, but for pixel-identical ones and those of one group."""
    samples = collection.samples
    pairs = near_copies.find_near_copies(_thumbnails(collection, max_pixels))
    return [pair for pair in pairs if not _kept_together(samples[pair.first], samples[pair.second])]


def problems(samples: Sequence[Sample], pairs: Sequence[NearCopy]) -> list[Problem]:
    """A warning for every set of near copies; where the data bring a split, only across its partitions."""
    has_split = _has_split(samples)
    crossing = [pair for pair in pairs if not has_split or _crosses(samples, pair)]
    sets = _sets(len(samples), crossing)
    set_of = {row: number for number, rows in enumerate(sets) for row in rows}
    within: list[list[NearCopy]] = [[] for _ in sets]
    for pair in crossing:
        within[set_of[pair.first]].append(pair)
    return [_set_problem(samples, rows, pairs) for rows, pairs in zip(sets, within, strict=True)]


def facts(samples: Sequence[Sample], pairs: Sequence[NearCopy]) -> dict[str, str]:
    """How many images have near copies, and how many test images have one among the training images."""
    if not pairs:
        return {}
    sets = _sets(len(samples), pairs)
    text = f"{len(pairs)} pairs, {sum(map(len, sets))} images in {len(sets)} sets"
    test = sum(sample.entry.split == "test" for sample in samples)
    if test:
        leaked = {row for pair in pairs for row in _test_rows(samples, pair)}
        text += f"; {len(leaked)} of {test} test images have one among the training images"
    return {"near-duplicates": text}


def pictures(collection: Collection, pairs: Iterable[NearCopy], max_pixels: int) -> list[PicturePair]:
    """The pairs to look at; those across partitions first."""
    samples = collection.samples
    ordered = sorted(pairs, key=lambda pair: (not _crosses(samples, pair), -pair.correlation))
    return [
        PicturePair(
            (_named(samples[pair.first]), _named(samples[pair.second])),
            (_file(collection, pair.first, max_pixels), _file(collection, pair.second, max_pixels)),
            _how_alike(pair),
        )
        for pair in ordered
    ]


def _kept_together(first: Sample, second: Sample) -> bool:
    one_group = first.entry.group and first.entry.group == second.entry.group
    return first.scan.digest == second.scan.digest or bool(one_group)


def _has_split(samples: Sequence[Sample]) -> bool:
    return any(sample.entry.split for sample in samples)


def _crosses(samples: Sequence[Sample], pair: NearCopy) -> bool:
    return samples[pair.first].entry.split != samples[pair.second].entry.split


def _test_rows(samples: Sequence[Sample], pair: NearCopy) -> list[int]:
    sides = {samples[row].entry.split: row for row in (pair.first, pair.second)}
    return [sides["test"]] if set(sides) == {"train", "test"} else []


def _sets(count: int, pairs: Sequence[NearCopy]) -> list[list[int]]:
    """Rows that pairs join, two and more."""
    ends = np.array([(pair.first, pair.second) for pair in pairs], int).reshape(-1, 2).T
    graph = sparse.csr_array((np.ones(len(pairs)), (ends[0], ends[1])), shape=(count, count))
    rows: dict[int, list[int]] = defaultdict(list)
    for row, number in enumerate(connected_components(graph, directed=False)[1]):
        rows[number].append(row)
    return [members for members in rows.values() if len(members) > 1]


def _set_problem(samples: Sequence[Sample], rows: Sequence[int], pairs: Sequence[NearCopy]) -> Problem:
    """The warning for a set of near copies, by the pairs within it."""
    others = ", ".join(_named(samples[row]) for row in rows[1 : NAMED + 1])
    more = f" and {len(rows) - 1 - NAMED} more" if len(rows) > NAMED + 1 else ""
    surest = max(pairs, key=lambda pair: pair.correlation)
    first = samples[rows[0]]
    side = f" ({first.entry.split})" if first.entry.split else ""
    what = f"shows the same place{side} as {others}{more}: {_how_alike(surest)}"
    return Problem(first.entry.file, what, "near-duplicate", fatal=False)


def _named(sample: Sample) -> str:
    return f"{sample.entry.file} ({sample.entry.split})" if sample.entry.split else sample.entry.file


def _how_alike(pair: NearCopy) -> str:
    turned = ", turned or mirrored" if pair.turned else ""
    return f"{pair.overlap:.0%} of the image, correlation {pair.correlation:.2f}{turned}"


# --------------------------------------------------------------------------- thumbnails


def _file(collection: Collection, row: int, max_pixels: int) -> ImageFile:
    sample = collection.samples[row]
    return ImageFile(f"{collection.listing.root}/{sample.entry.file}", sample.scan.crop, max_pixels)


def _thumbnails(collection: Collection, max_pixels: int) -> list[np.ndarray]:
    """A small grey picture of every sample, from the cache where no image has changed."""
    scans = [sample.scan for sample in collection.samples]
    key = json.dumps([VERSION, [scan.digest for scan in scans]])
    store = cache_dir("thumbnails") / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz"
    try:
        with np.load(store) as stored:
            return [stored[f"arr_{row}"] for row in range(len(scans))]
    except (OSError, ValueError, KeyError):  # not there, or damaged
        pass
    reference = float(np.median([max(scan.width, scan.height - scan.crop) for scan in scans]))

    def shrink(row: int) -> np.ndarray:
        picture = _file(collection, row, max_pixels).load(min_side=2 * near_copies.SIDE)
        longer = max(scans[row].width, scans[row].height - scans[row].crop)
        return near_copies.thumbnail(grey(picture), reference * max(picture.shape[:2]) / longer)

    with ThreadPoolExecutor(THREADS) as pool:
        thumbnails = list(pool.map(shrink, range(len(scans))))
    stream = io.BytesIO()
    np.savez(stream, *thumbnails)
    write_atomic(store, stream.getvalue())
    return thumbnails


# --------------------------------------------------------------------------- groups


def group_problems(collection: Collection, pairs: Sequence[NearCopy]) -> list[Problem]:
    """Suggestions of groups, where none are declared: columns of the table, beginnings of file names."""
    samples = collection.samples
    if any(sample.entry.group for sample in samples):
        return []
    return [
        *_column_problems(collection, pairs),
        *_name_problems(samples, pairs),
    ]


def _other_columns(collection: Collection) -> dict[str, list[str]]:
    """Columns of the table that the reader has no use for but as features: name -> cell of every sample.

    Empty without a table.
    """
    path = Path(collection.path).expanduser()
    path = path if path.is_file() else path / INDEX
    if not path.is_file():
        return {}
    rows = list(csv_rows(path.read_text(encoding="utf-8-sig"), str(path)))
    header = [name.lower() for name in rows[0][1]]
    cells = {f"{path.name}:{line}": row for line, row in rows[1:]}
    places = {name: i for i, name in enumerate(header) if name and not _READ.fullmatch(name)}
    return {name: [cells[s.entry.where][i] for s in collection.samples] for name, i in places.items()}


def _column_problems(collection: Collection, pairs: Sequence[NearCopy]) -> list[Problem]:
    samples, columns = collection.samples, _other_columns(collection)
    read = {feature.name.lower() for feature in collection.further.features}
    problems = []
    for name, cells in columns.items():
        named = bool(set(re.split(r"[\W_\d]+", name)) & _GROUP_WORDS)
        if _may_group(samples, cells) and (named or _explains(samples, cells, pairs)):
            role = "is read as a feature" if name in read else "is not read"
            what = f"the column {name!r} looks like a group and {role} ({_sizes(cells)}"
            what += f"{_within(cells, pairs)}); name it group to keep such images in one partition"
            problems.append(Problem(".", what, "group", fatal=False))
    return problems


def _name_problems(samples: Sequence[Sample], pairs: Sequence[NearCopy]) -> list[Problem]:
    """The shortest beginnings of file names that several images share and that are not the classes."""
    words = [re.split(r"[\s_.+-]+", Path(sample.entry.file).stem) for sample in samples]
    for length in range(1, max(map(len, words), default=1)):
        starts = [" ".join(parts[:length]) if len(parts) > length else "" for parts in words]
        counts = Counter(starts)
        shared = sum(count for start, count in counts.items() if start and count > 1)
        if shared >= _SHARED * len(samples) and _may_group(samples, starts):
            example = next(start for start in starts if start and counts[start] > 1)
            what = f"file names begin alike as {example!r} ({_sizes(starts)}{_within(starts, pairs)}):"
            what += " if that is a specimen or a scene, put it into a column group of an index.csv"
            return [Problem(".", what, "group", fatal=False)]
    return []


def _may_group(samples: Sequence[Sample], cells: Sequence[str]) -> bool:
    """Whether values repeat, and divide the classes: a value that each class has one of is the class."""
    values = {cell for cell in cells if cell}
    classes = {(sample.labels, cell) for sample, cell in zip(samples, cells, strict=True) if cell}
    labels = {sample.labels for sample in samples}
    filled = sum(map(bool, cells))
    return 2 <= len(values) <= filled / 1.5 and len(classes) >= 2 * len(labels)


def _explains(
    samples: Sequence[Sample], cells: Sequence[str], pairs: Sequence[NearCopy], least: int = 5
) -> bool:
    """Whether nearly all near copies have one value, as few other images of one class have."""
    labels = [sample.labels for sample in samples]
    alike = sum(n**2 for n in Counter(zip(labels, cells, strict=True)).values())
    chance = alike / sum(n**2 for n in Counter(labels).values())
    return len(pairs) >= least and _same(cells, pairs) >= 0.9 * len(pairs) and chance < 0.5


def _same(cells: Sequence[str], pairs: Sequence[NearCopy]) -> int:
    return sum(bool(cells[pair.first]) and cells[pair.first] == cells[pair.second] for pair in pairs)


def _sizes(cells: Sequence[str]) -> str:
    counts = Counter(cell for cell in cells if cell)
    low, high = min(counts.values()), max(counts.values())
    return f"{len(counts)} values of {low}{f' to {high}' if high > low else ''} images"


def _within(cells: Sequence[str], pairs: Sequence[NearCopy]) -> str:
    return f", {_same(cells, pairs)} of {len(pairs)} near-duplicate pairs within one" if pairs else ""
