"""Shifts of test inputs: references with severities, and the test samples under them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hmcbench import BadInput, ShiftInputs, ShiftSpec, hookimpl
from hmcbench.data import shifts
from hmcbench.data.protocol import Protocol
from hmcbench.data.shifts import filled, seen_by, shift_choice, shifted_rows, shifted_test
from hmcbench.data.splits import make_split
from hmcbench.errors import PluginError
from hmcbench.interfaces import Param
from hmcbench.registry.registry import Registry
from hmcbench.testing.helpers import temporary_plugin, tiny_dataset

SEEN: list[ShiftInputs] = []


def add(inputs: ShiftInputs, severity: float, sign: int = 1) -> np.ndarray:
    SEEN.append(inputs)
    return np.asarray(inputs.rows) + sign * severity


def spec(**changes: Any) -> ShiftSpec:
    usual = {"name": "add", "version": "1", "summary": "adds", "factory": add, "views": ("table", "other")}
    params = {"sign": Param(1, "up or down")}
    return ShiftSpec(**{**usual, "severities": (1.0, 2.0), "unit": "m", "params": params, **changes})


@pytest.fixture
def registry() -> Iterator[Registry]:
    SEEN.clear()
    plugin = SimpleNamespace(__name__="adds", hmcbench_shifts=hookimpl(lambda: [spec(high=5.0)]))
    with temporary_plugin(plugin) as own_registry:
        yield own_registry


def test_a_choice_has_the_label_and_the_severities(registry: Registry) -> None:
    choice = shift_choice(registry, "add[sign=-1]", (0.5, 4))
    assert (choice.label, choice.severities, choice.params) == ("add[sign=-1]", (0.5, 4.0), {"sign": -1})
    assert shift_choice(registry, "add[sign=1]").label == "add"
    assert choice.identity() == ["add[sign=-1]", "1", [0.5, 4.0], None]
    assert shift_choice(registry, "add", samples=9).stated()["samples"] == 9
    with pytest.raises(BadInput, match="samples 0"):
        shift_choice(registry, "add", samples=0)


@pytest.mark.parametrize("shape", ["tree", "multiple", "dag", "regression"])
def test_those_that_see_a_shift_are_like_the_test_samples(registry: Registry, shape: Any) -> None:
    dataset = tiny_dataset(300, shape)
    split = make_split(dataset, Protocol(test=0.6))
    choice = shift_choice(registry, "add", samples=40)
    places = seen_by(dataset, split, choice)
    test = split.sides["test"]
    assert len(places) == 40 and np.array_equal(places, np.unique(places)) and places.max() < len(test)
    targets = np.asarray(dataset.targets)[test]
    if shape == "regression":
        tenths = 10 * targets[:, 0].argsort().argsort() // len(test)
        assert np.all(np.abs(np.bincount(tenths[places], minlength=10) - 4) <= 1)
    else:
        kinds = np.unique(targets, axis=0, return_inverse=True)[1].ravel()  # NumPy 2.0.0 gives (N, 1)
        shares = np.bincount(kinds) * 40 / len(test)
        assert np.all(np.abs(np.bincount(kinds[places], minlength=len(shares)) - shares) < 1)
    other = seen_by(dataset, split, shift_choice(registry, "add[sign=-1]", samples=40))
    assert not np.array_equal(other, places), "another shift draws others"
    assert np.array_equal(
        seen_by(dataset, split, shift_choice(registry, "add", samples=500)), np.arange(len(test))
    )


def test_who_sees_a_shift_does_not_depend_on_the_order_of_the_rows(registry: Registry) -> None:
    dataset = tiny_dataset(60, "tree")
    split = make_split(dataset, Protocol(test=0.6))
    choice = shift_choice(registry, "add", samples=10)
    turned = replace(split, sides={**split.sides, "test": split.sides["test"][::-1]})
    drawn = [
        {dataset.ids[part.sides["test"][i]] for i in seen_by(dataset, part, choice)}
        for part in (split, turned)
    ]
    assert drawn[0] == drawn[1]
    alone, _ = shifted_test(registry, dataset, split, choice, 2.0)
    assert set(alone.ids) == drawn[0] and len(alone.targets) == 10


@pytest.mark.parametrize("severities", [(0.0, 1.0), (2.0, 1.0), (1.0, 1.0), (-1.0,), (1.0, 6.0), (np.nan,)])
def test_severities_that_do_not_rise_are_refused(registry: Registry, severities: tuple[float, ...]) -> None:
    with pytest.raises(BadInput, match=r"rising numbers above 0, at most 5 \(m\)"):
        shift_choice(registry, "add", severities)


def test_only_the_test_samples_and_the_named_view_change(registry: Registry) -> None:
    dataset = tiny_dataset(40, "tree")
    table = np.asarray(dataset.views["table"])
    dataset.views = {**dataset.views, "kept": table.copy()}
    split = make_split(dataset, Protocol(test=0.25))
    alone, changed = shifted_test(registry, dataset, split, shift_choice(registry, "add"), 2.0)
    test = split.sides["test"]
    assert changed == {"table"} and list(alone.ids) == [dataset.ids[i] for i in test]
    assert np.allclose(alone.views["table"], table[test] + 2) and np.array_equal(
        alone.views["kept"], table[test]
    )
    assert np.array_equal(dataset.views["table"], table)
    (seen,) = SEEN
    _, none = shifted_test(registry, dataset, split, shift_choice(registry, "add"), 2.0, {"kept"})
    assert none == frozenset() and len(SEEN) == 1
    assert np.array_equal(np.asarray(seen.training), table[split.sides["train"]])
    assert not hasattr(seen, "targets")


def test_every_point_has_a_fingerprint_of_its_own(registry: Registry) -> None:
    dataset = tiny_dataset(40, "tree")
    splits = [make_split(dataset, Protocol(test=0.25, seed=seed)) for seed in (0, 1)]
    choices = [shift_choice(registry, name) for name in ("add", "add[sign=-1]")]
    prints = [
        shifted_test(registry, dataset, split, choice, severity)[0].fingerprint
        for split in splits
        for choice in choices
        for severity in (1.0, 2.0)
    ]
    assert len({dataset.fingerprint, *prints}) == 9
    again, _ = shifted_test(registry, dataset, splits[0], choices[0], 1.0)
    assert again.fingerprint == prints[0]


@pytest.mark.parametrize(
    ("result", "pattern"),
    [
        (lambda inputs, _: inputs.rows[1:], "of shape"),
        (lambda inputs, _: np.zeros(inputs.rows.shape, dtype=int), "int64 of shape"),
    ],
)
def test_other_shapes_and_types_are_refused(result: Any, pattern: str) -> None:
    inputs = ShiftInputs("table", ["a", "b"], np.zeros((2, 3)))
    with pytest.raises(PluginError, match=pattern):
        shifted_rows(spec(factory=result, params={}), {}, inputs, 1.0)


def test_as_many_objects_come_back() -> None:
    inputs = ShiftInputs("image", ["a", "b"], [object(), object()])
    with pytest.raises(PluginError, match="1 rows of 2"):
        shifted_rows(spec(factory=lambda given, _: given.rows[:1], params={}), {}, inputs, 1.0)


def test_generators_depend_on_seed_and_id_alone() -> None:
    def drawn(ids: list[str], seed: int = 0) -> list[float]:
        inputs = ShiftInputs("table", ids, np.zeros((len(ids), 1)), seed=seed)
        return [rng.random() for rng in inputs.generators()]

    assert drawn(["a", "b"]) == drawn(["b", "a"])[::-1] != drawn(["a", "b"], 1)
    assert drawn(["b"]) == drawn(["a", "b"])[1:] and drawn(["a", "b"])[0] != drawn(["a", "b"])[1]


def test_missing_values_become_means_of_training_samples() -> None:
    rows = np.array([[np.nan, 1.0], [2.0, np.nan]], dtype=np.float32)
    training = np.array([[1.0, np.nan], [3.0, np.nan]], dtype=np.float32)
    assert filled(rows, training).tolist() == [[2.0, 1.0], [2.0, 0.0]]
    assert filled(training[:, :1], training) is not None and filled(rows, training).dtype == np.float32


def test_images_are_loaded_once_while_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[int] = []

    class Picture:
        def load(self, min_side: int | None = None) -> np.ndarray:
            loads.append(1)
            return np.zeros((4, 4), dtype=np.uint8)

    dataset = tiny_dataset(5, "tree")
    dataset.views = {"table": dataset.views["table"], "image": [Picture() for _ in range(5)]}
    monkeypatch.setattr(shifts, "MOST_HELD", 40)  # two pictures
    held = shifts.with_held_images(dataset, [1, 2, 4])
    for _ in range(3):
        for i in (1, 2, 4):
            pixels = held.views["image"][i].load()
            pixels += 1  # a copy
            assert pixels.max() == 1
    assert len(loads) == 1 + 1 + 3
    assert held.views["image"][0] is dataset.views["image"][0]
    assert held.views["table"] is dataset.views["table"]
