"""The factories of the datasets ``sem-failure`` and ``images``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hmcbench.data.columns import Feature
from hmcbench.errors import BadInput
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import ColumnKind, Dataset, Task
from hmcbench_sem.fractographs.taxonomy import CLASSES, DESCRIPTIONS
from hmcbench_sem.reader.collection import Collection, collect
from hmcbench_sem.reader.images import MAX_PIXELS, ImageFile

if TYPE_CHECKING:
    from hmcbench_sem.fractographs.generate import Fractographs

NAMED = 20  # files that a note names; more are counted
COUNTS = {  # version of the synthetic images -> what its class counts are
    2: "version 2, class counts as in the HFFNet-2d paper",
    3: "version 3, training counts as in the HFFNet-2d paper",
}


def failure_hierarchy() -> Hierarchy:
    """The 2 x 3 classes of the HFFNet-2d paper, with descriptions."""
    return Hierarchy.from_paths([c.id.split("/") for c in CLASSES], descriptions=DESCRIPTIONS)


def sem_failure(
    *,
    path: str = "",
    version: int = 3,
    size: int = 64,
    seed: int = 0,
    composite: float = 0.0,
    shifted: bool = True,
    crop_bottom: str = "0",
    skip_bad: bool = False,
    max_pixels: int = MAX_PIXELS,
) -> Dataset:
    """Synthetic fractographs, or with ``path`` the user's own images; parameters in the spec.

    The paper's hierarchy is kept where it holds all labels; otherwise the classes are the user's.

    Raises:
        BadInput, DataProblems: see :func:`images`.
    """
    if path:
        collection = collect(path, crop_bottom, failure_hierarchy(), max_pixels)
        if collection.is_regression:
            raise BadInput(f"{path} has targets, and sem-failure classes", hint=f"--images {path}")
        return _dataset(collection, skip_bad, max_pixels)
    if crop_bottom != "0":
        raise BadInput(
            f"crop_bottom={crop_bottom} is for images of your own; the synthetic ones have no data bar",
            hint="add --data sem-failure=PATH",
        )
    if version == 2:
        from hmcbench_sem.fractographs.generate import fractographs as draw
    else:
        from hmcbench_sem.surfaces.generate import pictures as draw
    drawn = draw(size=size, seed=seed, composite=composite, shifted=shifted)
    return _synthetic(drawn, size, seed, COUNTS[version])


def sem_composite(*, size: int = 64, seed: int = 0, composite: float = 0.7, shifted: bool = True) -> Dataset:
    """Synthetic fractographs of version 3, most of them with two or three mechanisms in one image.

    Raises:
        BadInput: a parameter outside its range.
    """
    from hmcbench_sem.surfaces.generate import pictures

    drawn = pictures(size=size, seed=seed, composite=composite, shifted=shifted)
    return _synthetic(drawn, size, seed, COUNTS[3])


def has_folder(*, path: str = "", **_others: object) -> bool:
    """Whether a folder is named; whether it is there is told when it is read."""
    return bool(path)


def images(
    *, path: str = "", crop_bottom: str = "0", skip_bad: bool = False, max_pixels: int = MAX_PIXELS
) -> Dataset:
    """Any labelled folder of images; the classes, or the targets of a regression, are the user's.

    Raises:
        BadInput: no path, or nothing that could be listed.
        DataProblems: files or labels that cannot be used; with ``skip_bad``, only problems of the
            whole folder.
    """
    if not path:
        raise BadInput("the dataset images needs a folder", hint="add --data images=PATH")
    return _dataset(collect(path, crop_bottom, max_pixels=max_pixels), skip_bad, max_pixels)


def _synthetic(pictures: Fractographs, size: int, seed: int, counts: str) -> Dataset:
    hierarchy = failure_hierarchy()
    targets = hierarchy.encode(pictures.labels)
    paths, depth = hierarchy.label_shape(targets)
    return Dataset(
        ids=pictures.ids,
        views={"image": pictures.images},
        targets=targets,
        task=Task(paths=paths, depth=depth, hierarchy=hierarchy),
        fingerprint=pictures.fingerprint,
        split=pictures.split,
        synthetic=True,
        notes=[f"synthetic fractographs, {size} px, seed {seed}; {counts}"],
    )


def _dataset(collection: Collection, skip_bad: bool, max_pixels: int) -> Dataset:
    collection.check(skip_bad)
    samples, root = collection.samples, collection.listing.root.absolute()
    further = collection.further
    groups = [sample.entry.group for sample in samples]
    split = [sample.entry.split for sample in samples]
    return Dataset(
        ids=[sample.entry.id for sample in samples],
        views={
            "image": [ImageFile(f"{root}/{s.entry.file}", s.scan.crop, max_pixels) for s in samples],
            **({"table": further.table} if further.features else {}),
        },
        targets=collection.targets,
        task=_task(collection),
        fingerprint=collection.fingerprint(),
        groups=groups if any(groups) else None,
        duplicates=[sample.scan.digest for sample in samples],
        split=split if any(split) else None,
        notes=notes_of(collection),
        **(described(further.features) if further.features else {}),
    )


def described(features: Sequence[Feature]) -> dict[str, Any]:
    """What a dataset says of its view ``table``: names and kinds of the columns."""
    kinds = [ColumnKind(values=feature.names, missing=feature.missing > 0) for feature in features]
    return {"columns": {"table": [feature.name for feature in features]}, "kinds": {"table": kinds}}


def _task(collection: Collection) -> Task:
    if collection.is_regression:
        return Task(kind="regression", targets=collection.further.targets)
    paths, depth = collection.hierarchy.label_shape(collection.targets)
    return Task(paths=paths, depth=depth, hierarchy=collection.hierarchy)


def notes_of(collection: Collection) -> list[str]:
    """The notes of these data in the record of a run."""
    notes = list(collection.listing.notes)
    unused = [f"{name} ({why})" for name, why in collection.further.unused.items()]
    if unused:
        notes.append(f"columns not used: {'; '.join(unused[:NAMED])}")
    left_out = sorted({f"{problem.where} ({problem.what})" for problem in collection.fatal})
    if left_out:
        more = f"; and {len(left_out) - NAMED} more" if len(left_out) > NAMED else ""
        notes.append(f"left out, {len(left_out)} problems: {'; '.join(left_out[:NAMED])}{more}")
    cut = [sample.scan.crop for sample in collection.samples if sample.scan.crop]
    if cut:
        rows = f"{min(cut)}" if min(cut) == max(cut) else f"{min(cut)} to {max(cut)}"
        notes.append(f"{rows} rows cut off at the bottom of {len(cut)} of {len(collection.samples)} images")
    deep = sum(bool(sample.scan.pixel_type) for sample in collection.samples)
    if deep:
        notes.append(f"{deep} images deeper than 8 bits, each stretched to its own range")
    counts = Counter(problem.kind for problem in collection.problems if not problem.fatal)
    return notes + [f"{counts[kind]} {text}" for kind, text in _WARNINGS.items() if counts[kind]]


_WARNINGS = {  # kind of a warning -> the note of the record
    "data-bar": "images show a data bar that was not cut (--crop-bottom auto cuts it)",
    "pages": "files have several pages; the first was read",
    "blank": "images are blank: every pixel is the same",
    "alpha": "images are transparent everywhere; their colours were read",
    "fill-value": "images hold fill values, left out of the grey range",
    "clash": "sets of pixel-identical images have different labels",
    "alike": "names of classes or groups look like another one",
    "missing-value": "names of classes or groups look like a missing value",
    "split-folders": "set of folders read as classes looks like a split",
}
