"""Reads tables of new steels and alloys, for ``hmcbench predict``.

The readers of the datasets are used. What is to be predicted is unknown: its columns, if they are there, are
left out, and each gets a valid stand-in that nothing reads afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hmcbench.errors import BadInput
from hmcbench.interfaces import NewSamples, TableColumns, Value
from hmcbench_materials.composition.periodic_table import SYMBOLS
from hmcbench_materials.data import plates, steel
from hmcbench_materials.data.assemble import Content, usable
from hmcbench_materials.data.datasets import KINDS
from hmcbench_materials.tables import Table

Columns = Sequence[tuple[str, Sequence[str]]]


def _targets(columns: Columns, names: Sequence[str]) -> dict[str, tuple[Sequence[str], str]]:
    return {name: (spellings, "0") for name, spellings in columns if name in names}


# dataset -> column of what is predicted -> its other spellings, and a stand-in
STAND_INS: Mapping[str, Mapping[str, tuple[Sequence[str], str]]] = {
    "nims-steel": _targets(steel.NIMS_COLUMNS, steel.NIMS_TARGETS),
    "srim-steel": _targets(steel.SRIM_COLUMNS, steel.SRIM_TARGETS),
    "metallic-glass": {"GFA": (("Phase", "Class"), "BMG")},
    "hea-phases": {
        "ML-A": ((), "AM"),
        "ML-B": ((), ""),
        "ML-C": ((), ""),
        "Phase(s)": (("Phases", "Phase"), "FCC"),
    },
    "hea-hardness": {"hardness": (("Hardness (HV)", "Hardness", "HV"), "0")},
    "steel-plates": {name: ((), str(int(i == 0))) for i, name in enumerate(plates.PATHS)},
}
_OPTIONS = ("labels", "split_by")


def read_unlabelled(name: str, path: str, columns: Mapping[str, TableColumns], **params: Value) -> NewSamples:
    """The rows of a file as all views of a dataset of this plugin.

    Args:
        name: of the dataset.
        path: a file with the columns of its features.
        columns: of the training samples; of the view ``table`` only elements, and the values of columns of
            text, may be absent: they become 0.
        params: of the dataset.

    Raises:
        BadInput: a file that cannot be read, or without one of the columns.
    """
    kind = KINDS[name]
    table = _without_targets(kind.open(Path(path)), STAND_INS[name])
    options: dict[str, Any] = {k: v for k, v in params.items() if k in _OPTIONS and v != "sample"}
    trained = columns["table"].names if "table" in columns else ()
    if kind.open_columns:
        options["trained"] = trained if "table" in columns else None
    content = kind.read(table, **options)
    features = content.features
    if "table" in columns:
        _check_columns(trained, content)
        features = np.zeros((len(content.sheet), len(trained)))
        place = {title: i for i, title in enumerate(trained)}
        for title, values in zip(content.names, content.features.T, strict=True):
            if title in place:
                features[:, place[title]] = values
                continue
            for row in np.flatnonzero(values):
                content.sheet.reject(int(row), "new-column", f"no training sample has {title}")
    rows = usable(content)
    return NewSamples(
        ids=[f"line-{table.lines[row]:05d}" for row in rows],
        views={"table": features[rows], **{k: v[rows] for k, v in content.composition.items()}},
        problems=content.sheet.problems,
    )


def _check_columns(trained: Sequence[str], content: Content) -> None:
    """Raises BadInput for columns that are not there; an element, or a value of a column of text, may be."""
    titles = content.sheet.table.columns
    known = {*content.names, *SYMBOLS}
    absent = [
        name for name in trained if name not in known and not any(name.startswith(f"{t}=") for t in titles)
    ]
    if absent:
        shown = ", ".join(dict.fromkeys(name.partition("=")[0] for name in absent))
        raise BadInput(
            f"{content.sheet.table.source} lacks columns that the model was trained on: {shown}",
            hint=f"its columns are {', '.join(titles)}",
        )


def _without_targets(table: Table, stand_ins: Mapping[str, tuple[Sequence[str], str]]) -> Table:
    """The table with a stand-in for every column of what is predicted."""
    names = {name.casefold() for title, (other, _) in stand_ins.items() for name in (title, *other)}
    kept = [i for i, title in enumerate(table.columns) if re.sub(r"\s+", " ", title).casefold() not in names]
    values = [value for _, value in stand_ins.values()]
    return Table(
        table.name,
        table.source,
        [*(table.columns[i] for i in kept), *stand_ins],
        [[*(row[i] for i in kept), *values] for row in table.rows],
        table.lines,
    )


# What the specs name.
nims_steel = partial(read_unlabelled, "nims-steel")
srim_steel = partial(read_unlabelled, "srim-steel")
metallic_glass = partial(read_unlabelled, "metallic-glass")
hea_phases = partial(read_unlabelled, "hea-phases")
hea_hardness = partial(read_unlabelled, "hea-hardness")
steel_plates = partial(read_unlabelled, "steel-plates")
