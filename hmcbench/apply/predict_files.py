"""Predictions of a trained model for new files, block by block.

The core knows no image format. The dataset that the model was trained on names a ``reader``, which
turns files into rows of its view with the parameters of the run (such as the crop), and the
featurizers of the run make the model's views of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hmcbench.data import featurize
from hmcbench.data.views import Rows
from hmcbench.errors import BadInput, NotApplicable, Problem
from hmcbench.execute.predict import check_scores
from hmcbench.interfaces import DatasetSpec, Inputs, Scores, Value
from hmcbench.metrics import decisions
from hmcbench.plan.describe import constants_of
from hmcbench.records.weights import Trained
from hmcbench.registry.registry import Registry, load_object

if TYPE_CHECKING:
    from hmcbench.hierarchy.hierarchy import Hierarchy

BLOCK = 128
"""Files that are in memory together."""
_CHUNK = 16  # files of a block for one thread


@dataclass(frozen=True)
class LevelLabel:
    """What a sample is said to be at one level.

    Attributes:
        labels: the classes of its coherent decision there: one, several of multiple paths, or none.
        confidence: the score of each.
    """

    labels: Sequence[str]
    confidence: Sequence[float]


@dataclass(frozen=True, eq=False)
class Block:
    """The predictions of a block of files, or of rows of a table.

    Attributes:
        paths: the n files that could be read; of rows, the file of each.
        rows: n rows of the dataset's view, such as lazy images; none of tables.
        views: the model's inputs: name -> array (n, ...).
        scores: float32 (n, C) probabilities, and those of ``stop``.
        raw, coherent: boolean (n, C) decisions; (n, 0) of a regression.
        problems: the unreadable files or rows, with the reason.
        ids: of the rows of a table; none of files.
    """

    paths: Sequence[str]
    rows: Sequence[Any]
    views: dict[str, np.ndarray]
    scores: Scores
    raw: np.ndarray
    coherent: np.ndarray
    problems: Sequence[Problem]
    ids: Sequence[str] = ()

    def levels(self, hierarchy: Hierarchy, row: int) -> list[LevelLabel]:
        """Labels and their confidence at every level, for one of the n rows."""
        labels = []
        for k in range(1, hierarchy.depth + 1):
            columns = hierarchy.level_classes(k)
            decided = columns[self.coherent[row, columns]]
            scores = self.scores.values[row, decided].tolist()
            labels.append(LevelLabel([hierarchy.classes[c] for c in decided], scores))
        return labels


class Reader:
    """Reads files as the views of a trained model.

    Args:
        trained: the model.
        registry: the installed plugins.
        max_pixels: a larger image is refused; None for the limit of its dataset.
        of_pixels: whether a model that labels pixels is asked for.

    Attributes:
        spec, params: the dataset of the run and its parameters, without the path of its files.

    Raises:
        BadInput: the dataset of the run reads no single files.
        NotApplicable: a view that cannot be made from files.
    """

    def __init__(
        self,
        trained: Trained,
        registry: Registry,
        max_pixels: int | None = None,
        of_pixels: bool = False,
    ) -> None:
        stored = trained.record.data["dataset"]
        spec: DatasetSpec = registry.get("datasets", stored["name"])
        if not spec.reader:
            names = [s.name for s in registry.specs("datasets") if s.reader]
            raise BadInput(
                f"{trained.record.path.name} was trained on {spec.name}, which reads no single files",
                allowed=f"models of {', '.join(names)}",
            )
        if trained.task.unit == "pixel" and not of_pixels:
            raise BadInput(f"{trained.record.path.name} labels pixels", allowed="a model of whole images")
        _, params = registry.resolve("datasets", stored["reference"], trained.record.profile)
        limit = {"max_pixels": max_pixels} if max_pixels and "max_pixels" in spec.params else {}
        self.spec, self.params = spec, {**params, **limit}
        self._read: Callable[..., list[Any]] = load_object(spec.reader)
        plans = featurize.plan_views(registry, spec.views[:1], trained.spec.views, trained.params)
        check_constants(trained, plans)
        self._views = {plan.name: featurize.transformer(plan) for plan in plans}

    def read(self, paths: Sequence[str], pool: ThreadPoolExecutor) -> list[Any]:
        """A row or a :class:`Problem` for every path."""
        chunks = [paths[i : i + _CHUNK] for i in range(0, len(paths), _CHUNK)]
        return [row for rows in pool.map(lambda c: self._read(c, **self.params), chunks) for row in rows]

    def views(self, rows: Sequence[Any], pool: ThreadPoolExecutor) -> dict[str, np.ndarray]:
        """Name -> array (n, ...)."""
        chunks = [rows[i : i + _CHUNK] for i in range(0, len(rows), _CHUNK)]
        return {name: np.concatenate(list(pool.map(make, chunks))) for name, make in self._views.items()}

    def changes(self) -> dict[str, Value]:
        """Parameters of the run, other than the defaults, that change how a file is read."""
        return {
            name: value
            for name, value in self.params.items()
            if value != self.spec.params[name].default and not self.spec.params[name].cosmetic
        }


def predict_files(
    trained: Trained, registry: Registry, paths: Sequence[str], max_pixels: int | None = None
) -> Iterator[Block]:
    """Predictions of files in their order, a block at a time; memory does not grow with their number.

    A file of a type that the reader does not know is a problem of the kind ``extension``.
    """
    reader = Reader(trained, registry, max_pixels)
    with ThreadPoolExecutor(max(2, min(8, os.cpu_count() or 1))) as pool:
        for start in range(0, len(paths), BLOCK):
            results = reader.read(paths[start : start + BLOCK], pool)
            pairs = list(zip(paths[start : start + BLOCK], results, strict=True))
            problems = [row for _, row in pairs if isinstance(row, Problem)]
            names = [path for path, row in pairs if not isinstance(row, Problem)]
            rows = [row for row in results if not isinstance(row, Problem)]
            views = reader.views(rows, pool) if names else {}
            yield predict_views(trained, names, names, views, problems, rows=rows)


def predict_views(
    trained: Trained,
    paths: Sequence[str],
    ids: Sequence[str],
    views: dict[str, np.ndarray],
    problems: Sequence[Problem],
    rows: Sequence[Any] = (),
) -> Block:
    """The predictions of n samples.

    Args:
        paths: the file of each.
        ids: what the model gets to know them by.
        views: name -> n rows as the model takes them.
        rows: see :class:`Block`.
    """
    task = trained.task
    of_rows = () if list(ids) == list(paths) else ids
    if not paths:
        empty = np.zeros((0, task.hierarchy.n if task.hierarchy is not None else len(task.targets)))
        none = empty[:, :0].astype(bool) if task.hierarchy is None else empty.astype(bool)
        return Block([], [], {}, Scores(empty.astype(np.float32)), none, none, problems, of_rows)
    inputs = Inputs(ids, {name: Rows(view) for name, view in views.items()})
    scores = check_scores(trained.model.predict(inputs), len(ids), task, trained.spec)
    raw, coherent = _decide(trained, scores)
    return Block(paths, rows, views, scores, raw, coherent, problems, of_rows)


def _decide(trained: Trained, scores: Scores) -> tuple[np.ndarray, np.ndarray]:
    """Raw and coherent decisions, as metrics read them."""
    task = trained.task
    if task.hierarchy is None:
        none = np.zeros((len(scores.values), 0), dtype=bool)
        return none, none
    if scores.decisions is not None:  # of the model itself
        return scores.decisions, np.asarray(task.hierarchy.close(scores.decisions), dtype=bool)
    raw, coherent = (
        decide(scores.values, scores.stop, task, trained.thresholds)
        for decide in (decisions.raw, decisions.coherent)
    )
    return raw, coherent


def check_constants(trained: Trained, plans: Sequence[featurize.ViewPlan]) -> None:
    """Raise BadInput where features would be computed with other constants than in the run."""
    stored = trained.record.data["model"].get("constants", {})
    try:
        constants = constants_of(plans)
    except NotApplicable as error:
        raise BadInput(str(error)) from None
    for name, values in constants.items():
        if name in stored and values["digest"] != stored[name]["digest"]:
            raise BadInput(
                f"the view {name} of the run was computed with {stored[name]['origin']}",
                allowed=f"the same; here is {values['origin']}",
            )


def list_files(paths: Sequence[Path]) -> tuple[list[str], set[str]]:
    """The named files, and all files below named folders (but hidden ones), each once.

    Returns:
        The files in order, and the set of those that were not named but are in a named folder.

    Raises:
        BadInput: a path that does not exist, or a folder without any file.
    """
    files: dict[str, None] = {}
    from_folders: set[str] = set()
    for path in paths:
        if path.is_dir():
            inside = [p for p in sorted(path.rglob("*")) if p.is_file() and not _hidden(p, path)]
            if not inside:
                raise BadInput(f"the folder {path} holds no file")
            from_folders |= {str(p) for p in inside} - set(files)
            files |= dict.fromkeys(map(str, inside))
        elif path.exists():
            files[str(path)] = None
            from_folders.discard(str(path))
        else:
            raise BadInput(f"no file {path}", allowed="files, or folders of files")
    return list(files), from_folders


def _hidden(path: Path, below: Path) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in path.relative_to(below).parts)
