"""The assembled element table against XenonPy's, property by property; and its gaps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hmcbench_materials import elements
from hmcbench_materials.elements import ElementTable, element_table, read_elements, write_elements
from hmcbench_materials.properties import ORIGINS, PROPERTIES

from hmcbench.errors import BadInput, Unavailable

# those that do not agree; docs/materials.md has the shares
DIFFERENT = {
    *("atomic_radius", "atomic_volume", "boiling_point", "density", "dipole_polarizability"),
    *("specific_heat", "Polarizability"),
}


@pytest.fixture(scope="module")
def made() -> Iterator[ElementTable]:
    for package in ("mendeleev", "pymatgen", "matminer"):
        pytest.importorskip(package)
    import warnings

    with warnings.catch_warnings():  # of the packages' own imports
        warnings.simplefilter("ignore")
        yield elements.assembled()


def agreement(made: ElementTable, theirs: ElementTable) -> dict[str, float]:
    """Property -> share of the elements for which a source has a value that are within 1 %."""
    shares = {}
    for place, name in enumerate(PROPERTIES):
        counted = theirs.covered & ~made.imputed[:, place]
        ours, wanted = made.values[counted, place], theirs.values[counted, place]
        shares[name] = float(np.mean(np.abs(ours - wanted) <= 0.01 * np.abs(wanted) + 1e-12))
    return shares


@pytest.mark.slow
def test_at_least_50_of_58_properties_are_xenonpys(made: ElementTable, shared: Callable[[str], Path]) -> None:
    theirs = read_elements(shared("xenonpy_elements") / "elements_completed_84x58.csv")
    assert theirs.covered.sum() == 84
    shares = agreement(made, theirs)
    assert {name for name, share in shares.items() if share < 0.9} <= DIFFERENT
    assert sum(share >= 0.9 for share in shares.values()) >= 50


@pytest.mark.slow
def test_gaps_are_filled_marked_and_always_the_same(made: ElementTable, tmp_path: Path) -> None:
    assert made.covered.sum() == 94
    assert 0 < made.imputed.sum() < 0.1 * 94 * 58
    assert not made.imputed[:, PROPERTIES.index("atomic_weight")].any()
    raw = np.where(made.imputed, np.nan, made.values)
    assert np.array_equal(elements.impute(raw), made.values, equal_nan=True)
    assert "mendeleev" in made.origin and "pymatgen" in made.origin
    write_elements(made, tmp_path / "table.csv")
    again = read_elements(tmp_path / "table.csv")
    assert again.digest == made.digest


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
