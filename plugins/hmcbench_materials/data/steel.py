"""Readers of the steel tables: compositions in weight per cent without iron, processing, properties."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hmcbench.data.columns import MOST_VALUES, MOSTLY, guess, is_missing, numbers
from hmcbench_materials.composition import periodic_table
from hmcbench_materials.data.assemble import Content
from hmcbench_materials.data.sheet import Sheet
from hmcbench_materials.tables import Table, number

BALANCE = "Fe"

NIMS_ELEMENTS = ("C", "Si", "Mn", "P", "S", "Ni", "Cr", "Cu", "Mo")
NIMS_COLUMNS: Sequence[tuple[str, Sequence[str]]] = (
    ("NT", ("Normalized Temperature", "Normalizing Temperature")),
    ("QT", ("Quenching Temperature",)),
    ("TT", ("Temperaing Temperature", "Tempering Temperature")),  # the published file says Temperaing
    *((element, ()) for element in NIMS_ELEMENTS),
    ("RR", ("Reduction Ratio",)),
    ("dA", ()),
    ("dB", ()),
    ("dC", ()),
    ("fatigue", ("Fatigue Strength (10E7 Cycles)", "Fatigue Strength")),
    ("tensile", ("Tensile Strength",)),
    ("fracture", ("Fracture Strength",)),
    ("hardness", ("Hardness",)),
)
NIMS_TARGETS = ("fatigue", "tensile", "fracture", "hardness")

SRIM_ELEMENTS = ("C", "Si", "Mn", "P", "S", "Ni", "Cr", "Cu", "Mo", "Al", "V")
SRIM_TARGETS = ("yield", "tensile", "elongation", "reduction")
SRIM_COLUMNS: Sequence[tuple[str, Sequence[str]]] = (
    *((element, ()) for element in SRIM_ELEMENTS),
    ("yield", ("Yield Strength", "Yield strength (MPa)", "YS", "屈服强度")),
    ("tensile", ("Tensile Strength", "Tensile strength (MPa)", "UTS", "抗拉强度")),
    ("elongation", ("Elongation (%)", "EL", "延伸率")),
    ("reduction", ("Cross-sectional shrinkage", "Reduction of area", "Shrinkage", "断面收缩率")),
)


def read_nims(table: Table, *, split_by: str = "sample") -> Content:
    """NIMS fatigue data: 16 features, 4 targets (MPa and HV) [Agrawal et al. 2014].

    ``split_by="heat"`` makes one group of the samples with the same composition.
    """
    sheet = Sheet(table, NIMS_COLUMNS)
    names = [name for name, _ in NIMS_COLUMNS if name not in NIMS_TARGETS]
    features = sheet.numbers(names)
    weights = _weights(sheet, features[:, [names.index(e) for e in NIMS_ELEMENTS]], NIMS_ELEMENTS)
    return Content(
        sheet=sheet,
        features=features,
        names=names,
        composition=compositions(weights),
        values=sheet.numbers(NIMS_TARGETS),
        targets=NIMS_TARGETS,
        groups=_heats(weights) if split_by == "heat" else None,
    )


def read_srim(table: Table, *, split_by: str = "sample", trained: Sequence[str] | None = ()) -> Content:
    """SRIM steel data: 11 elements, any further columns as processing, 4 targets.

    Processing columns are taken as they are where nine tenths of the cells that are not empty are numbers, or
    where their numbers are too many to be names, and a row without one is a problem; of others, one feature
    ``title=value`` per value.

    Args:
        split_by: ``heat`` makes one group of the samples with the same composition.
        trained: names of the features of the training samples, which say what each column holds; without
            them its cells do. None: processing is not read.
    """
    sheet = Sheet(table, SRIM_COLUMNS)
    amounts = sheet.numbers(SRIM_ELEMENTS)
    names, processing = _processing(sheet, trained) if trained is not None else ([], amounts[:, :0])
    weights = _weights(sheet, amounts, SRIM_ELEMENTS)
    return Content(
        sheet=sheet,
        features=np.hstack([amounts, processing]),
        names=[*SRIM_ELEMENTS, *names],
        composition=compositions(weights),
        values=sheet.numbers(SRIM_TARGETS),
        targets=SRIM_TARGETS,
        groups=_heats(weights) if split_by == "heat" else None,
    )


def _processing(sheet: Sheet, trained: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Names and float (N, P) of the columns that are neither elements nor targets."""
    read_already = set(sheet.places.values())
    names: list[str] = []
    columns: list[np.ndarray] = []
    for place, title in enumerate(sheet.table.columns):
        if place in read_already:
            continue
        cells = sheet.table.column(place)
        if _holds_numbers(sheet, title, cells, trained):
            names.append(title)
            columns.append(np.array(sheet.numbers_at(place)))
            continue
        for value in sorted({cell for cell in cells if not is_missing(cell)}):
            names.append(f"{title}={value}")
            columns.append(np.array([cell == value for cell in cells], dtype=float))
    return names, np.array(columns, dtype=float).T.reshape(len(sheet), len(names))


def _holds_numbers(sheet: Sheet, title: str, cells: Sequence[str], trained: Sequence[str]) -> bool:
    """As in training, where the column was there: one gap, or codes of few samples, must not change it.

    A column that looks like numbers and is taken as names is noted: its cells may be ``none``, or have a
    comma. So is a column of numbers that makes more than a tenth of the rows problems.
    """
    if title in trained:
        return True
    if any(name.startswith(f"{title}=") for name in trained):
        return False
    readable = sum(not number(cell)[1] for cell in cells)
    other = next((cell for cell in cells if number(cell)[1]), "")
    what = f"{title}: {readable} of {len(cells)} cells are numbers, others such as {other!r:.40} are not"
    present = [cell for cell in cells if not is_missing(cell)]
    if (readable and readable >= MOSTLY * len(present)) or _too_many_for_names(present):
        if readable < MOSTLY * len(cells):
            sheet.note("number", f"{what}; write numbers, or delete the column", fatal=True, skippable=True)
        return True
    if guess(cells) == "number":
        sheet.note("reading", f"{what}; the column is taken as names")
    return False


def _too_many_for_names(present: Sequence[str]) -> bool:
    """Whether most cells are numbers, commas included, that differ more than names do: as :func:`guess`."""
    values = numbers(present)[0]
    values = values[~np.isnan(values)]
    different = len(np.unique(values))
    return len(values) > len(present) / 2 and different > min(MOST_VALUES, max(2, len(values) / 2))


def _weights(sheet: Sheet, amounts: np.ndarray, elements: Sequence[str]) -> np.ndarray:
    """Float (N, 118) in weight per cent; reports rows with more than 100 %."""
    weights = np.zeros((len(sheet), len(periodic_table.SYMBOLS)))
    weights[:, [periodic_table.COLUMN[e] for e in elements]] = np.nan_to_num(amounts)
    for row in np.flatnonzero(weights.sum(axis=1) > 100 * (1 + 1e-9)):
        total = weights[row].sum()
        sheet.reject(int(row), "sum", f"the elements add up to {total:g} %, more than 100 %")
    return weights


def compositions(weights: np.ndarray) -> dict[str, np.ndarray]:
    """The views of a steel: as the table has it, by atoms, and both with iron as the balance."""
    filled = periodic_table.balanced(weights, BALANCE)
    return {
        "composition": weights,
        "composition_wt": weights,
        "composition_at": periodic_table.atomic_percent(weights),
        "composition_Fe_wt": filled,
        "composition_Fe_at": periodic_table.atomic_percent(filled),
    }


def _heats(weights: np.ndarray) -> list[str]:
    """Equal strings for equal compositions; other elements in equal amounts are another heat."""
    elements = periodic_table.SYMBOLS
    return [" ".join(f"{elements[i]}{row[i]:g}" for i in np.flatnonzero(row > 0)) for row in weights]
