"""The toy plugin: datasets that are what they say, and three models that need no library."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from hmcbench.interfaces import Dataset, Scores
from hmcbench.plan.suite import load_suite
from hmcbench.registry.registry import Registry, create
from hmcbench.testing.helpers import (
    Kind,
    assert_batch_independent,
    fitted,
    inputs,
    same_scores,
    temporary_plugin,
    tiny_dataset,
)

TOYS = ("toy-tree", "toy-ragged", "toy-dag")


@pytest.fixture(scope="module")
def registry() -> Any:
    with temporary_plugin() as loaded:
        yield loaded


def created(registry: Registry, kind: str, name: str, **params: Any) -> Any:
    return create(*registry.resolve(kind, name, **params))


def test_listing_it_needs_no_numpy() -> None:
    program = "import sys, hmcbench_toy as t; t.hmcbench_models(); sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("name", TOYS)
def test_datasets_are_what_their_task_says(registry: Registry, name: str) -> None:
    dataset: Dataset = created(registry, "datasets", name, samples=90)
    task, spec = dataset.task, registry.get("datasets", name)
    assert task.hierarchy is not None
    assert dataset.synthetic
    assert len(set(dataset.ids)) == len(dataset.ids) == 90
    assert set(dataset.views) == set(spec.views)
    assert all(len(view) == 90 for view in dataset.views.values())
    assert task.hierarchy.label_shape(dataset.targets) == (task.paths, task.depth)
    assert task.hierarchy.is_closed(dataset.targets)
    assert dataset.targets.any(axis=0).all()
    again: Dataset = created(registry, "datasets", name, samples=90)
    other: Dataset = created(registry, "datasets", name, samples=90, seed=1)
    assert again.fingerprint == dataset.fingerprint != other.fingerprint


def test_the_smoke_suite_names_only_what_exists(registry: Registry) -> None:
    suite = load_suite(registry, "smoke")
    for name in suite.datasets:
        registry.resolve("datasets", name)
    for name in suite.profiles["quick"].models:
        registry.resolve("models", name, "quick")


KINDS: tuple[Kind, ...] = ("tree", "ragged", "multiple", "dag")


def levels_sum_to_one(dataset: Dataset, scores: Scores) -> bool:
    h = dataset.task.hierarchy
    assert h is not None
    stop = scores.stop if scores.stop is not None else np.zeros((len(scores.values), h.depth))
    sums = [scores.values[:, h.level_classes(k)].sum(1) + stop[:, k - 1] for k in range(1, h.depth + 1)]
    return bool(np.allclose(sums, 1))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["prior", "random"])
def test_models_of_every_task_are_repeatable_and_see_one_sample_at_a_time(
    registry: Registry, name: str, kind: Kind
) -> None:
    dataset = tiny_dataset(30, kind)
    scores = assert_batch_independent(fitted(created(registry, "models", name), dataset, seed=3), dataset, 0)
    assert same_scores(
        scores, fitted(created(registry, "models", name), dataset, seed=3).predict(inputs(dataset))
    )
    assert scores.values.shape == dataset.targets.shape
    assert scores.values.min() >= 0
    assert scores.values.max() <= 1
    assert (scores.stop is not None) == (kind == "ragged")
    if dataset.task.paths == "single":
        assert levels_sum_to_one(dataset, scores)


def test_the_prior_is_the_mean_of_training_targets_dense_sparse_or_numeric(registry: Registry) -> None:
    for kind in (*KINDS, "regression"):
        dataset = tiny_dataset(30, kind)
        scores = fitted(created(registry, "models", "prior"), dataset, train=range(10)).predict(
            inputs(dataset, [29])
        )
        np.testing.assert_allclose(scores.values, dataset.targets[:10].mean(0, keepdims=True))
        if kind != "regression":
            thin = replace(dataset, targets=sparse.csr_array(dataset.targets))
            again = fitted(created(registry, "models", "prior"), thin, train=range(10)).predict(
                inputs(thin, [29])
            )
            assert same_scores(scores, again)


def test_seeds_differ_for_random(registry: Registry) -> None:
    dataset = tiny_dataset(12)
    first, second = (fitted(created(registry, "models", "random"), dataset, seed=s) for s in (0, 1))
    assert not same_scores(first.predict(inputs(dataset)), second.predict(inputs(dataset)))


@pytest.mark.parametrize("name", TOYS)
def test_the_oracle_is_right_and_applies_to_toys_only(registry: Registry, name: str) -> None:
    dataset: Dataset = created(registry, "datasets", name, samples=60)
    scores = assert_batch_independent(fitted(created(registry, "models", "oracle"), dataset), dataset, 0)
    np.testing.assert_array_equal(scores.values, dataset.targets)
    assert registry.get("models", "oracle").views == ("answers",)
    if dataset.task.paths == "single":
        assert levels_sum_to_one(dataset, scores)
