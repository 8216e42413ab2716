"""Weights and atoms in per cent."""

from __future__ import annotations

import numpy as np
import pytest
from hmcbench_materials.composition import periodic_table
from hmcbench_materials.composition.formula import amounts_array, system


def test_weights_and_atoms() -> None:
    brass = amounts_array([{"Cu": 50, "Zn": 50}])
    weights = periodic_table.weight_percent(brass)
    np.testing.assert_allclose(weights.sum(), 100)
    assert weights[0, periodic_table.COLUMN["Zn"]] > weights[0, periodic_table.COLUMN["Cu"]]
    np.testing.assert_allclose(periodic_table.atomic_percent(weights), brass)
    steel = periodic_table.balanced(amounts_array([{"C": 0.4, "Fe": 1.0}]), "Fe")
    assert steel[0, periodic_table.COLUMN["Fe"]] == pytest.approx(99.6)
    assert (periodic_table.percent(np.zeros((1, 118))) == 0).all()
    assert system(brass[0]) == "Cu-Zn"


@pytest.mark.filterwarnings("ignore")
def test_weights_are_those_of_pymatgen() -> None:
    element = pytest.importorskip("pymatgen.core").Element
    theirs = [float(element(symbol).atomic_mass) for symbol in periodic_table.SYMBOLS[:94]]
    off = np.abs(periodic_table.WEIGHTS[:94] / theirs - 1)
    unstable = [42, 60, *range(83, 94)]  # a choice of isotope, not a standard weight
    assert off.max() < 0.02
    assert np.delete(off, unstable).max() < 2e-3
