"""The methods of the field beside the simple way to do the same: dense constraints, one network at a time,
trees on all classes, and Clus where the environment variable ``HMCBENCH_CLUS`` names its jar."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ratios import fastest, seconds
from scipy import sparse

torch = pytest.importorskip("torch")
from auprc_traps import ClassicSet  # noqa: E402
from clus import JAR, ClusRun, areas, classic_run, run_clus, settings, write_arff  # noqa: E402
from hmcbench_hmc.models.c_hmcnn import CHmcnn  # noqa: E402
from hmcbench_hmc.models.training import VectorRecipe  # noqa: E402
from hmcbench_hmc.models.trees import PctForest  # noqa: E402
from hmcbench_hmc.models.vectors import VectorModel, fit_many  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from hmcbench.data.splits import labelled  # noqa: E402
from hmcbench.hierarchy.hierarchy import Hierarchy  # noqa: E402
from hmcbench.interfaces import Fit, Labelled, Run, Task  # noqa: E402
from hmcbench.metrics.evaluation import Evaluation  # noqa: E402
from hmcbench.metrics.pooled_clus import auprc_pooled_clus  # noqa: E402
from hmcbench.testing.helpers import shared_data  # noqa: E402
from hmcbench.torchkit.maximum import DescendantMaximum  # noqa: E402

FEATURES = 77


def made_dag(classes: int, seed: int = 0) -> Hierarchy:
    """A DAG of the kind of the Gene Ontology, whose sets have 4,125 classes: 3 roots, 1.4 parents a class."""
    random = np.random.default_rng(seed)
    edges = [("", f"c{i}") for i in range(3)]
    for i in range(3, classes):
        parents = set(random.integers(0, max(1, int(i**0.97)), 1 + int(random.random() < 0.4)).tolist())
        edges += [(f"c{parent}", f"c{i}") for parent in parents]
    return Hierarchy.from_edges(edges)


def made_samples(hierarchy: Hierarchy, samples: int, seed: int = 0) -> Labelled:
    """Vectors of clusters with noise; a cluster has four classes and all their ancestors."""
    random = np.random.default_rng(seed)
    clusters = 40
    names = hierarchy.classes
    labels = [[names[c] for c in random.integers(0, hierarchy.n, 4)] for _ in range(clusters)]
    cluster = random.integers(0, clusters, samples)
    rows = random.normal(size=(clusters, FEATURES))[cluster] + 2 * random.normal(size=(samples, FEATURES))
    ids = [str(i) for i in range(samples)]
    views = {"table": rows.astype(np.float32)}
    return Labelled(ids, views, hierarchy.encode([labels[k] for k in cluster]))


def nothing(samples: Labelled) -> Labelled:
    return Labelled([], {"table": samples.views["table"][:0]}, samples.targets[:0])


def dense_maximum(below: Any, values: Any, sets: Any) -> Any:
    """The definition, over (N, C, C): of descendants, and of present ones where a class is present."""
    counts = below & (~sets[:, :, None] | sets[:, None, :])
    return values[:, None, :].expand_as(counts).masked_fill(~counts, -math.inf).amax(2)


def step(maximum: Callable[..., Any], values: Any, sets: Any) -> Any:
    """Forward and backward of the loss; the gradient."""
    loss = F.binary_cross_entropy_with_logits(maximum(values, sets), sets.float())
    return torch.autograd.grad(loss, values)[0]


def test_maximum_along_the_edges(benchmark: Any, ratio: Callable[..., None]) -> None:
    hierarchy = made_dag(4125)
    sets = torch.as_tensor(made_samples(hierarchy, 4).targets.toarray())
    values = torch.randn(4, hierarchy.n, requires_grad=True)
    below = torch.as_tensor(hierarchy.descendants.toarray())
    maximum = DescendantMaximum(hierarchy)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        torch.testing.assert_close(
            step(maximum, values, sets), step(lambda v, s: dense_maximum(below, v, s), values, sets)
        )
        ours = fastest(lambda: step(maximum, values, sets), 20)
        theirs = seconds(lambda: step(lambda v, s: dense_maximum(below, v, s), values, sets))
        benchmark.pedantic(step, (maximum, values, sets), rounds=10)
    finally:
        torch.set_num_threads(threads)
    ratio("MCM and its loss, 4,125 classes, batch 4", "a dense maximum over the closure", theirs, ours, 100)


PEAK = """
import torch
from test_bench_hmc import made_dag, made_samples, step, DescendantMaximum
hierarchy = made_dag(4125)
sets = torch.as_tensor(made_samples(hierarchy, 256).targets.toarray())
values = torch.randn(256, hierarchy.n, requires_grad=True)
maximum = DescendantMaximum(hierarchy)
peak_mib = lambda: int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) / 1024
before = peak_mib()  # getrusage would count the memory of the process that forked, and hide the step's
step(maximum, values, sets)
print(peak_mib() - before)
"""


def test_maximum_of_a_batch_of_256_needs_less_than_2_gb() -> None:
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    environment = {**os.environ, "PYTHONPATH": path}
    output = subprocess.run(
        [sys.executable, "-c", PEAK], capture_output=True, text=True, check=True, env=environment
    )
    assert float(output.stdout) < 2048


def test_ten_seeds_as_one(benchmark: Any, ratio: Callable[..., None]) -> None:
    hierarchy = made_dag(499)
    samples = made_samples(hierarchy, 400)
    task = Task(paths="multiple", depth="ragged", hierarchy=hierarchy)
    recipe = VectorRecipe(
        epochs=1,
        batch_size=4,
        optimizer="adam",
        learning_rate=1e-4,
        weight_decay=1e-5,
        schedule="constant",
        patience=0,
        precision="auto",
    )

    def fits() -> list[Fit]:
        architecture = {"hidden": (250, 250), "dropout": 0.7}
        models = [VectorModel(CHmcnn, architecture, recipe) for _ in range(10)]
        return [Fit(m, samples, nothing(samples), Run(task, seed=i)) for i, m in enumerate(models)]

    def one_by_one() -> None:
        for fit in fits():
            fit_many([fit])

    one_by_one()
    theirs = fastest(one_by_one, 2)
    ours = fastest(lambda: fit_many(fits()), 3)
    benchmark.pedantic(lambda: fit_many(fits()), rounds=2)
    ratio("ten C-HMCNN of width 250, batch 4", "the same, one after another", theirs, ours, 2, slack=0.8)


def forest(samples: Labelled, hierarchy: Hierarchy, trees: int, projections: int) -> PctForest:
    task = Task(paths="multiple", depth="ragged", hierarchy=hierarchy)
    model = PctForest(trees=trees, projections=projections)
    model.fit(samples, nothing(samples), Run(task))
    return model


def test_forest_on_projections(benchmark: Any, ratio: Callable[..., None]) -> None:
    hierarchy = made_dag(499)
    samples = made_samples(hierarchy, 1500)
    theirs = fastest(lambda: forest(samples, hierarchy, 4, 0), 1)
    ours = fastest(lambda: forest(samples, hierarchy, 4, 20), 3)
    benchmark.pedantic(forest, (samples, hierarchy, 4, 20), rounds=2)
    ratio("4 predictive clustering trees, 499 classes", "the same without projections", theirs, ours, 5)


def test_cost_of_a_forest_is_flat_in_the_number_of_classes(ratio: Callable[..., None]) -> None:
    """From 499 to 20,000 classes: the trees cost the same, only drawing the projections grows."""
    times = {}
    for classes in (499, 4125, 20_000):
        hierarchy = made_dag(classes)
        samples = made_samples(hierarchy, 1500)
        times[classes] = fastest(lambda h=hierarchy, s=samples: forest(s, h, 10, 20), 2)  # type: ignore[misc]
    for classes in (4125, 20_000):
        peer = f"as many trees for {classes:,} classes"
        ratio("10 trees on 20 projections, 499 classes", peer, times[classes], times[499], 0)
        assert times[classes] < 3 * times[499]


needs_clus = pytest.mark.skipif(not os.environ.get(JAR), reason=f"{JAR} names no jar of Clus")


def beside_clus(
    ratio: Callable[..., None],
    work: str,
    clus: ClusRun,
    how: str,
    asked: float,
    sides: tuple[Labelled, Labelled],
    task: Task,
) -> None:
    """Add a row with the AU(PRC) of both on the test samples, ours no smaller.

    Theirs is the time that Clus says growing took, without its start, reading and predictions; ours is that
    of a fit and the predictions.
    """
    train, test = sides
    model = PctForest(trees=100, projections=40, features=0.25)
    scores: list[np.ndarray] = []

    def fit_and_predict() -> None:
        model.fit(train, nothing(train), Run(task))
        scores.append(np.asarray(model.predict(test).values))

    ours = seconds(fit_and_predict)
    truth = sparse.csr_array(test.targets).toarray().astype(bool)
    area, theirs = auprc_pooled_clus(Evaluation.of(task, truth, scores[0])), clus.printed["Pooled AUPRC"]
    assert area >= theirs
    peer = f"50 of Clus {clus.version}, {how}: AU(PRC) {theirs:.4f}"
    ratio(f"100 trees on 40 projections, {work}: AU(PRC) {area:.4f}", peer, clus.seconds, ours, asked)


@needs_clus
def test_forest_beside_clus(tmp_path: Path, ratio: Callable[..., None]) -> None:
    hierarchy = made_dag(499)
    samples = made_samples(hierarchy, 2250)
    views = samples.views["table"]
    train, test = (
        Labelled(samples.ids[rows], {"table": views[rows]}, samples.targets[rows])
        for rows in (slice(1500), slice(1500, None))
    )
    for name, side in (("train", train), ("test", test)):
        write_arff(tmp_path / f"{name}.arff", side.views["table"], side.targets, hierarchy)
    clus = run_clus(tmp_path, settings("DAG", trees=50), 50)
    task = Task(paths="multiple", depth="ragged", hierarchy=hierarchy)
    beside_clus(ratio, "made samples", clus, "all columns at a split", 20, (train, test), task)


@needs_clus
@pytest.mark.parametrize(("columns", "asked"), [(1.0, 20), (0.25, 0)])
def test_forest_beside_clus_on_a_classic_set(
    columns: float, asked: float, tmp_path: Path, ratio: Callable[..., None]
) -> None:
    """Bagging as published, and a forest that tries a part of the columns, which is not asked for."""
    name, path = "cellcycle_FUN", str(shared_data("hmc_classic"))
    of = ClassicSet(name, path)
    clus, task = classic_run(tmp_path, name, path, 50, columns=columns)
    views = of.views(of.both, missing=True)
    sides = (labelled(of.data, views, of.both), labelled(of.data, views, of.sides["test"]))
    how = "all columns at a split" if columns == 1 else f"{columns:.0%} of the columns at a split"
    beside_clus(ratio, name, clus, how, asked, sides, task)


@needs_clus
@pytest.mark.parametrize(("name", "trees"), [("cellcycle_FUN", 0), ("cellcycle_FUN", 5), ("pheno_GO", 0)])
def test_areas_are_those_that_clus_prints(name: str, trees: int, tmp_path: Path) -> None:
    clus, task = classic_run(tmp_path, name, str(shared_data("hmc_classic")), trees)
    values = areas(clus, task)
    assert values["auprc_pooled_clus"] == pytest.approx(clus.printed["Pooled AUPRC"], abs=1e-6)
    assert values["auroc_macro"] == pytest.approx(clus.printed["Average AUROC"], abs=1e-6)
