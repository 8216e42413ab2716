"""Readers of the alloy tables: a formula per row, and a class, phases or a hardness."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench_materials.composition import periodic_table
from hmcbench_materials.composition.formula import system
from hmcbench_materials.data import phases
from hmcbench_materials.data.assemble import Content
from hmcbench_materials.data.sheet import Sheet
from hmcbench_materials.tables import Table

KNOWN_ERRORS = ("Al40Cu60T",)
"""Formulas that stand so in the published files and cannot be read; their rows are left out."""

GLASS_PATHS = {
    "BMG": ("amorphous", "BMG"),
    "RMG": ("amorphous", "RMG"),
    "CRA": ("crystalline", "CRA"),
}
STRUCTURE_PATHS = (
    ("AM",),
    *((a, "SS", c) for a in ("SP", "MP") for c in ("FCC", "BCC", "HCP")),
    ("MP", "SS", "MSS"),
    *((a, "IM") for a in ("SP", "MP")),
)
_FORMULA_COLUMN = ("Alloys", "Alloy Formula", "Formula", "Composition")


def read_glass(table: Table, *, split_by: str = "sample") -> Content:
    """Glass-forming ability: bulk glass, ribbon glass or crystalline [Xiong et al. 2020]."""
    sheet = Sheet(table, (("Alloy", _FORMULA_COLUMN), ("GFA", ("Phase", "Class"))))
    labels = sheet.each("GFA", _glass_label)
    hierarchy = Hierarchy.from_paths(list(GLASS_PATHS.values()))
    return _content(sheet, split_by, labels=[label or () for label in labels], hierarchy=hierarchy)


def _glass_label(cell: str) -> tuple[str, ...]:
    if cell.upper() not in GLASS_PATHS:
        raise ValueError(f"{cell!r} is not one of {', '.join(GLASS_PATHS)}")
    return ("/".join(GLASS_PATHS[cell.upper()]),)


def read_phases(table: Table, *, labels: str = "structure", split_by: str = "sample") -> Content:
    """Phases of complex concentrated alloys [Xiong et al. 2021].

    Args:
        labels: ``structure``: one path per alloy through the columns ML-A (amorphous, single phase,
            multi-phase), ML-B (solid solution, intermetallic) and ML-C (lattice), which ends at any
            depth; ``phases``: the set of all phases of the column Phase(s).
    """
    formula = ("Alloy", _FORMULA_COLUMN)
    if labels == "phases":
        sheet = Sheet(table, (formula, ("Phase(s)", ("Phases", "Phase"))))
        sets = sheet.each("Phase(s)", phases.phase_set)
        hierarchy = Hierarchy.from_paths(phases.PATHS)
        return _content(sheet, split_by, labels=[s or () for s in sets], hierarchy=hierarchy)
    levels = ("ML-A", "ML-B", "ML-C")
    sheet = Sheet(table, (formula, *((level, ()) for level in levels)))
    hierarchy = Hierarchy.from_paths(STRUCTURE_PATHS)
    paths = [_structure(sheet, row, levels, hierarchy) for row in range(len(sheet))]
    return _content(sheet, split_by, labels=paths, hierarchy=hierarchy)


def _structure(sheet: Sheet, row: int, levels: Sequence[str], hierarchy: Hierarchy) -> tuple[str, ...]:
    """The class id in one row's level columns; () and a problem where there is none."""
    names = [sheet.texts(level)[row] for level in levels]
    present = [name for name in names if name]
    path = "/".join(present)
    if not present:
        sheet.reject(row, "no-label", "it has no label")
    elif names[: len(present)] != present:
        gap = levels[names.index("")]
        sheet.reject(row, "level-gap", f"{gap} is empty but a later level is not")
    elif path not in hierarchy:
        sheet.reject(row, "label", f"{path} is no class; the classes are {', '.join(hierarchy.classes)}")
    else:
        return (path,)
    return ()


def read_hardness(table: Table, *, split_by: str = "sample") -> Content:
    """Vickers hardness of complex concentrated alloys [Xiong et al. 2021]."""
    sheet = Sheet(table, (("Alloy", _FORMULA_COLUMN), ("hardness", ("Hardness (HV)", "Hardness", "HV"))))
    return _content(sheet, split_by, values=sheet.numbers(["hardness"]), targets=("hardness",))


def _content(sheet: Sheet, split_by: str, **more: object) -> Content:
    """Formulas as atomic per cent; the table view holds the elements that occur."""
    amounts = sheet.formulas("Alloy", KNOWN_ERRORS)
    atoms = periodic_table.percent(amounts)
    used = np.flatnonzero((atoms > 0).any(axis=0))
    return Content(
        sheet=sheet,
        features=atoms[:, used],
        names=[periodic_table.SYMBOLS[i] for i in used],
        composition={
            "composition": atoms,
            "composition_wt": periodic_table.weight_percent(atoms),
            "composition_at": atoms,
        },
        groups=[system(row) for row in atoms] if split_by == "system" else None,
        **more,  # type: ignore[arg-type]
    )
