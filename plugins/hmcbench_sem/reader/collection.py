"""Joins the listing of a data folder and the scan of its pictures: samples, classes, problems."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from hmcbench.errors import BadInput, DataProblems, Problem
from hmcbench.hierarchy.hierarchy import Hierarchy, lookalikes
from hmcbench_sem.reader.entries import Entry
from hmcbench_sem.reader.further_columns import FurtherColumns, is_target, read_further
from hmcbench_sem.reader.images import MAX_PIXELS
from hmcbench_sem.reader.listing import Listing, read_listing
from hmcbench_sem.reader.scan import Scan, scan_all

LEAST_UNITS = 3  # one for each partition


@dataclass(frozen=True, slots=True)
class Sample:
    """One usable picture: its entry, class ids and scan."""

    entry: Entry
    labels: tuple[str, ...]
    scan: Scan


@dataclass
class Collection:
    """The usable samples of a data folder, and all problems.

    Attributes:
        path: as the user gave it.
        listing: of the folder or the index.
        samples: those without a fatal problem.
        hierarchy: from ``hierarchy.csv``, the known one that was offered, or the labels.
        problems: fatal ones and warnings.
    """

    path: str
    listing: Listing
    samples: list[Sample]
    hierarchy: Hierarchy
    problems: list[Problem]

    @cached_property
    def further(self) -> FurtherColumns:
        """The further columns of the samples."""
        return read_further([sample.entry for sample in self.samples])[0]

    @property
    def is_regression(self) -> bool:
        return self.listing.source == "targets"

    @property
    def targets(self) -> Any:
        """Closed boolean (N, C), sparse; or float (N, T) of a regression."""
        if self.is_regression:
            return self.further.values
        return self.hierarchy.encode([sample.labels for sample in self.samples])

    @property
    def fatal(self) -> list[Problem]:
        return [problem for problem in self.problems if problem.fatal]

    def check(self, skip_bad: bool) -> None:
        """Refuse a run on data with fatal problems.

        Raises:
            DataProblems: fatal problems; with ``skip_bad``, those that are not of single files.
        """
        fatal = [problem for problem in self.fatal if not (skip_bad and problem.skippable)]
        if fatal:
            raise DataProblems(self.path, fatal)

    def without(self, groups: Container[str], reasons: Sequence[Problem]) -> Collection:
        """The others' samples, judged again: classes may now be too small.

        Args:
            groups: names of the groups that are left out.
            reasons: why; they become problems of the new collection.
        """
        samples = [sample for sample in self.samples if sample.entry.group not in groups]
        return _of_samples(self.path, self.listing, samples, None, [*self.problems, *reasons])

    def fingerprint(self) -> str:
        """Hex digest of classes, ids, pixels and labels, whatever the order of the files."""
        rows = sorted((s.entry.id, s.scan.digest, s.labels, s.scan.crop) for s in self.samples)
        content: list[Any] = [self.hierarchy.fingerprint, rows]
        read = [feature.name for feature in self.further.features]
        read += [name for name in (self.samples[0].entry.extra if self.samples else ()) if is_target(name)]
        if read:
            content += [read, sorted((s.entry.id, [s.entry.extra[n] for n in read]) for s in self.samples)]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def collect(
    path: str, crop: str = "0", known: Hierarchy | None = None, max_pixels: int = MAX_PIXELS
) -> Collection:
    """Read a data folder or index file and look at every picture.

    Args:
        path: a folder of class folders, a folder with ``index.csv``, or such a file.
        crop: ``auto`` or a number of rows; see :func:`parse_crop`.
        known: the hierarchy to use where all labels are in it and there is no ``hierarchy.csv``.
        max_pixels: a picture of more cannot be used.

    Raises:
        BadInput: nothing that could be listed.
    """
    listing = read_listing(Path(path).expanduser())
    problems = list(listing.problems)
    files = [entry.file for entry in listing.entries]
    scans = scan_all(listing.root, files, parse_crop(crop), max_pixels)
    samples: list[Sample] = []
    for entry, labels in zip(listing.entries, listing.labels, strict=True):
        scan = scans[entry.file]
        if scan.problem:
            problems.append(Problem(entry.file, scan.problem, scan.kind))
        else:
            samples.append(Sample(entry, labels, scan))
    of_cells = read_further([sample.entry for sample in samples])[1]
    problems += of_cells.values()
    samples = [s for row, s in enumerate(samples) if row not in of_cells or not of_cells[row].fatal]
    if listing.hierarchy is None:  # else its file has been checked
        problems += _alike(samples, known)
    collection = _of_samples(path, listing, samples, known, problems)
    problems += _copies(samples) + _remarks(samples)
    return collection


def _of_samples(
    path: str, listing: Listing, samples: list[Sample], known: Hierarchy | None, problems: list[Problem]
) -> Collection:
    """The collection of these samples, without those of classes that are too small, which is a problem."""
    if listing.source != "targets":
        problems += _drop_small(samples, listing.hierarchy)
    collection = Collection(path, listing, samples, _hierarchy(samples, listing, known), problems)
    problems += _target_problems(collection) if collection.is_regression else _class_problems(collection)
    return collection


def parse_crop(text: str) -> str:
    """``crop_bottom`` as it may be written: ``auto`` or a number of rows; raises BadInput."""
    crop = text.strip().lower()
    if crop == "auto":
        return crop
    if not (crop.isascii() and crop.isdigit()) or len(crop) > 6:
        raise BadInput(f"crop_bottom={text!r} cannot be used", allowed="auto, or a number of rows such as 60")
    return str(int(crop))


def _hierarchy(samples: list[Sample], listing: Listing, known: Hierarchy | None) -> Hierarchy:
    if listing.hierarchy is not None:
        return listing.hierarchy
    ids = {label for sample in samples for label in sample.labels}
    if not ids:
        return Hierarchy.from_edges([("", "none")])  # not used: check() refuses a folder without samples
    if known is not None and all(label in known for label in ids):
        return known
    return Hierarchy.from_paths([label.split("/") for label in ids])


# --------------------------------------------------------------------------- problems


def _drop_small(samples: list[Sample], hierarchy: Hierarchy | None) -> list[Problem]:
    """Remove the samples of classes with too few units for a split.

    A unit is kept together by a split: a group, or identical pictures. Data with a split of their own
    lose nothing. Removing one class may leave another too small.
    """
    if any(sample.entry.split in ("train", "validation", "test") for sample in samples):
        return []
    problems: list[Problem] = []
    while samples:
        classes = hierarchy or Hierarchy.from_paths({tuple(c.split("/")) for s in samples for c in s.labels})
        units = _units(samples)
        targets = classes.encode([sample.labels for sample in samples])
        rows = sparse.csr_array((np.ones(len(units), int), (units, np.arange(len(units)))))
        counts = ((rows @ targets.astype(int)) > 0).sum(axis=0)
        labels = {label for sample in samples for label in sample.labels}
        small = sorted(c for c in labels if counts[classes.index(c)] < LEAST_UNITS)
        if not small:
            break
        for name in small:
            files = int(targets[:, [classes.index(name)]].sum())
            what = f"class {name!r} has {files} images in {counts[classes.index(name)]} units"
            what += f" (groups, identical copies); a split needs {LEAST_UNITS}"
            problems.append(Problem(name, what, "small-class"))
        samples[:] = [sample for sample in samples if not set(sample.labels) & set(small)]
    return problems


def _units(samples: list[Sample]) -> np.ndarray:
    """The number of each sample's unit, int (N,)."""
    keys: dict[tuple[str, str], int] = {}
    pairs: list[tuple[int, int]] = []
    for row, sample in enumerate(samples):
        ties = (("copy", sample.scan.digest), ("group", sample.entry.group))
        pairs += [(row, keys.setdefault(key, len(samples) + len(keys))) for key in ties if key[1]]
    ends = np.array(pairs).T
    n = len(samples) + len(keys)
    graph = sparse.csr_array((np.ones(len(pairs)), (ends[0], ends[1])), shape=(n, n))
    numbers: np.ndarray = connected_components(graph, directed=False)[1][: len(samples)]
    return np.unique(numbers, return_inverse=True)[1]


def _alike(samples: list[Sample], known: Hierarchy | None) -> list[Problem]:
    """A warning for every class that looks like another one or a known one, at the first image of it."""
    first: dict[str, str] = {}
    for sample in samples:
        for label in sample.labels:
            for name in accumulate(label.split("/"), "{}/{}".format):
                first.setdefault(name, sample.entry.where)
    names = dict.fromkeys([*(known.classes if known else ()), *first])
    return [
        Problem(first[name], f"classes {twin!r} and {name!r} {difference}", "alike", fatal=False)
        for twin, name, difference in lookalikes(names, joined=True)
        if name in first and twin.rpartition("/")[2] != name.rpartition("/")[2]  # else the parents are
    ]


def _target_problems(collection: Collection) -> list[Problem]:
    """Too few samples, or targets that are constant."""
    units = len(set(_units(collection.samples))) if collection.samples else 0
    if units < LEAST_UNITS:
        what = f"{units} units (groups, identical copies) of images are left; a split needs {LEAST_UNITS}"
        return [Problem(".", what, "no-samples", skippable=False)]
    values, names = collection.further.values, collection.further.targets
    constant = [name for name, column in zip(names, values.T, strict=True) if (column == column[0]).all()]
    fatal = len(constant) == len(names)
    return [
        Problem(".", f"the target {name!r} is constant", "constant-target", fatal=fatal, skippable=False)
        for name in constant
    ]


def _class_problems(collection: Collection) -> list[Problem]:
    """No samples, or a single class."""
    samples, hierarchy = collection.samples, collection.hierarchy
    if not samples:
        return [Problem(".", "no image is left that could be used", "no-samples", skippable=False)]
    if hierarchy.n < 2 or len({sample.labels for sample in samples}) < 2:
        only = ", ".join(samples[0].labels)
        what = f"all images have the same label ({only}): there is nothing to tell apart"
        return [Problem(".", what, "one-class", skippable=False)]
    return []


def _copies(samples: list[Sample]) -> list[Problem]:
    """A warning for every set of pixel-identical pictures."""
    same: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        same[sample.scan.digest].append(sample)
    problems = []
    for copies in same.values():
        if len(copies) == 1:
            continue
        others = ", ".join(sample.entry.file for sample in copies[1:4]) + (", ..." if len(copies) > 4 else "")
        what = f"pixel-identical with {others}"
        labels = sorted({"|".join(sample.labels) for sample in copies})
        if len(labels) > 1:
            what += f", but the labels differ: {' and '.join(labels)}"
        kind = "clash" if len(labels) > 1 else "duplicate"
        problems.append(Problem(copies[0].entry.file, what, kind, fatal=False))
    return problems


def _remarks(samples: list[Sample]) -> list[Problem]:
    """Warnings of single pictures: what a person should look at before a model does."""
    return [
        Problem(sample.entry.file, what, kind, fatal=False)
        for sample in samples
        for kind, what in _picture_remarks(sample.scan)
    ]


def _picture_remarks(scan: Scan) -> Iterator[tuple[str, str]]:
    """Kind and text of each warning of one picture."""
    if scan.bar > scan.crop:
        yield "data-bar", f"a data bar of {scan.bar} rows shows the instrument; --crop-bottom auto cuts it"
    if scan.pages > 1:
        yield "pages", f"the first of {scan.pages} pages is read"
    if scan.blank:
        yield "blank", "blank: every pixel decodes to the same value"
    if scan.transparent:
        yield "alpha", "blank by its alpha channel, which is zero everywhere: the colours are read without it"
    if scan.fills:
        held = ", ".join(f"{value} ({count} pixels)" for value, count in scan.fills.items())
        yield "fill-value", f"fill values are left out of the grey range: {held}"
