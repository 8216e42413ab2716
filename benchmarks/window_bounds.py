"""How well could a perfect classifier of windows label the pixels of fractograph-masks? Prints a table.

    python benchmarks/window_bounds.py [IMAGES]

Every pixel gets the class that is the most frequent in the true map of the square around it: what a model
reaches that names the content of a window without fail, and knows nothing of where in it the border runs. The
images are test images of a draw (seed 1) that no board uses.
"""

from __future__ import annotations

import sys

import numpy as np
from hmcbench_sem.label_maps import fractograph_masks
from scipy import ndimage
from tabulate import tabulate

SIDES = (8, 16, 32, 64)
MECHANISMS = 6  # the first numbers of the legend; the seventh is background


def bound(maps: np.ndarray, labels: int, side: int) -> tuple[float, float]:
    """mIoU over the mechanisms, and accuracy, of the most frequent class within ``side`` pixels."""
    counts = np.zeros((labels, 3))
    for labelled in maps:
        shares = [ndimage.uniform_filter((labelled == k).astype(np.float32), side) for k in range(labels)]
        guess = np.argmax(shares, axis=0)
        for k in range(labels):
            true, said = labelled == k, guess == k
            counts[k] += (true & said).sum(), true.sum(), said.sum()
    overlap = counts[:, 0] / (counts[:, 1] + counts[:, 2] - counts[:, 0])
    return float(overlap[:MECHANISMS].mean()), float(counts[:, 0].sum() / counts[:, 1].sum())


def main(images: int) -> None:
    rows = []
    for version, labels in ((2, MECHANISMS), (3, MECHANISMS + 1)):
        dataset = fractograph_masks(version=version, seed=1, train=12, test=images)
        maps = np.stack([dataset.targets.load(12 + i) for i in range(images)])
        rows += [[version, side, *bound(maps, labels, side)] for side in SIDES]
    print(tabulate(rows, ["version", "window, px", "mIoU", "accuracy"], tablefmt="github", floatfmt=".3f"))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 150)
