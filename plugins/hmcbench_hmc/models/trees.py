"""Predictive clustering trees: ``pct`` (Clus-HMC) and ``pct-forest`` (Clus-HMC-Ens).

Clus-HMC [Vens, Struyf, Schietgat, Dzeroski & Blockeel 2008] grows one tree for all classes. A split is chosen
for the largest fall of the variance of class vectors under the weighted distance

    d(y, z)^2 = sum over classes c of w_c (y_c - z_c)^2,   w_c = 0.75 * mean of w over the parents of c,

with w = 0.75 at the top level (their ExpAvgParentWeight; in a tree w_c = 0.75^depth). A leaf predicts the
mean class vector of its training samples, which is coherent. Clus-HMC-Ens [Schietgat et al. 2010] bags 50
trees.

**Exact**: with targets sqrt(w_c) y_c that variance is the plain one, so a multi-output regression tree of
scikit-learn is this tree. **Fast**: a tree may be grown on q Gaussian projections of the scaled targets
[Joly, Geurts & Wehenkel 2014]; distances are kept in expectation, the cost of a split no longer grows with
the number of classes, and every tree has projections of its own. Leaves predict means of the true vectors.

A forest predicts a weighted mean of training samples, so that it is stored as the leaf of every training
sample in every tree, and a prediction costs as many products as samples share its leaves.

Published: a single tree stops splitting where an F-test finds no fall of the variance, its significance
chosen on validation among six values; a forest tries all features at a split; leaves have at least 5 samples.
Chosen here: missing values are handled by scikit-learn (they go to the better side of a split), where Clus
divides the sample; a seventh significance, 1, keeps every split; the forest's leaves have at least 3 samples,
and a third of the features is tried at a split. The profile ``paper`` of the forest is the published one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from scipy.stats import f as f_distribution
from sklearn.metrics import average_precision_score
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils.parallel import Parallel, delayed

from hmcbench.errors import BadInput, NotApplicable
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Inputs, Labelled, Run, Scores, Task, Value
from hmcbench_hmc.models.kept_trees import (
    SPLITS,
    KeptTree,
    add_trees,
    kept_trees,
    read_arrays,
    save_arrays,
    splits_of,
    width_of,
)

WEIGHT = 0.75
SIGNIFICANCES = (0.001, 0.005, 0.01, 0.05, 0.1, 0.125, 1.0)
"""Levels of the F-test that are tried on validation samples: the six published ones, and 1, added here."""
BLOCK = 512
"""Samples per dense product in a prediction."""
DEFAULT = 0.01
"""The level where there are no validation samples."""


def class_weights(hierarchy: Hierarchy) -> np.ndarray:
    """w_c, float (C,): 0.75 at the top level, then 0.75 times the mean over the parents."""
    weights = np.full(hierarchy.n, WEIGHT)
    parent, child = hierarchy.edge_index.T
    for level in range(2, hierarchy.depth + 1):  # all parents of a class have lower levels
        columns = hierarchy.level_classes(level)
        edges = np.isin(child, columns)
        total = np.bincount(child[edges], weights[parent[edges]], hierarchy.n)[columns]
        weights[columns] = WEIGHT * total / np.bincount(child[edges], minlength=hierarchy.n)[columns]
    return weights


class OfOneView:
    """What an export asks of a tree or forest."""

    view: str
    _width: int

    @property
    def views(self) -> tuple[str, ...]:
        """The view that it reads."""
        return (self.view,)

    @property
    def width(self) -> int:
        """Columns of the view."""
        return self._width


class PctForest(OfOneView):
    """Implements :class:`hmcbench.interfaces.Model`: bagged predictive clustering trees.

    Args:
        trees: their number.
        projections: q; 0 grows the trees on all classes.
        features: share of the features that is tried at a split.
        leaf: least number of samples in a leaf.
        inputs: the view it reads, with its parameters if any; rows are flattened.
    """

    def __init__(
        self,
        *,
        trees: int = 250,
        projections: int = 20,
        features: float = 1 / 3,
        leaf: int = 3,
        inputs: str = "table",
    ) -> None:
        self.trees, self.projections, self.features, self.leaf = trees, projections, features, leaf
        self.view = one_view(inputs)

    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        """Grow the trees on ``train``; nothing is chosen, and ``valid`` is not used."""
        rows, truth = rows_of(train, self.view), targets_of(train)
        self._width = int(rows.shape[1])
        scaled = truth @ sparse.diags_array(np.sqrt(class_weights(hierarchy_of(run))))
        seeds = np.random.SeedSequence(run.seed).spawn(self.trees)
        grow = delayed(self._grow)
        jobs = Parallel(n_jobs=run.threads, prefer="threads")
        grown = jobs(grow(rows, scaled, seed) for seed in seeds)
        self._trees: list[Any] = [tree for tree, _counts in grown]
        self._ends = np.cumsum([tree.tree_.node_count for tree in self._trees])
        self._truth = truth
        self._shares = self._neighbours(rows, np.stack([counts for _tree, counts in grown]))

    def _grow(
        self, rows: np.ndarray, targets: sparse.csr_array, seed: np.random.SeedSequence
    ) -> tuple[DecisionTreeRegressor | KeptTree, np.ndarray]:
        """A tree, and how often its bag holds every sample, (N,)."""
        random = np.random.default_rng(seed)
        counts = np.bincount(random.integers(len(rows), size=len(rows)), minlength=len(rows))
        bag = np.flatnonzero(counts)
        tree = DecisionTreeRegressor(
            max_features=self.features, min_samples_leaf=self.leaf, random_state=int(random.integers(2**31))
        )
        goal = targets[bag]
        if self.projections and self.projections < targets.shape[1]:
            goal = goal @ random.standard_normal((targets.shape[1], self.projections))
        else:
            goal = goal.toarray()
        tree.fit(rows[bag], goal, sample_weight=counts[bag].astype(np.float64))
        if goal.shape[1] < targets.shape[1]:
            return tree, counts
        # its values, nodes x classes, are what a forest of thousands of classes has no room for
        return kept_trees(splits_of([tree.tree_]))[0], counts

    def _neighbours(self, rows: np.ndarray, counts: np.ndarray) -> sparse.csr_array:
        """Leaves of all trees x training samples: the share of a sample in the mean of a leaf, over trees."""
        leaf = self._leaves(rows)  # (N, T)
        weight = counts.T.astype(np.float64)
        totals = np.bincount(leaf.ravel(), weight.ravel(), minlength=self._ends[-1])
        sample = np.broadcast_to(np.arange(len(rows))[:, None], leaf.shape)
        inside = weight > 0
        shares = weight[inside] / totals[leaf[inside]] / self.trees
        return sparse.csr_array((shares, (leaf[inside], sample[inside])), (self._ends[-1], len(rows)))

    def _leaves(self, rows: np.ndarray) -> np.ndarray:
        """The leaf of every sample in every tree, (N, T), numbered through all trees."""
        leaves = [tree.tree_.apply(rows) for tree in self._trees]  # without checks, which cost more
        starts = self._ends - [tree.tree_.node_count for tree in self._trees]
        numbered: np.ndarray = np.stack(leaves, axis=1) + starts
        return numbered

    def predict(self, inputs: Inputs) -> Scores:
        """Means of the class vectors in the leaves, over trees: float32 (N, C)."""
        leaf = self._leaves(rows_of(inputs, self.view))
        pointers = np.arange(len(leaf) + 1) * leaf.shape[1]
        shape = (len(leaf), self._ends[-1])
        indicator = sparse.csr_array((np.ones(leaf.size), leaf.ravel(), pointers), shape)
        neighbours = sparse.csr_array(indicator @ self._shares)  # (N, training samples)
        values = np.empty((len(leaf), self._truth.shape[1]), dtype=np.float32)
        for start in range(0, len(leaf), BLOCK):
            block = slice(start, start + BLOCK)
            values[block] = (neighbours[block] @ self._truth).toarray()
        return Scores(values)

    def write_onnx(self, graph: Any, task: Task) -> dict[str, str]:
        """For ``hmcbench export-model``; see :class:`hmcbench.interfaces.Model`."""
        means = sparse.csr_array(self._shares @ self._truth)
        return {"scores": add_trees(graph, [tree.tree_ for tree in self._trees], means, self._ends)}

    def save(self, folder: Path) -> None:
        """Writes ``trees.npz``: the splits, the training classes, and the shares of samples in leaves."""
        parts = {"width": np.array(self._width), **splits_of([tree.tree_ for tree in self._trees])}
        save_arrays(folder, {**parts, **_sparse("truth", self._truth), **_sparse("shares", self._shares)})

    def load(self, folder: Path, run: Run) -> None:
        """Replaces ``fit``; raises BadInput for a file that is damaged."""
        arrays = read_arrays(folder, ("ends", *SPLITS, *_parts("truth"), *_parts("shares")))
        self._ends, self._width = arrays["ends"], width_of(arrays)
        self._trees = kept_trees(arrays)
        self._truth, self._shares = _csr(arrays, "truth"), _csr(arrays, "shares")

    def describe(self) -> Mapping[str, Value]:
        """Nodes of all trees."""
        return {"trees": self.trees, "nodes": int(self._ends[-1])}


class Pct(OfOneView):
    """Implements :class:`hmcbench.interfaces.Model`: one predictive clustering tree.

    Splits below the first one without significance are cut. As a split depends on its node alone, that is
    the tree which stops growing there.

    Args:
        leaf: least number of samples in a leaf.
        significance: of the F-test; 0 chooses one of :data:`SIGNIFICANCES` on the validation samples.
        inputs: the view it reads, with its parameters if any; rows are flattened.
    """

    def __init__(self, *, leaf: int = 5, significance: float = 0.0, inputs: str = "table") -> None:
        self.leaf, self.significance, self.view = leaf, significance, one_view(inputs)

    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        """Grow the tree on ``train`` and choose the significance on ``valid``."""
        self._grow(train, run)
        self._chosen = self.significance or DEFAULT
        truth = targets_of(valid).toarray().ravel() if len(valid) else np.zeros(0)
        if not self.significance and truth.any():
            merits = []
            for level in SIGNIFICANCES:
                self._cut(level)
                merits.append(average_precision_score(truth, self.predict(valid).values.ravel()))
            self._chosen = SIGNIFICANCES[int(np.argmax(merits))]
        self._cut(self._chosen)

    def refit(self, train: Labelled, run: Run) -> None:
        """Grow a tree on ``train`` with the significance that ``fit`` chose."""
        self._grow(train, run)
        self._cut(self._chosen)

    def _grow(self, train: Labelled, run: Run) -> None:
        rows, self._truth = rows_of(train, self.view), targets_of(train)
        self._width = int(rows.shape[1])
        scaled = self._truth @ sparse.diags_array(np.sqrt(class_weights(hierarchy_of(run))))
        tree = DecisionTreeRegressor(min_samples_leaf=self.leaf, random_state=0)  # for splits that are equal
        self._tree: Any = tree.fit(rows, scaled.toarray())
        size = tree.tree_.n_node_samples
        means = tree.decision_path(rows).T.tocsr() @ self._truth.astype(np.float64)
        self._means = sparse.csr_array(means.multiply(1 / size[:, None]))
        spread = tree.tree_.impurity * size  # sums of squares, up to one factor
        after = spread[tree.tree_.children_left] + spread[tree.tree_.children_right]  # not read at leaves
        self._chance = _f_test(spread, after, size)

    def _cut(self, significance: float) -> None:
        """Find the end of every node: itself, or the first node above it whose split is not significant."""
        tree = self._tree.tree_
        left, right = tree.children_left, tree.children_right
        kept = (self._chance <= significance) | (significance >= 1)
        self._end = np.arange(tree.node_count)
        for node in np.flatnonzero(left >= 0):  # parents come before their children
            if not (self._end[node] == node and kept[node]):
                self._end[[left[node], right[node]]] = self._end[node]

    def predict(self, inputs: Inputs) -> Scores:
        """The mean class vector of the leaf, float64 (N, C)."""
        leaf = self._tree.tree_.apply(rows_of(inputs, self.view))
        return Scores(self._means[self._end[leaf]].toarray())

    def write_onnx(self, graph: Any, task: Task) -> dict[str, str]:
        """For ``hmcbench export-model``; see :class:`hmcbench.interfaces.Model`."""
        means = sparse.csr_array(self._means[self._end])
        return {"scores": add_trees(graph, [self._tree.tree_], means, np.array([len(self._end)]))}

    def save(self, folder: Path) -> None:
        """Writes ``trees.npz``: the splits, the end of every node, and the means."""
        parts = {"width": np.array(self._width), **splits_of([self._tree.tree_])}
        extra = {"end": self._end, "chosen": np.array(self._chosen), **_sparse("means", self._means)}
        save_arrays(folder, {**parts, **extra})

    def load(self, folder: Path, run: Run) -> None:
        """Replaces ``fit``; raises BadInput for a file that is damaged."""
        arrays = read_arrays(folder, ("ends", *SPLITS, "end", "chosen", *_parts("means")))
        (self._tree,) = kept_trees(arrays)
        self._end, self._chosen, self._width = arrays["end"], float(arrays["chosen"]), width_of(arrays)
        self._means = _csr(arrays, "means")

    def describe(self) -> Mapping[str, Value]:
        """Leaves of the tree, and the significance that was chosen."""
        leaves = self._end[self._tree.tree_.children_left < 0]
        return {"leaves": len(np.unique(leaves)), "significance": float(self._chosen)}


def _f_test(before: np.ndarray, after: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """The probability of every such fall of the sum of squares by chance: F(1, n - 2)."""
    chance = np.where(before > after, 0.0, 1.0)
    some = (after > 0) & (samples > 2)
    before, after, free = before[some], after[some], samples[some] - 2
    chance[some] = f_distribution.sf(free * (before - after) / after, 1, free)
    return chance


def hierarchy_of(run: Run) -> Hierarchy:
    """The task's hierarchy; raises NotApplicable where there is none."""
    if run.task.hierarchy is None:
        raise NotApplicable("this model predicts classes of a hierarchy, and the task has none")
    return run.task.hierarchy


def one_view(inputs: str) -> str:
    """The name of a view without its parameters; raises BadInput where several are named."""
    name, bracket, rest = inputs.partition("[")
    if "+" in name or "|" in name or (bracket and not rest.endswith("]")):
        raise BadInput(f"inputs={inputs!r}", allowed="one view, such as table or texture[size=128]")
    return name


def rows_of(inputs: Inputs, view: str) -> np.ndarray:
    """The view as float32 (N, F); infinite values, which trees refuse, become the largest number."""
    rows = np.asarray(inputs.views[view], dtype=np.float64)
    limit = np.finfo(np.float32).max
    clipped: np.ndarray = np.clip(rows.reshape(len(rows), -1), -limit, limit).astype(np.float32)
    return clipped


def targets_of(samples: Labelled) -> Any:
    """The closed sets as float CSR (N, C)."""
    return sparse.csr_array(samples.targets, dtype=np.float64)


def _parts(name: str) -> list[str]:
    return [f"{name}.{part}" for part in ("data", "indices", "indptr", "shape")]


def _sparse(name: str, matrix: sparse.csr_array) -> dict[str, np.ndarray]:
    """A sparse matrix as arrays."""
    values = (matrix.data, matrix.indices, matrix.indptr, np.array(matrix.shape))
    return dict(zip(_parts(name), values, strict=True))


def _csr(arrays: Mapping[str, np.ndarray], name: str) -> sparse.csr_array:
    data, indices, pointers, shape = (arrays[part] for part in _parts(name))
    return sparse.csr_array((data, indices, pointers), shape=tuple(shape.tolist()))
