"""The promises of a dataset hold wherever it is loaded; its fingerprint covers what the core can read."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from hmcbench.data.contract import full_fingerprint
from hmcbench.data.loading import load_dataset, plan_dataset
from hmcbench.errors import PluginError
from hmcbench.interfaces import Dataset, DatasetSpec
from hmcbench.interfaces.hookspecs import hookimpl
from hmcbench.plan.cells import make_plan
from hmcbench.plan.choices import Choices
from hmcbench.plan.suite import parse_suite
from hmcbench.registry.registry import Registry, create, default_registry
from hmcbench.testing.helpers import temporary_plugin, tiny_dataset, tiny_suite

N = 12


def of(factory: Callable[..., Any], **values: Any) -> Any:
    spec = DatasetSpec(
        name="mine", version="1", summary="", factory=factory, **({"views": ("table",)} | values)
    )
    return SimpleNamespace(__name__="of-mine", hmcbench_datasets=hookimpl(lambda: [spec]))


def open_targets() -> np.ndarray:
    targets = np.array(tiny_dataset(N).targets)
    targets[3, 0] = targets[3, 1] = False  # the classes above its leaf
    return targets


BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"targets": open_targets()}, "'s00003' has a class without its ancestors"),
    ({"targets": csr_array(open_targets())}, "'s00003' has a class without its ancestors"),
    ({"targets": np.zeros((N, 2), bool)}, r"targets of shape \(12, 2\), not \(12, 7\)"),
    ({"targets": np.zeros((N, 7))}, "targets are float64, not boolean"),
    ({"ids": ["a"] * N}, "1 ids stand for several samples, 'a' for example"),
    ({"ids": list(range(N))}, "ids must be texts, and not empty: 0"),
    ({"ids": None}, "its ids cannot be read"),
    ({"views": {"table": np.zeros((N - 1, 8))}}, "the view table has 11 entries for 12 samples"),
    ({"views": {}}, "the spec names table; the dataset has none"),
    ({"groups": ["g"]}, "groups has 1 entries for 12 samples"),
    ({"duplicates": [""] * 13}, "duplicates has 13 entries"),
    ({"split": ["train"] * 11}, "split has 11 entries"),
    ({"split": ["train", "test", "far"] * 4}, "a partition 'far', the name of far_unknown. Allowed: train"),
    ({"columns": {"table": ["a", "b"]}}, "8 columns and 2 names"),
    ({"columns": {"tabel": ["a"]}}, "columns name the view 'tabel'"),
]


@pytest.mark.parametrize(("changes", "says"), BROKEN)
def test_a_broken_promise_is_named_where_the_data_are_loaded(changes: dict[str, Any], says: str) -> None:
    def factory() -> Dataset:
        dataset = tiny_dataset(N)
        for name, value in changes.items():
            object.__setattr__(dataset, name, value)
        return dataset

    with temporary_plugin(of(factory)) as registry:
        spec = registry.get("datasets", "mine")
        for load in (load_dataset, lambda *args: plan_dataset(*args, "mine")):
            with pytest.raises(PluginError, match=f"dataset mine: .*{says}"):
                load(registry, spec, {})


NAMES = [("valid", "validation"), ("val_2", "validation"), ("Train", "train"), ("train2", "train")]
NAMES += [("tests", "test"), ("trian", "train"), (" test", "test")]


@pytest.mark.parametrize(("name", "meant"), NAMES)
def test_a_name_near_a_usual_partition_is_no_further_test_set(name: str, meant: str) -> None:
    plugin = of(lambda: tiny_dataset(4, split=["train", "train", name, ""]))
    with temporary_plugin(plugin) as registry, pytest.raises(PluginError) as caught:
        load_dataset(registry, registry.get("datasets", "mine"), {})
    assert str(caught.value).startswith(f"dataset mine: the split has a partition {name!r}; is it {meant!r}?")
    assert "Allowed: train, validation, test" in str(caught.value)


def test_other_names_stay_further_test_sets() -> None:
    split = ["train", "shifted", "test_2", "strain"]
    with temporary_plugin(of(lambda: tiny_dataset(4, split=split))) as registry:
        assert load_dataset(registry, registry.get("datasets", "mine"), {}).split == split


def changed(**values: Any) -> Dataset:
    return tiny_dataset(N, **({"fingerprint": "the author's"} | values))


def test_the_fingerprint_covers_all_that_the_core_can_read() -> None:
    table = np.array(tiny_dataset(N).views["table"])
    other = np.array(table)
    other[0, 0] += 1
    targets = np.array(tiny_dataset(N).targets)
    swapped = SimpleNamespace(**vars(changed()))
    swapped.targets = targets[::-1]
    sets = [
        changed(),
        changed(prefix="t"),
        changed(views={"table": other}),
        changed(views={"table": table.astype(np.float64)}),
        changed(groups=["g"] * N),
        changed(duplicates=["g"] * N),
        changed(split=["train"] * N),
        changed(split=["test"] * N),
        changed(views={"table": table, "formula": ["Fe"] * N}),
        changed(views={"table": table, "formula": ["Co"] * N}),
        changed(fingerprint="another"),
        swapped,
    ]
    assert len({full_fingerprint(d) for d in sets}) == len(sets)  # type: ignore[arg-type]
    assert full_fingerprint(changed()) == full_fingerprint(changed())
    sparse = changed()
    object.__setattr__(sparse, "targets", csr_array(targets))
    assert full_fingerprint(sparse) == full_fingerprint(changed())


def key(registry: Registry) -> str:
    text = tiny_suite("mine", ["prior"]).replace("toy-tree", "mine")
    return make_plan(parse_suite(text, "s.toml"), registry, Choices()).cells[0].key


def test_an_author_who_forgets_to_hash_the_data_gets_another_key_all_the_same() -> None:
    plugins = [of(lambda noise=noise: changed(noise=noise)) for noise in (0.1, 0.2, 0.2)]
    keys = []
    for plugin in plugins:
        with temporary_plugin(plugin) as registry:
            keys.append(key(registry))
    assert keys[0] != keys[1] == keys[2]


def test_a_built_in_dataset_keeps_its_own_fingerprint() -> None:
    registry = default_registry()
    spec, params = registry.resolve("datasets", "toy-tree", "quick")
    loaded = load_dataset(registry, spec, params)
    assert loaded.fingerprint == create(spec, params).fingerprint
