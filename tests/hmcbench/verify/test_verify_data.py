"""Truth that was not published, rejoined from the user's data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hmcbench.errors import BadInput
from hmcbench.hookspecs import hookimpl
from hmcbench.interfaces import Dataset, DatasetSpec, Param
from hmcbench.predictions import Predictions
from hmcbench.publish import publish
from hmcbench.records import NPZ, Record, read_all
from hmcbench.registry import Registry
from hmcbench.splits import make_split
from hmcbench.suites import Protocol
from hmcbench.testing import temporary_plugin
from hmcbench.verify import Report, verify_results

MADE: dict[str, Dataset] = {}


def factory(path: str) -> Dataset:
    if path not in MADE:
        raise BadInput(f"{path}: no such folder")
    return MADE[path]


class Plugin:
    @hookimpl
    def hmcbench_datasets(self) -> list[DatasetSpec]:
        params = {"path": Param(default="", help="")}
        return [
            DatasetSpec(
                name="private", version="1", summary="", factory=factory, params=params, path_param="path"
            )
        ]


@pytest.fixture
def registry() -> Iterator[Registry]:
    with temporary_plugin(Plugin()) as made:
        yield made
    MADE.clear()


@pytest.fixture
def results(fabricate: Callable[..., Record], tmp_path: Path) -> Path:
    """One record whose truth stays behind; ``MADE["here"]`` are its data."""
    seen = fabricate("throw away").predictions()
    trained = [f"train-{i}" for i in range(600)]
    truth = seen.truth.toarray()
    targets = np.concatenate([truth[:1].repeat(600, axis=0), truth])
    order = np.random.default_rng(0).permutation(len(targets))
    ids, side = [*trained, *seen.ids], ["train"] * 600 + list(seen.side)
    dataset = Dataset(
        ids=[ids[i] for i in order],
        views={},
        targets=targets[order],
        task=seen.task,
        fingerprint="d" * 64,
        split=[side[i] for i in order],
        share_targets=False,
    )
    MADE["here"] = dataset
    split = make_split(dataset, Protocol(kind="predefined"))
    described = {"name": "private", "reference": "private[path=here]", "share_targets": False}
    fabricate(
        "a",
        folder=tmp_path / "mine" / "records",
        dataset=described,
        split={"kind": "predefined", "fingerprint": split.fingerprint, "test": 0.1, "validation": 0.1},
    )
    publish(tmp_path / "mine", tmp_path / "results")
    return tmp_path / "results"


def check(results: Path, registry: Registry, **data: str) -> Report:
    return verify_results([results / "smoke"], data, results, registry)


def test_without_the_data_it_is_not_checkable_here(results: Path, registry: Registry) -> None:
    report = check(results, registry)
    (suite,) = report.suites
    assert report.clean
    assert (suite.records, suite.checked) == (1, 0)
    assert list(suite.unchecked) == ["their truth was not published: --data private=PATH"]


def test_with_the_data_every_number_is_recomputed(results: Path, registry: Registry) -> None:
    without = check(results, registry).suites[0].numbers
    report = check(results, registry, private="here")
    (suite,) = report.suites
    assert report.clean and suite.checked == 1 and not suite.unchecked
    assert suite.numbers > without + 50


def test_a_false_number_is_found_only_with_the_data(results: Path, registry: Registry) -> None:
    place = read_all(results)[0].path / NPZ
    predictions = Predictions.load(place)
    replace(predictions, scores=predictions.scores[::-1]).save(place)
    assert check(results, registry).clean
    findings = [f for _, f in check(results, registry, private="here").all_findings()]
    assert any(f.what == "test hf1_samples" for f in findings)


def _other(d: Dataset) -> Dataset:
    return replace(d, fingerprint="e" * 64)


def _moved(d: Dataset) -> Dataset:
    sides = list(d.split or ())
    i, j = sides.index("test"), sides.index("validation")
    sides[i], sides[j] = sides[j], sides[i]
    return replace(d, split=sides)


def _renamed(d: Dataset) -> Dataset:
    return replace(d, ids=[f"x{i}" for i in range(len(d.ids))])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_other, "fingerprint of the data given as --data private"),
        (_moved, "split"),
        (_renamed, "some of its samples are not in the data given"),
    ],
)
def test_other_data_do_not_match(
    results: Path, registry: Registry, change: Callable[[Dataset], Dataset], says: str
) -> None:
    MADE["other"] = change(MADE["here"])
    found = [f for _, f in check(results, registry, private="other").all_findings()]
    assert any(f.kind == "data" and f.what == says for f in found)


def test_stored_truth_is_compared_with_the_data(
    fabricate: Callable[..., Record], results: Path, registry: Registry
) -> None:
    public = read_all(results)[0]
    rows = {name: i for i, name in enumerate(MADE["here"].ids)}
    stored = Predictions.load(public.path / NPZ)
    truth = np.asarray(MADE["here"].targets)[[rows[name] for name in stored.ids]]
    replace(stored, truth=truth).save(public.path / NPZ)
    kinds = {f.what for _, f in check(results, registry, private="here").all_findings() if f.kind == "data"}
    assert not kinds
    replace(stored, truth=truth[::-1]).save(public.path / NPZ)
    found = [f.what for _, f in check(results, registry, private="here").all_findings() if f.kind == "data"]
    assert found == ["the stored truth is not that of the data given"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"privat": "here"}, "no record is of this dataset"),
        ({"private": "nowhere"}, "nowhere: no such folder"),
    ],
)
def test_bad_input(results: Path, registry: Registry, data: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        check(results, registry, **data)
