"""The datasets of folders with masks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hmcbench import Dataset, Task
from hmcbench.errors import BadInput, DataProblems
from hmcbench.hierarchy.label_maps import LabelMaps
from hmcbench_masks.reader.classes import ClassTable
from hmcbench_masks.reader.content import MaskFolder, Options, read_folder
from hmcbench_masks.reader.masks import Renumbered

NOTED = 5  # problems of one kind in the notes of a record
TI64 = ClassTable(
    {0: ("fracture/ductile",), 1: ("background",), 2: ("fracture/brittle",)},
)
"""The values of the masks of the Ti-6Al-4V fractographs."""


def masks(
    *,
    path: str = "",
    tolerance: float = 2.0,
    tolerance_um: float = 0.0,
    overlap: str = "several",
    skip_bad: bool = False,
    max_pixels: int = 0,
) -> Dataset:
    """Images with masks or polygons; parameters in the spec.

    Raises:
        BadInput: no path, or a folder that cannot be read.
        DataProblems: files that cannot be used; with ``skip_bad`` only problems of the whole folder, or all
            problems where no image is left.
    """
    if not path:
        raise BadInput("the dataset masks needs a folder", hint="add --data masks=PATH")
    options = Options(overlap, max_pixels)
    return dataset_of(read_folder(path, options), skip_bad, tolerance, tolerance_um)


def ti64(*, path: str = "", tolerance: float = 2.0, skip_bad: bool = False) -> Dataset:
    """19 fracture surfaces of additively manufactured Ti-6Al-4V: a folder ``images`` and a folder ``masks``.

    Raises:
        BadInput: no path, or a folder that cannot be read.
        DataProblems: see :func:`masks`.
    """
    if not path:
        raise BadInput("the data of ti64-masks are not here", hint="add --data ti64-masks=PATH")
    dataset = dataset_of(read_folder(path, Options(table=TI64)), skip_bad, tolerance, 0.0)
    return replace(dataset, share_targets=False)  # no licence is stated


def dataset_of(content: MaskFolder, skip_bad: bool, tolerance: float, tolerance_um: float) -> Dataset:
    """The images of a folder that can be used.

    Raises:
        DataProblems: see :func:`masks`.
        BadInput: a tolerance in micrometres for images without the size of a pixel.
    """
    images, hierarchy = content.images, content.hierarchy
    skip = skip_bad and bool(images)  # without any image the reasons are told, not that none is left
    fatal = [p for p in content.problems if p.fatal and not (skip and p.skippable)]
    if fatal:
        raise DataProblems(str(content.root), fatal)
    counts = np.array([image.counts for image in images])
    used = np.flatnonzero(counts[:, :-1].any(axis=0))  # a model need not take a set of classes without pixels
    legend = hierarchy.encode([content.sets[row] for row in used]).toarray()
    paths, depth = hierarchy.label_shape(legend)
    every = len(used) == len(content.sets)
    kept = tuple(used.tolist())
    groups = [image.pair.group or image.pair.id for image in images]
    split = [image.pair.split for image in images]
    maps = LabelMaps(
        [image.labels if every else Renumbered(image.labels, kept) for image in images],
        legend,
        _tolerances(content, tolerance, tolerance_um),
        content.table.objects,
        (counts[:, used] @ legend.astype(np.int64)) > 0,
    )
    return Dataset(
        ids=[image.pair.id for image in images],
        views={"image": [image.row for image in images]},
        targets=maps,
        task=Task("hmc", paths, depth, hierarchy, unit="pixel"),
        fingerprint=content.fingerprint,
        groups=groups if any(image.pair.group for image in images) else None,
        duplicates=[image.digest for image in images],
        split=split if any(split) else None,
        notes=notes_of(content, counts),
    )


def _tolerances(content: MaskFolder, tolerance: float, tolerance_um: float) -> np.ndarray:
    """Pixels by which a border may be off, (N,)."""
    if not tolerance_um:
        return np.full(len(content.images), float(tolerance))
    sizes = np.array([image.pair.pixel_um for image in content.images])
    if not sizes.all():
        name = content.images[int((sizes == 0).argmax())].pair.id
        raise BadInput(
            f"tolerance_um={tolerance_um:g}: the size of a pixel of {name} is not known",
            allowed="images.csv with the columns file and pixel_um",
        )
    return np.asarray(tolerance_um / sizes)


def notes_of(content: MaskFolder, counts: np.ndarray) -> list[str]:
    """The notes of these data in the record of a run."""
    share = counts[:, -1].sum() / counts.sum()
    notes = [f"{share:.1%} of the pixels are not labelled and count nowhere"] if share else []
    left_out = sorted({f"{p.where} ({p.what})" for p in content.problems if p.fatal})
    if left_out:
        notes.append(f"left out, {len(left_out)} problems: {_first(left_out)}")
    notes += [problem.what for problem in content.problems if problem.kind == "no-polygons"]
    unused = [problem.what for problem in content.problems if problem.kind == "unused-category"]
    notes += [_first(unused)] if unused else []
    kinds = Counter(problem.kind for problem in content.problems if not problem.fatal)
    texts = {"one-class": "masks have one class only", "jpeg": "masks are JPEG files"}
    return notes + [f"{kinds[kind]} {text}" for kind, text in texts.items() if kinds[kind]]


def _first(texts: Sequence[str]) -> str:
    """The first of these, and how many more there are."""
    more = f"; and {len(texts) - NOTED} more" if len(texts) > NOTED else ""
    return "; ".join(texts[:NOTED]) + more
