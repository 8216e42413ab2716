"""The datasets of this plugin and their lint: one entry per table, one way to load them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
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
    """How one dataset is read.

    Attributes:
        files: the names under which its table is known in a folder.
        read: from the table to the content, with the options of the spec.
        open: from the file to the table.
        reason: why it cannot be fetched, where that is so.
        open_columns: whether all further columns of the table are features.
    """

    files: Sequence[str]
    read: Callable[..., Content]
    open: Callable[[Path], Table] = read_table
    reason: str = ""
    open_columns: bool = False


KINDS = {
    "nims-steel": TableKind(("NIMS-Fatigue.csv", "NIMS_Fatigue.csv"), steel.read_nims),
    "srim-steel": TableKind(
        ("SRIM.csv", "srim-steel.csv"),
        steel.read_srim,
        reason=" and were never published: bring your own",
        open_columns=True,
    ),
    "metallic-glass": TableKind(("GFA.csv",), alloys.read_glass),
    "hea-phases": TableKind(("formed_phases.csv", "Formed Phases.csv"), alloys.read_phases),
    "hea-hardness": TableKind(("hardness.csv", "Hardness.csv"), alloys.read_hardness),
    "steel-plates": TableKind(
        ("steel_plates_faults.csv", "Faults.NNA"), plates.read_plates, plates.open_plates
    ),
}


def load(name: str, *, skip_bad: bool = False, seed: int = 0, **params: Any) -> Dataset:
    """A dataset of this plugin.

    Args:
        name: one of :data:`KINDS`.
        skip_bad: leave out rows that cannot be used.
        seed: of the synthetic samples.
        params: see :func:`read`.

    Raises:
        BadInput: no such file, or ``source="real"`` and no file anywhere.
        DataProblems: rows that cannot be used.
    """
    content, synthetic = read(name, seed=seed, **params)
    notes = [f"synthetic samples made by rules, seed {seed}; not the real {name}"] if synthetic else []
    return make_dataset(content, skip_bad=skip_bad, synthetic=synthetic, notes=notes)


def lint(name: str, *, skip_bad: bool = False, **params: Any) -> DataReport:
    """The report of the table that :func:`load` would read."""
    return make_report(read(name, **params)[0])


def read(
    name: str, *, path: str = "", source: str = "auto", seed: int = 0, **options: Value
) -> tuple[Content, bool]:
    """The content of a table, and whether it is synthetic.

    Args:
        name: one of :data:`KINDS`.
        path: a file or a folder with it; otherwise environment and cache are searched.
        source: ``real``; ``synthetic``; or ``auto``: real where the file is found, else synthetic.
        seed: of the synthetic samples.
        options: of the reader (``split_by``, ``labels``).
    """
    table = find_table(name, path, source)
    synthetic = table is None
    return KINDS[name].read(make_table(name, seed) if table is None else table, **options), synthetic


def find_table(name: str, path: str, source: str) -> Table | None:
    """The table of the real data; None where synthetic samples replace it."""
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


# What the specs name.
nims_steel, lint_nims = partial(load, "nims-steel"), partial(lint, "nims-steel")
srim_steel, lint_srim = partial(load, "srim-steel"), partial(lint, "srim-steel")
metallic_glass, lint_glass = partial(load, "metallic-glass"), partial(lint, "metallic-glass")
hea_phases, lint_phases = partial(load, "hea-phases"), partial(lint, "hea-phases")
hea_hardness, lint_hardness = partial(load, "hea-hardness"), partial(lint, "hea-hardness")
steel_plates, lint_plates = partial(load, "steel-plates"), partial(lint, "steel-plates")
