"""Warm starts: which records cells can start from, and what their own records say of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hmcbench.errors import BadInput
from hmcbench.execute.warm_start import describe_start, start_from, warm_start_of
from hmcbench.interfaces import ModelSpec
from hmcbench.interfaces.hookspecs import hookimpl
from hmcbench.plan.cells import Cell, make_plan
from hmcbench.plan.choices import Choices
from hmcbench.plan.suite import parse_suite
from hmcbench.records.record import Record
from hmcbench.records.weights import MODEL_FOLDER
from hmcbench.registry.registry import Registry
from hmcbench.testing.helpers import temporary_plugin, tiny_suite


@pytest.fixture
def registry() -> Iterator[Registry]:
    about: dict[str, Any] = {"version": "1", "summary": "", "factory": "m:f", "views": ("table",)}
    specs = [ModelSpec(name="growing", expandable=True, **about), ModelSpec(name="fixed", **about)]
    with temporary_plugin(
        SimpleNamespace(__name__="warm", hmcbench_models=hookimpl(lambda: specs))
    ) as registry:
        yield registry


def cells_of(registry: Registry, *models: str) -> list[Cell]:
    return list(make_plan(parse_suite(tiny_suite("warm", models), "s"), registry, Choices()).cells)


@pytest.fixture
def trained(fabricate: Callable[..., Record]) -> Callable[..., Record]:
    """``trained("growing")``: a record with weights."""

    def make(name: str, **changes: Any) -> Record:
        record = fabricate(name, **changes)
        (record.path / MODEL_FOLDER).mkdir()
        (record.path / MODEL_FOLDER / "weights").write_bytes(b"123")
        return record

    return make


def test_a_start_is_part_of_key_and_label(registry: Registry, trained: Callable[..., Record]) -> None:
    record, cells = trained("growing"), cells_of(registry, "growing")
    (started,) = start_from(record.path, cells, registry)
    assert started.key != cells[0].key
    assert started.label == f"growing from {record.key[:8]}"
    assert started.record["model"]["init_from"]["key"] == record.key
    (record.path / MODEL_FOLDER / "weights").write_bytes(b"124")
    assert start_from(record.path, cells, registry)[0].key not in (started.key, cells[0].key)


def test_a_cell_gets_folder_and_task_of_its_start(registry: Registry, trained: Callable[..., Record]) -> None:
    record, (cell,) = trained("growing"), cells_of(registry, "growing")
    assert warm_start_of(cell) is None
    start = warm_start_of(replace(cell, init_from=str(record.path)))
    assert start is not None
    assert (start.folder, start.task.hierarchy) == (
        record.path / MODEL_FOLDER,
        record.predictions().task.hierarchy,
    )


def test_test_samples_of_the_earlier_training_are_counted(
    registry: Registry, trained: Callable[..., Record], fabricate: Callable[..., Record]
) -> None:
    record = trained("growing")
    (cell,) = start_from(record.path, cells_of(registry, "growing"), registry)
    same = describe_start(cell, record.predictions())
    assert (same["test_not_held_out"], same["record"]) == (0, record.path.name)
    others = fabricate("growing", seed=1, prefix="new", sizes={"validation": 5, "test": 7}).predictions()
    assert describe_start(cell, others)["test_not_held_out"] == 7


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, 0),
        ({"fitted_on": "train", "refit_on": "train and validation"}, 5),
        ({"fitted_on": "train and validation"}, 5),
    ],
)
def test_validation_samples_of_a_second_fit_were_not_held_out(
    facts: dict[str, str],
    expected: int,
    registry: Registry,
    trained: Callable[..., Record],
    fabricate: Callable[..., Record],
) -> None:
    record = trained("growing", model=facts, sizes={"validation": 5, "test": 7})
    (cell,) = start_from(record.path, cells_of(registry, "growing"), registry)
    same_samples = fabricate("growing", seed=1, sizes={"test": 12}).predictions()
    earlier = record.predictions()
    ids = [*earlier.of_side("validation").ids, *earlier.of_side("test").ids]
    assert describe_start(cell, replace(same_samples, ids=ids))["test_not_held_out"] == expected


@pytest.mark.parametrize(
    ("name", "changes", "models", "says"),
    [
        ("fixed", {}, ("fixed",), "cannot start from trained weights"),
        ("growing", {"model": {"version": "0"}}, ("growing",), "of version 0 of growing"),
        ("growing", {}, ("growing", "prior"), "not of prior"),
        ("growing", {"status": "failed", "cause": "nan"}, ("growing",), "failed"),
    ],
)
def test_other_starts_are_refused(
    registry: Registry,
    trained: Callable[..., Record],
    name: str,
    changes: dict[str, Any],
    models: tuple[str, ...],
    says: str,
) -> None:
    with pytest.raises(BadInput, match=says):
        start_from(trained(name, **changes).path, cells_of(registry, *models), registry)


def test_a_record_without_weights_is_refused(
    registry: Registry, fabricate: Callable[..., Record], tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match="holds no trained model"):
        start_from(fabricate("growing").path, cells_of(registry, "growing"), registry)
    with pytest.raises(BadInput, match="no record at"):
        start_from(tmp_path / "none", cells_of(registry, "growing"), registry)
