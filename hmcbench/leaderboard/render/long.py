"""Records as one long table: a line per record, partition and metric."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from hmcbench.errors import Unavailable
from hmcbench.files import replacing
from hmcbench.leaderboard.columns import COSTS, cost
from hmcbench.leaderboard.render.csv_json import safe
from hmcbench.records.record import Record
from hmcbench.records.row_names import model_reference

COST = "cost"
COLUMNS = (
    *(
        "suite",
        "suite_version",
        "dataset",
        "dataset_fingerprint",
        "profile",
        "fold",
        "split_fingerprint",
        "seed",
    ),
    *("model", "reference", "model_version", "brought", "key", "status", "cause"),
    *("rule", "side", "metric", "value"),
)


def long_lines(records: Iterable[Record]) -> Iterator[dict[str, Any]]:
    """The lines: :data:`COLUMNS` -> value.

    ``side`` is ``test``, ``validation``, a further test set, or ``cost`` for costs as boards show them (their
    ids name the unit). ``rule`` is the decision rule of a value, or empty. A metric without value has a line
    without one, and a failed record one line without side, metric and value.
    """
    for record in records:
        head = _head(record)
        values: list[tuple[str, str, str, float | None]] = list(_values(record)) if record.ok else []
        for rule, side, metric, value in values or [("", "", "", None)]:
            yield {**head, "rule": rule, "side": side, "metric": metric, "value": value}


def _head(record: Record) -> dict[str, Any]:
    data = record.data
    return {
        "suite": record.suite,
        "suite_version": str(data["suite"].get("version", "")),
        "dataset": record.dataset_reference,
        "dataset_fingerprint": str(data["dataset"].get("fingerprint") or ""),
        "profile": record.profile,
        "fold": record.fold,
        "split_fingerprint": str(record.part("split").get("fingerprint") or ""),
        "seed": record.seed,
        "model": record.label,
        "reference": model_reference(record),
        "model_version": str(data["model"].get("version") or ""),
        "brought": str(record.brought.get("kind") or ""),
        "key": record.key,
        "status": str(data["status"]),
        "cause": record.cause,
    }


def _values(record: Record) -> Iterator[tuple[str, str, str, float | None]]:
    """(rule, side, metric, value) of a record that ended well."""
    blocks: list[tuple[str, Mapping[str, Mapping[str, float | None]]]] = [("", record.data["metrics"])]
    blocks += [(rule, block.get("metrics") or {}) for rule, block in sorted(record.part("rules").items())]
    for rule, metrics in blocks:
        for side, values in metrics.items():
            for metric in sorted(values):
                value = values[metric]
                yield rule, side, metric, None if value is None else float(value)
    for name in COSTS:
        value = cost(record, name)
        if value is not None:
            yield "", COST, name, value


def to_long_csv(records: Iterable[Record]) -> str:
    """CSV with all digits; texts that a spreadsheet would run begin with an apostrophe."""
    out = io.StringIO()
    _write_lines(records, out)
    return out.getvalue()


def write_long_csv(records: Iterable[Record], path: Path) -> None:
    """The same as a file, in one step and line by line: lines of 50,000 records do not fit into memory."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        _write_lines(records, file)


def _write_lines(records: Iterable[Record], out: TextIO) -> None:
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: safe(value) for name, value in line.items()} for line in long_lines(records))


def write_parquet(records: Iterable[Record], path: Path) -> None:
    """The same as a Parquet file, in one step; raises Unavailable without pyarrow."""
    try:
        import pyarrow
        import pyarrow.parquet as parquet
    except ImportError:
        raise Unavailable("Parquet files need pyarrow", hint='pip install "hmcbench[tables]"') from None
    lines = list(long_lines(records))
    kinds = {"fold": pyarrow.int64(), "seed": pyarrow.int64(), "value": pyarrow.float64()}
    schema = pyarrow.schema([(name, kinds.get(name, pyarrow.string())) for name in COLUMNS])
    with replacing(path) as temporary:
        parquet.write_table(pyarrow.Table.from_pylist(lines, schema=schema), temporary)
