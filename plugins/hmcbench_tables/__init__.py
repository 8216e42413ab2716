"""Tables of anybody: CSV, Excel or Parquet, with columns of labels or of numbers to predict."""

from __future__ import annotations

from hmcbench import DatasetSpec, Param, hookimpl

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
            table_reader="hmcbench_tables.unlabelled:read_unlabelled",
        )
    ]
