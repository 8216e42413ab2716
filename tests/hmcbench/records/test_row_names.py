"""A row is called by its label, and found by the bare name of its model where that is enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hmcbench.errors import BadInput
from hmcbench.records.record import Record
from hmcbench.records.row_names import chosen_row, model_reference, with_labels

ROWS = [
    ("HFFNet-2d", "hffnet-2d[epochs=7]"),
    ("forest", "forest"),
    ("forest, grey levels", "forest[features=grey_histogram]"),
    ("timm:resnet10t[epochs=6]", "timm:resnet10t[epochs=6]"),
    ("knn[k=1]", "knn[k=1]"),
    ("knn[k=5]", "knn[k=5]"),
]


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("HFFNet-2d", "HFFNet-2d"),
        ("hffnet-2d[epochs=7]", "HFFNet-2d"),
        ("hffnet-2d", "HFFNet-2d"),
        ("forest", "forest"),
        ("Forest, Grey Levels", "forest, grey levels"),
        ("timm:resnet10t", "timm:resnet10t[epochs=6]"),
        ("resnet10t", "timm:resnet10t[epochs=6]"),
    ],
)
def test_a_name_finds_its_row(name: str, label: str) -> None:
    assert chosen_row(name, ROWS) == label


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("knn", "knn stands for 2 rows in runs. Allowed: one of knn[k=1], knn[k=5]"),
        ("forets", "unknown model in runs 'forets'; did you mean 'forest'"),
        ("a[", "unknown model in runs 'a['"),
    ],
)
def test_a_name_of_no_row_or_of_several_is_one_line(name: str, says: str) -> None:
    with pytest.raises(BadInput) as error:
        chosen_row(name, ROWS, " in runs")
    assert says in str(error.value)


def test_records_get_the_label_of_their_profile(fabricate: Callable[..., Record]) -> None:
    records = [fabricate("a"), fabricate("a", profile="paper"), fabricate("b")]
    info: dict[str, Any] = {"suite": {"name": "smoke"}, "labels": {"quick": {"a": "Model A"}}}
    assert [r.label for r in with_labels(records, info)] == ["Model A", "a", "b"]
    assert [model_reference(r) for r in with_labels(records, info)] == ["a", "a", "b"]
    for other in (None, {}, {"labels": 3, "suite": {}}, {**info, "suite": {"name": "another"}}):
        assert [r.label for r in with_labels(records, other)] == ["a", "a", "b"]


def test_a_row_that_started_from_another_model_keeps_the_label_of_its_own(
    fabricate: Callable[..., Record],
) -> None:
    info: dict[str, Any] = {"suite": {"name": "smoke"}, "labels": {"quick": {"a[x=1]": "Model A"}}}
    started = fabricate("a[x=1] from 0123abcd")
    started.data["model"]["init_from"] = {"key": "0123abcd" * 8}
    of_another_name = fabricate("a[x=1] from 0123abcd")
    assert [r.label for r in with_labels([started, of_another_name], info)] == [
        "Model A from 0123abcd",
        "a[x=1] from 0123abcd",
    ]
    assert model_reference(with_labels([started], info)[0]) == "a[x=1] from 0123abcd"
