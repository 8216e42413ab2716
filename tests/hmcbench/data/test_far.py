"""Samples of another dataset that no class is right for."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hmcbench
from hmcbench import BadInput
from hmcbench.data import far
from hmcbench.data.far import far_samples
from hmcbench.interfaces import ColumnKind, Dataset
from hmcbench.interfaces.objects import FAR
from hmcbench.testing.helpers import tiny_dataset


def other_of(n: int = 30, **changes: Any) -> Dataset:
    return replace(tiny_dataset(n, "multiple"), fingerprint="f" * 64, **changes)


def test_they_have_the_shared_views_and_no_class() -> None:
    dataset, other = tiny_dataset(40, "tree"), other_of()
    other.views = {**other.views, "extra": other.views["table"]}
    samples = far_samples(dataset, other, "other")
    assert list(samples.views) == list(dataset.views) and samples.targets.shape == (30, 0)
    assert list(samples.ids) == [f"far/{name}" for name in other.ids]
    assert np.array_equal(samples.views["table"], other.views["table"])
    assert samples.fingerprint not in (dataset.fingerprint, other.fingerprint)


def test_of_many_some_are_drawn_by_their_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(far, "MOST", 10)
    dataset, other = tiny_dataset(40, "tree"), other_of()
    samples = far_samples(dataset, other, "other")
    assert len(samples.ids) == len(samples.views["table"]) == 10
    order = np.random.default_rng(0).permutation(30)
    turned = replace(
        other,
        ids=[other.ids[i] for i in order],
        views={name: np.asarray(view)[order] for name, view in other.views.items()},
        targets=other.targets[order],
    )
    assert set(far_samples(dataset, turned, "other").ids) == set(samples.ids)
    places = [list(other.ids).index(name.removeprefix("far/")) for name in samples.ids]
    assert np.array_equal(samples.views["table"], np.asarray(other.views["table"])[places])


def test_what_cannot_be_far_is_one_line() -> None:
    dataset = tiny_dataset(40, "tree")
    with pytest.raises(BadInput, match="these are the data of the suite"):
        far_samples(dataset, dataset, "itself")
    for shape in ("multiple", "regression"):
        with pytest.raises(BadInput, match="one label path"):
            far_samples(tiny_dataset(40, shape), other_of(), "other")  # type: ignore[arg-type]
    wide = np.zeros((30, 99))
    for changes in (
        {"views": {"image": []}},
        {"views": {"table": wide}},
        {"columns": {"table": ["other"]}},
        {"kinds": {"table": [ColumnKind(("a", "b"))]}},
    ):
        with pytest.raises(BadInput, match=r"it has no view .*table.* of the same columns"):
            far_samples(dataset, other_of(**changes), "other")


def test_the_side_is_named_in_one_place() -> None:
    """The same word is the name of a phase and of a part of the key of a cell, which are no sides."""
    folder = Path(hmcbench.__file__).parent
    named = [
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"""(["'])far\1""", line) and not re.search("phase|fingerprint", line)
    ]
    assert named == ["interfaces/objects.py"]
    assert (FAR, far.PREFIX) == ("far", "far/")
