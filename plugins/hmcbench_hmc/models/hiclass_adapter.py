"""The local classifiers of hiclass [Miranda, Koehnecke & Renard, JMLR 2023] with a score per class.

``node``: a binary classifier per class; ``parent``: a classifier over the children of every class; ``level``:
one per level. hiclass trains them and decides from the top down; its ``predict_proba`` is not used, as it
leaves out classes whose parent was not decided for, and fails where paths end early. Scores are taken from
its classifiers:

    node, parent:  score(c) = score(parent of c) p(c | parent of c)          level:  score(c) = p(c)

hiclass takes single paths through a tree.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hiclass import LocalClassifierPerLevel, LocalClassifierPerNode, LocalClassifierPerParentNode
from hiclass.ConstantClassifier import ConstantClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from hmcbench.errors import BadInput
from hmcbench.interfaces import Inputs, Labelled, Run, Scores, Task, Value
from hmcbench.sklearnkit import kept
from hmcbench.sklearnkit.onnx_estimators import probabilities
from hmcbench_hmc.models.trees import hierarchy_of, rows_of

LOCAL = {
    "node": LocalClassifierPerNode,
    "parent": LocalClassifierPerParentNode,
    "level": LocalClassifierPerLevel,
}
SEPARATOR = "::HiClass::Separator::"
OWN_TYPES = (ConstantClassifier,)


class Hiclass:
    """Implements :class:`hmcbench.interfaces.Model`.

    Args:
        local: ``node``, ``parent`` or ``level``.
        classifier: of every node: ``logistic-regression`` (on scaled columns) or ``decision-tree``.
        view: the view it reads; rows are flattened.
    """

    def __init__(self, *, local: str, classifier: str, view: str = "table") -> None:
        self.local, self.classifier, self.view = local, classifier, view

    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        """Fit hiclass on ``train``; classes are named by their columns."""
        self._hierarchy = hierarchy_of(run)
        positions, _crowded = self._hierarchy.level_positions(train.targets)
        starts = np.cumsum([0, *self._hierarchy.level_sizes[:-1]])
        inside = positions < self._hierarchy.level_sizes
        names = np.where(inside, (positions + starts).astype(str), "")
        labelled = inside.any(axis=1)
        self._model: Any = None
        self._kept: list[tuple[Any, list[str]]] = []
        if labelled.any():
            self._model = LOCAL[self.local](local_classifier=self._estimator(run), n_jobs=1)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a logistic regression that has not converged
                self._model.fit(rows_of(train, self.view)[labelled], names[labelled])

    def _estimator(self, run: Run) -> Any:
        if self.classifier == "decision-tree":
            return DecisionTreeClassifier(min_samples_leaf=5, random_state=run.seed)
        return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))

    def predict(self, inputs: Inputs) -> Scores:
        """Scores float64 (N, C); 0 for classes without training samples."""
        rows = rows_of(inputs, self.view)
        values = np.zeros((len(rows), self._hierarchy.n))
        for classifier, names in self._classifiers():
            shares = np.asarray(classifier.predict_proba(rows), dtype=np.float64).reshape(len(rows), -1)
            values[:, [_column(name) for name in names]] = shares[:, -len(names) :]
        if self.local != "level":
            for parent, child in self._hierarchy.edge_index:  # by child: parents are final
                values[:, child] *= values[:, parent]
        return Scores(values)

    def save(self, folder: Path) -> None:
        """Writes ``estimators.skops``: the classifiers, and the classes that each stands for."""
        names = [list(map(str, names)) for _classifier, names in self._classifiers()]
        classifiers = [classifier for classifier, _names in self._classifiers()]
        kept.save({"classifiers": classifiers, "names": names}, folder, OWN_TYPES)

    def load(self, folder: Path, run: Run) -> None:
        """Replaces ``fit``; raises BadInput for a file that is damaged or not trusted."""
        self._hierarchy, self._model = hierarchy_of(run), None
        content = kept.load(folder, OWN_TYPES)
        self._kept = list(zip(content["classifiers"], content["names"], strict=True))

    def _classifiers(self) -> list[tuple[Any, list[str]]]:
        """hiclass's classifiers, and the classes that the last columns of their probabilities stand for."""
        if self._model is None:
            return self._kept
        if self.local == "level":
            return [(c, list(c.classes_)) for c in self._model.local_classifiers_ if c is not None]
        nodes = [(name, data["classifier"]) for name, data in self._model.hierarchy_.nodes.items() if data]
        if self.local == "node":
            return [(c, [name]) for name, c in nodes]  # the last column is that of being there
        return [(c, list(c.classes_)) for _name, c in nodes]

    @property
    def views(self) -> Sequence[str]:
        """The view that it reads."""
        return (self.view,)

    @property
    def width(self) -> int:
        """Columns of the view; raises BadInput where every classifier is constant."""
        for classifier, _names in self._classifiers():
            if hasattr(classifier, "n_features_in_"):
                return int(classifier.n_features_in_)
        raise BadInput("it has no classifier: all training samples had the same classes")

    def write_onnx(self, graph: Any, task: Task) -> dict[str, str]:
        """For ``hmcbench export-model``; see :class:`hmcbench.interfaces.Model`."""
        columns = {i: graph.filled([0.0]) for i in range(self._hierarchy.n)}
        for classifier, names in self._classifiers():
            if isinstance(classifier, ConstantClassifier):
                columns[_column(names[-1])] = graph.filled([1.0])
                continue
            shares = probabilities(graph, classifier)
            skipped = len(classifier.classes_) - len(names)
            columns |= {_column(name): graph.column(shares, skipped + i) for i, name in enumerate(names)}
        if self.local != "level":
            for parent, child in self._hierarchy.edge_index.tolist():
                columns[child] = graph.op("Mul", columns[child], columns[parent])
        return {"scores": graph.columns([columns[i] for i in sorted(columns)])}

    def describe(self) -> Mapping[str, Value]:
        """The number of classifiers."""
        return {"classifiers": len(self._classifiers())}


def _column(name: str) -> int:
    return int(name.rpartition(SEPARATOR)[2])
