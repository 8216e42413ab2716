"""The pooled area against Clus itself: predictions of Clus for made samples, and the areas that it printed.

``golden/clus.json`` was made by ``benchmarks/clus.py --golden``, which runs Clus on ``synthetic-dag``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Task
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.pooled_clus import auprc_pooled_clus
from hmcbench.metrics.rankings import auprc_macro, auprc_weighted, auroc_macro

GOLDEN: dict[str, Any] = json.loads(Path(__file__).with_name("golden").joinpath("clus.json").read_text())
MODELS = pytest.mark.parametrize("model", ["tree", "forest"])
ONE = Hierarchy.from_edges([("", "class")])


def evaluated(model: str) -> tuple[Evaluation, dict[str, float]]:
    """The predictions of a model of Clus, and the areas that Clus printed for them."""
    hierarchy = Hierarchy.from_edges([(parent, child) for parent, child in GOLDEN["edges"]])
    truth, scores = np.array(GOLDEN["truth"], dtype=bool), np.array(GOLDEN[model]["scores"])
    task = Task(paths="multiple", depth="ragged", hierarchy=hierarchy)
    return Evaluation.of(task, truth, scores), GOLDEN[model]["printed"]


def class_areas(e: Evaluation) -> tuple[np.ndarray, np.ndarray]:
    """The area of each class that has a positive, and its positives."""
    truth, scores, task = np.asarray(e.truth), np.asarray(e.scores), Task(hierarchy=ONE, paths="multiple")
    present = np.flatnonzero(truth.any(axis=0))
    areas = [auprc_pooled_clus(Evaluation.of(task, truth[:, [c]], scores[:, [c]])) for c in present]
    return np.array(areas), truth[:, present].sum(axis=0)


@MODELS
def test_the_pooled_area_is_the_one_that_clus_prints(model: str) -> None:
    e, printed = evaluated(model)
    assert auprc_pooled_clus(e) == pytest.approx(printed["Pooled AUPRC"], abs=1e-12)


@MODELS
def test_its_area_of_every_class_gives_the_means_that_clus_prints(model: str) -> None:
    e, printed = evaluated(model)
    areas, positives = class_areas(e)
    assert len(areas) < np.asarray(e.truth).shape[1]  # classes without a positive are left out
    assert areas.mean() == pytest.approx(printed["Average AUPRC"], abs=1e-12)
    weighted = np.average(areas, weights=positives)
    assert weighted == pytest.approx(printed["Average AUPRC (weighted)"], abs=1e-12)


@MODELS
def test_means_of_average_precision_are_not_those_of_clus(model: str) -> None:
    """docs/auprc.md says so: Clus interpolates the curve of every class too."""
    e, printed = evaluated(model)
    assert abs(auprc_macro(e) - printed["Average AUPRC"]) > 0.001
    assert abs(auprc_weighted(e) - printed["Average AUPRC (weighted)"]) > 0.001


@MODELS
def test_the_mean_area_under_roc_curves_is_the_one_that_clus_prints(model: str) -> None:
    e, printed = evaluated(model)
    assert auroc_macro(e) == pytest.approx(printed["Average AUROC"], abs=1e-12)
