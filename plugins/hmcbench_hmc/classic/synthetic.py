"""A small tree and a small DAG with several paths per row, so that the suite runs anywhere.

They have what the real sets have: labels at any depth, nominal and missing values, predefined sides. Only
whole numbers are drawn, so they are the same on every machine.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from hmcbench.hierarchy.hierarchy import Edge, Hierarchy
from hmcbench_hmc.arff.classes import ClassList
from hmcbench_hmc.arff.content import ArffContent, ArffPart
from hmcbench_hmc.arff.header import Attribute
from hmcbench_hmc.arff.rows import ArffRows
from hmcbench_hmc.arff.text import ArffFile

SIDES = {"train": 300, "validation": 100, "test": 200}
NUMBERS = 16  # features; beside two nominal ones
COLOURS = ("red", "green", "blue")
MISSING = 0.05  # share of the values


def make_content(name: str, seed: int) -> ArffContent:
    """``synthetic-tree`` (40 classes) or ``synthetic-dag`` (48 classes) as if read from files."""
    rng = random.Random(f"{name} {seed}")
    hierarchy = Hierarchy.from_edges(_tree() if name == "synthetic-tree" else _dag(rng))
    signatures = [[rng.randint(-2, 2) for _ in range(NUMBERS + 2)] for _ in hierarchy.classes]
    features = [
        *(Attribute(f"x{k}", "numeric", k) for k in range(1, NUMBERS + 1)),
        *(Attribute(f"colour{k}", "nominal", k, COLOURS) for k in (1, 2)),
    ]
    classes = ClassList("pairs", hierarchy.edges, frozenset(hierarchy.classes))
    parts = {}
    for side, count in SIDES.items():
        labels = [_labels(rng, hierarchy) for _ in range(count)]
        table = np.array([_row(rng, hierarchy, label, signatures) for label in labels])
        rows = ArffRows(table, [""] * count, [""] * count, list(range(1, count + 1)))
        parts[side] = ArffPart(ArffFile(Path(name), name), features, rows, classes, labels)
    return ArffContent(name, parts, features, hierarchy, [])


def _tree() -> list[Edge]:
    """Four classes with three children each, which have two."""
    tops = [str(i) for i in range(1, 5)]
    middle = [f"{top}/{i}" for top in tops for i in range(1, 4)]
    ends = [f"{name}/{i}" for name in middle for i in range(1, 3)]
    return [*(("", top) for top in tops), *((c.rpartition("/")[0], c) for c in (*middle, *ends))]


def _dag(rng: random.Random) -> list[Edge]:
    """Layers of 3, 9, 18 and 18 classes; one in three has two parents."""
    layers = [[f"n{depth}{i:02d}" for i in range(size)] for depth, size in enumerate((3, 9, 18, 18), start=1)]
    edges = [("", name) for name in layers[0]]
    for above, layer in pairwise(layers):
        for i, name in enumerate(layer):
            edges += [(parent, name) for parent in sorted(rng.sample(above, 2 if i % 3 == 0 else 1))]
    return edges


def _labels(rng: random.Random, hierarchy: Hierarchy) -> tuple[str, ...]:
    """One to three classes at any depth; the first are more frequent."""
    count = rng.choice((1, 1, 2, 3))
    picks = (min(rng.randrange(hierarchy.n), rng.randrange(hierarchy.n)) for _ in range(count))
    return tuple(dict.fromkeys(hierarchy.classes[i] for i in picks))


def _row(
    rng: random.Random, hierarchy: Hierarchy, labels: Sequence[str], signatures: Sequence[Sequence[int]]
) -> list[float]:
    closed = hierarchy.encode([labels]).indices.tolist()
    sums = [sum(signatures[c][k] for c in closed) + rng.randint(-2, 2) for k in range(NUMBERS + 2)]
    values = [float(s) for s in sums[:NUMBERS]] + [float(s % len(COLOURS)) for s in sums[NUMBERS:]]
    return [math.nan if rng.randrange(100) < 100 * MISSING else value for value in values]
