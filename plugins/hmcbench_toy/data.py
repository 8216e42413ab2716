"""The toy datasets: hmcbench's tiny synthetic tables, with the truth as a second view."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hmcbench import Dataset
from hmcbench.testing.helpers import Kind, tiny_dataset


def tree(samples: int = 200, noise: float = 0.5, seed: int = 0) -> Dataset:
    """Single paths to the leaves of a tree."""
    return _with_answers("tree", samples, noise, seed)


def ragged(samples: int = 200, noise: float = 0.5, seed: int = 0) -> Dataset:
    """Single paths that end at any class of a tree."""
    return _with_answers("ragged", samples, noise, seed)


def dag(samples: int = 200, noise: float = 0.5, seed: int = 0) -> Dataset:
    """One or two classes of a DAG, and all their ancestors."""
    return _with_answers("dag", samples, noise, seed)


def _with_answers(kind: Kind, samples: int, noise: float, seed: int) -> Dataset:
    """Adds the view ``answers``, float32 (N, C): 1 for every true class."""
    dataset = tiny_dataset(samples, kind, noise=noise, seed=seed, prefix=f"{kind}-")
    answers = np.asarray(dataset.targets, dtype=np.float32)
    notes = ("the view 'answers' holds the truth",)
    return replace(dataset, views={**dataset.views, "answers": answers}, notes=notes)
