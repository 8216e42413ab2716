"""Bags: a sample is several images of one specimen, in the order of their names, image 2 before image 10."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from hmcbench.errors import BadInput, DataProblems, Problem
from hmcbench.interfaces import Dataset, Image, Task
from hmcbench_sem.datasets import failure_hierarchy, notes_of
from hmcbench_sem.pixels import Pixels
from hmcbench_sem.reader.collection import Collection, Sample, collect
from hmcbench_sem.reader.images import MAX_PIXELS, ImageFile
from hmcbench_sem.surfaces.generate import VERSION, pictures

SERIES_VERSION = 1  # raise it whenever a bag changes
SERIES = 72  # stream of random numbers
SIZES = (2, 6)  # images of a synthetic specimen


def image_bags(
    *, path: str = "", crop_bottom: str = "0", skip_bad: bool = False, max_pixels: int = MAX_PIXELS
) -> Dataset:
    """The images of one ``group`` of an index as one sample; its labels, or targets, are theirs.

    Raises:
        BadInput: no path, or images without a group.
        DataProblems: files that cannot be used, or groups whose images differ in labels or split. With
            ``skip_bad`` these are left out, and with them classes that become too small; problems of the
            whole folder remain.
    """
    if not path:
        raise BadInput("the dataset image-bags needs a folder", hint="add --data image-bags=PATH")
    collection = collect(path, crop_bottom, max_pixels=max_pixels)
    collection.check(skip_bad)
    bags = _bags(collection)
    targets = collection.targets if collection.is_regression else collection.targets.toarray()
    problems = [p for name, rows in bags.items() if (p := _difference(name, rows, collection, targets))]
    if problems and not skip_bad:
        raise DataProblems(path, problems)
    if len(problems) == len(bags):
        what = f"no group of {path} is left: the images of each differ in labels, targets or split"
        raise BadInput(what, allowed="groups whose images are of one kind")
    if problems:
        collection = collection.without({problem.where for problem in problems}, problems)
        collection.check(skip_bad)
        bags = _bags(collection)
    return _dataset(collection, bags, max_pixels)


def _bags(collection: Collection) -> dict[str, list[int]]:
    """Group -> rows of its samples, in their order; raises BadInput for samples without a group."""
    samples = collection.samples
    bags: dict[str, list[int]] = defaultdict(list)
    for row in sorted(range(len(samples)), key=lambda i: _order(samples[i].entry.id)):
        bags[samples[row].entry.group].append(row)
    if "" in bags:
        what = f"{len(bags['']):,} images of {collection.path} have no group"
        raise BadInput(what, allowed="a column group in index.csv: the images of one group are one sample")
    return bags


def _dataset(collection: Collection, bags: Mapping[str, Sequence[int]], max_pixels: int) -> Dataset:
    root = collection.listing.root.absolute()

    def images(rows: Sequence[int]) -> list[ImageFile]:
        samples: list[Sample] = [collection.samples[row] for row in rows]
        return [ImageFile(f"{root}/{s.entry.file}", s.scan.crop, max_pixels) for s in samples]

    first = [rows[0] for rows in bags.values()]
    split = [collection.samples[row].entry.split for row in first]
    members = {name: [collection.samples[row].entry.id for row in rows] for name, rows in bags.items()}
    pictures_of = [[collection.samples[row].scan.digest for row in rows] for rows in bags.values()]
    content = ["image-bags", collection.fingerprint(), members]
    return Dataset(
        ids=list(bags),
        views={"images": [images(rows) for rows in bags.values()]},
        targets=collection.targets[first],
        task=_task(collection, first),
        fingerprint=hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest(),
        groups=_sharing(list(bags), pictures_of),
        duplicates=[hashlib.sha256(" ".join(sorted(each)).encode()).hexdigest() for each in pictures_of],
        split=split if any(split) else None,
        notes=[
            f"{len(bags)} samples of {_sizes([len(rows) for rows in bags.values()])} images",
            *notes_of(collection),
        ],
    )


def _sharing(names: Sequence[str], pictures: Sequence[Sequence[str]]) -> list[str] | None:
    """Bags with a picture in common, also by way of others, as one group: the name of the first of them.

    Args:
        names: of the bags.
        pictures: digests of the images of each.

    Returns:
        Empty names for bags that share none; None where no bag does.

    >>> _sharing(["a", "b", "c", "d"], [["x", "y"], ["z"], ["y", "w"], ["w"]])
    ['a', '', 'a', 'a']
    """
    first: dict[str, int] = {}
    ends = [(bag, first.setdefault(digest, bag)) for bag, each in enumerate(pictures) for digest in each]
    graph = sparse.csr_array((np.ones(len(ends)), np.array(ends).T), shape=(len(names), len(names)))
    numbers: list[int] = connected_components(graph, directed=False)[1].tolist()
    sizes = Counter(numbers)
    called: dict[int, str] = {}
    for number, name in zip(numbers, names, strict=True):
        called.setdefault(number, name if sizes[number] > 1 else "")
    groups = [called[number] for number in numbers]
    return groups if any(groups) else None


def _order(name: str) -> tuple[list[tuple[str, int]], str]:
    """Sorts names as people count: numbers by their value, the text before them first.

    >>> sorted(["s10.png", "s9.png", "s1/b.png", "s1/a.png"], key=_order)
    ['s1/a.png', 's1/b.png', 's9.png', 's10.png']
    """
    parts = re.findall(r"([^0-9]*)([0-9]*)", name)
    return [(text, int(digits or -1)) for text, digits in parts], name


def _difference(
    name: str, rows: Sequence[int], collection: Collection, targets: np.ndarray
) -> Problem | None:
    """A problem where the images of a group are not of one kind."""
    if (targets[rows] != targets[rows[0]]).any():
        return Problem(name, "the images of this group differ in labels or targets", "clash")
    if len({collection.samples[row].entry.split for row in rows}) > 1:
        return Problem(name, "the images of this group differ in split", "split")
    return None


def _task(collection: Collection, rows: Sequence[int]) -> Task:
    if collection.is_regression:
        return Task(kind="regression", targets=collection.further.targets)
    paths, depth = collection.hierarchy.label_shape(collection.targets[rows])
    return Task(paths=paths, depth=depth, hierarchy=collection.hierarchy)


def _sizes(counts: Sequence[int]) -> str:
    return f"{min(counts)} to {max(counts)}" if len(set(counts)) > 1 else f"{counts[0]}"


def sem_series(*, size: int = 64, seed: int = 0, train: int = 200, test: int = 150) -> Dataset:
    """Synthetic specimens, each seen in two to six fractographs of version 3 of one class.

    Raises:
        BadInput: a parameter outside its range.
    """
    drawn = pictures(size=size, seed=seed, shifted=False)
    rng = np.random.Generator(np.random.PCG64((SERIES_VERSION, seed, SERIES)))
    places: dict[tuple[str, str], list[int]] = defaultdict(list)  # side and leaf -> rows
    for row, (side, labels) in enumerate(zip(drawn.split, drawn.labels, strict=True)):
        places[side, labels[0]].append(row)
    bags: dict[str, list[list[int]]] = defaultdict(list)  # of each side
    for (side, _leaf), rows in places.items():
        while len(rows) >= SIZES[0]:
            several = int(rng.integers(SIZES[0], SIZES[1] + 1))
            bags[side].append(rows[:several])
            rows = rows[several:]
    chosen: list[list[int]] = []
    split: list[str] = []
    for side, count in (("train", train), ("test", test)):
        there = bags[side]
        if count > len(there):
            raise BadInput(f"{side}={count} specimens", allowed=f"up to {len(there)}")
        chosen += [there[k * len(there) // count] for k in range(count)]
        split += [side] * count
    hierarchy = failure_hierarchy()
    targets = hierarchy.encode([drawn.labels[bag[0]] for bag in chosen])
    paths, depth = hierarchy.label_shape(targets)
    recipe = ["sem-series", VERSION, SERIES_VERSION, size, seed, train, test]
    return Dataset(
        ids=[f"specimen-{drawn.ids[bag[0]]}" for bag in chosen],
        views={"images": [[drawn.images[row] for row in bag] for bag in chosen]},
        targets=targets,
        task=Task(paths=paths, depth=depth, hierarchy=hierarchy),
        fingerprint=hashlib.sha256(json.dumps(recipe).encode()).hexdigest(),
        split=split,
        synthetic=True,
        notes=[f"synthetic specimens of {SIZES[0]} to {SIZES[1]} fractographs, {size} px, seed {seed}"],
    )


class PixelSeries:
    """The images of a bag, each stretched to ``size`` x ``size`` and grey, behind each other.

    Args:
        size: side of the square.
        count: images of a bag: of more, so many evenly spaced ones are taken; what lacks is black.
    """

    def __init__(self, size: int = 64, count: int = 6) -> None:
        self.count, self.pixels = count, Pixels(size)

    def transform(self, rows: Sequence[Sequence[Image]]) -> np.ndarray:
        """n bags -> uint8 (n, size, size, count)."""
        out = np.zeros((len(rows), self.pixels.size, self.pixels.size, self.count), np.uint8)
        for i, images in enumerate(rows):
            taken = min(len(images), self.count)
            chosen = [images[k * len(images) // taken] for k in range(taken)]
            out[i, :, :, :taken] = np.moveaxis(self.pixels.transform(chosen), 0, -1)
        return out
