"""The composition image: statistics of 56 element properties as 24 x 21 pixels (MCVN paper, figure 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hmcbench_materials.composition.descriptors import STATISTICS
from hmcbench_materials.composition.element_properties import PROPERTIES

# The arrangement that the authors publish (github.com/yuyouyu32/MCVN), 8 rows of 7 properties, related
# ones beside each other; hhi_p and hhi_r, which are economic, are left out.
LAYOUT = tuple(
    tuple(row.split())
    for row in (
        "en_pauling atomic_number period atomic_radius_rahm lattice_constant gs_bandgap c6_gb",
        "electron_negativity num_unfilled num_valance covalent_radius_slater atomic_radius gs_energy"
        " bulk_modulus",
        "en_ghosh num_s_valence num_s_unfilled covalent_radius_cordero vdw_radius gs_est_bcc_latcnt"
        " sound_velocity",
        "en_allen num_d_unfilled num_d_valence covalent_radius_pyykko vdw_radius_uff gs_est_fcc_latcnt"
        " atomic_weight",
        "electron_affinity num_p_unfilled num_p_valence covalent_radius_pyykko_double vdw_radius_alvarez"
        " gs_mag_moment density",
        "mendeleev_number num_f_unfilled num_f_valence covalent_radius_pyykko_triple vdw_radius_mm3"
        " gs_volume_per molar_volume",
        "heat_capacity_molar heat_capacity_mass first_ion_en heat_of_formation boiling_point"
        " dipole_polarizability icsd_volume",
        "thermal_conductivity specific_heat fusion_enthalpy evaporation_heat melting_point Polarizability"
        " atomic_volume",
    )
)
BLOCK = (("sum", "", "var"), ("gmean", "ave", "hmean"), ("max", "", "min"))
"""The 3 x 3 pixels of one property; two stay 0."""
HEIGHT, WIDTH = 3 * len(LAYOUT), 3 * len(LAYOUT[0])  # 24, 21


def _positions() -> tuple[np.ndarray, np.ndarray]:
    """392 of the 504 pixels, and the columns of the descriptors that go there."""
    pixels: list[int] = []
    columns: list[int] = []
    for i, names in enumerate(LAYOUT):
        for j, name in enumerate(names):
            for a, statistics in enumerate(BLOCK):
                for b, statistic in enumerate(statistics):
                    if statistic:
                        pixels.append((3 * i + a) * WIDTH + 3 * j + b)
                        columns.append(STATISTICS.index(statistic) * len(PROPERTIES) + PROPERTIES.index(name))
    return np.array(pixels), np.array(columns)


_PIXELS, _COLUMNS = _positions()


class CompositionImage:
    """The featurizer ``composition_image``: descriptors (n, 406) -> float64 (n, 24, 21), not scaled.

    Scaling to grey levels is fitted on training data by the model that reads the image. nan and
    infinity stay what they are. The parameters belong to the source.
    """

    parts, pixels = LAYOUT, BLOCK  # the key of a preview

    def __init__(self, *, elements: str = "auto", balance: str = "none", unit: str = "native") -> None:
        self.elements, self.balance, self.unit = elements, balance, unit

    def transform(self, rows: Sequence[Any] | np.ndarray) -> np.ndarray:
        """See the class."""
        descriptors = np.asarray(rows, dtype=np.float64)
        image = np.zeros((len(descriptors), HEIGHT * WIDTH))
        image[:, _PIXELS] = descriptors[:, _COLUMNS]
        return image.reshape(len(descriptors), HEIGHT, WIDTH)
