"""Reader of the steel plates' faults: 27 measures of a fault's picture, one of seven kinds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench_materials.data.assemble import Content
from hmcbench_materials.data.sheet import Sheet
from hmcbench_materials.tables import Table, read_plain, read_table

_MEASURES = (
    "X_Minimum X_Maximum Y_Minimum Y_Maximum Pixels_Areas X_Perimeter Y_Perimeter Sum_of_Luminosity"
    " Minimum_of_Luminosity Maximum_of_Luminosity Length_of_Conveyer TypeOfSteel_A300 TypeOfSteel_A400"
    " Steel_Plate_Thickness Edges_Index Empty_Index Square_Index Outside_X_Index Edges_X_Index Edges_Y_Index"
    " Outside_Global_Index LogOfAreas Log_X_Index Log_Y_Index Orientation_Index Luminosity_Index"
    " SigmoidOfAreas"
)
FEATURES = tuple(_MEASURES.split())
SIGNED = ("Orientation_Index", "Luminosity_Index")  # -1 to 1; everything else is counted or measured
PATHS = {  # in the order of the original file, which has the seven kinds and no families
    "Pastry": "shape/Pastry",
    "Z_Scratch": "scratch/Z_Scratch",
    "K_Scatch": "scratch/K_Scatch",
    "Stains": "surface-contamination/Stains",
    "Dirtiness": "surface-contamination/Dirtiness",
    "Bumps": "shape/Bumps",
    "Other_Faults": "other/Other_Faults",
}


def open_plates(path: Path) -> Table:
    """The table with a header, or UCI's ``Faults.NNA`` without one."""
    if path.suffix.lower() == ".nna":
        return read_plain(path, (*FEATURES, *PATHS))
    return read_table(path)


def read_plates(table: Table) -> Content:
    """Steel Plates Faults [Buscema et al. 2010; UCI, CC BY 4.0]."""
    sheet = Sheet(table, [(name, ()) for name in (*FEATURES, *PATHS)])
    flags = sheet.numbers(list(PATHS))
    for row in np.flatnonzero(((flags == 1).sum(axis=1) != 1) | ((flags != 0) & (flags != 1)).any(axis=1)):
        if row not in sheet.bad:
            marked = ", ".join(
                f"{name} is {flags[row, i]:g}" for i, name in enumerate(PATHS) if flags[row, i]
            )
            need = f"exactly one of {', '.join(PATHS)} must be 1 and the others 0"
            sheet.reject(int(row), "label", f"{marked or 'no fault is marked'}; {need}")
    ids = list(PATHS.values())
    return Content(
        sheet=sheet,
        features=sheet.numbers(FEATURES, signed=SIGNED),
        names=FEATURES,
        labels=[(ids[int(np.nan_to_num(row).argmax())],) for row in flags],
        hierarchy=Hierarchy.from_paths([path.split("/") for path in ids]),
    )
