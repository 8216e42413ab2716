"""Trees of scikit-learn as arrays: their splits, and the leaf that a sample falls into."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hmcbench.errors import BadInput
from hmcbench.files import replacing

FILE = "trees.npz"
SPLITS = ("left", "right", "feature", "threshold", "missing_left", "samples")
_LEAF = -1  # as a child: there is none


class KeptTree:
    """The splits of one tree, with what :class:`sklearn.tree._tree.Tree` calls them.

    Attributes:
        children_left, children_right: int (nodes,), -1 at leaves.
        n_node_samples: training samples of every node.
    """

    def __init__(self, splits: Mapping[str, np.ndarray]) -> None:
        self.children_left, self.children_right = splits["left"], splits["right"]
        self.n_node_samples = splits["samples"]
        self._feature, self._threshold = splits["feature"], splits["threshold"]
        self._missing_left = splits["missing_left"].astype(bool)
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
            values = rows[active, self._feature[at]]
            # float32 values and float64 thresholds, as scikit-learn compares them
            left = np.where(np.isnan(values), self._missing_left[at], values <= self._threshold[at])
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


def save_arrays(folder: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays to ``trees.npz``, compressed."""
    with replacing(folder / FILE) as fresh, fresh.open("wb") as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]


def read_arrays(folder: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The arrays of that file; raises BadInput where it is missing or damaged."""
    path = folder / FILE
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in names}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise BadInput(f"{path} cannot be read ({error})", allowed="files written by hmcbench run") from None
