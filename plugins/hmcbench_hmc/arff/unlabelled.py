"""Reads ARFF files of new samples, for ``hmcbench predict``; a class attribute may be missing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hmcbench.errors import BadInput, close_matches
from hmcbench.interfaces import NewSamples, TableColumns
from hmcbench_hmc.arff.header import Attribute, read_header
from hmcbench_hmc.arff.rows import RowReader
from hmcbench_hmc.arff.text import ArffFile


def read_unlabelled(path: str, columns: Mapping[str, TableColumns], **_of_the_run: Any) -> NewSamples:
    """The rows of a file as the view ``table``, by the names of the attributes; others are not read.

    A value that no training sample can have is taken as missing.

    Raises:
        BadInput: an attribute of the training samples that is not there, or is of another kind.
        DataProblems: a file that cannot be read.
    """
    file = ArffFile(Path(path), Path(path).name)
    lines = file.lines()
    attributes = read_header(file, lines)
    rows = RowReader(file, attributes).read(lines)
    features = [a for a in attributes if a.kind in ("numeric", "nominal")]
    trained = columns.get("table", TableColumns((), ()))  # of a model that reads nothing
    place = {attribute.name: i for i, attribute in enumerate(features)}
    table = np.empty((len(rows.table), len(trained.names)))
    for i, name in enumerate(trained.names):
        if name not in place:
            guess = close_matches(name, place)
            raise BadInput(
                f"{path} lacks the attribute {name!r} that the model was trained on"
                + (f"; {guess}" if guess else "")
            )
        values = trained.kinds[i].values if trained.kinds else ()
        table[:, i] = _column(file, features[place[name]], rows.table[:, place[name]], values)
    keys = rows.keys if all(rows.keys) and len(set(rows.keys)) == len(rows.keys) else []
    ids = keys or [f"line-{line:06d}" for line in rows.lines]
    return NewSamples(ids, {"table": table}, file.noted)


def _column(file: ArffFile, attribute: Attribute, cells: np.ndarray, trained: tuple[str, ...]) -> np.ndarray:
    """The cells with positions in the values of the training samples."""
    if bool(attribute.values) != bool(trained):
        kinds = ["nominal" if values else "numeric" for values in (attribute.values, trained)]
        raise BadInput(f"{file.path}: {attribute.name!r} is {kinds[0]}; in training it was {kinds[1]}")
    if attribute.values == trained:
        return cells
    strange = [value for value in attribute.values if value not in trained]
    if strange:
        what = f"{attribute.name!r}: no training sample has {strange[0]!r}; taken as missing"
        file.add(attribute.line, what, "new-value", fatal=False)
    position = np.array([trained.index(v) if v in trained else np.nan for v in attribute.values])
    known = ~np.isnan(cells)
    places = np.full(len(cells), np.nan)
    places[known] = position[cells[known].astype(np.int64)]
    return places
