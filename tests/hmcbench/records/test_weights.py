"""Trained models beside their records: saved, found, loaded, refused."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hmcbench.errors import BadInput
from hmcbench.interfaces import ModelSpec, Param, Run
from hmcbench.interfaces.hookspecs import hookimpl
from hmcbench.records.record import Record
from hmcbench.records.weights import (
    MODEL_FOLDER,
    find_record,
    load_trained,
    save_model,
    spec_of,
    weights_digest,
    weights_folder,
)
from hmcbench.registry.registry import Registry, default_registry
from hmcbench.testing.helpers import temporary_plugin


class Kept:
    """A model of one number."""

    def __init__(self, rate: float = 0.5, pretrained: bool = True) -> None:
        self.rate, self.pretrained, self.run = rate, pretrained, Run

    def save(self, folder: Path) -> None:
        (folder / "model.json").write_text(json.dumps(self.rate))

    def load(self, folder: Path, run: Run) -> None:
        assert json.loads((folder / "model.json").read_text()) == self.rate
        self.loaded = run


class OnFullDisk(Kept):
    def save(self, folder: Path) -> None:
        super().save(folder)
        raise OSError(28, "No space left on device")


@pytest.fixture
def registry() -> Iterator[Registry]:
    params = {"rate": Param(0.5), "pretrained": Param(True)}
    about: dict[str, Any] = {"version": "1", "summary": ""}
    specs = [
        ModelSpec(name="kept", factory=Kept, params=params, **about),
        ModelSpec(name="plain", factory=object, **about),
    ]
    plugin = SimpleNamespace(__name__="keepers", hmcbench_models=hookimpl(lambda: specs))
    with temporary_plugin(plugin) as registry:
        yield registry


@pytest.fixture
def saved(fabricate: Callable[..., Record]) -> Callable[..., Record]:
    """``saved("kept")``: a record with the weights of such a model."""

    def make(name: str = "kept", **model: Any) -> Record:
        params = {"rate": 0.25, "pretrained": True} if name == "kept" else {}
        record = fabricate(name, model={"params": params, **model}, seed=3)
        save_model(Kept(0.25), record.path / MODEL_FOLDER)
        return record

    return make


def test_a_model_is_saved_with_size_and_digest(tmp_path: Path) -> None:
    entry = save_model(Kept(0.25), tmp_path / "a")
    assert entry == {"bytes": 4, "sha256": weights_digest(tmp_path / "a")}
    assert save_model(object(), tmp_path / "b") is None
    assert not (tmp_path / "b").exists()


def test_a_full_disk_costs_the_weights_only(tmp_path: Path) -> None:
    entry = save_model(OnFullDisk(), tmp_path / "a")
    assert entry == {"bytes": 0, "sha256": None, "problem": "No space left on device"}
    assert not (tmp_path / "a").exists()


def test_the_digest_depends_on_names_and_contents(tmp_path: Path) -> None:
    digests = set()
    for folder, file, text in (("a", "x", "1"), ("b", "y", "1"), ("c", "x", "2"), ("d", "x", "1")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / file).write_text(text)
        digests.add(weights_digest(tmp_path / folder))
    assert len(digests) == 3
    assert weights_digest(tmp_path / "a") == weights_digest(tmp_path / "d")


def test_a_record_is_found_by_folder_prefix_and_parent(fabricate: Callable[..., Record]) -> None:
    record = fabricate("kept")
    folder = record.path
    for path in (folder, folder.with_name("toy--kept"), folder.parent, folder.parent.parent):
        assert find_record(path).key == record.key


def test_a_record_is_found_by_its_row(fabricate: Callable[..., Record]) -> None:
    record = fabricate("net[x=1]", model={"name": "net"})
    fabricate("other")
    folder = record.path.parent.parent
    labels = {"quick": {"net[x=1]": "Net"}}
    (folder / "suite.json").write_text(json.dumps({"suite": {"name": "smoke"}, "labels": labels}))
    for name in ("Net", "net", "net[x=1]"):
        assert find_record(folder / name).key == record.key
    with pytest.raises(BadInput, match=r"unknown model in .*smoke 'othre'; did you mean 'other'"):
        find_record(folder / "othre")


def test_records_that_cannot_be_meant_are_errors(fabricate: Callable[..., Record], tmp_path: Path) -> None:
    folder = fabricate("kept").path.parent
    fabricate("kept", seed=1)
    failed = fabricate("kept", seed=2, status="failed", cause="nan")
    (tmp_path / "empty").mkdir()
    for path, says in (
        (folder, "stands for 3 records"),
        (folder / "toy--kept", "stands for 3 records"),
        (folder / "toy--kapt", "unknown record 'toy--kapt'"),
        (tmp_path / "none" / "toy", "no record at"),
        (tmp_path / "empty", "holds no record"),
        (failed.path / "record.json", "is a file"),
        (failed.path, r"failed \(nan\)"),
    ):
        with pytest.raises(BadInput, match=says):
            find_record(path)


def test_a_model_comes_back_with_parameters_task_and_seed(
    registry: Registry, saved: Callable[..., Record]
) -> None:
    record = saved()
    trained = load_trained(record.path, registry=registry)
    assert trained.params == {"rate": 0.25, "pretrained": False}, "its weights are here: no download"
    assert trained.task.hierarchy == record.predictions().task.hierarchy
    assert isinstance(trained.model, Kept)
    assert (trained.model.loaded.seed, trained.model.loaded.device) == (3, "cpu")


@pytest.mark.parametrize(
    ("name", "model", "says"),
    [
        ("kept", {"version": "0"}, "was made by version 0 of kept"),
        ("kept", {"params": {"rate": 1.0}}, "differ in the parameters"),
        ("plain", {}, "plain cannot load"),
    ],
)
def test_a_model_that_does_not_fit_the_plugin_is_refused(
    registry: Registry, saved: Callable[..., Record], name: str, model: dict[str, Any], says: str
) -> None:
    record = saved(name)
    data = {**record.data, "model": {**record.data["model"], **model}}
    (record.path / "record.json").write_text(json.dumps(data))
    with pytest.raises(BadInput, match=says):
        load_trained(record.path, registry=registry)


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        (None, "kept saved none when the record was made, or the run had"),
        ({"bytes": 0, "problem": "No space left"}, r"could not be kept: No space left"),
        ({"bytes": 4, "sha256": "x"}, "published or copied without its weights"),
    ],
)
def test_a_record_without_weights_has_a_reason(
    fabricate: Callable[..., Record], weights: dict[str, Any] | None, says: str
) -> None:
    with pytest.raises(BadInput, match=says):
        weights_folder(fabricate("kept", weights=weights))


def test_of_a_row_with_several_records_the_first_is_found(fabricate: Callable[..., Record]) -> None:
    records = [fabricate("forest", seed=seed) for seed in (1, 0, 2)]
    row = records[0].path.parent.parent / "forest"
    with pytest.raises(BadInput, match="stands for 3 records"):
        find_record(row)
    assert find_record(row, first=True).seed == 0
    with pytest.raises(BadInput, match="stands for 3 records"):  # a folder is no row
        find_record(records[0].path.parent, first=True)


def test_the_file_of_a_model_is_named(fabricate: Callable[..., Record]) -> None:
    record = fabricate("Mine")
    stored = record.data["model"] | {"name": "Mine", "plugin": {"distribution": "mine.py"}}
    named = replace(record, data=record.data | {"model": stored})
    with pytest.raises(BadInput, match=r"in the file mine\.py\. --plugin mine\.py"):
        spec_of(named, default_registry())


def test_of_outdated_records_the_newest_is_found(fabricate: Callable[..., Record]) -> None:
    """Which of several versions, data or splits was found depended on the hash of their cells."""
    for age, changes in enumerate(
        (
            {"model": {"version": "2"}},
            {"suite": {"version": 2}},
            {"dataset": {"fingerprint": "e" * 64}},
            {"split": {"kind": "kfold", "fingerprint": "other"}},
            {"model": {"params": {"edited": True}}},
            {"status": "failed", "cause": "nan"},
        )
    ):
        for key, created in (("f", f"2026-01-0{age + 1}"), ("0", f"2025-01-0{age + 1}")):
            name = f"net{age}"
            old = {"created": "2025-12-01", "key": "8" * 60 + f"{age:04}"}
            usual = fabricate(name, **old)
            made = fabricate(name, created=created, key=key * 60 + f"{age:04}", **changes)
            newer = made if made.ok and created > "2026" else usual
            assert find_record(made.path.parents[1] / name, first=True).key == newer.key, (changes, created)
            shutil.rmtree(made.path)
    (first, second) = (fabricate("a", seed=s, created=f"2026-01-0{9 - s}", key=f"{s}" * 64) for s in (1, 0))
    fabricate("a", seed=0, created="2025-01-01", key="a" * 64)
    assert find_record(first.path.parents[1] / "a", first=True).key == second.key


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"profile": "paper"}, "toy, profile paper; toy, profile quick"),
        ({"dataset": {"reference": "toy[x=1]"}}, r"toy, profile quick; toy\[x=1\], profile quick"),
        ({"split": {"train_share": [0.1]}}, r"toy, profile quick; toy, train_share 0\.1, profile quick"),
    ],
)
def test_a_row_of_several_boards_is_refused(
    fabricate: Callable[..., Record], changes: dict[str, Any], says: str
) -> None:
    folder = fabricate("net").path.parents[1]
    other = fabricate("net", **changes)
    for first in (True, False):
        with pytest.raises(BadInput) as error:
            find_record(folder / "net", first=first)
        named = sorted(error.value.what.partition("is a row of 2 boards: ")[2].split("; "))
        assert re.fullmatch(says, "; ".join(named))
        assert "name a record: " in error.value.hint and "records/toy" in error.value.hint
    assert find_record(other.path).key == other.key


def test_versions_of_a_model_are_named_as_boards_name_them(fabricate: Callable[..., Record]) -> None:
    old = fabricate("net[x=1]", model={"name": "net"})
    new = fabricate("net[x=1]", model={"name": "net", "version": "2"}, created="2026-03-01")
    folder = old.path.parents[1]
    labels = {"quick": {"net[x=1]": "Net"}}
    (folder / "suite.json").write_text(json.dumps({"suite": {"name": "smoke"}, "labels": labels}))
    for name in ("Net", "net[x=1]", "net", "Net v2"):
        assert find_record(folder / name).key == new.key
    assert find_record(folder / "Net v1").key == old.key
