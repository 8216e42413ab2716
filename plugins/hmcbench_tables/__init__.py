"""Tables of anybody: CSV, Excel or Parquet, with columns of labels or of numbers to predict."""

from __future__ import annotations

from hmcbench import DatasetSpec, Param, ShiftSpec, hookimpl
from hmcbench_tables.endings import EXCEL, PARQUET, TEXT

_COLUMNS = "columns joined by ; (docs/tables.md)"


@hookimpl
def hmcbench_datasets() -> list[DatasetSpec]:
    return [
        DatasetSpec(
            name="table",
            version="1",
            summary="any table: columns of labels or targets are named, the others are features",
            factory="hmcbench_tables.dataset:table",
            params={
                "path": Param("", "a CSV, TSV, Excel or Parquet file", cosmetic=True),
                "labels": Param("", f"level columns, one column of labels joined by |, or 0/1 {_COLUMNS}"),
                "form": Param(
                    "auto", "of the labels", choices=("auto", "levels", "joined", "columns"), cosmetic=True
                ),
                "parent": Param("", "a 0/1 column: the class above the other 0/1 columns"),
                "hierarchy": Param("", "a file parent,child of the classes, beside the table or by its path"),
                "target": Param("", f"instead of labels, for regression: {_COLUMNS}"),
                "group": Param("", f"a split keeps rows of equal values together: {_COLUMNS}"),
                "drop": Param("", f"not to be used: {_COLUMNS}"),
                "kinds": Param("", "of columns, where the guess is wrong: heat:nominal;grade:number"),
                "skip_bad": Param(False, "leave out rows with problems instead of refusing to start"),
            },
            task="",
            views=("table",),
            citation="your own",
            licence="your own",
            linter="hmcbench_tables.lint:lint",
            path_param="path",
            files=dict.fromkeys((*TEXT, *EXCEL, *PARQUET), ()),
            table_reader="hmcbench_tables.unlabelled:read_unlabelled",
        )
    ]


@hookimpl
def hmcbench_shifts() -> list[ShiftSpec]:
    return [
        ShiftSpec(
            name="noise",
            version="1",
            summary="measured again: normal noise in every column of numbers",
            factory="hmcbench_tables.shifts:noise",
            views=("table",),
            severities=(0.05, 0.1, 0.2, 0.5, 1.0),
            unit="training deviations",
        ),
        ShiftSpec(
            name="missing-values",
            version="1",
            summary="values that are missing at random",
            factory="hmcbench_tables.shifts:missing_values",
            views=("table",),
            severities=(0.05, 0.1, 0.2, 0.3, 0.5),
            unit="share of the values",
            high=1.0,
        ),
        ShiftSpec(
            name="missing-columns",
            version="1",
            summary="columns that no sample has: an instrument that failed",
            factory="hmcbench_tables.shifts:missing_columns",
            views=("table",),
            severities=(0.05, 0.1, 0.2, 0.3, 0.5),
            unit="share of the columns",
            high=1.0,
        ),
        ShiftSpec(
            name="changed-unit",
            version="1",
            summary="one value of every sample in another unit",
            factory="hmcbench_tables.shifts:changed_unit",
            params={"column": Param("", "the column; empty: one is drawn for every sample")},
            views=("table",),
            severities=(0.5, 1.0, 1.4, 2.0, 3.0),
            unit="powers of ten",
            high=12.0,
        ),
    ]
