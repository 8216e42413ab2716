"""Trained models on new files: list them, read them block by block, decide.

The core knows no image format. The dataset that a model was trained on names a ``reader`` that
turns files into rows of its view, with the parameters of the run (so that what was cut off there
is cut off here), and the featurizers of the run do the rest.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hmcbench.data import featurize
from hmcbench.data.views import Rows
from hmcbench.errors import BadInput, Problem
from hmcbench.execute.predict import check_scores
from hmcbench.interfaces import DatasetSpec, Inputs, Scores, Value
from hmcbench.metrics import decisions
from hmcbench.records.weights import Trained
from hmcbench.registry.registry import Registry, load_object

BLOCK = 128
"""Files that are read, scored and forgotten together."""
_PIECE = 16  # of a block, for one thread


@dataclass(frozen=True, eq=False)
class Block:
    """Some of the files.

    Attributes:
        paths: those that could be read, n of them.
        rows: n rows of the dataset's view, such as lazy images.
        views: what the model was shown: name -> array (n, ...).
        scores: float32 (n, C) probabilities, and those of ``stop``.
        raw, coherent: boolean (n, C) decisions.
        problems: the other files, with the reason.
    """

    paths: Sequence[str]
    rows: Sequence[Any]
    views: dict[str, np.ndarray]
    scores: Scores
    raw: np.ndarray
    coherent: np.ndarray
    problems: Sequence[Problem]


class Reader:
    """From files to the views of a trained model.

    Args:
        trained: the model.
        registry: of the installed plugins.

    Attributes:
        spec, params: the dataset of the run and its parameters, without the path of its files.

    Raises:
        BadInput: the dataset of the run reads no single files.
        NotApplicable: a view that files cannot give.
    """

    def __init__(self, trained: Trained, registry: Registry) -> None:
        stored = trained.record.data["dataset"]
        spec: DatasetSpec = registry.get("datasets", stored["name"])
        if not spec.reader:
            able = [s.name for s in registry.specs("datasets") if s.reader]
            raise BadInput(
                f"{trained.record.path.name} was trained on {spec.name}, which reads no single files",
                allowed=f"models of {', '.join(able)}",
            )
        if trained.task.hierarchy is None:
            raise BadInput(f"{trained.record.path.name} predicts numbers", allowed="a model of classes")
        _, params = registry.resolve("datasets", stored["reference"], trained.record.profile)
        self.spec, self.params = spec, params
        self._read: Callable[..., list[Any]] = load_object(spec.reader)
        plans = featurize.plan_views(registry, spec.views[:1], trained.spec.views, trained.params)
        self._views = {plan.name: featurize.transformer(plan) for plan in plans}

    def read(self, paths: Sequence[str], pool: ThreadPoolExecutor) -> tuple[list[Any], list[Problem]]:
        """A row for every path, or the problem in its place; and all problems."""
        pieces = [paths[i : i + _PIECE] for i in range(0, len(paths), _PIECE)]
        rows = [row for part in pool.map(lambda p: self._read(p, **self.params), pieces) for row in part]
        return rows, [row for row in rows if isinstance(row, Problem)]

    def views(self, rows: Sequence[Any], pool: ThreadPoolExecutor) -> dict[str, np.ndarray]:
        """Name -> array (n, ...)."""
        pieces = [rows[i : i + _PIECE] for i in range(0, len(rows), _PIECE)]
        return {name: np.concatenate(list(pool.map(make, pieces))) for name, make in self._views.items()}

    def changes(self) -> dict[str, Value]:
        """Parameters of the run that change how a file is read: what the user should be told."""
        return {
            name: value
            for name, value in self.params.items()
            if value != self.spec.params[name].default and not self.spec.params[name].cosmetic
        }


def predict_files(trained: Trained, registry: Registry, paths: Sequence[str]) -> Iterator[Block]:
    """Predictions of files in the order given, a block at a time; memory does not grow with them.

    Of files that were not named but found in a folder (:func:`list_files`) give all: what is no
    image is a problem of the kind ``extension``.
    """
    reader = Reader(trained, registry)
    with ThreadPoolExecutor(max(2, min(8, os.cpu_count() or 1))) as pool:
        for start in range(0, len(paths), BLOCK):
            part = paths[start : start + BLOCK]
            found, problems = reader.read(part, pool)
            good = [(p, row) for p, row in zip(part, found, strict=True) if not isinstance(row, Problem)]
            yield _decided(trained, [p for p, _ in good], [row for _, row in good], problems, reader, pool)


def _decided(
    trained: Trained,
    names: list[str],
    rows: list[Any],
    problems: list[Problem],
    reader: Reader,
    pool: ThreadPoolExecutor,
) -> Block:
    task = trained.task
    if not names:
        none = np.zeros((0, len(task.hierarchy) if task.hierarchy is not None else 0), dtype=np.float32)
        return Block([], [], {}, Scores(none), none.astype(bool), none.astype(bool), problems)
    views = reader.views(rows, pool)
    given = Inputs(names, {name: Rows(view) for name, view in views.items()})
    scores = check_scores(trained.model.predict(given), len(names), task, trained.spec)
    raw, coherent = (
        decide(scores.values, scores.stop, task, trained.thresholds)
        for decide in (decisions.raw, decisions.coherent)
    )
    return Block(names, rows, views, scores, raw, coherent, problems)


def list_files(paths: Sequence[Path]) -> tuple[list[str], set[str]]:
    """Files as named, and all files below named folders (hidden ones left out), each once.

    Returns:
        The files in order, and those among them that were found in a folder.

    Raises:
        BadInput: a path that is not there, or a folder without any file.
    """
    files: dict[str, None] = {}
    found: set[str] = set()
    for path in paths:
        if path.is_dir():
            inside = [p for p in sorted(path.rglob("*")) if p.is_file() and not _hidden(p, path)]
            if not inside:
                raise BadInput(f"the folder {path} holds no file")
            found |= {str(p) for p in inside} - set(files)
            files |= dict.fromkeys(map(str, inside))
        elif path.exists():
            files[str(path)] = None
            found.discard(str(path))
        else:
            raise BadInput(f"no file {path}", allowed="images, or folders of images")
    return list(files), found


def _hidden(path: Path, below: Path) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in path.relative_to(below).parts)
