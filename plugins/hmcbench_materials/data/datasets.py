"""The datasets of this plugin and their lint: one entry per table, one way to load them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hmcbench.errors import BadInput
from hmcbench.interfaces import DataReport, Dataset, Value
from hmcbench_materials.data import alloys, locate, plates, steel
from hmcbench_materials.data.assemble import Content, make_dataset, make_report
from hmcbench_materials.data.sources import SOURCES
from hmcbench_materials.data.synthetic import make_table
from hmcbench_materials.tables import Table, read_table


@dataclass(frozen=True)
class TableKind:
    """How one data set is read.

    Attributes:
        files: the names under which its table is known in a folder.
        read: from the table to the content, with the options of the spec.
        open: from the file to the table.
        reason: why it cannot be fetched, where that is so.
    """

    files: Sequence[str]
    read: Callable[..., Content]
    open: Callable[[Path], Table] = read_table
    reason: str = ""


KINDS = {
    "nims-steel": TableKind(("NIMS-Fatigue.csv", "NIMS_Fatigue.csv"), steel.read_nims),
    "srim-steel": TableKind(
        ("SRIM.csv", "srim-steel.csv"), steel.read_srim, reason=" and were never published: bring your own"
    ),
    "metallic-glass": TableKind(("GFA.csv",), alloys.read_glass),
    "hea-phases": TableKind(("formed_phases.csv", "Formed Phases.csv"), alloys.read_phases),
    "hea-hardness": TableKind(("hardness.csv", "Hardness.csv"), alloys.read_hardness),
    "steel-plates": TableKind(
        ("steel_plates_faults.csv", "Faults.NNA"), plates.read_plates, plates.open_plates
    ),
}


def load(
    name: str,
    *,
    path: str = "",
    source: str = "auto",
    seed: int = 0,
    skip_bad: bool = False,
    **options: Value,
) -> Dataset:
    """A dataset of this plugin.

    Args:
        name: one of :data:`KINDS`.
        path: a file or a folder with it; otherwise environment and cache are searched.
        source: ``real``; ``synthetic``; or ``auto``: real where the file is found, else synthetic.
        seed: of the synthetic samples.
        skip_bad: leave out rows that cannot be used.
        options: of the reader (``split_by``, ``labels``).

    Raises:
        BadInput: no such file, or ``source="real"`` and no file anywhere.
        DataProblems: rows that cannot be used.
    """
    table = find_table(name, path, source)
    made_up = table is None
    content = KINDS[name].read(table if table is not None else make_table(name, seed), **options)
    notes = [f"synthetic samples made by rules, seed {seed}; not the real {name}"] if made_up else []
    return make_dataset(content, skip_bad=skip_bad, synthetic=made_up, notes=notes)


def lint(
    name: str,
    *,
    path: str = "",
    source: str = "auto",
    skip_bad: bool = False,
    seed: int = 0,
    **options: Value,
) -> DataReport:
    """The report of the same table that :func:`load` would read."""
    table = find_table(name, path, source)
    return make_report(KINDS[name].read(table if table is not None else make_table(name, seed), **options))


def find_table(name: str, path: str, source: str) -> Table | None:
    """The table of the real data; None where synthetic samples are to take its place."""
    kind = KINDS[name]
    if source == "synthetic":
        if path:
            raise BadInput(f"{name}: both a path and source=synthetic are given", allowed="one of them")
        return None
    file = locate.locate(name, kind.files, path)
    if file is not None:
        return kind.open(file)
    if source == "real":
        raise locate.absent(name, fetchable=name in SOURCES, reason=kind.reason)
    return None


def nims_steel(**params: Any) -> Dataset:
    """Steels of the NIMS fatigue data sheets: three strengths and the hardness."""
    return load("nims-steel", **params)


def srim_steel(**params: Any) -> Dataset:
    """Steels of the Shanghai Research Institute of Materials; the user brings the file."""
    return load("srim-steel", **params)


def metallic_glass(**params: Any) -> Dataset:
    """Glass-forming ability of alloys."""
    return load("metallic-glass", **params)


def hea_phases(**params: Any) -> Dataset:
    """Phases of complex concentrated alloys."""
    return load("hea-phases", **params)


def hea_hardness(**params: Any) -> Dataset:
    """Hardness of complex concentrated alloys."""
    return load("hea-hardness", **params)


def steel_plates(**params: Any) -> Dataset:
    """Faults of steel plates."""
    return load("steel-plates", **params)


def lint_nims(**params: Any) -> DataReport:
    return lint("nims-steel", **params)


def lint_srim(**params: Any) -> DataReport:
    return lint("srim-steel", **params)


def lint_glass(**params: Any) -> DataReport:
    return lint("metallic-glass", **params)


def lint_phases(**params: Any) -> DataReport:
    return lint("hea-phases", **params)


def lint_hardness(**params: Any) -> DataReport:
    return lint("hea-hardness", **params)


def lint_plates(**params: Any) -> DataReport:
    return lint("steel-plates", **params)
