"""Overlaps of label maps beside a loop over classes with scikit-learn: 1,000 maps of 512 px, 8 classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ratios import seconds
from sklearn.metrics import confusion_matrix

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.hierarchy.label_maps import LabelMaps
from hmcbench.interfaces import Task
from hmcbench.metrics.builtin import SPECS
from hmcbench.metrics.computing import compute
from hmcbench.metrics.evaluation import Evaluation

IMAGES, SIDE = 1000, 512
SHOWN = 10  # images that the loop is timed on; its time grows with their number
NAMES = ["level{k}_miou", "level{k}_dice", "hierarchical_iou", "class_iou", "area_error", "level{k}_accuracy"]


def problem() -> tuple[Task, LabelMaps, LabelMaps]:
    """Blocks of six leaves in two groups; the prediction is the truth moved by 20 pixels."""
    hierarchy = Hierarchy.from_paths([(a, b) for a in "ab" for b in "xyz"])
    legend = hierarchy.encode([[name] for name in hierarchy.classes if "/" in name]).toarray()
    rng = np.random.default_rng(0)
    truth = [rng.integers(0, 6, (8, 8)).astype(np.uint8).repeat(64, 0).repeat(64, 1) for _ in range(IMAGES)]
    guess = [np.roll(labels, 20, axis=0) for labels in truth]
    task = Task("hmc", "single", "full", hierarchy, unit="pixel")
    return task, LabelMaps(truth, legend), LabelMaps(guess, legend)


def loop(truth: LabelMaps, guess: LabelMaps) -> np.ndarray:
    """int (C, 2, 2): the confusion matrix of every class, added up over images."""
    total = np.zeros((truth.shape[1], 2, 2), dtype=np.int64)
    for true, said in zip(truth, guess, strict=True):
        for c in range(truth.shape[1]):
            sets = truth.legend[:, c][true].ravel(), guess.legend[:, c][said].ravel()
            total[c] += confusion_matrix(*sets, labels=[False, True])
    return total


def test_overlaps_of_1000_images(benchmark: Any, ratio: Callable[..., None]) -> None:
    task, truth, guess = problem()
    assert (len(truth), truth.load(0).shape) == (IMAGES, (SIDE, SIDE))

    def ours() -> dict[str, float]:
        return compute(SPECS, Evaluation.of_maps(task, truth, guess), NAMES)

    benchmark.pedantic(ours, rounds=3, warmup_rounds=1)
    few = truth[:SHOWN], guess[:SHOWN]
    tables: list[np.ndarray] = []
    theirs_s = seconds(lambda: tables.append(loop(*few))) * IMAGES / SHOWN
    values = compute(SPECS, Evaluation.of_maps(task, *few), NAMES)
    iou = [t[1, 1] / (t[1, 1] + t[0, 1] + t[1, 0]) for t in tables[0]]
    assert task.hierarchy is not None
    assert [values[f"class_iou[{name}]"] for name in task.hierarchy.classes] == pytest.approx(iou)
    work = f"overlaps of {IMAGES:,} label maps of {SIDE} px, {task.hierarchy.n} classes"
    ratio(work, "scikit-learn, a loop over classes", theirs_s, benchmark.stats.stats.median, 20)
