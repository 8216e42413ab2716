"""A suite as files for any program or person: inputs with labels, inputs to answer, the hierarchy.

The folder has a README that says what is in it and which file is wanted; :mod:`hmcbench.derive.brought` reads
the answers. Test labels are not in it, and neither is anything that would give them away: views that hold the
truth are left out, and ids that name classes are replaced by digests, which are read back.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from scipy.sparse import issparse

from hmcbench.data.splits import Split
from hmcbench.derive.answers import opaque_id
from hmcbench.errors import BadInput
from hmcbench.hierarchy.label_maps import LabelMaps
from hmcbench.interfaces import Dataset
from hmcbench.plan.cells import plan_data
from hmcbench.plan.choices import Choices
from hmcbench.plan.datasets import PlannedDataset
from hmcbench.plan.suite import Suite
from hmcbench.records.record import slug
from hmcbench.registry.registry import Registry

Images = Literal["copy", "list"]
TASK, README = "task.json", "README.md"
SCHEMA = 1
MOST_NUMBERS = 500_000  # of an example; with more it has the first samples only
LEARNT = ("train", "validation")  # the sides that have labels


@dataclass(eq=False)
class _Export:
    """One dataset while it is written.

    Attributes:
        data: dataset and splits.
        folder: where it is written.
        ids: of all samples, as they are written.
        images: see :func:`export_task`.
        views: the views that are written.
        notes: what is not written, and why.
    """

    data: PlannedDataset
    folder: Path
    images: Images
    ids: Sequence[str] = ()
    views: Sequence[str] = ()
    notes: list[str] = field(default_factory=list)
    opaque: bool = False

    @property
    def dataset(self) -> Dataset:
        return self.data.dataset


def export_task(
    suite: Suite,
    registry: Registry,
    choices: Choices,
    target: Path,
    images: Images = "copy",
    reference: str = "",
) -> list[str]:
    """Write the datasets of a suite, with all folds, to a new folder.

    Args:
        suite: by name or from a file.
        choices: datasets, data, profile, folds and seeds as for a run.
        target: a folder that is absent or empty, not the working directory; it appears when it is complete.
        images: ``copy`` files, or ``list`` their paths. Images that are no files, or are cropped, are
            written as PNG.
        reference: of the suite, as commands take it; its name if empty.

    Returns:
        A line per dataset, in words.

    Raises:
        BadInput: a folder that holds something, or is the working directory; anything that a run would
            refuse.
    """
    place = target.resolve()  # . and a/.. have no name of their own
    if place == Path.cwd():  # an empty folder is replaced, and nobody works in one that is gone
        raise BadInput(f"{target} is the working directory", allowed="a new folder", hint="--to task")
    with suppress(FileNotFoundError, NotADirectoryError):
        if any(target.iterdir()):
            raise BadInput(f"{target} is not empty", allowed="a new folder: nothing is overwritten")
    if target.is_file():
        raise BadInput(f"{target} is a file", allowed="a new folder")
    suite, profile, loaded = plan_data(suite, registry, choices)
    for data in loaded:
        if isinstance(data.dataset.targets, LabelMaps):
            raise BadInput(f"{data.reference} has label maps of pixels", allowed="labels of whole samples")
    seeds = choices.seeds or suite.profiles[profile].seeds
    temporary = place.with_name(f".{place.name}-{os.getpid()}.tmp")
    try:
        temporary.mkdir(parents=True)
        exports = [_write_dataset(data, temporary, images, seeds) for data in loaded]
        facts = {"schema": SCHEMA, "suite": suite.name, "version": suite.version, "profile": profile}
        facts["datasets"] = [_facts(export) for export in exports]
        _write(temporary / TASK, json.dumps(facts, indent=1, sort_keys=True) + "\n")
        _write(temporary / README, _readme(suite, reference or suite.name, profile, exports, place))
        if place.is_dir():
            place.rmdir()
        temporary.rename(place)
    except OSError as error:
        raise BadInput(f"{target} cannot be written ({error.strerror})", hint="--to names another") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return [f"{export.data.reference}: {_line(export)}" for export in exports]


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _write_dataset(data: PlannedDataset, root: Path, images: Images, seeds: int) -> _Export:
    export = _Export(data, root / slug(data.reference), images)
    dataset = data.dataset
    export.folder.mkdir(parents=True)
    export.opaque = _ids_name_classes(dataset)
    names = (opaque_id(dataset.fingerprint, name) for name in dataset.ids)
    export.ids = list(names) if export.opaque else list(dataset.ids)
    export.views = [name for name in dataset.views if _is_written(export, name)]
    if dataset.task.hierarchy is not None:
        _table(export.folder / "hierarchy.csv", ("parent", "child"), dataset.task.hierarchy.edges)
    for fold, split in enumerate(data.splits):
        place = export.folder / f"fold-{fold}"
        for side, rows in split.sides.items():
            if len(rows):
                (place / side).mkdir(parents=True)
                ordered = np.array(sorted(rows, key=export.ids.__getitem__)) if export.opaque else rows
                for name in export.views:
                    _write_view(export, name, ordered, place / side)
                if side in LEARNT:
                    _write_targets(export, ordered, place / side)
        for seed in range(seeds):
            (place / f"seed-{seed}").mkdir(parents=True)
            _write_example(export, split, place / f"seed-{seed}" / "example.csv")
    return export


def _ids_name_classes(dataset: Dataset) -> bool:
    """Whether the id of some sample has the name of one of its classes, as a path of folders has."""
    hierarchy = dataset.task.hierarchy
    if hierarchy is None:
        return False
    names = [name.casefold() for name in hierarchy.names]
    targets = dataset.targets.tocsr() if issparse(dataset.targets) else np.asarray(dataset.targets)
    for i, sample in enumerate(dataset.ids):
        columns = targets[[i]].nonzero()[1]
        parts = {*re.split(r"[/\\]", sample.casefold()), *re.split(r"[\W_]+", sample.casefold())}
        if any(names[column] in parts for column in columns):
            return True
    return False


def _is_written(export: _Export, name: str) -> bool:
    """Whether a view is written; the reason why not goes to the notes."""
    view, targets = export.dataset.views[name], export.dataset.targets
    if isinstance(view, np.ndarray):
        if view.shape == targets.shape:
            dense = targets.toarray() if issparse(targets) else np.asarray(targets)
            if np.array_equal(view.astype(np.float64), dense.astype(np.float64)):
                export.notes.append(f"the view {name} is left out: it holds the truth")
                return False
        return True
    if len(view) and (hasattr(view[0], "load") or isinstance(view[0], str)):
        return True
    export.notes.append(f"the view {name} is left out: its rows are objects of Python")
    return False


# --------------------------------------------------------------------------- files of one side


def _table(path: Path, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(rows)


def _write_view(export: _Export, name: str, rows: np.ndarray, folder: Path) -> None:
    """One view of the samples of a side: CSV where rows are numbers, texts or images; ``.npy`` otherwise."""
    view, ids = export.dataset.views[name], [export.ids[i] for i in rows]
    if isinstance(view, np.ndarray) and view.ndim == 2:
        names = list(export.dataset.columns.get(name, ())) or [f"{name}{i}" for i in range(view.shape[1])]
        cells = _cells(view[rows], export.dataset.kinds.get(name, ()))
        _table(folder / f"{name}.csv", ("id", *names), ([i, *row] for i, row in zip(ids, cells, strict=True)))
    elif isinstance(view, np.ndarray):
        np.save(folder / f"{name}.npy", view[rows])
        _table(folder / "ids.csv", ("id",), ([i] for i in ids))
    elif hasattr(view[0], "load"):
        files = [_image(export, view[int(i)], export.dataset.ids[i], folder) for i in rows]
        _table(folder / f"{name}.csv", ("id", "file"), zip(ids, files, strict=True))
    else:
        _table(folder / f"{name}.csv", ("id", name), ((export.ids[i], view[int(i)]) for i in rows))


def _cells(values: np.ndarray, kinds: Sequence[Any]) -> list[list[Any]]:
    """Numbers with all their digits; nominal values by name; nothing where a value is missing."""
    numbers = values.astype(np.float64) if values.dtype.kind == "f" else values
    cells: list[list[Any]] = numbers.tolist()
    nominal = {column: kind.values for column, kind in enumerate(kinds) if kind.values}
    if not nominal and not (values.dtype.kind == "f" and np.isnan(values).any()):
        return cells
    for row in cells:
        for column, value in enumerate(row):
            if isinstance(value, float) and np.isnan(value):
                row[column] = ""
            elif column in nominal:
                row[column] = nominal[column][int(value)]
    return cells


def _image(export: _Export, row: Any, sample: str, folder: Path) -> str:
    """The file of an image, seen from its CSV file; written at the first call."""
    source, cropped = getattr(row, "path", ""), bool(getattr(row, "crop", 0))
    is_file = bool(source) and Path(str(source)).is_file()
    if export.images == "list" and is_file:
        return str(Path(str(source)).absolute())
    name = opaque_id(export.dataset.fingerprint, sample)
    place = export.folder / "images"
    place.mkdir(exist_ok=True)
    copied = is_file and not cropped
    path = place / f"{name}{Path(str(source)).suffix.lower() if copied else '.png'}"
    if not path.exists():
        if copied:
            shutil.copyfile(str(source), path)
        else:
            from PIL import Image

            Image.fromarray(row.load()).save(path)
    return Path(os.path.relpath(path, folder)).as_posix()


def _write_targets(export: _Export, rows: np.ndarray, folder: Path) -> None:
    """``labels.csv`` or ``targets.csv``, with a column for groups where there are some."""
    dataset, groups = export.dataset, export.dataset.groups
    hierarchy = dataset.task.hierarchy
    if hierarchy is None:
        head, name = ("id", *dataset.task.targets), "targets.csv"
        cells: list[list[Any]] = np.asarray(dataset.targets[rows], dtype=np.float64).tolist()
    else:
        head, name = ("id", "labels"), "labels.csv"
        cells = [["|".join(hierarchy.decode(dataset.targets[[i]]))] for i in rows]
    lines = [[export.ids[i], *row] for i, row in zip(rows, cells, strict=True)]
    if groups is not None:
        lines = [[*line, groups[i]] for line, i in zip(lines, rows, strict=True)]
    _table(folder / name, (*head, *(["group"] if groups is not None else [])), lines)


def _write_example(export: _Export, split: Split, path: Path) -> None:
    """The wanted file, filled with the mean of the training targets."""
    dataset, task = export.dataset, export.dataset.task
    train = dataset.targets[split.sides["train"]]
    mean = np.asarray(train.sum(axis=0), dtype=np.float64).ravel() / len(split.sides["train"])
    names = task.hierarchy.classes if task.hierarchy is not None else task.targets
    wanted = [i for side, rows in split.sides.items() if side not in LEARNT for i in rows]
    most = max(3, MOST_NUMBERS // max(1, len(names)))
    numbers = [f"{value:.6g}" for value in mean]
    ids = sorted(export.ids[i] for i in wanted)[:most]
    _table(path, ("id", *names), ([name, *numbers] for name in ids))


# --------------------------------------------------------------------------- words


def _facts(export: _Export) -> dict[str, Any]:
    """A dataset, for programs."""
    data, task = export.data, export.dataset.task
    return {
        "reference": data.reference,
        "folder": export.folder.name,
        "fingerprint": export.dataset.fingerprint,
        "task": task.kind,
        "paths": task.paths,
        "depth": task.depth,
        "ids": "digests" if export.opaque else "of the data",
        "views": list(export.views),
        "folds": [
            {"fingerprint": s.fingerprint, "counts": {k: len(v) for k, v in s.sides.items()}}
            for s in data.splits
        ],
    }


def _line(export: _Export) -> str:
    counts = {side: len(rows) for side, rows in export.data.splits[0].sides.items() if len(rows)}
    folds = len(export.data.splits)
    text = ", ".join(f"{side} {count:,}" for side, count in counts.items())
    return text + (f"; {folds} folds" if folds > 1 else "") + "".join(f"; {note}" for note in export.notes)


_KINDS: Mapping[tuple[str, str], str] = {
    ("single", "full"): "Every sample has one path of classes, which ends at a leaf.",
    (
        "single",
        "ragged",
    ): "Every sample has one path of classes, which may end at any class. What the scores of "
    "a level leave of 1 is the probability that the path has ended above it.",
    ("multiple", "full"): "A sample may have several paths of classes; each ends at a leaf.",
    ("multiple", "ragged"): "A sample may have any classes; those above them belong to it too.",
}


_README = """# The task of suite {suite} {version}, profile {profile}

{question}Learn from `train` and `validation`, predict `test`. Test labels are not here. Choose nothing by
test samples; thresholds and early stopping belong to `validation`.

## Files

| file | content |
|---|---|
| `DATASET/hierarchy.csv` | `parent,child`; an empty parent is the top level |
| `DATASET/fold-K/train/`, `validation/` | inputs, a file per view, and `labels.csv` or `targets.csv` |
| `DATASET/fold-K/test/` and further test sets | inputs |
| `DATASET/fold-K/seed-S/example.csv` | an example of the wanted file: the training mean for all |
| `task.json` | fingerprints and counts, for programs |

`labels.csv` has `id,labels`: the most specific classes, joined by `|`. Samples of one `group` (a
specimen) belong together. Numbers have all their digits; an empty cell is a missing value. Image files
are named in `image.csv`, relative to it.

## What is wanted

`DATASET/fold-K/seed-S/predictions.csv`, for every fold and at least seed 0, with a row for every id of
`test` (and of a further test set: all or none), in one of these forms:

- `id,<class>,<class>,...`: a score from 0 to 1 for every class of `hierarchy.csv`;
- `id,labels`: classes joined by `|`, of any depth; those above them are added;
- `id,<target>,...` for a regression.

A column `seconds` may give the time of every sample; a column `rater` makes a row of the board for every
person. `validation.csv` beside it has the same form, for the validation samples. hmcbench fits thresholds
on it where samples have several paths of classes; it must come from a model that was not trained on these
samples.

```sh
hmcbench bring runs --suite {reference} --name "My program 1.0" --predictions {target}
```

## Datasets

{datasets}
"""


def _readme(suite: Suite, reference: str, profile: str, exports: Sequence[_Export], target: Path) -> str:
    """What is in the folder, and what is wanted."""
    lines = []
    for export in exports:
        task = export.dataset.task
        classes = f"{task.hierarchy.n:,} classes on {task.hierarchy.depth} levels. " if task.hierarchy else ""
        words = _KINDS[task.paths, task.depth] if task.hierarchy else f"Targets: {', '.join(task.targets)}."
        ids = " Ids are digests, as those of the data name classes." if export.opaque else ""
        lines.append(f"`{export.folder.name}`: {_line(export)}. {classes}{words}{ids}")
    question = suite.question or suite.summary
    return _README.format(
        suite=suite.name,
        version=suite.version,
        profile=profile,
        question=f"{question}\n\n" if question else "",
        reference=shlex.quote(reference),
        target=target.name,
        datasets="\n\n".join(lines),
    )
