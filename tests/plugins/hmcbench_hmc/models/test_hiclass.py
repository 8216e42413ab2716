"""Scores of hiclass's classifiers: they lead to hiclass's own decisions."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("hiclass")
from hmcbench_hmc.models.hiclass_adapter import SEPARATOR, Hiclass

from hmcbench.registry.registry import default_registry
from hmcbench.testing.helpers import Kind, fitted, inputs, tiny_dataset, tiny_hierarchy


def top_down(values: np.ndarray, kind: Kind, level: bool) -> list[list[int]]:
    """Columns of the highest score at each level, among the children of the class above or all classes."""
    hierarchy = tiny_hierarchy(kind)
    parent_of = dict(hierarchy.edge_index[:, ::-1].tolist())
    paths = []
    for row in values:
        path: list[int] = []
        for k in range(1, hierarchy.depth + 1):
            below = path[-1] if path else None
            columns = [c for c in hierarchy.level_classes(k) if level or parent_of.get(c) == below]
            if columns:
                path.append(max(columns, key=lambda c: row[c]))
        paths.append(path)
    return paths


@pytest.mark.parametrize("kind", ["tree", "ragged"])
@pytest.mark.parametrize("local", ["node", "parent", "level"])
def test_decisions_are_those_of_hiclass(local: str, kind: Kind) -> None:
    dataset = tiny_dataset(120, kind, noise=2.0)
    model = Hiclass(local=local, classifier="decision-tree")
    fitted(model, dataset, train=range(80), valid=[])
    test = list(range(80, 120))
    rows = np.asarray(dataset.views["table"])[test]
    values = model.predict(inputs(dataset, test)).values
    # a decision-tree has many equal scores: a decision counts as the same if its score is the highest
    for row, path, decided in zip(
        values, top_down(values, kind, local == "level"), model._model.predict(rows), strict=True
    ):
        columns = [int(name.rpartition(SEPARATOR)[2]) for name in decided if name]
        assert row[columns[0]] == pytest.approx(row[path[0]])
    assert values.min() >= 0 and values.max() <= 1


def test_children_score_below_their_parents() -> None:
    dataset = tiny_dataset(80, "tree")
    parent, child = tiny_hierarchy("tree").edge_index.T
    for local in ("node", "parent"):
        model = Hiclass(local=local, classifier="logistic-regression")
        values = fitted(model, dataset).predict(inputs(dataset)).values
        assert (values[:, child] <= values[:, parent]).all()


def test_takes_single_paths_through_trees() -> None:
    spec = default_registry().get("models", "hiclass")
    assert (spec.paths, spec.hierarchies) == (("single",), ("tree",))
