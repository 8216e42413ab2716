"""The element table behind a cell is part of its key and of its record."""

from __future__ import annotations

import numpy as np
import pytest
from hmcbench_materials import elements
from hmcbench_materials.elements import ElementTable
from hmcbench_materials.properties import PROPERTIES

from hmcbench.errors import Unavailable
from hmcbench.plan.cells import Cell, Plan, make_plan
from hmcbench.plan.choices import Choices
from hmcbench.plan.suite import load_suite
from hmcbench.registry.registry import default_registry


def table(scale: float, origin: str = "made up") -> ElementTable:
    values = scale * (1 + np.arange(118.0)[:, None] + np.arange(len(PROPERTIES)))
    return ElementTable(values, np.zeros(values.shape, bool), PROPERTIES, origin)


def planned() -> Plan:
    registry = default_registry()
    return make_plan(
        load_suite(registry, "hea-hardness"),
        registry,
        Choices(models=("ridge[inputs=O]", "ridge[inputs=E]"), seeds=1),
    )


def cells(monkeypatch: pytest.MonkeyPatch, made: ElementTable) -> dict[str, Cell]:
    monkeypatch.setattr(elements, "_xenonpy", lambda: made)
    return {cell.label: cell for cell in planned().cells if cell.fold == 0}


def test_another_table_is_another_cell_where_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    first, same, other = (
        cells(monkeypatch, t) for t in (table(1), table(1, "the same, elsewhere"), table(2))
    )
    (descriptors,) = [label for label in first if "=E" in label]
    (plain,) = set(first) - {descriptors}
    assert first[descriptors].key == same[descriptors].key != other[descriptors].key
    assert first[plain].key == other[plain].key
    said = first[descriptors].record["model"]["constants"]["descriptors"]
    assert said == {"digest": table(1).digest, "origin": "made up"}
    assert "constants" not in first[plain].record["model"]


def test_a_table_that_cannot_be_had_is_said_in_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> None:
        raise Unavailable("the element table needs mendeleev")

    monkeypatch.setattr(elements, "_xenonpy", absent)
    plan = planned()
    assert {cell.label for cell in plan.cells} == {"ridge[inputs=O]"}
    assert {p.reason for p in plan.not_applicable} == {"the element table needs mendeleev"}
