"""Published tables as TOML files: rows of models, columns of metrics; and their inconsistencies.

The files lie in the folder ``tables`` beside the file of a suite. Unknown keys are errors, as in
suites. docs/reproduce.md shows an example.
"""

from __future__ import annotations

import importlib.util
import math
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

from hmcbench.data.protocol import Protocol
from hmcbench.errors import BadInput, unknown
from hmcbench.registry.registry import Registry

FIGURE_KINDS = ("relative-error", "history")


@dataclass(frozen=True)
class PublishedRow:
    """A row: its label in the paper, the model of hmcbench that it stands for, and its values.

    Attributes:
        values: in the order of the table's metrics; NaN where the paper has no number.
        digits: decimals that the paper prints in this row; 0: as in the table.
        against: the label of the row to compare with, for models that the paper lacks.
    """

    label: str
    model: str
    values: tuple[float, ...]
    digits: int = 0
    against: str = ""
    note: str = ""


@dataclass(frozen=True)
class Figure:
    """A figure of the paper, drawn from the records of its rows (see :mod:`.figures`)."""

    number: str
    kind: str
    rows: tuple[str, ...]
    columns: tuple[str, ...] = ()
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class PublishedTable:
    """A table of a paper.

    Attributes:
        name: ``paper-number``; the number alone is enough where it is unique.
        suite, dataset, profile: those of the run; the suite's first data set and profile if empty.
        not_public: why the data are not public; without them the rows are not testable.
        digits: decimals that the paper prints.
        metrics, headers: the columns, as ids of metrics and as the paper names them.
        protocol: the paper's split of its samples; None: that of the suite.
        notes: errata and other remarks.
    """

    name: str
    title: str
    source: str
    suite: str
    metrics: tuple[str, ...]
    headers: tuple[str, ...]
    rows: tuple[PublishedRow, ...]
    dataset: str = ""
    profile: str = ""
    not_public: str = ""
    digits: int = 3
    protocol: Protocol | None = None
    notes: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = field(default=())


def parse_table(text: str, where: str) -> PublishedTable:
    """The table in TOML text; raises BadInput with the file and the allowed values."""
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # tomllib raises RecursionError too
        raise BadInput(f"{where} is not TOML ({error})") from None
    _known(f"table in {where}", data, ("table", "protocol", "row", "figure"))
    for key in ("row", "figure"):
        if not isinstance(data.get(key, []), list):
            raise BadInput(f"{where}: {key} is no list", allowed=f"tables that begin with [[{key}]]")
    types = _types(PublishedTable, "rows", "protocol", "figures")
    head = _checked(f"{where} [table]", data.get("table", {}), types)
    _require(f"{where} [table]", head, "name", "title", "source", "suite", "metrics")
    head.setdefault("headers", head["metrics"])
    protocol = None
    if "protocol" in data:
        kinds = {name: type(value) for name, value in vars(Protocol()).items()}
        protocol = Protocol(**_checked(f"{where} [protocol]", data["protocol"], kinds))
        protocol.check(where)
    rows = [_row(f"{where} [[row]] {i}", row, head) for i, row in enumerate(data.get("row", ()), start=1)]
    if not rows:
        raise BadInput(f"{where} has no [[row]]")
    figures = []
    for entry in data.get("figure", ()):
        figure = _checked(f"{where} [[figure]]", entry, _types(Figure))
        _require(f"{where} [[figure]]", figure, "number", "kind", "rows")
        figures.append(Figure(**figure))
    table = PublishedTable(**head, protocol=protocol, rows=tuple(rows), figures=tuple(figures))
    _check_references(table, where)
    return table


def _row(where: str, row: Any, head: Mapping[str, Any]) -> PublishedRow:
    fields = _checked(where, row, _types(PublishedRow))
    _require(where, fields, "label", "model")
    values = fields.pop("values", None)
    if values is None and fields.get("against"):
        return PublishedRow(**fields, values=())  # looked up by published_row
    numbers = [v for v in values or () if isinstance(v, (int, float)) and not isinstance(v, bool)]
    if len(numbers) != len(head["metrics"]) or len(values) != len(numbers):
        raise BadInput(f"{where}: values must be {len(head['metrics'])} numbers, one per metric")
    return PublishedRow(**fields, values=tuple(map(float, numbers)))


def published_row(table: PublishedTable, row: PublishedRow) -> PublishedRow:
    """The row with the paper's values: itself, or the row that it is compared with."""
    return row if row.values else next(other for other in table.rows if other.label == row.against)


def _check_references(table: PublishedTable, where: str) -> None:
    labels = [row.label for row in table.rows if row.values]
    references = [row.against for row in table.rows if not row.values]
    references += [name for figure in table.figures for name in figure.rows]
    for name in references:
        if name not in [row.label for row in table.rows]:
            raise unknown(f"row in {where}", name, labels)
    for figure in table.figures:
        if figure.kind not in FIGURE_KINDS:
            raise unknown(f"kind of figure in {where}", figure.kind, FIGURE_KINDS)
    if len(table.headers) != len(table.metrics):
        raise BadInput(f"{where}: {len(table.headers)} headers for {len(table.metrics)} metrics")


def _types(cls: type, *excluded: str) -> dict[str, type]:
    """Key -> TOML type of the fields of a dataclass: text, whole number or list."""
    hints = get_type_hints(cls)
    return {
        name: kind if kind in (str, int) else list for name, kind in hints.items() if name not in excluded
    }


def _require(where: str, fields: Mapping[str, Any], *keys: str) -> None:
    for key in keys:
        if not fields.get(key):
            raise BadInput(f"{where} lacks {key}")


def _known(kind: str, table: Any, allowed: Sequence[str]) -> None:
    for key in table:
        if key not in allowed:
            raise unknown(kind, key, allowed)


def _checked(where: str, table: Any, allowed: Mapping[str, type]) -> dict[str, Any]:
    _known(f"key in {where}", table, list(allowed))
    out: dict[str, Any] = {}
    value: Any
    for key, value in table.items():
        kind = allowed[key]
        value = float(value) if kind is float and type(value) is int else value
        if type(value) is not kind:
            raise BadInput(f"{where}: {key} = {value!r}", allowed=f"{key} must be of type {kind.__name__}")
        out[key] = tuple(table[key]) if kind is list else value
    return out


def known_tables(registry: Registry) -> list[PublishedTable]:
    """Every table beside the suites of the installed plugins, sorted by name."""
    folders: dict[Path, None] = {}
    for spec in registry.specs("suites"):
        package, _, file = spec.source.partition(":")
        module = importlib.util.find_spec(package)
        if module is not None and module.submodule_search_locations:
            path = Path(next(iter(module.submodule_search_locations))) / file
            folders[path.parent / "tables"] = None
    paths = sorted(path for folder in folders for path in folder.glob("*.toml"))
    tables = [parse_table(path.read_text(encoding="utf-8"), path.name) for path in paths]
    return sorted(tables, key=lambda table: table.name)


def find_table(registry: Registry, name: str) -> PublishedTable:
    """The table with this name or number, or in this ``.toml`` file."""
    if name.endswith(".toml"):
        try:
            return parse_table(Path(name).read_text(encoding="utf-8"), Path(name).name)
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise BadInput(f"table file {name} cannot be read ({reason})") from None
    tables = known_tables(registry)
    matches = [t for t in tables if name in (t.name, t.name.rpartition("-")[2])]
    if not matches:
        raise unknown("published table", name, [t.name for t in tables], "hmcbench reproduce lists them")
    if len(matches) > 1:
        raise BadInput(f"several papers have a table {name}", allowed=", ".join(t.name for t in matches))
    return matches[0]


_PRECISION = re.compile(r"(?P<head>.*)precision(?P<tail>.*)")


def inconsistencies(table: PublishedTable) -> list[str]:
    """F values that do not follow from the precision and recall of their row, within rounding."""
    out = []
    for row in table.rows:
        half = 0.5 * 10.0 ** -(row.digits or table.digits)
        for precision, recall, f, name in _triples(table, row):
            low, high = (
                f1(*(min(max(value + shift, 0.0), 1.0) for value in (precision, recall)))
                for shift in (-half, half)
            )
            if not low - half <= f <= high + half:
                out.append(
                    f"{row.label}, {name}: F {f:g} does not follow from P {precision:g} and R {recall:g}"
                    f" (they give {f1(precision, recall):.4f})"
                )
    return out


def f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _triples(table: PublishedTable, row: PublishedRow) -> Iterator[tuple[float, float, float, str]]:
    values = dict(zip(table.metrics, row.values, strict=False))
    names = dict(zip(table.metrics, table.headers, strict=True))
    for metric, precision in values.items():
        match = _PRECISION.match(metric)
        if match is None:
            continue
        recall, f = (values.get(f"{match['head']}{part}{match['tail']}") for part in ("recall", "f1"))
        if recall is not None and f is not None and not any(map(math.isnan, (precision, recall, f))):
            yield precision, recall, f, names[metric].partition(" ")[0]
