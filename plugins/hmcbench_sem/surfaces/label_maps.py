"""Synthetic fractographs with their true masks as label maps."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from hmcbench import Dataset, Task
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.hierarchy.label_maps import LabelMaps
from hmcbench_sem.fractographs.taxonomy import LEAF_IDS
from hmcbench_sem.surfaces.generate import VERSION, pictures

BACKGROUND = "background"


@dataclass(frozen=True)
class SceneMap:
    """Where the mechanisms of a scene show; drawn when it is loaded."""

    scene: Any  # of the synthetic images of version 3: see hmcbench_sem.surfaces.generate.Scene

    def load(self) -> np.ndarray:
        """uint8 (size, size): the position of a leaf in the taxonomy, or their number for background."""
        labels = np.full((self.scene.size, self.scene.size), len(LEAF_IDS), dtype=np.uint8)
        for leaf, mask in self.scene.masks().items():
            labels[mask] = LEAF_IDS.index(leaf)
        return labels


def fractograph_masks(
    *, size: int = 128, seed: int = 0, composite: float = 0.7, train: int = 240, test: int = 100
) -> Dataset:
    """A part of the synthetic fractographs of version 3, evenly spread over the classes, with masks.

    A pixel without any mechanism is background, a class of the first level.

    Raises:
        BadInput: a parameter outside its range.
    """
    drawn = pictures(size=size, seed=seed, composite=composite, shifted=False)
    rows: list[int] = []
    for side, wanted in (("train", train), ("test", test)):
        of_side = [i for i, name in enumerate(drawn.split) if name == side]
        rows += [of_side[k * len(of_side) // wanted] for k in range(wanted)]
    hierarchy = Hierarchy.from_paths([*(leaf.split("/") for leaf in LEAF_IDS), [BACKGROUND]])
    legend = hierarchy.encode([[leaf] for leaf in (*LEAF_IDS, BACKGROUND)]).toarray()
    known = hierarchy.encode([[*drawn.labels[i], BACKGROUND] for i in rows]).toarray()
    recipe = ["fractograph-masks", VERSION, size, seed, float(composite), train, test]
    return Dataset(
        ids=[drawn.ids[i] for i in rows],
        views={"image": [drawn.images[i] for i in rows]},
        targets=LabelMaps([SceneMap(drawn.images[i]) for i in rows], legend, known=known),
        task=Task(paths="single", depth="full", hierarchy=hierarchy, unit="pixel"),
        fingerprint=hashlib.sha256(json.dumps(recipe).encode()).hexdigest(),
        split=[drawn.split[i] for i in rows],
        synthetic=True,
        notes=[f"synthetic fractographs, {size} px, seed {seed}, with their masks"],
    )
