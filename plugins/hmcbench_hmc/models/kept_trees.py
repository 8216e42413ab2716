"""Trees of scikit-learn as arrays: their splits, and the leaf that a sample falls into."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from hmcbench.errors import BadInput
from hmcbench.files import replacing

FILE = "trees.npz"
WIDTH = "width"
SPLITS = ("left", "right", "feature", "threshold", "missing_left", "samples")
_LEAF = -1  # as a child: there is none


class KeptTree:
    """The splits of one tree, with what :class:`sklearn.tree._tree.Tree` calls them.

    Attributes:
        children_left, children_right: int (nodes,), -1 at leaves.
        n_node_samples: training samples of every node.
        feature, threshold, missing_go_to_left: the split of every node; not read at leaves.
    """

    def __init__(self, splits: Mapping[str, np.ndarray]) -> None:
        self.children_left, self.children_right = splits["left"], splits["right"]
        self.n_node_samples = splits["samples"]
        self.feature, self.threshold = splits["feature"], splits["threshold"]
        self.missing_go_to_left = splits["missing_left"].astype(bool)
        self.tree_ = self  # trees that are fitted have it one level below

    @property
    def node_count(self) -> int:
        return len(self.children_left)

    def apply(self, rows: np.ndarray) -> np.ndarray:
        """The leaf of every row, int64 (N,); rows float32 (N, F), NaN where a value is missing."""
        node = np.zeros(len(rows), dtype=np.int64)
        active = np.arange(len(rows)) if self.children_left[0] != _LEAF else np.arange(0)
        while len(active):
            at = node[active]
            values = rows[active, self.feature[at]]
            # float32 values and float64 thresholds, as scikit-learn compares them
            left = np.where(np.isnan(values), self.missing_go_to_left[at], values <= self.threshold[at])
            node[active] = np.where(left, self.children_left[at], self.children_right[at])
            active = active[self.children_left[node[active]] != _LEAF]
        return node


def splits_of(trees: Sequence[Any]) -> dict[str, np.ndarray]:
    """The splits of all trees, joined; ``ends``: where each tree ends."""
    names = {
        "left": "children_left",
        "right": "children_right",
        "feature": "feature",
        "threshold": "threshold",
        "missing_left": "missing_go_to_left",
        "samples": "n_node_samples",
    }
    parts = {
        name: np.concatenate([getattr(t, attribute) for t in trees]) for name, attribute in names.items()
    }
    return {**parts, "ends": np.cumsum([tree.node_count for tree in trees])}


def kept_trees(arrays: Mapping[str, np.ndarray]) -> list[KeptTree]:
    """The trees of :func:`splits_of`."""
    ends = arrays["ends"].tolist()
    slices = [slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    return [KeptTree({name: arrays[name][part] for name in SPLITS}) for part in slices]


def add_trees(graph: Any, trees: Sequence[Any], means: sparse.csr_array, ends: np.ndarray) -> str:
    """The sum over trees of what their leaves have, for ``hmcbench export-model``: float32 (N, C).

    Args:
        graph: :class:`hmcbench.sklearnkit.onnx_graph.OnnxGraph`.
        trees: of scikit-learn, or kept.
        means: what the nodes of all trees have, (nodes, C).
        ends: where each tree ends in ``means``.
    """
    from hmcbench.sklearnkit.onnx_graph import Trees

    splits = splits_of(trees)
    leaf = splits["left"] == _LEAF
    sizes = np.diff(ends, prepend=0)
    filled = sparse.csr_array(sparse.diags_array(leaf.astype(np.float64)) @ means).tocoo()
    graph.bound(28 * filled.nnz)
    limit = np.finfo(np.float32).max  # as rows_of() brings infinite values to the largest number
    columns = graph.op("Clip", graph.features, graph.constant(-limit), graph.constant(limit))
    graph.tell_apart(splits["feature"][~leaf], splits["threshold"][~leaf])
    kept = Trees(
        np.repeat(np.arange(len(ends)), sizes),
        np.concatenate([np.arange(size) for size in sizes]),
        splits["left"],
        splits["right"],
        leaf,
        splits["feature"],
        splits["threshold"],
        splits["missing_left"].astype(bool),
        filled.coords[0],
        filled.coords[1],
        filled.data,
    )
    scores: str = graph.trees(columns, kept, means.shape[1])
    return scores


def width_of(arrays: Mapping[str, np.ndarray]) -> int:
    """Columns that the trees were grown on; what they read, in files that do not say it."""
    known = arrays.get(WIDTH)
    return int(arrays["feature"].max(initial=0)) + 1 if known is None else int(known)


def save_arrays(folder: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays to ``trees.npz``, compressed."""
    with replacing(folder / FILE) as fresh, fresh.open("wb") as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]


def read_arrays(folder: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The arrays of that file; raises BadInput where it is missing or damaged."""
    path = folder / FILE
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in (*names, *({WIDTH} & set(stored.files)))}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise BadInput(f"{path} cannot be read ({error})", allowed="files written by hmcbench run") from None
