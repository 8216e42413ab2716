"""Synthetic fractographs with their true masks as label maps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from hmcbench import Dataset, Task
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.hierarchy.label_maps import LabelMaps
from hmcbench_sem.fractographs.generate import VERSION as VERSION_2
from hmcbench_sem.fractographs.generate import Fractographs, fractographs
from hmcbench_sem.fractographs.taxonomy import LEAF_IDS
from hmcbench_sem.surfaces.generate import VERSION as VERSION_3
from hmcbench_sem.surfaces.generate import pictures

BACKGROUND = "background"
FURTHER = 1_000_003  # from one seed to the next, where one draw has too few images
DRAW: dict[int, Callable[..., Fractographs]] = {2: fractographs, 3: pictures}


@lru_cache(maxsize=2)
def _drawn(scene: Any) -> tuple[np.ndarray, np.ndarray]:
    """Image and label map of a scene: models ask for one after the other."""
    labels = np.full((scene.size, scene.size), len(LEAF_IDS), dtype=np.uint8)
    for leaf, mask in scene.masks().items():
        labels[mask] = LEAF_IDS.index(leaf)
    return scene.load(), labels


@dataclass(frozen=True)
class SceneImage:
    """The micrograph of a scene, drawn when it is loaded."""

    scene: Any  # of hmcbench_sem.fractographs.generate or hmcbench_sem.surfaces.generate

    def load(self, min_side: int | None = None) -> np.ndarray:
        """Grey levels, (size, size) uint8; ``min_side`` changes nothing."""
        return _drawn(self.scene)[0].copy()


@dataclass(frozen=True)
class SceneMap:
    """Where the mechanisms of a scene show; drawn when it is loaded."""

    scene: Any

    def load(self) -> np.ndarray:
        """uint8 (size, size): the position of a leaf in the taxonomy, or their number for background."""
        return _drawn(self.scene)[1].copy()


def fractograph_masks(
    *,
    version: int = 3,
    size: int = 128,
    seed: int = 0,
    composite: float = 0.7,
    train: int = 240,
    test: int = 100,
) -> Dataset:
    """Synthetic fractographs, evenly spread over the classes, with masks.

    Version 3 has pixels without any mechanism: background, a class of the first level.

    Raises:
        BadInput: a parameter outside its range.
    """
    sides = {"train": train, "test": test}
    rows = [
        (side, *row) for side, n in sides.items() for row in _rows(version, size, seed, composite, side, n)
    ]
    scenes = [scene for *_, scene in rows]
    names = [*LEAF_IDS, *([BACKGROUND] if version == 3 else [])]
    hierarchy = Hierarchy.from_paths([name.split("/") for name in names])
    legend = hierarchy.encode([[name] for name in names]).toarray()
    known = hierarchy.encode([[*scene.classes, *names[len(LEAF_IDS) :]] for scene in scenes]).toarray()
    stream = VERSION_3 if version == 3 else f"2.{VERSION_2}"
    recipe = ["fractograph-masks", stream, size, seed, float(composite), train, test]
    return Dataset(
        ids=[name for _, name, _ in rows],
        views={"image": [SceneImage(scene) for scene in scenes]},
        targets=LabelMaps([SceneMap(scene) for scene in scenes], legend, known=known),
        task=Task(paths="single", depth="full", hierarchy=hierarchy, unit="pixel"),
        fingerprint=hashlib.sha256(json.dumps(recipe).encode()).hexdigest(),
        split=[side for side, *_ in rows],
        synthetic=True,
        notes=[f"synthetic fractographs of version {version}, {size} px, seed {seed}, with their masks"],
    )


def _rows(
    version: int, size: int, seed: int, composite: float, side: str, wanted: int
) -> list[tuple[str, Any]]:
    """Ids and scenes of a partition; where one draw has too few, further seeds follow."""
    out: list[tuple[str, Any]] = []
    draw = 0
    while len(out) < wanted:
        drawn = DRAW[version](size=size, seed=seed + FURTHER * draw, composite=composite, shifted=False)
        of_side = [i for i, name in enumerate(drawn.split) if name == side]
        n = min(wanted - len(out), len(of_side))
        draw += 1
        more = f"-{draw}" if draw > 1 else ""
        out += [
            (drawn.ids[i] + more, drawn.images[i]) for i in (of_side[k * len(of_side) // n] for k in range(n))
        ]
    return out
