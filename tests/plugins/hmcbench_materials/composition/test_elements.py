"""The assembled element table against XenonPy's, property by property; and its gaps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hmcbench_materials.composition import elements
from hmcbench_materials.composition.element_properties import ORIGINS, PROPERTIES
from hmcbench_materials.composition.elements import ElementTable, element_table, read_elements

from hmcbench.errors import BadInput, Unavailable
from hmcbench.plan.cells import Cell, Plan, make_plan
from hmcbench.plan.choices import Choices
from hmcbench.plan.suite import load_suite
from hmcbench.registry.registry import default_registry

# those that do not agree; docs/materials.md has the shares
DIFFERENT = {
    *("atomic_radius", "atomic_volume", "boiling_point", "density", "dipole_polarizability"),
    *("specific_heat", "Polarizability"),
}


@pytest.fixture(scope="module")
def own_table() -> Iterator[ElementTable]:
    for package in ("mendeleev", "pymatgen", "matminer"):
        pytest.importorskip(package)
    import warnings

    with warnings.catch_warnings():  # of the packages' own imports
        warnings.simplefilter("ignore")
        yield elements.assembled()


def agreement(own_table: ElementTable, theirs: ElementTable) -> dict[str, float]:
    """Property -> share of the elements for which a source has a value that are within 1 %."""
    shares = {}
    for place, name in enumerate(PROPERTIES):
        counted = theirs.covered & ~own_table.imputed[:, place]
        ours, wanted = own_table.values[counted, place], theirs.values[counted, place]
        shares[name] = float(np.mean(np.abs(ours - wanted) <= 0.01 * np.abs(wanted) + 1e-12))
    return shares


@pytest.mark.slow
def test_at_least_50_of_58_properties_are_xenonpys(
    own_table: ElementTable, shared: Callable[[str], Path]
) -> None:
    theirs = read_elements(shared("xenonpy_elements") / "elements_completed_84x58.csv")
    assert theirs.covered.sum() == 84
    shares = agreement(own_table, theirs)
    assert {name for name, share in shares.items() if share < 0.9} <= DIFFERENT
    assert sum(share >= 0.9 for share in shares.values()) >= 50


@pytest.mark.slow
def test_gaps_are_filled_marked_and_always_the_same(own_table: ElementTable) -> None:
    assert own_table.covered.sum() == 94
    assert 0 < own_table.imputed.sum() < 0.1 * 94 * 58
    assert not own_table.imputed[:, PROPERTIES.index("atomic_weight")].any()
    raw = np.where(own_table.imputed, np.nan, own_table.values)
    assert np.array_equal(elements.impute(raw), own_table.values, equal_nan=True)
    assert "mendeleev" in own_table.origin and "pymatgen" in own_table.origin


def test_every_property_has_a_source() -> None:
    assert len(PROPERTIES) == len(set(PROPERTIES)) == len(ORIGINS) == 58


def test_xenonpys_table_is_taken_where_it_is_and_only_as_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(Unavailable, match=r"preset.sync\('elements_completed'\)"):
        element_table("xenonpy")
    file = tmp_path / ".xenonpy" / "dataset" / "elements_completed.pd.xz"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"a pickle of somebody else's")
    with pytest.raises(BadInput, match="not the file that XenonPy publishes"):
        element_table("auto")


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


def cells(monkeypatch: pytest.MonkeyPatch, own_table: ElementTable) -> dict[str, Cell]:
    monkeypatch.setattr(elements, "_xenonpy", lambda: own_table)
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
