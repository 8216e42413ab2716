"""The parts of a record that are known before its cell runs."""

from __future__ import annotations

from typing import Any

import pytest

from hmcbench.data.featurize import Step, ViewPlan
from hmcbench.data.protocol import Protocol
from hmcbench.data.splits import make_split
from hmcbench.errors import NotApplicable, Unavailable
from hmcbench.interfaces import DatasetSpec, FeaturizerSpec
from hmcbench.plan.describe import (
    constants_of,
    describe_dataset,
    describe_model,
    describe_split,
    is_deterministic,
)
from hmcbench.registry.registry import default_registry
from hmcbench.testing.helpers import tiny_dataset

SPEC = DatasetSpec(name="d", version="1", summary="", factory=tiny_dataset)


def table(**_params: object) -> tuple[str, str]:
    return "abc", "a table of 1999"


def lacking(**_params: object) -> tuple[str, str]:
    raise Unavailable("x needs y")


def view(*digests: Any) -> ViewPlan:
    """A view of featurizers ``f0``, ``f1``, ... with these functions for their constants."""
    about: dict[str, Any] = {"version": "1", "summary": "", "factory": "m:f", "source": "table"}
    specs = [FeaturizerSpec(name=f"f{i}", digest=digest, **about) for i, digest in enumerate(digests)]
    return ViewPlan("f", "table", tuple(Step(spec, {}) for spec in specs))


def test_a_dataset_with_classes_and_one_with_targets() -> None:
    dataset = tiny_dataset(40, "dag")
    about = describe_dataset(SPEC, dataset, "d[x=1]")
    hierarchy = dataset.task.hierarchy
    assert hierarchy is not None
    assert (about["classes"], about["levels"]) == (hierarchy.n, hierarchy.depth)
    assert (about["reference"], about["samples"], about["paths"]) == ("d[x=1]", 40, "multiple")
    numbers = describe_dataset(SPEC, tiny_dataset(40, "regression"), "d")
    assert (numbers["classes"], numbers["levels"], numbers["hierarchy"]) == (0, 0, "")
    assert numbers["targets"]


def test_a_split_with_its_protocol_and_counts() -> None:
    dataset, protocol = tiny_dataset(50), Protocol("kfold", folds=5)
    split = make_split(dataset, protocol, 2)
    about = describe_split(protocol, 2, split)
    assert (about["kind"], about["fold"], about["fingerprint"]) == ("kfold", 2, split.fingerprint)
    assert about["counts"]["test"] == 10 and sum(about["counts"].values()) == 50


def test_a_model_with_its_plugin_and_constants_if_any() -> None:
    registry = default_registry()
    spec, params = registry.resolve("models", "prior")
    about = describe_model(registry, spec, params, "quick", {})
    assert (about["label"], about["plugin"]["name"]) == ("prior", "toy")
    assert "constants" not in about and about["deterministic"]
    constants = {"f": {"digest": "1", "origin": "o"}}
    assert describe_model(registry, spec, params, "quick", constants)["constants"] == constants


def test_a_model_is_deterministic_with_the_parameters_that_it_declares() -> None:
    registry = default_registry()
    names = ("knn", "knn[tuned=true]", "svm[inputs=EP]", "xgboost", "xgboost[subsample=0.5]", "forest")
    declared = {name: is_deterministic(*registry.resolve("models", name)) for name in names}
    assert [name for name, same in declared.items() if same] == ["knn", "xgboost"]


def test_constants_are_those_of_featurizers_that_have_any() -> None:
    assert constants_of([view("")]) == {}
    assert constants_of([view("", table)]) == {"f1": {"digest": "abc", "origin": "a table of 1999"}}
    with pytest.raises(NotApplicable, match="x needs y"):
        constants_of([view(table, lacking)])
