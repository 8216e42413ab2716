"""Synthetic fractographs with **simulated** EDS: what a composition at the surface might say of each failure.

No real set at hand has both. The numbers are drawn from the shapes and sizes below, which are invented
after textbook knowledge (chlorine with stress corrosion, sodium and sulphur in deposits, oxygen in scales);
they say how models join two views, and nothing about any alloy.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hmcbench.errors import BadInput
from hmcbench.interfaces import ColumnKind, Dataset, Image, Task
from hmcbench_sem.datasets import failure_hierarchy
from hmcbench_sem.surfaces.generate import VERSION, pictures

EDS_VERSION = 1  # raise it whenever any number changes
EDS = 71  # stream of random numbers
INCOMPLETE = "incomplete"
"""The test set in which samples lack one of the two views."""
VOLTAGES = (5.0, 10.0, 15.0, 20.0)
ELEMENTS = ("C", "O", "Na", "Al", "S", "Cl", "Ti", "Cr", "Fe", "Ni")
ALLOYS = {  # at.%, rounded
    "316L": {"Cr": 19, "Fe": 68, "Ni": 13},
    "alloy 718": {"Al": 1, "Ti": 1, "Cr": 21, "Fe": 19, "Ni": 58},
    "Ti-6Al-4V": {"Al": 10, "Ti": 90},
}
EVERYWHERE = {"C": 4.0, "O": 4.0}
DEPOSITED = {  # leaf -> element -> median of what lies on the surface, parts beside 100 of the alloy
    "stress-corrosion-cracking": {"Cl": 1.5, "O": 8.0},
    "thermal-cycling": {"O": 25.0},
    "oxide-spalling": {"O": 45.0},
    "deposit-corrosion": {"Na": 6.0, "S": 6.0, "O": 40.0},
}
SPREAD = 0.7  # deviation of the logarithm
CLEANED = 0.35  # share of the specimens that were cleaned: a tenth of the deposit is left
NO_SODIUM = 0.2  # share without a value of Na, which a detector with a thick window does not see
COLUMNS = ("kV", "alloy", *(f"{element} at.% (simulated)" for element in ELEMENTS))


@dataclass(frozen=True)
class Blank:
    """A picture that is missing: black."""

    size: int

    def load(self, min_side: int | None = None) -> np.ndarray:
        """Zeros, (size, size) uint8."""
        return np.zeros((self.size, self.size), dtype=np.uint8)


def sem_eds(
    *, size: int = 64, seed: int = 0, train: int = 600, test: int = 400, missing: float = 0.3
) -> Dataset:
    """A part of the fractographs of version 3, evenly spread over the classes, with simulated EDS.

    The test set ``incomplete`` holds the samples of ``test`` again, of which the share ``missing`` lacks the
    table or the image, one half each.

    Raises:
        BadInput: a parameter outside its range.
    """
    if not 0 <= missing <= 1:
        raise BadInput(f"missing {missing} of the fractographs with EDS", allowed="a share from 0 to 1")
    drawn = pictures(size=size, seed=seed, shifted=False)
    rows: list[int] = []
    for side, wanted in (("train", train), ("test", test)):
        of_side = [i for i, name in enumerate(drawn.split) if name == side]
        if wanted > len(of_side):
            raise BadInput(f"{side}={wanted} fractographs with EDS", allowed=f"up to {len(of_side)}")
        rows += [of_side[k * len(of_side) // wanted] for k in range(wanted)]
    table = np.stack([spectrum((EDS_VERSION, seed, EDS, i), drawn.labels[i]) for i in rows])
    images: list[Image] = [drawn.images[i] for i in rows]
    ids, labels = [drawn.ids[i] for i in rows], [drawn.labels[i] for i in rows]
    again = range(train, train + test)
    lacking = np.random.Generator(np.random.PCG64((EDS_VERSION, seed, EDS))).permutation(test)
    half = round(missing * test / 2)
    other = min(half, test - half)  # of an odd number of samples that all lack one, one half is larger
    halves = lacking < half, lacking >= test - other
    table = np.concatenate([table, np.where(halves[0][:, None], np.nan, table[again])])
    images += [Blank(size) if none else images[i] for i, none in zip(again, halves[1], strict=True)]
    hierarchy = failure_hierarchy()
    targets = hierarchy.encode(labels + [labels[i] for i in again])
    paths, depth = hierarchy.label_shape(targets)
    recipe = ["sem-eds", VERSION, EDS_VERSION, size, seed, train, test, float(missing)]
    if other < half:  # until now a sample lacked both views: these are other data
        recipe += [half, other]
    kinds: list[Any] = [ColumnKind(), ColumnKind(tuple(ALLOYS)), *[ColumnKind(missing=True)] * len(ELEMENTS)]
    kinds[:2] = [ColumnKind(kind.values, missing=missing > 0) for kind in kinds[:2]]
    return Dataset(
        ids=ids + [f"{ids[i]}-{INCOMPLETE}" for i in again],
        views={"image": images, "table": table},
        columns={"table": COLUMNS},
        kinds={"table": kinds},
        targets=targets,
        task=Task(paths=paths, depth=depth, hierarchy=hierarchy),
        fingerprint=hashlib.sha256(json.dumps(recipe).encode()).hexdigest(),
        duplicates=ids + [ids[i] for i in again],  # a random split may train on none of the two
        split=[drawn.split[i] for i in rows] + [INCOMPLETE] * test,
        synthetic=True,
        notes=[f"synthetic fractographs, {size} px, seed {seed}; their EDS is simulated"],
    )


def spectrum(entropy: Sequence[int], labels: Sequence[str]) -> np.ndarray:
    """The row of one specimen: kV, the position of its alloy, at.% of :data:`ELEMENTS`; NaN where missing.

    Args:
        entropy: seed of its random numbers.
        labels: ids of its leaves.
    """
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))
    voltage, alloy = VOLTAGES[rng.integers(len(VOLTAGES))], int(rng.integers(len(ALLOYS)))
    left = 0.1 if rng.random() < CLEANED else 1.0
    no_sodium = rng.random() < NO_SODIUM
    amounts = dict.fromkeys(ELEMENTS, 0.0) | list(ALLOYS.values())[alloy]
    layers = [(EVERYWHERE, 1.0), *((DEPOSITED.get(label.rpartition("/")[2], {}), left) for label in labels)]
    for layer, share in layers:
        for element, median in layer.items():
            amounts[element] += share * median * float(np.exp(SPREAD * rng.standard_normal()))
    values = np.array([amounts[element] for element in ELEMENTS])
    percent = np.round(100 * values / values.sum() + 0.2 * rng.standard_normal(len(ELEMENTS)), 1).clip(0)
    if no_sodium:
        percent[ELEMENTS.index("Na")] = np.nan
    return np.array([voltage, alloy, *percent])
