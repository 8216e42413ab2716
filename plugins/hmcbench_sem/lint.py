"""``hmcbench data lint PATH``: counts and every problem of a data folder."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import DataReport, Dataset, Value
from hmcbench_sem import leaks
from hmcbench_sem.datasets import failure_hierarchy, images, sem_failure
from hmcbench_sem.reader.collection import Collection, Sample, collect
from hmcbench_sem.reader.images import EXTENSIONS, MAX_PIXELS
from hmcbench_sem.reader.scan import Scan

LISTED = 12  # classes of a level that are listed; more are counted


def lint_failure(
    *, path: str = "", crop_bottom: str = "0", max_pixels: int = MAX_PIXELS, **others: Value
) -> DataReport:
    """The report of the dataset ``sem-failure`` with these parameters."""
    if path:
        return report(collect(path, crop_bottom, failure_hierarchy(), max_pixels), max_pixels)
    dataset: Dataset = sem_failure(**others)  # type: ignore[arg-type]
    facts = {"samples": f"{len(dataset.ids)}, synthetic", **_classes(failure_hierarchy(), dataset.targets)}
    facts["split"] = _counts(Counter(dataset.split or ()))
    return DataReport("synthetic fractographs", facts, [])


def lint_images(
    *, path: str = "", crop_bottom: str = "0", skip_bad: bool = False, max_pixels: int = MAX_PIXELS
) -> DataReport:
    """The report of the dataset ``images`` with these parameters."""
    if not path:
        images(path=path)  # raises BadInput
    return report(collect(path, crop_bottom, max_pixels=max_pixels), max_pixels)


def report(collection: Collection, max_pixels: int = MAX_PIXELS) -> DataReport:
    """Counts and problems of a collection, as text; fatal problems first."""
    samples = collection.samples
    facts = {"labels from": _SOURCES[collection.listing.source]}
    facts["samples"] = f"{len(samples)} usable"
    if samples:
        facts |= _targets(collection) if collection.is_regression else _labels(collection)
        facts |= _columns(collection)
        facts |= _files(samples)
        facts |= _relations(samples)
    alike = leaks.near_copies_of(collection, max_pixels) if len(samples) > 1 else []
    facts |= leaks.facts(samples, alike)
    problems = [
        *collection.problems,
        *leaks.problems(samples, alike),
        *leaks.group_problems(collection, alike),
    ]
    for number, note in enumerate(collection.listing.notes, start=1):
        facts[f"note {number}"] = note
    ordered = sorted(problems, key=lambda problem: not problem.fatal)
    return DataReport(collection.path, facts, ordered, leaks.pictures(collection, alike, max_pixels))


def _labels(collection: Collection) -> dict[str, str]:
    paths, depth = collection.hierarchy.label_shape(collection.targets)
    facts = _classes(collection.hierarchy, collection.targets)
    return facts | {"label paths": f"{paths}, {depth} depth"}


def _targets(collection: Collection) -> dict[str, str]:
    columns = zip(collection.further.targets, collection.targets.T, strict=True)
    return {f"target {name}": _span(float(values.min()), float(values.max())) for name, values in columns}


def _columns(collection: Collection) -> dict[str, str]:
    """The features that further columns of the index are, and why others are none."""
    features, unused = collection.further.features, collection.further.unused
    kinds = {True: "nominal", False: "number"}
    facts = {
        f"column {f.name}": kinds[bool(f.names)] + (f", {f.missing} missing" if f.missing else "")
        for f in features
    }
    return facts | {f"column {name}": f"not used: {why}" for name, why in unused.items()}


_SOURCES = {
    "targets": "the target columns of the index",
    "folders": "the folder names",
    "levels": "the level columns of the index",
    "labels": "the column labels of the index",
}


def _classes(hierarchy: Hierarchy, targets: Any) -> dict[str, str]:
    """The classes of each level with their counts, most frequent first."""
    counts = np.asarray(targets.sum(axis=0)).ravel()
    kind = "tree" if hierarchy.is_tree else "directed acyclic graph"
    facts = {"classes": f"{' + '.join(map(str, hierarchy.level_sizes))}, a {kind}"}
    for k in range(1, hierarchy.depth + 1):
        level = {hierarchy.classes[i]: int(counts[i]) for i in hierarchy.level_classes(k)}
        facts[f"level {k}"] = _counts(Counter(level))
    return facts


def _counts(counter: Counter[str]) -> str:
    listed = ", ".join(f"{name or '(undecided)'} {count}" for name, count in counter.most_common(LISTED))
    more = len(counter) - LISTED
    return listed + (f", and {more} more" if more > 0 else "")


def _files(samples: list[Sample]) -> dict[str, str]:
    """Formats, sizes, bars and pixel sizes."""
    scans = [sample.scan for sample in samples]
    total = len(scans)
    facts = {
        "formats": _counts(Counter(scan.format for scan in scans)),
        "modes": _counts(Counter(scan.mode for scan in scans)),
        "sizes": _range([(scan.width, scan.height) for scan in scans]),
    }
    deep = {scan.pixel_type for scan in scans} - {""}
    if deep:
        facts["deeper than 8 bits"] = "; ".join(_depth(scans, name) for name in sorted(deep))
    misnamed = sum(
        PurePosixPath(s.entry.file).suffix.lower() not in EXTENSIONS[s.scan.format] for s in samples
    )
    if misnamed:
        facts["misleading extension"] = f"{misnamed} of {total} files (read by their content)"
    bars = [scan.bar for scan in scans if scan.bar]
    rows = f", {_span(min(bars), max(bars))} rows" if bars else ""
    facts["data bars"] = f"{len(bars)} of {total} images{rows}"
    cut = sum(scan.crop > 0 for scan in scans)
    if cut:
        facts["cut at the bottom"] = f"{cut} of {total} images"
    known = [scan.pixel_um for scan in scans if scan.pixel_um is not None]
    if known:
        facts["pixel size"] = f"{_span(min(known), max(known))} micrometres ({len(known)} of {total} images)"
    return facts


def _depth(scans: list[Scan], name: str) -> str:
    """``uint16 RGB 6, 12 bits used``."""
    alike = [scan for scan in scans if scan.pixel_type == name]
    bits = max(scan.bits_used for scan in alike)
    return f"{name} {len(alike)}" + (f", {bits} bits used" if bits else "")


def _span(low: float, high: float) -> str:
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"


def _range(sizes: list[tuple[int, int]]) -> str:
    smallest, largest = min(sizes, key=math.prod), max(sizes, key=math.prod)
    text = f"{smallest[0]} x {smallest[1]}"
    return text if smallest == largest else f"{text} to {largest[0]} x {largest[1]}"


def _relations(samples: list[Sample]) -> dict[str, str]:
    """Groups, partitions and identical pictures."""
    facts = {}
    groups = {sample.entry.group for sample in samples if sample.entry.group}
    if groups:
        facts["groups"] = str(len(groups))
    partitions = Counter(sample.entry.split for sample in samples)
    if set(partitions) != {""}:
        facts["split"] = _counts(partitions)
    copies = [count for count in Counter(sample.scan.digest for sample in samples).values() if count > 1]
    if copies:
        facts["pixel-identical"] = f"{len(copies)} set{'s' * (len(copies) > 1)}, {sum(copies)} images"
    return facts
