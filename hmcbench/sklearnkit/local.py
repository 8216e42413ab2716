"""Local classifiers: per level, per parent node, per node [Silla & Freitas 2011, section 4].

Each is trained on a *group*: classes that are decided together, among the samples that have the
group's parent. Per level a group is a level, with every sample; per parent node, the children of a
parent; per node, the same children, each with a binary classifier (the "siblings" policy: negatives
are the siblings' samples).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from hmcbench.errors import BadInput
from hmcbench.interfaces import Scores
from hmcbench.sklearnkit.flat import Classes, EstimatorState, Exclusive, FitFunction

if TYPE_CHECKING:
    from hmcbench.hierarchy.hierarchy import Hierarchy

ROOT = -1  # the virtual root as a group's parent: every sample has it
NONE = -1  # as a label: a path that has ended


@dataclass
class Group:
    """Classes that are decided together, among samples that have the class ``parent``."""

    parent: int
    columns: np.ndarray
    solver: Any = field(default=None, repr=False)


def groups(hierarchy: Hierarchy, strategy: str) -> list[Group]:
    """The groups of a strategy, parents before their children."""
    if strategy == "level":
        return [Group(ROOT, hierarchy.level_classes(k)) for k in range(1, hierarchy.depth + 1)]
    above, below = hierarchy.edge_index.T
    inner = [Group(int(parent), below[above == parent]) for parent in np.unique(above)]
    return [Group(ROOT, hierarchy.level_classes(1)), *inner]


class Local:
    """Solver for hierarchical tasks with a classifier per group.

    A class scores its probability given the parent times the parent's score, so that parent and
    node strategies are coherent by construction; with several parents (a DAG) the least product
    counts. Levels are independent of each other and need not be coherent.

    Single paths: the classes of a group, and having ended above them, exclude each other: one
    classifier with that many labels, or the binary ones of a group normalised to a sum of 1. A
    level's ``stop`` is 1 - the sum of its classes. Multiple paths: nothing is normalised.
    """

    def __init__(
        self, hierarchy: Hierarchy, strategy: str, single: bool, stops: bool, together: bool
    ) -> None:
        if single and not hierarchy.is_tree:
            raise BadInput(
                f"strategy {strategy}: single paths over a hierarchy where classes have several parents",
                allowed="strategy=flat",
            )
        self._hierarchy, self._strategy, self._single, self._stops = hierarchy, strategy, single, stops
        self._together = together and strategy != "node"

    def fit(self, rows: np.ndarray, targets: Any, fit: FitFunction) -> None:
        truth = np.asarray(targets.toarray() if sparse.issparse(targets) else targets, dtype=bool)
        self._groups = groups(self._hierarchy, self._strategy)
        for group in self._groups:
            members = np.ones(len(rows), dtype=bool) if group.parent == ROOT else truth[:, group.parent]
            if not members.any():
                continue  # no sample has the parent or a class below it: all score 0
            group.solver = self._solver()
            group.solver.fit(rows[members], self._goal(truth[members][:, group.columns]), fit)

    @property
    def groups(self) -> list[Group]:
        """After ``fit``: parents before their children; without a solver where no sample has the parent."""
        return self._groups

    @property
    def stops(self) -> bool:
        return self._stops

    def state(self) -> EstimatorState:
        return {"groups": [None if g.solver is None else g.solver.state() for g in self._groups]}

    def restore(self, state: EstimatorState) -> None:
        self._groups = groups(self._hierarchy, self._strategy)
        for group, of_group in zip(self._groups, state["groups"], strict=True):
            if of_group is not None:
                group.solver = self._solver()
                group.solver.restore(of_group)

    def _solver(self) -> Any:
        if not self._single:
            return Classes(self._together)
        return _Siblings() if self._strategy == "node" else Exclusive()

    def _goal(self, truth: np.ndarray) -> np.ndarray:
        """Multiple paths and binary classifiers: the sets; else the position of the class, or NONE."""
        if not self._single or self._strategy == "node":
            return truth
        return np.where(truth.any(axis=1), truth.argmax(axis=1), NONE)

    def predict(self, rows: np.ndarray) -> Scores:
        h = self._hierarchy
        values = np.zeros((len(rows), h.n))
        bound = np.ones((len(rows), h.n))  # the least product so far
        for group in self._groups:
            if group.solver is None:
                bound[:, group.columns] = 0.0
                continue
            parent = 1.0 if group.parent == ROOT else values[:, [group.parent]]
            bound[:, group.columns] = np.minimum(bound[:, group.columns], parent * self._shares(group, rows))
            values[:, group.columns] = bound[:, group.columns]
        if not self._stops:
            return Scores(values)
        sums = [values[:, h.level_classes(k)].sum(axis=1) for k in range(1, h.depth + 1)]
        return Scores(values, np.clip(1 - np.stack(sums, axis=1), 0, 1))

    def _shares(self, group: Group, rows: np.ndarray) -> np.ndarray:
        """(N, K): the probability of every class of the group, given its parent."""
        if not isinstance(group.solver, Exclusive):
            return np.asarray(group.solver.predict(rows).values)
        shares = np.zeros((len(rows), len(group.columns)))
        classes = group.solver.labels != NONE
        shares[:, group.solver.labels[classes]] = group.solver.shares(rows)[:, classes]
        return shares


class _Siblings(Classes):
    """Binary classifiers whose positives exclude each other."""

    def __init__(self) -> None:
        super().__init__(multi_output=False)

    def fit(self, rows: np.ndarray, targets: Any, fit: FitFunction) -> None:
        super().fit(rows, targets, fit)
        self._may_end = not targets.any(axis=1).all()

    def state(self) -> EstimatorState:
        return {**super().state(), "may_end": bool(self._may_end)}

    def restore(self, state: EstimatorState) -> None:
        super().restore(state)
        self._may_end = state["may_end"]

    def predict(self, rows: np.ndarray) -> Scores:
        shares = super().predict(rows).values
        ended = np.prod(1 - shares, axis=1) if self._may_end else np.zeros(len(rows))
        total = (shares.sum(axis=1) + ended)[:, None]
        frequency = np.tile(self._frequency, (len(rows), 1))  # where all probabilities are 0
        return Scores(np.where(total > 0, shares / np.where(total > 0, total, 1.0), frequency))
