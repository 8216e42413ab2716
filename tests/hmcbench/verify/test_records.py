"""Truth that was not published, rejoined from the user's data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hmcbench.errors import BadInput
from hmcbench.interfaces import Dataset
from hmcbench.leaderboard.intervals import FILE
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import NPZ, read_all
from hmcbench.registry.registry import Registry
from hmcbench.verify import Report
from hmcbench.verify.tree import verify_results


def check(results: Path, registry: Registry, **data: str) -> Report:
    return verify_results([results / "smoke"], data, results, registry)


def test_without_the_data_it_is_not_checkable_here(private: Path, registry: Registry) -> None:
    report = check(private, registry)
    (suite,) = report.suites
    assert report.clean and report.status == 3
    assert (suite.records, suite.checked, suite.recomputed) == (1, 0, 0)
    stored = sum(len(values) for values in read_all(private)[0].data["metrics"].values())
    assert suite.uncheckable == stored and suite.compared > 0
    assert list(suite.unchecked) == ["their truth was not published: --data private=PATH"]


def test_with_the_data_every_number_is_recomputed(private: Path, registry: Registry) -> None:
    without = check(private, registry).suites[0].compared
    report = check(private, registry, private="here")
    (suite,) = report.suites
    assert report.clean and suite.checked == 1 and not suite.unchecked
    assert report.status == 0 and suite.recomputed > 50 and suite.compared < without and not suite.uncheckable


def test_a_false_number_is_found_only_with_the_data(private: Path, registry: Registry) -> None:
    place = read_all(private)[0].path / NPZ
    predictions = Predictions.load(place)
    replace(predictions, scores=predictions.scores[::-1]).save(place)
    blind = [f for _, f in check(private, registry).all_findings()]
    assert any("rests on records that are not here, or have changed since" in f.what for f in blind)
    assert not any(f.what == "test hf1_samples" for f in blind)
    findings = [f for _, f in check(private, registry, private="here").all_findings()]
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
    private: Path,
    registry: Registry,
    datasets: dict[str, Dataset],
    change: Callable[[Dataset], Dataset],
    says: str,
) -> None:
    datasets["other"] = change(datasets["here"])
    findings = [f for _, f in check(private, registry, private="other").all_findings()]
    assert any(f.kind == "data" and f.what == says for f in findings)


def test_stored_truth_is_compared_with_the_data(
    private: Path, registry: Registry, datasets: dict[str, Dataset]
) -> None:
    public = read_all(private)[0]
    rows = {name: i for i, name in enumerate(datasets["here"].ids)}
    stored = Predictions.load(public.path / NPZ)
    truth = np.asarray(datasets["here"].targets)[[rows[name] for name in stored.ids]]
    replace(stored, truth=truth).save(public.path / NPZ)
    (private / "smoke" / FILE).unlink()  # its intervals are of the record as it was
    kinds = {f.what for _, f in check(private, registry, private="here").all_findings() if f.kind == "data"}
    assert not kinds
    replace(stored, truth=truth[::-1]).save(public.path / NPZ)
    problems = [
        f.what for _, f in check(private, registry, private="here").all_findings() if f.kind == "data"
    ]
    assert problems == ["the stored truth is not that of the data given"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"privat": "here"}, "no record is of this dataset"),
        ({"private": "nowhere"}, "nowhere: no such folder"),
    ],
)
def test_bad_input(private: Path, registry: Registry, data: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        check(private, registry, **data)
