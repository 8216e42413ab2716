"""Predictions for new samples, whatever the model was trained on: image files, or the rows of tables."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hmcbench.apply.predict_files import Block, check_constants, predict_files, predict_views
from hmcbench.apply.uncertainty import uncertainties
from hmcbench.data import featurize
from hmcbench.errors import BadInput, DataProblems, Problem
from hmcbench.interfaces import DatasetSpec, NewSamples, TableColumns, Task
from hmcbench.records.weights import Trained
from hmcbench.registry.registry import Registry, load_object

if TYPE_CHECKING:
    import pandas as pd

ROWS = 1024
"""Rows of a table that are predicted together."""


def reads_tables(trained: Trained, registry: Registry) -> bool:
    """Whether new samples are rows of tables; else they are files.

    Raises:
        BadInput: the dataset of the run reads neither.
    """
    name = trained.record.data["dataset"]["name"]
    spec: DatasetSpec = registry.get("datasets", name)
    if not spec.reader and not spec.table_reader:
        able = [s.name for s in registry.specs("datasets") if s.reader or s.table_reader]
        raise BadInput(
            f"{trained.record.path.name} was trained on {name}, which reads no files of new samples",
            allowed=f"models of {', '.join(able)}",
        )
    return bool(spec.table_reader)


def predict_new(
    trained: Trained, registry: Registry, paths: Sequence[str], max_pixels: int | None = None
) -> Iterator[Block]:
    """Predictions of files, or of the rows of all tables, in their order, a block at a time.

    Raises:
        BadInput: the dataset of the run reads no such files, or an old record of a table model that does not
            keep the columns of its training samples.
    """
    if not reads_tables(trained, registry):
        yield from predict_files(trained, registry, paths, max_pixels)
        return
    reader = TableReader(trained, registry)
    for path in paths:
        yield from reader.blocks(path)


class TableReader:
    """Reads tables as the views of a trained model.

    Raises:
        BadInput: the record does not keep the columns of its training samples.
    """

    def __init__(self, trained: Trained, registry: Registry) -> None:
        stored = trained.record.data["dataset"]
        self._trained, self._registry = trained, registry
        self._spec: DatasetSpec = registry.get("datasets", stored["name"])
        _, params = registry.resolve("datasets", stored["reference"], trained.record.profile)
        self._params = {name: value for name, value in params.items() if name != self._spec.path_param}
        self._columns = {
            name: TableColumns(way.names, way.kinds) for name, way in trained.preparations.items()
        }
        if trained.spec.views and not self._columns:
            raise BadInput(
                f"{trained.record.path.name} does not keep the columns of its training samples: it was made"
                " before predict read tables",
                hint="hmcbench run ... --rerun all fits the cell again",
            )

    def blocks(self, path: str) -> Iterator[Block]:
        """The predictions of a table; a table that cannot be read is one problem."""
        try:
            samples: NewSamples = load_object(self._spec.table_reader)(path, self._columns, **self._params)
        except DataProblems as error:
            yield predict_views(self._trained, [], [], {}, error.problems)
            return
        except (BadInput, OSError) as error:
            yield predict_views(self._trained, [], [], {}, [Problem(path, str(error).rstrip("."), "table")])
            return
        views, problems = self._views(samples), list(samples.problems)
        for start in range(0, max(1, len(samples.ids)), ROWS):
            part = slice(start, start + ROWS)
            ids = samples.ids[part]
            rows = {name: view[part] for name, view in views.items()}
            yield predict_views(self._trained, [path] * len(ids), ids, rows, problems)
            problems = []

    def _views(self, samples: NewSamples) -> dict[str, np.ndarray]:
        """View -> rows as the model takes them."""
        trained = self._trained
        plans = featurize.plan_views(self._registry, tuple(samples.views), trained.spec.views, trained.params)
        check_constants(trained, plans)
        return {plan.name: self._view(plan, samples.views) for plan in plans} if samples.ids else {}

    def _view(self, plan: featurize.ViewPlan, views: Mapping[str, Any]) -> np.ndarray:
        rows = views[plan.source]
        if plan.steps:
            transform = featurize.transformer(plan)
            pieces = [rows[i : i + featurize.BLOCK] for i in range(0, len(rows), featurize.BLOCK)]
            return np.concatenate([transform(piece) for piece in pieces])
        way = self._trained.preparations.get(plan.source)
        return np.asarray(rows if way is None or not way.kinds else way(rows).rows)


def frame_of(block: Block, task: Task) -> pd.DataFrame:
    """A row per sample, as :func:`hmcbench.predict` returns them."""
    from hmcbench.report.results import pandas

    library, hierarchy = pandas(), task.hierarchy
    names: dict[str, Any] = {"path": block.paths} | ({"id": block.ids} if block.ids else {})
    if hierarchy is None:
        scores = library.DataFrame(block.scores.values, columns=list(task.targets))
        return library.concat([library.DataFrame(names), scores], axis=1)
    for kind, sets in (("coherent", block.coherent), ("raw", block.raw)):
        names[kind] = ["|".join(hierarchy.decode(row)) for row in sets]
    levels = [block.levels(hierarchy, row) for row in range(len(block.paths))]
    for k in range(hierarchy.depth):
        names[f"level{k + 1}"] = ["|".join(of_row[k].labels) for of_row in levels]
        # of several classes of one level the least
        names[f"confidence{k + 1}"] = [min(of_row[k].confidence, default=math.nan) for of_row in levels]
    unsure = uncertainties(block.scores, task) if block.paths else None
    if unsure is not None:
        names["total_uncertainty"], names["epistemic_uncertainty"] = unsure
    if block.scores.novelty is not None:
        names["novelty"] = block.scores.novelty
    scores = library.DataFrame(block.scores.values, columns=list(hierarchy.classes))
    return library.concat([library.DataFrame(names), scores], axis=1)
