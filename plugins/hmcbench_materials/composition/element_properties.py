"""The 58 element properties of XenonPy, and in which living package each is found.

The names and their order are those of XenonPy's table ``elements_completed`` (MCVN paper, table 9). The
attributes were found by comparing numbers; docs/materials.md shows how well each one agrees.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Origin:
    """Where a property is read.

    Attributes:
        package: ``mendeleev``, ``pymatgen`` (its periodic table) or ``magpie`` (matminer's copy).
        attribute: its name there.
        scale: what its numbers are multiplied by to have XenonPy's unit.
        zero_is_missing: whether 0 stands there for a value that is not known.
    """

    package: Literal["mendeleev", "pymatgen", "magpie"]
    attribute: str
    scale: float = 1.0
    zero_is_missing: bool = False


def _mendeleev(*names: str) -> dict[str, Origin]:
    return {name: Origin("mendeleev", name) for name in names}


def _magpie(**attributes: str) -> dict[str, Origin]:
    return {name: Origin("magpie", attribute) for name, attribute in attributes.items()}


_FOUND: dict[str, Origin] = {
    **_mendeleev(
        *("atomic_number", "atomic_radius_rahm", "atomic_weight", "c6_gb", "covalent_radius_cordero"),
        *("covalent_radius_pyykko", "covalent_radius_pyykko_double", "covalent_radius_pyykko_triple"),
        *("dipole_polarizability", "electron_affinity", "en_allen", "en_ghosh", "en_pauling"),
        *("evaporation_heat", "heat_of_formation", "lattice_constant", "period", "vdw_radius"),
        *("vdw_radius_alvarez", "vdw_radius_mm3", "vdw_radius_uff"),
    ),
    "covalent_radius_slater": Origin("mendeleev", "atomic_radius"),
    "heat_capacity_mass": Origin("mendeleev", "specific_heat_capacity"),
    "heat_capacity_molar": Origin("mendeleev", "molar_heat_capacity"),
    **_magpie(
        boiling_point="BoilingT",
        first_ion_en="FirstIonizationEnergy",
        fusion_enthalpy="FusionEnthalpy",
        gs_energy="GSenergy_pa",
        gs_bandgap="GSbandgap",
        gs_est_bcc_latcnt="GSestBCClatcnt",
        gs_est_fcc_latcnt="GSestFCClatcnt",
        gs_mag_moment="GSmagmom",
        gs_volume_per="GSvolume_pa",
        icsd_volume="ICSDVolume",
        melting_point="MeltingT",
        num_unfilled="NUnfilled",
        num_valance="NValence",
        num_d_unfilled="NdUnfilled",
        num_d_valence="NdValence",
        num_f_unfilled="NfUnfilled",
        num_f_valence="NfValence",
        num_p_unfilled="NpUnfilled",
        num_p_valence="NpValence",
        num_s_unfilled="NsUnfilled",
        num_s_valence="NsValence",
    ),
    "hhi_p": Origin("magpie", "HHIp", zero_is_missing=True),
    "hhi_r": Origin("magpie", "HHIr", zero_is_missing=True),
    "Polarizability": Origin("magpie", "Polarizability", zero_is_missing=True),
    "atomic_radius": Origin("pymatgen", "Metallic radius", 100.0),  # angstrom to picometre
    "atomic_volume": Origin("pymatgen", "Molar volume"),
    "bulk_modulus": Origin("pymatgen", "Bulk modulus"),
    "density": Origin("pymatgen", "Density of solid", 0.001),  # kg/m3 to g/cm3
    "electron_negativity": Origin("pymatgen", "X"),
    "mendeleev_number": Origin("pymatgen", "Mendeleev no"),
    "molar_volume": Origin("pymatgen", "Molar volume"),
    "sound_velocity": Origin("pymatgen", "Velocity of sound"),
    "specific_heat": Origin("mendeleev", "specific_heat_capacity"),
    "thermal_conductivity": Origin("pymatgen", "Thermal conductivity"),
}

_IN_ORDER = (
    "atomic_number atomic_radius atomic_radius_rahm atomic_volume atomic_weight boiling_point bulk_modulus"
    " c6_gb covalent_radius_cordero covalent_radius_pyykko covalent_radius_pyykko_double"
    " covalent_radius_pyykko_triple covalent_radius_slater density dipole_polarizability"
    " electron_negativity electron_affinity en_allen en_ghosh en_pauling first_ion_en fusion_enthalpy"
    " gs_bandgap gs_energy gs_est_bcc_latcnt gs_est_fcc_latcnt gs_mag_moment gs_volume_per hhi_p hhi_r"
    " heat_capacity_mass heat_capacity_molar icsd_volume evaporation_heat heat_of_formation"
    " lattice_constant mendeleev_number melting_point molar_volume num_unfilled num_valance num_d_unfilled"
    " num_d_valence num_f_unfilled num_f_valence num_p_unfilled num_p_valence num_s_unfilled num_s_valence"
    " period specific_heat thermal_conductivity vdw_radius vdw_radius_alvarez vdw_radius_mm3"
    " vdw_radius_uff sound_velocity Polarizability"
)
PROPERTIES = tuple(_IN_ORDER.split())
ORIGINS = {name: _FOUND[name] for name in PROPERTIES}
