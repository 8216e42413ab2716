"""Reads tables of new samples, for ``hmcbench predict``: the columns of the training samples by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hmcbench.data.columns import is_missing
from hmcbench.errors import BadInput, Problem, close_matches
from hmcbench.interfaces import NewSamples, TableColumns
from hmcbench_tables.columns import numbers
from hmcbench_tables.problems import RowProblems, listed
from hmcbench_tables.reading import TextTable, read_table


def read_unlabelled(path: str, columns: Mapping[str, TableColumns], **_of_the_run: Any) -> NewSamples:
    """The rows of a file as the view ``table``; further columns, labels among them, are not read.

    A value that no training sample has is taken as missing.

    Raises:
        BadInput: a file that cannot be read, or a column that is not there.
    """
    table = read_table(Path(path))
    report = RowProblems(table)
    trained = columns.get("table", TableColumns((), ()))  # of a model that reads nothing
    absent = [name for name in trained.names if name not in table.columns]
    if absent:
        guess = close_matches(absent[0], table.columns) if len(absent) == 1 else ""
        raise BadInput(
            f"{path} lacks columns that the model was trained on: {listed(absent)}"
            + (f"; {guess}" if guess else ""),
            hint=f"its columns are {listed(table.columns)}",
        )
    read = [
        _places(table, name, kind.values, report) if kind.values else _numbers(table, name, report)
        for name, kind in zip(trained.names, trained.kinds, strict=True)
    ]
    rows = report.usable
    return NewSamples(
        ids=[f"line-{table.lines[row]:05d}" for row in rows],
        views={"table": np.array(read).reshape(len(read), len(table)).T[rows]},
        problems=[Problem(p.where, p.what, p.kind, fatal=p.fatal) for p in report.problems],
    )


def _numbers(table: TextTable, name: str, report: RowProblems) -> np.ndarray:
    return numbers(name, table.column(name), report)


def _places(table: TextTable, name: str, values: tuple[str, ...], report: RowProblems) -> np.ndarray:
    """Float (N,): positions of the cells in ``values``, NaN where there is none."""
    place = {value: float(i) for i, value in enumerate(values)}
    cells = table.column(name)
    strange = sorted({cell for cell in cells if cell not in place and not is_missing(cell)})
    if strange:
        what = f"column {name!r}: no training sample has {listed(map(repr, strange))}; taken as missing"
        report.note("new-value", what)
    return np.array([place.get(cell, math.nan) for cell in cells])
