"""For every check of datasets, metrics, featurizers, suites and plugins, one that breaks it and is caught."""

from __future__ import annotations

import os
import re
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hmcbench import (
    Dataset,
    DatasetSpec,
    FeaturizerSpec,
    MetricSpec,
    Param,
    PooledMetric,
    SampleMetric,
    SuiteSpec,
)
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.rankings import auprc_macro, auprc_micro
from hmcbench.registry.loading import Plugin
from hmcbench.testing import checks
from hmcbench.testing.helpers import tiny_dataset

COMMON: dict[str, Any] = {"name": "wrong", "version": "1", "summary": "one line"}
BAD_PARAM = {"params": {"k": Param(0, "neighbours", low=1)}}
COMMON_WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "says what it is": ({"summary": " "}, "one line"),
    "parameters within their bounds": (BAD_PARAM, "at least 1"),
    "the factory exists": ({"factory": "hmcbench.testing.helpers:nothing_there"}, "nothing_there"),
}
Case = tuple[Any, str]


# --------------------------------------------------------------------------- datasets


def dataset(**changes: Any) -> Callable[[], Dataset]:
    return lambda: replace(tiny_dataset(40), **changes)


def dataset_spec(factory: Any = tiny_dataset, **changes: Any) -> DatasetSpec:
    usual = {"views": ("table",), "licence": "MIT", "citation": "none"}
    return DatasetSpec(**{**COMMON, "factory": factory, **usual, **changes})


def open_classes() -> Dataset:
    made = tiny_dataset(40)
    targets = np.array(made.targets)
    targets[0, :2] = False
    return replace(made, targets=targets)


def copies() -> Dataset:
    made = tiny_dataset(40)
    table = np.repeat(made.views["table"][::2], 2, axis=0)
    return replace(made, views={"table": table})


def restless() -> Dataset:
    return replace(tiny_dataset(40), fingerprint=uuid.uuid4().hex)


def stray() -> Dataset:
    os.environ["MY_DATA"] = "/somewhere"
    return tiny_dataset(40)


HALVES = ["train"] * 20 + ["validation"] * 4 + ["test"] * 16
DATASETS: dict[str, Case] = {
    "ids unique": (dataset(ids=["same"] * 40), "same"),
    "the same when loaded again": (restless, "fingerprints differ"),
    "views complete": (dataset(views={"other": np.zeros((40, 2))}), "view table"),
    "targets closed": (open_classes, "without the classes above"),
    "splits disjoint": (dataset(split=HALVES, groups=[str(i % 9) for i in range(40)]), "one group lie in"),
    "groups divisible": (dataset(groups=["a"] * 40), "one group"),
    "no near-duplicates": (copies, "all but equal"),
    "licence and citation": (dataset_spec(licence="", citation=" "), "no licence and no citation"),
    "no global state left behind": (stray, "MY_DATA"),
}


# --------------------------------------------------------------------------- metrics


def right(evaluation: Evaluation) -> float:
    """Share of samples whose sets are equal.

    >>> from hmcbench.metrics.fixtures import three_samples
    >>> right(three_samples())
    0.0
    """
    same = np.all(np.asarray(evaluation.closed) == np.asarray(evaluation.truth), axis=1)
    return float(same.mean()) if len(same) else 0.0


def wrong_example(evaluation: Evaluation) -> float:
    """
    >>> 1 + 1
    3
    """
    return right(evaluation)


def first_sample(evaluation: Evaluation) -> float:
    return float(np.asarray(evaluation.closed)[0].mean()) if len(evaluation) else 0.0


def writes(evaluation: Evaluation) -> float:
    value = right(evaluation)
    evaluation.truth[:] = True
    return value


def warns_of_nothing(evaluation: Evaluation) -> float:
    np.seterr(all="ignore")
    return right(evaluation)


def predicted_share(evaluation: Evaluation) -> float:
    said = int(np.asarray(evaluation.closed).sum())
    return int((np.asarray(evaluation.closed) & np.asarray(evaluation.truth)).sum()) / said


def metric_spec(factory: Any = right, **changes: Any) -> MetricSpec:
    return MetricSpec(**{**COMMON, "factory": factory, "decided": False, **changes})


def same_rows(evaluation: Evaluation) -> np.ndarray:
    equal = np.all(np.asarray(evaluation.closed) == np.asarray(evaluation.truth), axis=1)
    return np.stack([equal, np.ones(len(equal))], axis=1).astype(float)


def share(sums: np.ndarray) -> np.ndarray:
    return np.divide(sums[..., 0], sums[..., 1], out=np.zeros(sums.shape[:-1]), where=sums[..., 1] > 0)


METRICS: dict[str, Case] = {
    "finite, within its bounds": (lambda e: right(e) + 2, "outside"),
    "the example in its docstring": (wrong_example, "something else"),
    "best for the truth itself": (lambda e: 1 - right(e), "for the truth itself"),
    "samples in any order": (first_sample, "another order"),
    "nothing predicted, no sample": (predicted_share, "ZeroDivisionError"),
    "sums of rows": (SampleMetric(same_rows, share, lambda e: np.array([1.0, 2.0])), "short cut"),
    "agrees with a slow version": (metric_spec(slow=first_sample), "slow version"),
    "data left as they are": (writes, "wrote into the truth"),
    "no global state left behind": (warns_of_nothing, "error handling"),
}


# --------------------------------------------------------------------------- featurizers


class Doubled:
    def transform(self, rows: Any) -> np.ndarray:
        return 2 * np.asarray(rows)


class DropsARow(Doubled):
    def transform(self, rows: Any) -> np.ndarray:
        return super().transform(rows)[1:]


class Sorts(Doubled):
    def transform(self, rows: Any) -> np.ndarray:
        return np.sort(super().transform(rows), axis=0)


class Remembers(Doubled):
    mean: Any = None

    def transform(self, rows: Any) -> np.ndarray:
        self.mean = np.asarray(rows).mean(axis=0) if self.mean is None else self.mean
        return super().transform(rows) - self.mean


class KeepsItsRows(Doubled):
    def transform(self, rows: Any) -> np.ndarray:
        self.rows = rows
        time.sleep(0.02)
        return super().transform(self.rows)


class InPlace(Doubled):
    def transform(self, rows: Any) -> np.ndarray:
        rows *= 2
        return np.asarray(rows)


class Moves(Doubled):
    def transform(self, rows: Any) -> np.ndarray:
        os.chdir("/")
        return super().transform(rows)


def featurizer_spec(factory: Any = Doubled, **changes: Any) -> FeaturizerSpec:
    return FeaturizerSpec(**{**COMMON, "factory": factory, "source": "table", **changes})


FEATURIZERS: dict[str, Case] = {
    "row count": (DropsARow, "rows of"),
    "row order": (Sorts, "backwards"),
    "stateless": (Remembers, "after other rows"),
    "the same in threads": (KeepsItsRows, "in threads"),
    "data left as they are": (InPlace, "wrote into"),
    "no global state left behind": (Moves, "working directory"),
}

MAKERS: dict[str, tuple[Callable[..., Any], dict[str, Case]]] = {
    "datasets": (dataset_spec, DATASETS),
    "metrics": (metric_spec, METRICS),
    "featurizers": (featurizer_spec, FEATURIZERS),
}
CASES = [
    (kind, name, factory if isinstance(factory, (DatasetSpec, MetricSpec)) else make(factory), says)
    for kind, (make, cases) in MAKERS.items()
    for name, (factory, says) in cases.items()
] + [
    (kind, name, make(**changes), says)
    for kind, (make, _) in MAKERS.items()
    for name, (changes, says) in COMMON_WRONG.items()
]


@pytest.mark.parametrize(("kind", "name", "spec", "says"), CASES, ids=[f"{c[0]}-{c[1]}" for c in CASES])
def test_it_is_caught(kind: str, name: str, spec: Any, says: str, outcome: Callable[..., Any]) -> None:
    found = outcome(kind, name, spec)
    assert found.status == "failed", found
    assert re.search(says, found.detail), found.detail
    assert found.why


@pytest.mark.parametrize(("kind", "name"), [c[:2] for c in CASES])
def test_what_is_right_passes(
    kind: str, name: str, outcome: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, right.__module__, type("Module", (), {"right": right}))
    spec = MAKERS[kind][0]()
    if name == "agrees with a slow version":
        spec = metric_spec(slow=right)
    found = outcome(kind, name, spec)
    assert found.status != "failed", found


@pytest.mark.parametrize("kind", MAKERS)
def test_every_check_has_something_wrong(kind: str) -> None:
    assert {c.name for c in checks.CHECKS[kind]} == {name for k, name, *_ in CASES if k == kind}


# --------------------------------------------------------------------------- suites, plugins

SUITE = """
[suite]
name = "wrong"
version = 1
summary = "for a test"
datasets = ["toy-tree"]
primary = "hf1_samples"
[profiles.quick]
models = ["prior"]
"""
SUITES: dict[str, Case] = {
    "says what it is": (SUITE, "one line"),
    "the file can be read": (SUITE.replace('"wrong"', '"other"'), "'other'"),
    "every name is known": (SUITE + '[profiles.paper]\nmodels = ["priro"]', "priro"),
    "cells can be planned": (SUITE.replace('"prior"', '"ridge"'), "no cell|ridge"),
}


@pytest.mark.parametrize("name", SUITES)
def test_wrong_suites(
    name: str, outcome: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, says = SUITES[name]
    package = f"suite_{abs(hash(name))}"
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    summary = " " if "says" in name else "one line"
    spec = SuiteSpec(name="wrong", summary=summary, source=f"{package}:wrong.toml")
    (tmp_path / package / "wrong.toml").write_text(text)
    found = outcome("suites", name, spec)
    assert found.status == "failed" and re.search(says, found.detail), found
    (tmp_path / package / "wrong.toml").write_text(SUITE)
    good = outcome("suites", name, SuiteSpec(name="wrong", summary="one line", source=spec.source))
    assert good.status == "ok", good


@pytest.mark.parametrize(
    ("metric", "status", "says"),
    [
        (auprc_macro, "ok", ""),
        (PooledMetric(auprc_micro, auprc_macro.counts), "failed", "from counts of repeated rows"),
        (PooledMetric(auprc_micro, lambda e: (np.ones((3, 1)), share)), "failed", "counts of 3 samples"),
    ],
)
def test_counts_of_metrics_that_rank(
    metric: PooledMetric, status: str, says: str, outcome: Callable[..., Any]
) -> None:
    found = outcome("metrics", "sums of rows", metric_spec(metric))
    assert found.status == status and says in found.detail, found


def test_wrong_plugins() -> None:
    broken = Plugin("wrong", "wrong", "1", "hmcbench.hierarchy.hierarchy", error="it raised")
    usable, light = checks.check_plugin(broken)
    assert usable.status == "failed" and "it raised" in usable.detail
    assert light.status == "failed" and "numpy" in light.detail
    absent = list(checks.check_plugin(Plugin("wrong", "wrong", "1", "no_such_module")))
    assert "no_such_module" in absent[1].detail
