"""Nominal columns and missing values, as models take them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hmcbench.data import contract
from hmcbench.data.prepare import (
    Preparation,
    PreparedView,
    preparations,
    prepare,
    read_preparations,
    write_preparations,
)
from hmcbench.errors import BadInput
from hmcbench.interfaces import ColumnKind, Dataset, DatasetSpec, ModelSpec
from hmcbench.testing.helpers import tiny_dataset

NAN = np.nan
TABLE = np.array([[1.0, 0, NAN], [3, 1, NAN], [NAN, 1, NAN], [9, NAN, 5], [NAN, 2, NAN], [8, 0, 4]])
KINDS = (ColumnKind(missing=True), ColumnKind(("r", "g", "b"), missing=True), ColumnKind(missing=True))
TRAIN = np.array([0, 1, 2])


def data(table: np.ndarray = TABLE, kinds: tuple[ColumnKind, ...] = KINDS) -> Dataset:
    names = ("size", "colour", "rare")
    return tiny_dataset(len(table), views={"table": table}, kinds={"table": kinds}, columns={"table": names})


def model(**changes: bool) -> ModelSpec:
    return ModelSpec(name="m", version="1", summary="m", factory="m:m", **changes)  # type: ignore[arg-type]


def prepared(dataset: Dataset | None = None, **changes: bool) -> PreparedView:
    dataset = dataset or data()
    return prepare(dataset, preparations(dataset, TRAIN, model(**changes)))["table"]


def test_numbers_get_the_training_mean_and_values_a_column_each() -> None:
    view = prepared()
    assert view.names == ("size", "colour=r", "colour=g", "colour=b", "rare")
    assert view.rows.tolist() == [
        [1, 1, 0, 0, 0],
        [3, 0, 1, 0, 0],
        [2, 0, 1, 0, 0],
        [9, 0, 0, 0, 5],  # no colour at all; the rare column has no training value: 0
        [2, 0, 0, 1, 0],
        [8, 1, 0, 0, 4],
    ]
    assert not any(kind.missing or kind.values for kind in view.kinds)


def test_a_model_that_takes_nominal_values_gets_their_numbers() -> None:
    view = prepared(nominal=True)
    assert view.rows[:, 1].tolist() == [0, 1, 1, 1, 2, 0]  # the most frequent of the training samples: 1
    assert [kind.values for kind in view.kinds] == [(), ("r", "g", "b"), ()]


def test_a_model_that_takes_missing_values_gets_them() -> None:
    view = prepared(missing=True, nominal=True)
    np.testing.assert_array_equal(view.rows, TABLE)
    assert view.rows is not None and view.kinds == KINDS


def test_test_samples_do_not_change_what_is_filled_in() -> None:
    changed = TABLE.copy()
    changed[3:] += 100
    kinds = (KINDS[0], ColumnKind(missing=True), KINDS[2])
    first, second = (prepared(data(t, kinds)).rows for t in (TABLE, changed))
    np.testing.assert_array_equal(first[:3], second[:3])
    assert second[4, 0] == first[4, 0] == 2


@pytest.mark.parametrize(
    ("kinds", "says"),
    [
        ((ColumnKind(), *KINDS[1:]), "column 0 of the view table has missing values"),
        ((KINDS[0], ColumnKind(("r", "g"), True), KINDS[2]), "has other numbers than 0 to 1"),
        (KINDS[:2], "kinds describe 2 columns"),
    ],
)
def test_columns_that_do_not_fit_their_kinds_are_named(kinds: tuple[ColumnKind, ...], says: str) -> None:
    spec = DatasetSpec(name="d", version="1", summary="d", factory="d:d", views=("table",))
    assert says in contract.kind_problem(data(TABLE, kinds), spec)
    assert not contract.kind_problem(data(), spec)


def test_new_samples_are_prepared_as_those_of_the_run(tmp_path: Path) -> None:
    """Also after a round through the file, and where only new samples have missing values."""
    whole = np.nan_to_num(TABLE)
    kinds = tuple(ColumnKind(kind.values) for kind in KINDS)
    for changes in ({}, {"nominal": True}, {"missing": True}, {"missing": True, "nominal": True}):
        (way,) = preparations(data(whole, kinds), TRAIN, model(**changes)).values()
        write_preparations(tmp_path / "inputs.json", {"table": way})
        (read,) = read_preparations(tmp_path / "inputs.json").values()
        assert repr(read) == repr(way) and way.names == ("size", "colour", "rare")
        np.testing.assert_array_equal(read(whole).rows, prepared(data(whole, kinds), **changes).rows)
        new = read(np.array([[NAN, 1, NAN]])).rows
        assert np.isnan(new).any() == changes.get("missing", False)
        if not changes:
            assert new.tolist() == [[whole[:3, 0].mean(), 0, 1, 0, 0]]


def test_views_with_names_only_are_described_too() -> None:
    dataset = tiny_dataset(6, views={"table": TABLE}, columns={"table": ("a", "b", "c")})
    assert preparations(dataset, TRAIN, model()) == {"table": Preparation(("a", "b", "c"))}, "no kinds"


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 1}', '{"format": 9, "views": {}}'])
def test_damaged_preparations(tmp_path: Path, text: str) -> None:
    (tmp_path / "inputs.json").write_text(text)
    with pytest.raises(BadInput, match=r"inputs\.json"):
        read_preparations(tmp_path / "inputs.json")
    assert read_preparations(tmp_path / "other.json") == {}
