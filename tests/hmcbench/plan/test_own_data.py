"""Suites for data of one's own: split, models and metrics follow from the data."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Task
from hmcbench.metrics.ids import find_spec
from hmcbench.plan import own_data
from hmcbench.plan.own_data import (
    Facts,
    facts_of,
    joined,
    metrics,
    models,
    protocol,
    reference_of,
    suite_name,
    suite_text,
)
from hmcbench.plan.suite import parse_suite
from hmcbench.registry.registry import default_registry, parse_reference
from hmcbench.testing.helpers import tiny_dataset

FLAT = Hierarchy.from_edges([("", "a"), ("", "b")])
TREE = Hierarchy.from_edges([("", "a"), ("a", "b"), ("a", "c")])
WIDE = Hierarchy.from_edges([("", "a"), *(("a", f"c{i}") for i in range(80))])
BASE = Facts(
    task=Task(paths="single", hierarchy=FLAT),
    views=("table",),
    samples=500,
    units=500,
    own_split=False,
    shares=(0.6, 0.4),
)
TARGETS = replace(BASE, task=Task(kind="regression", targets=("x", "y")), shares=())
SEVERAL = replace(BASE, task=Task(paths="multiple", depth="ragged", hierarchy=TREE), shares=(0.5, 0.3, 0.3))
RARE = replace(SEVERAL, shares=(0.05, 0.03, 0.01))
MANY = replace(SEVERAL, task=Task(paths="multiple", hierarchy=WIDE), shares=(0.1,) * 81)
IMAGES = replace(BASE, views=("image",))


@pytest.mark.parametrize(
    ("facts", "kind", "folds"),
    [
        (BASE, "kfold", 5),
        (replace(BASE, samples=4_000, units=4_000), "kfold", 3),
        (replace(BASE, samples=90_000, units=90_000), "holdout", None),
        (replace(BASE, samples=90_000, units=4), "kfold", 3),
        (replace(BASE, units=3), "kfold", 3),
        (IMAGES, "kfold", 3),
        (replace(IMAGES, samples=1_500, units=1_500), "holdout", None),
        (replace(BASE, own_split=True), "predefined", None),
    ],
)
def test_the_split_follows_from_the_size(facts: Facts, kind: str, folds: int | None) -> None:
    chosen = protocol(facts)
    assert (chosen["kind"], chosen.get("folds")) == (kind, folds)


@pytest.mark.parametrize(
    ("facts", "per_class"), [(RARE, True), (SEVERAL, False), (replace(BASE, shares=(0.97, 0.03)), False)]
)
def test_rare_classes_have_thresholds_of_their_own(facts: Facts, per_class: bool) -> None:
    assert ('thresholds = "per_class"' in own_data.decisions(facts)) == per_class


@pytest.mark.parametrize(
    ("facts", "first", "among"),
    [
        (TARGETS, "r2", "target_r2[y]"),
        (BASE, "level1_accuracy", "level1_f1_macro"),
        (replace(BASE, shares=(0.97, 0.03)), "level1_f1_macro", "level1_accuracy"),
        (replace(BASE, task=Task(paths="single", hierarchy=TREE)), "hf1_samples", "level{k}_accuracy"),
        (SEVERAL, "hf1_samples", "auprc_micro"),
        (RARE, "auprc_macro", "hf1_macro"),
    ],
)
def test_the_metrics_follow_from_the_task(facts: Facts, first: str, among: str) -> None:
    chosen = metrics(facts)
    assert chosen[0] == first
    assert among in chosen
    assert ("violation_rate" in chosen) == (facts.levels > 1)
    for name in chosen:
        find_spec(default_registry().specs("metrics"), name)


@pytest.mark.parametrize(
    ("facts", "there", "absent"),
    [
        (TARGETS, "ridge", "logistic-regression"),
        (BASE, "hist-gradient-boosting", "forest[strategy=parent]"),
        (RARE, "forest[strategy=parent]", "ridge"),
        (MANY, "knn", "xgboost"),
        (MANY, "knn", "mlp"),
        (replace(MANY, task=replace(MANY.task, paths="single")), "mlp", "xgboost"),
        (replace(BASE, samples=90_000), "xgboost", "knn"),
        (IMAGES, "hffnet-2d[epochs=7]", "xgboost"),
    ],
)
def test_the_models_follow_from_the_data(facts: Facts, there: str, absent: str) -> None:
    chosen = models(default_registry(), facts)
    assert chosen[0] == "prior"
    assert there in chosen
    assert absent not in chosen
    for reference in chosen:
        default_registry().resolve("models", reference)


def test_facts_of_a_dataset() -> None:
    dataset = replace(tiny_dataset(30), groups=[f"g{i % 4}" for i in range(29)] + [""], duplicates=None)
    facts = facts_of(dataset)
    assert (facts.samples, facts.units, facts.own_split) == (30, 5, False)
    counts = np.asarray(dataset.targets.sum(axis=0)).ravel()
    assert list(facts.shares) == [float(count) / 30 for count in counts if count]


@pytest.mark.parametrize("name", ["C, wt%", "a;b", "x=[1]", "100%2C", "plain", "Grüße"])
def test_names_survive_a_reference(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a, b%.csv"
    header = f'"{name}","l"\n'
    path.write_text(header + "".join(f"{i % 7},{'ab'[i % 2]}\n" for i in range(20)), encoding="utf-8")
    text = reference_of("table", path=str(path), labels="l", kinds=f"{joined([name])}:nominal")
    spec, params = default_registry().resolve("datasets", text)
    dataset: Any = default_registry().call("datasets", spec, spec.factory, params)
    assert dataset.columns == {"table": [name]}
    assert len(dataset.kinds["table"][0].values) == 7


def test_the_text_is_a_suite(tmp_path: Path) -> None:
    path = tmp_path / "My alloys.csv"
    path.write_text("x,y,a,b\n" + "".join(f"{i},{i % 5},{i % 2},{i % 3 // 2}\n" for i in range(40)))
    text = suite_text(default_registry(), f"table[path={path},labels=a;b]")
    suite = parse_suite(text, "text")
    assert suite.name == "my-alloys"
    assert suite.summary == "My alloys.csv: 40 samples, 2 classes on 1 level"
    assert suite.default_profile == "quick"
    assert "knn" in suite.profiles["quick"].models
    assert text == suite_text(default_registry(), f"table[path={path},labels=a;b]", skip_bad=True, size=3)
    assert parse_reference(suite.datasets[0]).params[1] == ("labels", "a;b")


def test_the_profiles_of_images() -> None:
    """Epochs are for ``quick`` alone, and for as many images as the profile says."""
    chosen = ["timm:resnet10t[stem_stride=keep,epochs=6]", "hffnet-2d[epochs=7]", "forest"]
    table = tomllib.loads("\n".join(own_data._profiles(chosen, images=True)))["profiles"]
    assert table["quick"]["models"] == [
        {"model": chosen[0], "label": "resnet10t"},
        {"model": chosen[1], "label": "HFFNet-2d"},
        "forest",
    ]
    assert table["quick"]["epochs_for"] == 1600
    full = {"model": "timm:resnet10t[stem_stride=keep]", "label": "resnet10t"}
    assert table["standard"]["models"] == [full, "hffnet-2d", "forest"]
    assert "epochs_for" not in table["standard"]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/Alloys 2024.csv", "alloys-2024"),
        ("smoke.csv", "my-smoke"),
        ("2024.csv", "my-2024"),
        ("é.csv", "own-data"),
    ],
)
def test_the_name_of_the_suite(path: str, name: str) -> None:
    assert suite_name(default_registry(), path) == name
