from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hmcbench.data import featurize
from hmcbench.errors import BadInput, NotApplicable, PluginError
from hmcbench.interfaces import Dataset, FeaturizerSpec, Param
from hmcbench.interfaces.hookspecs import hookimpl
from hmcbench.registry.registry import Registry
from hmcbench.testing.helpers import temporary_plugin, tiny_dataset

CALLS: list[int] = []


class Scale:
    """Counts its calls, so that a test sees whether the cache was used."""

    def __init__(self, by: float = 2.0) -> None:
        self.by = by

    def transform(self, rows: Any) -> np.ndarray:
        CALLS.append(len(rows))
        return np.asarray(rows) * self.by


class Changing:
    """A block of another shape after the first."""

    def transform(self, rows: Any) -> np.ndarray:
        return np.zeros((len(rows), 2 if len(rows) == featurize.BLOCK else 3))


class WholeFirst:
    """Whole numbers for 64 rows, fractions for fewer."""

    def transform(self, rows: Any) -> np.ndarray:
        return np.full((len(rows), 2), 1 if len(rows) == 64 else 0.5)


class Objects:
    def transform(self, rows: Any) -> np.ndarray:
        return np.full((len(rows), 2), None)


class Short:
    def transform(self, rows: Any) -> np.ndarray:
        return np.zeros((len(rows) - 1, 2))


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    monkeypatch.setenv("HMCBENCH_CACHE", str(tmp_path))
    CALLS.clear()
    here: dict[str, Any] = {"version": "1", "summary": ""}
    specs = [
        FeaturizerSpec(name="scaled", factory=Scale, source="table", params={"by": Param(2.0)}, **here),
        FeaturizerSpec(
            name="twice", factory=Scale, source="scaled[by={by}]", params={"by": Param(3.0)}, **here
        ),
        FeaturizerSpec(name="short", factory=Short, source="table", **here),
        FeaturizerSpec(name="changing", factory=Changing, source="table", **here),
        FeaturizerSpec(name="objects", factory=Objects, source="table", **here),
        FeaturizerSpec(name="whole-first", factory=WholeFirst, source="table", **here),
        FeaturizerSpec(name="round1", factory=Scale, source="round2", **here),
        FeaturizerSpec(name="round2", factory=Scale, source="round1", **here),
        FeaturizerSpec(name="lacking", factory=Scale, source="table", requires=("no_such",), **here),
    ]
    plugin = SimpleNamespace(__name__="views", hmcbench_featurizers=hookimpl(lambda: specs))
    with temporary_plugin(plugin) as registry:
        yield registry


def view_of(registry: Registry, dataset: Dataset, view: str) -> tuple[np.ndarray, bool]:
    (plan,) = featurize.plan_views(registry, tuple(dataset.views), [view], {})
    computed = featurize.compute_view(plan, dataset, threads=2)
    return np.array(computed.rows), not computed.computed


def test_a_chain_is_followed_and_its_parameters_passed_on(registry: Registry) -> None:
    dataset = tiny_dataset(150)
    values, cached = view_of(registry, dataset, "twice[by=5]")
    assert np.allclose(values, np.asarray(dataset.views["table"]) * 25)
    assert not cached


def test_views_of_the_dataset_itself_need_nothing(registry: Registry) -> None:
    dataset = tiny_dataset(5)
    values, cached = view_of(registry, dataset, "table")
    assert np.array_equal(values, np.asarray(dataset.views["table"]))
    assert cached


def test_the_cache_is_used_again_and_knows_data_and_parameters(registry: Registry) -> None:
    dataset = tiny_dataset(150)
    first, _ = view_of(registry, dataset, "scaled")
    calls = len(CALLS)
    again, cached = view_of(registry, dataset, "scaled")
    assert cached
    assert len(CALLS) == calls
    assert np.array_equal(first, again)
    assert not view_of(registry, dataset, "scaled[by=4]")[1]
    assert not view_of(registry, tiny_dataset(150, seed=1), "scaled")[1]


def test_a_damaged_cache_file_is_computed_again(registry: Registry, tmp_path: Path) -> None:
    dataset = tiny_dataset(20)
    first, _ = view_of(registry, dataset, "scaled")
    (file,) = (tmp_path / "views").iterdir()
    for torn in (b"torn", file.read_bytes()[:-8]):
        file.write_bytes(torn)
        again, cached = view_of(registry, dataset, "scaled")
        assert np.array_equal(again, first) and not cached
    file.unlink()
    assert np.array_equal(view_of(registry, dataset, "scaled")[0], first)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EACCES, errno.EIO, errno.ENOMEM])
def test_a_good_view_that_cannot_be_opened_stays(
    number: int, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was removed without a word, and computed again."""
    dataset = tiny_dataset(20)
    first, _ = view_of(registry, dataset, "scaled")
    with monkeypatch.context() as patch:
        error = OSError(number, os.strerror(number))
        patch.setattr(np, "load", lambda *_args, **_options: (_ for _ in ()).throw(error))
        with pytest.raises(BadInput, match=rf"cannot be read \({os.strerror(number)}\).*HMCBENCH_CACHE"):
            view_of(registry, dataset, "scaled")
    again, cached = view_of(registry, dataset, "scaled")
    assert cached and np.array_equal(again, first)


def test_a_damaged_view_that_cannot_be_removed_is_told(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = tiny_dataset(20)
    view_of(registry, dataset, "scaled")
    (file,) = (tmp_path / "views").iterdir()
    file.write_bytes(b"torn")

    def refused(*_args: Any, **_options: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refused)
    with pytest.raises(BadInput, match="Permission denied"):
        view_of(registry, dataset, "scaled")


def test_a_view_that_cannot_be_kept_says_so(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np, "load", lambda *_args, **_options: (_ for _ in ()).throw(ValueError("torn")))
    with pytest.raises(BadInput, match=r"cannot be read after it was written.*HMCBENCH_CACHE"):
        view_of(registry, tiny_dataset(20), "scaled")


def test_a_view_costs_the_same_whoever_computed_it(registry: Registry) -> None:
    dataset = tiny_dataset(150)
    (plan,) = featurize.plan_views(registry, ("table",), ["twice"], {})
    first = featurize.compute_view(plan, dataset, machine="m")
    calls = len(CALLS)
    again = featurize.compute_view(plan, dataset, machine="m")
    assert len(first.computed) == 2
    assert not again.computed
    assert again.costs == first.costs
    assert len(CALLS) == calls
    for cost in first.costs.values():
        assert cost.seconds > 0
        assert cost.cpu_seconds >= 0


def test_a_cached_view_without_a_cost_on_this_machine_is_computed_again(registry: Registry) -> None:
    dataset = tiny_dataset(150)
    (plan,) = featurize.plan_views(registry, ("table",), ["scaled"], {})
    assert not featurize.compute_view(plan, dataset).costs, "no machine: no cost is wanted"
    here = featurize.compute_view(plan, dataset, machine="here")
    assert here.computed == set(here.costs)
    assert featurize.compute_view(plan, dataset, machine="there").computed
    assert not featurize.compute_view(plan, dataset, machine="here").computed
    (path,) = here.costs
    (path.parent / f"{path.stem}.here.json").write_text("torn")
    assert featurize.compute_view(plan, dataset, machine="here").computed
    assert not featurize.compute_view(plan, dataset).computed


@pytest.mark.parametrize(
    ("view", "error", "says"),
    [
        ("changing", PluginError, r"rows of shape \(2,\), then of \(3,\)"),
        ("objects", PluginError, "rows of objects"),
        ("whole-first", PluginError, "rows of type int64, then of float64"),
        ("image", NotApplicable, "the dataset has"),
        ("lacking", NotApplicable, "no_such"),
        ("round1", PluginError, "circle"),
        ("short", PluginError, "rows of"),
        ("scaled[by={nothing}]", PluginError, "unknown parameter 'nothing'"),
        ("scaled[bye=1]", BadInput, "did you mean 'by'"),
    ],
)
def test_an_impossible_view_says_why(
    registry: Registry, view: str, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        view_of(registry, tiny_dataset(100), view)


def test_several_views_alternatives_and_translations(registry: Registry) -> None:
    def names(text: str, **params: Any) -> list[str]:
        return [plan.name for plan in featurize.plan_views(registry, ("table",), [text], params)]

    assert names("table+scaled[by=1e+2]") == ["table", "scaled"]
    assert names("image|texture|table+twice") == ["table", "twice"]
    template = "{inputs:O=table;E=table+scaled}"
    assert names(template, inputs="O") == ["table"]
    assert names(template, inputs="E") == ["table", "scaled"]
    assert names(template, inputs="twice") == ["twice"]
    with pytest.raises(NotApplicable, match="needs the view 'nowhere'"):
        names("image|nowhere")
    assert featurize.alternatives("a[x=1|2]+b|c") == [["a[x=1|2]", "b"], ["c"]]
