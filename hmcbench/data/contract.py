"""What every dataset promises, and the core's own part of its fingerprint.

:func:`check` runs wherever a dataset is loaded; ``hmcbench plugin check`` shows each promise by itself.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from hmcbench.errors import PluginError
from hmcbench.hierarchy.label_maps import LabelMaps
from hmcbench.interfaces import Dataset, DatasetSpec, Task
from hmcbench.interfaces.objects import FAR

if TYPE_CHECKING:
    import numpy as np

USUAL = ("train", "validation", "test")
ALLOWED_SPLITS = 'train, validation, test, "" (undecided), or another name for a further test set'
_ALIASES = {
    "train": ("train", "training", "trained", "trn"),
    "validation": ("validation", "valid", "validate", "validating", "val", "vali", "dev", "development"),
    "test": ("tests", "testing", "tst"),
}
_PLAIN = (str, int, float, bool, bytes, type(None))  # rows of a view that are hashed by their text


def check(dataset: Dataset, spec: DatasetSpec) -> None:
    """Raise PluginError with the first promise that a dataset breaks, and its name."""
    for problem_of in PROBLEMS:
        try:
            problem = problem_of(dataset, spec)
        except Exception as error:  # an attribute of a plugin's dataset may be anything
            part = problem_of.__name__.partition("_")[0]
            problem = f"its {part}s cannot be read ({type(error).__name__}: {error})"
        if problem:
            raise PluginError(f"dataset {spec.name}: {problem}", hint=f"hmcbench show dataset {spec.name}")


def id_problem(dataset: Dataset, _spec: DatasetSpec) -> str:
    """There are samples, and their ids are unique texts."""
    if not len(dataset.ids):
        return "there is no sample"
    odd = next((i for i in dataset.ids if not isinstance(i, str) or not i), None)
    if odd is not None:
        return f"ids must be texts, and not empty: {odd!r}"
    if len(set(dataset.ids)) == len(dataset.ids):
        return ""
    repeated = [name for name, n in Counter(dataset.ids).items() if n > 1]
    return f"{len(repeated)} ids stand for several samples, {repeated[0]!r} for example"


def size_problem(dataset: Dataset, spec: DatasetSpec) -> str:
    """The views of the spec are there; views, groups, duplicates and split have an entry per sample."""
    n = len(dataset.ids)
    absent = [view for view in spec.views if view not in dataset.views]
    if absent:
        have = ", ".join(dataset.views) or "none"
        return f"the spec names {', '.join(absent)}; the dataset has {have}"
    per_sample: dict[str, Any] = {f"the view {k}": v for k, v in dataset.views.items()}
    per_sample |= {k: getattr(dataset, k) for k in ("groups", "duplicates", "split")}
    for name, values in per_sample.items():
        if values is not None and len(values) != n:
            return f"{name} has {len(values)} entries for {n} samples"
    for name, columns in dataset.columns.items():
        if name not in dataset.views:
            return f"columns name the view {name!r}; the dataset has {', '.join(dataset.views)}"
        shape: tuple[int, ...] = getattr(dataset.views[name], "shape", ())
        if len(shape) == 2 and shape[1] != len(columns):
            return f"the view {name} has {shape[1]} columns and {len(columns)} names for them"
    return ""


def target_problem(dataset: Dataset, spec: DatasetSpec) -> str:
    """Targets have the task's kind and shape; sets of classes are boolean and closed, numbers finite."""
    import numpy as np

    task, targets = dataset.task, dataset.targets
    if spec.task and task.kind != spec.task:
        return f"the spec says {spec.task}, the task {task.kind}"
    columns = task.hierarchy.n if task.hierarchy is not None else len(task.targets)
    shape = getattr(targets, "shape", None)
    if shape != (len(dataset.ids), columns):
        return f"targets of shape {shape}, not {(len(dataset.ids), columns)}"
    if task.unit == "pixel":
        return _label_map_problem(task, targets)
    if task.hierarchy is None:
        return "" if np.isfinite(np.asarray(targets, dtype=float)).all() else "targets are NaN or infinite"
    if targets.dtype != bool:
        return f"targets are {targets.dtype}, not boolean"
    closed = task.hierarchy.closed_rows(targets)
    if not closed.all():
        sample = dataset.ids[int(np.flatnonzero(~closed)[0])]
        return f"sample {sample!r} has a class without its ancestors; Hierarchy.close adds them"
    return ""


def _label_map_problem(task: Task, targets: Any) -> str:
    """Label maps have a closed legend; their numbers are read where their classes are not known without."""
    if not isinstance(targets, LabelMaps):
        return f"targets of pixels are {type(targets).__name__}, not LabelMaps"
    if task.hierarchy is None or task.unscored:
        return "pixels have classes of a hierarchy, and all of them are scored"
    if targets.legend.dtype != bool or not task.hierarchy.is_closed(targets.legend):
        return "the legend of its label maps is not boolean, or has a class without its ancestors"
    absent = set(targets.objects) - set(task.hierarchy.classes)
    if absent:
        return f"{min(absent)!r} is to have objects, and is no class"
    return "" if targets.present.any() else "no pixel has a class"


def split_problem(dataset: Dataset, _spec: DatasetSpec) -> str:
    """No name of a partition is reserved, or looks like a usual one, whose samples would be tested on."""
    names: set[Any] = set(() if dataset.split is None else dataset.split)
    for name in sorted(names, key=str):
        if not isinstance(name, str):
            return f"the split has {name!r}, which is no text. Allowed: {ALLOWED_SPLITS}"
        if name == FAR:
            return f"the split has a partition {name!r}, the name of far_unknown. Allowed: {ALLOWED_SPLITS}"
        usual = meant_by(name)
        if usual:
            return f"the split has a partition {name!r}; is it {usual!r}? Allowed: {ALLOWED_SPLITS}"
    return ""


def meant_by(name: str) -> str:
    """The usual partition that a name is another spelling of; empty for any other name.

    >>> meant_by("valid"), meant_by("Train"), meant_by("train_2"), meant_by("vaildation")
    ('validation', 'train', 'train', 'validation')
    >>> meant_by("shifted"), meant_by("test"), meant_by("test2"), meant_by("strain"), meant_by("")
    ('', '', '', '', '')
    """
    if name in (*USUAL, ""):
        return ""
    text = name.strip().casefold()
    word = text[: next((i for i, c in enumerate(text) if not c.isalpha()), len(text))]
    for usual, aliases in _ALIASES.items():
        similar = SequenceMatcher(None, text, usual).ratio() > 0.9 and usual == "validation"
        if text == usual or text in aliases or sorted(text) == sorted(usual) or similar:
            return usual
        if usual != "test" and word in aliases:  # train_2 would be a test set; test_2 is one
            return usual
    return ""


def kind_problem(dataset: Dataset, _spec: DatasetSpec) -> str:
    """Described columns are those of a table of floats: positions of values, and NaN only where allowed."""
    import numpy as np

    for name, kinds in dataset.kinds.items():
        view = dataset.views.get(name)
        if not isinstance(view, np.ndarray) or view.dtype.kind != "f" or view.shape[1:] != (len(kinds),):
            return f"kinds describe {len(kinds)} columns of the view {name}, which is no such table of floats"
        missing = np.isnan(view)
        for i, kind in enumerate(kinds):
            column = view[:, i]
            known = column[~missing[:, i]]
            if len(known) < len(column) and not kind.missing:
                return f"column {i} of the view {name} has missing values, which its kind does not allow"
            if kind.values and not np.isin(known, np.arange(len(kind.values))).all():
                return f"column {i} of the view {name} has other numbers than 0 to {len(kind.values) - 1}"
    return ""


def unscored_problem(dataset: Dataset, _spec: DatasetSpec) -> str:
    """Classes that are not scored exist, others remain, and samples may have several paths."""
    task = dataset.task
    if not task.unscored:
        return ""
    known = set(task.hierarchy.classes) if task.hierarchy is not None else set()
    unknown = sorted(set(task.unscored) - known)
    if unknown:
        return f"the unscored class {unknown[0]!r} is not in the hierarchy"
    if task.paths == "single":
        return "classes can be left unscored for several label paths only"
    return "no class is scored" if len(known) == len(set(task.unscored)) else ""


PROBLEMS: tuple[Callable[[Dataset, DatasetSpec], str], ...] = (
    id_problem,
    size_problem,
    target_problem,
    split_problem,
    kind_problem,
    unscored_problem,
)


# --------------------------------------------------------------------------- fingerprint


def full_fingerprint(dataset: Dataset) -> str:
    """Hex digest of the author's fingerprint and of all that the core can read by itself.

    These are ids, targets, hierarchy, groups, duplicates, split, and views in memory: numbers, and lists of
    texts and numbers. Views that are read from files when they are needed (images, memory maps) are left to
    the author's part.
    """
    digest = hashlib.sha256()
    for part in _parts(dataset):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def _parts(dataset: Dataset) -> Iterator[bytes]:
    task = dataset.task
    hierarchy = task.hierarchy.fingerprint if task.hierarchy is not None else ""
    lists = [None if v is None else list(v) for v in (dataset.groups, dataset.duplicates, dataset.split)]
    facts: list[Any] = [dataset.fingerprint, task.kind, task.paths, task.depth, hierarchy, list(task.targets)]
    if task.unscored:
        facts.append(list(task.unscored))
    if task.unit == "pixel":
        facts.append([task.unit, dataset.targets.tolerance.tolist(), list(dataset.targets.objects)])
    if dataset.kinds:
        facts.append({k: [[list(c.values), c.missing] for c in kinds] for k, kinds in dataset.kinds.items()})
    yield json.dumps([facts, list(dataset.ids), lists], default=str).encode()
    yield from _targets(dataset.targets)
    for name in sorted(dataset.views):
        content = _view(dataset.views[name])
        if content is not None:
            yield name.encode()
            yield from content


def _targets(targets: Any) -> Iterator[bytes]:
    """The same for dense and sparse sets of classes."""
    import numpy as np

    if isinstance(targets, LabelMaps):
        yield np.packbits(targets.legend).tobytes()
        for pixels in targets:
            yield f"{pixels.dtype.str} {pixels.shape}".encode() + pixels.tobytes()
    elif targets.dtype == bool:
        rows, columns = targets.nonzero()
        order = np.lexsort((columns, rows))
        yield np.stack([rows[order], columns[order]]).astype("<i8").tobytes()
    else:
        yield np.ascontiguousarray(targets, dtype="<f8").tobytes()


def _view(view: Any) -> Iterator[bytes] | None:
    """The content of a view in memory; None where it is read from files."""
    import numpy as np

    if isinstance(view, np.ndarray) and not isinstance(view, np.memmap) and not view.dtype.hasobject:
        return _array(view)
    listed = isinstance(view, (list, tuple, np.ndarray)) and not isinstance(view, np.memmap)
    if listed and all(isinstance(row, _PLAIN) for row in view):
        return iter([repr(list(view)).encode()])
    return None


def _array(array: np.ndarray) -> Iterator[bytes]:
    import numpy as np

    yield f"{array.dtype.str} {array.shape}".encode()
    yield np.ascontiguousarray(array).tobytes()
