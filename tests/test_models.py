"""Promises that every built-in model keeps, whatever it is: checked for all that are registered.

A model that is added later is tested here without a line of code; parameters that make it small and
fast are the only thing it may need.
"""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hmcbench.cell import checked, seed_everything
from hmcbench.interfaces import Dataset, Inputs, Labelled, ModelSpec, Run
from hmcbench.registry import create, default_registry, missing, parse_reference
from hmcbench.testing import tiny_dataset
from hmcbench.views import Rows

SMALL = {
    "hffvt": "hffvt[epochs=1,image_size=32,dim=16,depth=1,heads=2]",
    "hffcnn": "hffcnn[epochs=1,image_size=32,backbone=resnet10t]",
    "hff-cnn-vt": "hff-cnn-vt[epochs=1,image_size=32,backbone=resnet10t,dim=16,depth=1,heads=2]",
    "hff-cnn-conv-vt": "hff-cnn-conv-vt[epochs=1,image_size=32,backbone=resnet10t,dim=16,depth=1,heads=2]",
    "hffnet-2d": "hffnet-2d[epochs=1,image_size=32,backbone=resnet10t,dim=16,depth=1,heads=2]",
    "timm": "timm:lcnet_050[epochs=1,image_size=32]",
    "forest": "forest[trees=20]",
    "extra-trees": "extra-trees[n_estimators=20]",
    "xgboost": "xgboost[n_estimators=20]",
    "hist-gradient-boosting": "hist-gradient-boosting[max_iter=10,min_samples_leaf=3]",
    "mlp": "mlp[hidden=8]",
    "mcvn": "mcvn[epochs=5,members=2]",
    "mcvn-transductive": "mcvn-transductive[epochs=5,members=2]",
    "ensemble": "ensemble[members=svm+knn]",
}
KINDS = ("tree", "ragged", "multiple", "dag", "regression")


def models() -> list[Any]:
    """One parameter set per registered model; those of torch carry the mark."""
    found = []
    for spec in default_registry().specs("models"):
        marks = [pytest.mark.torch] if "torch" in spec.requires else []
        marks += [pytest.mark.skipif(bool(missing(spec)), reason=f"needs {missing(spec)}")]
        found.append(pytest.param(SMALL.get(spec.name, spec.name), id=spec.name, marks=marks))
    return found


def with_views(dataset: Dataset) -> Dataset:
    """The tiny data set with every view that a built-in model may ask for."""
    rng = np.random.default_rng(0)
    n = len(dataset.ids)
    table = np.asarray(dataset.views["table"], dtype=np.float32)
    pixels = rng.integers(0, 256, (n, 32, 32), dtype=np.uint8)
    pixels[:, :8, :8] = (40 * table[:, :1, None]).clip(-100, 100).astype(np.int16) + 128
    images = (table[:, :1] * np.arange(504)).reshape(n, 24, 21)
    views = {
        "composition_image": images,
        "pixels": pixels,
        "texture": table,
        "grey_histogram": np.abs(table),
        "answers": None,
    }
    truth = dataset.targets.toarray() if hasattr(dataset.targets, "toarray") else dataset.targets
    views["answers"] = np.asarray(truth, dtype=np.float32)
    return replace(dataset, views={**dataset.views, **views})


def rows(dataset: Dataset, picked: Any) -> Inputs:
    picked = np.asarray(picked)
    return Inputs([dataset.ids[i] for i in picked], {k: Rows(v, picked) for k, v in dataset.views.items()})


def labelled(dataset: Dataset, picked: Any) -> Labelled:
    given = rows(dataset, picked)
    return Labelled(given.ids, given.views, targets=dataset.targets[np.asarray(picked)])


def fitted(reference: str, dataset: Dataset, seed: int = 0, train: Any = None) -> tuple[ModelSpec, Any]:
    spec, params = default_registry().resolve("models", reference, "quick")
    pytest.importorskip("torch") if "torch" in spec.requires else None
    seed_everything(seed)
    model = create(spec, params)
    train = np.arange(40) if train is None else train
    model.fit(labelled(dataset, train), labelled(dataset, np.arange(40, 50)), Run(dataset.task, seed=seed))
    return spec, model


def applies(reference: str, dataset: Dataset) -> bool:
    spec = default_registry().get("models", parse_reference(reference).name)
    fits = dataset.task.paths in spec.paths and dataset.task.depth in spec.depths
    return dataset.task.kind in spec.tasks and (fits or dataset.task.kind == "regression")


def suited(reference: str) -> Dataset:
    """A tree, or targets of a regression for models that do nothing else."""
    tree = tiny_dataset(60, "tree")
    return with_views(tree if applies(reference, tree) else tiny_dataset(60, "regression"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reference", models())
def test_scores_obey_the_contract_and_do_not_depend_on_the_batch(reference: str, kind: Any) -> None:
    dataset = with_views(tiny_dataset(60, kind))
    if not applies(reference, dataset):
        pytest.skip(f"{reference} does not do {kind} tasks, and says so")
    spec, model = fitted(reference, dataset)
    test = np.arange(50, 60)
    if spec.transductive:
        return
    together = checked(model.predict(rows(dataset, test)), 10, dataset.task, spec)
    for picked in ([3], [7, 3], [9, 8, 3, 1, 0]):
        alone = checked(model.predict(rows(dataset, test[picked])), len(picked), dataset.task, spec)
        assert np.allclose(alone.values, together.values[picked], atol=1e-5), picked
        if together.stop is not None and alone.stop is not None:
            assert np.allclose(alone.stop, together.stop[picked], atol=1e-5)


@pytest.mark.parametrize("reference", models())
def test_the_same_seed_gives_the_same_scores_bit_for_bit(reference: str) -> None:
    dataset = suited(reference)
    test = rows(dataset, np.arange(50, 60))
    scores = [fitted(reference, dataset, seed=3)[1].predict(test).values for _ in range(2)]
    assert np.array_equal(*scores)


@pytest.mark.parametrize("reference", models())
def test_a_class_without_training_samples_breaks_nothing(reference: str) -> None:
    dataset = with_views(tiny_dataset(60, "tree"))
    if not applies(reference, dataset):
        pytest.skip(f"{reference} does regression only")
    truth = dataset.targets.toarray() if hasattr(dataset.targets, "toarray") else np.asarray(dataset.targets)
    train = [i for i in range(40) if not truth[i, -1]]
    spec, model = fitted(reference, dataset, train=train)
    checked(model.predict(rows(dataset, np.arange(50, 60))), 10, dataset.task, spec)


@pytest.mark.parametrize("reference", models())
def test_a_fold_with_one_sample_is_scored(reference: str) -> None:
    dataset = suited(reference)
    spec, model = fitted(reference, dataset)
    assert checked(model.predict(rows(dataset, [55])), 1, dataset.task, spec).values.shape[0] == 1


@pytest.mark.parametrize("reference", models())
def test_specs_travel_to_a_worker(reference: str) -> None:
    spec = default_registry().get("models", parse_reference(reference).name)
    assert pickle.loads(pickle.dumps(spec)).name == spec.name
    assert isinstance(spec.factory, str)
    assert spec.summary
