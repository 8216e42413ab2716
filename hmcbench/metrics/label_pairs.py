"""Label maps in counts: how many pixels of an image have which pair of true and predicted label.

Every metric that is a function of sums over samples holds for pixels as it is: its statistics of one pixel
depend on the pair alone, so that those of an image are ``counts @ statistics of the pairs``.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_array, vstack

from hmcbench.errors import BadInput

if TYPE_CHECKING:
    from hmcbench.hierarchy.label_maps import LabelMaps

PIXELS = 2**20  # that are counted together: temporaries stay in a processor's memory nearby


class LabelPairs:
    """The pairs of labels of N images.

    Attributes:
        truth, predicted: maps of the same images. Pixels that are not labelled in ``truth`` do not count.
        counts: int64 CSR (N, P): pixels of every pair that occurs.
        pairs: int64 (P, 2): rows of the two legends.
    """

    def __init__(self, truth: LabelMaps, predicted: LabelMaps) -> None:
        if len(truth) != len(predicted):
            raise BadInput(f"{len(predicted)} label maps for {len(truth)} true ones", allowed="as many")
        self.truth, self.predicted = truth, predicted
        shape = len(truth.legend), len(predicted.legend)
        # row by row: most pairs of two large legends never occur
        rows = [csr_array(count_pairs(t, p, *shape)[None]) for t, p in zip(truth, predicted, strict=True)]
        empty = csr_array((0, shape[0] * shape[1]), dtype=np.int64)
        table = csr_array(vstack(rows, format="csr")) if rows else empty
        used = np.unique(table.indices)
        self.counts = csr_array(table[:, used])
        self.pairs = np.stack(np.divmod(used, shape[1]), axis=1)

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def true_sets(self) -> np.ndarray:
        """boolean (P, C)."""
        return np.asarray(self.truth.legend[self.pairs[:, 0]])

    @property
    def predicted_sets(self) -> np.ndarray:
        """boolean (P, C)."""
        return np.asarray(self.predicted.legend[self.pairs[:, 1]])

    @cached_property
    def pixels(self) -> np.ndarray:
        """int64 (P,): pixels of every pair in all images."""
        return np.asarray(self.counts.sum(axis=0)).ravel()

    def per_image(self, stats: Any) -> np.ndarray:
        """Statistics of pairs (P, K) -> their sums over the pixels of every image, float64 (N, K)."""
        sums = self.counts @ stats
        return np.asarray(sums.toarray() if hasattr(sums, "toarray") else sums, dtype=np.float64)


def count_pairs(truth: np.ndarray, predicted: np.ndarray, labels: int, guesses: int) -> np.ndarray:
    """int64 (labels * guesses,): pixels of every pair, in row-major order.

    Args:
        truth: unsigned (H, W), rows of a legend, or the largest number of its type: not labelled.
        predicted: unsigned (H, W), of the same shape.
        labels, guesses: rows of the two legends.

    Raises:
        BadInput: other shapes, or numbers that the legends do not have.

    >>> truth, predicted = np.array([[0, 1], [1, 255]], np.uint8), np.array([[0, 0], [1, 1]], np.uint8)
    >>> count_pairs(truth, predicted, 2, 2).reshape(2, 2).tolist()
    [[1, 0], [1, 1]]
    """
    if truth.shape != predicted.shape:
        raise BadInput(
            f"a label map of {predicted.shape} pixels for one of {truth.shape}", allowed="one size"
        )
    unlabelled = np.iinfo(truth.dtype).max
    kind = np.uint16 if (labels + 1) * guesses <= 65536 else np.int64
    counts = np.zeros((labels + 1) * guesses, dtype=np.int64)
    for true, guess in zip(_pieces(truth), _pieces(predicted), strict=True):
        if guess.size and int(guess.max()) >= guesses:
            raise BadInput(
                f"a predicted label map has the number {guess.max()}", allowed=f"0 to {guesses - 1}"
            )
        if ((true >= labels) & (true != unlabelled)).any():
            raise BadInput(
                "a true label map has a number that its legend lacks", allowed=f"0 to {labels - 1}"
            )
        places = np.minimum(true, labels).astype(kind) * kind(guesses) + guess
        counts += np.bincount(places, minlength=len(counts))
    return counts[: labels * guesses]


def _pieces(pixels: np.ndarray) -> Any:
    flat = pixels.ravel()
    return (flat[start : start + PIXELS] for start in range(0, flat.size, PIXELS))
