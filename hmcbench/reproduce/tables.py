"""Published tables as TOML files: rows of models, columns of metrics or datasets; their inconsistencies.

The files lie in the folder ``tables`` beside the file of a suite. Unknown keys are errors, as in
suites. docs/reproduce.md shows an example.
"""

from __future__ import annotations

import importlib.util
import math
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

from hmcbench.data.protocol import Protocol
from hmcbench.errors import BadInput, unknown
from hmcbench.leaderboard.verdicts import MARGIN
from hmcbench.registry.registry import Registry

FIGURE_KINDS = ("relative-error", "history")


class PublishedColumn(NamedTuple):
    """A column of a row; ``dataset`` is empty where the table has one only."""

    header: str
    dataset: str
    metric: str


@dataclass(frozen=True)
class PublishedRow:
    """A row: its label in the paper, the model of hmcbench that it stands for, and its values.

    Attributes:
        values: in the order of the table's columns; NaN where the paper has no number.
        digits: decimals that the paper prints in this row; 0: as in the table.
        against: the label of the row to compare with, for models that the paper lacks.
        metric: in a table of several datasets, the metric of this row; empty: that of the table.
        mean_of: as in the table; 0: as there.
    """

    label: str
    model: str
    values: tuple[float, ...]
    digits: int = 0
    against: str = ""
    note: str = ""
    metric: str = ""
    mean_of: int = 0


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
        suite, dataset, profile: those of the run; the suite's first dataset and profile if empty.
        datasets: the columns, where they are datasets and not metrics; there is one metric then.
        absent: dataset -> why nobody can run it.
        not_public: why the data are not public; without them the rows are not testable.
        digits: decimals that the paper prints.
        metrics, headers: the columns, as ids of metrics and as the paper names them.
        mean_of: the paper's values are means of so many trainings on one split that is ours too; 0: each is
            one training on a split of its own.
        seeds: how many trainings of ours.
        margin: the widest half-width with which a value is reproduced.
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
    datasets: tuple[str, ...] = ()
    absent: Mapping[str, str] = field(default_factory=dict)
    profile: str = ""
    not_public: str = ""
    digits: int = 3
    mean_of: int = 0
    seeds: int = 1
    margin: float = MARGIN
    protocol: Protocol | None = None
    notes: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = field(default=())

    def columns(self, row: PublishedRow) -> list[PublishedColumn]:
        """The columns of a row, in the order of its values."""
        if not self.datasets:
            return [
                PublishedColumn(name, "", metric)
                for name, metric in zip(self.headers, self.metrics, strict=True)
            ]
        metric = row.metric or self.metrics[0]
        return [
            PublishedColumn(name, data, metric)
            for name, data in zip(self.headers, self.datasets, strict=True)
        ]

    @property
    def all_metrics(self) -> tuple[str, ...]:
        """The metrics of the table, then those of single rows."""
        return tuple(dict.fromkeys((*self.metrics, *(row.metric for row in self.rows if row.metric))))


def parse_table(text: str, where: str) -> PublishedTable:
    """The table in TOML text; raises BadInput with the file and the allowed values."""
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # tomllib raises RecursionError too
        raise BadInput(f"{where} is not TOML ({error})") from None
    _known(f"table in {where}", data, ("table", "absent", "protocol", "row", "figure"))
    for key in ("row", "figure"):
        if not isinstance(data.get(key, []), list):
            raise BadInput(f"{where}: {key} is no list", allowed=f"tables that begin with [[{key}]]")
    types = _types(PublishedTable, "rows", "protocol", "figures", "absent")
    head = _checked(f"{where} [table]", data.get("table", {}), types)
    _require(f"{where} [table]", head, "name", "title", "source", "suite", "metrics")
    head.setdefault("headers", head.get("datasets") or head["metrics"])
    head["absent"] = _checked(
        f"{where} [absent]", data.get("absent", {}), dict.fromkeys(head.get("datasets", ()), str)
    )
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
    kind, columns = ("dataset", head["datasets"]) if head.get("datasets") else ("metric", head["metrics"])
    if len(numbers) != len(columns) or len(values) != len(numbers):
        raise BadInput(f"{where}: values must be {len(columns)} numbers, one per {kind}")
    return PublishedRow(**fields, values=tuple(map(float, numbers)))


def published_row(table: PublishedTable, row: PublishedRow) -> PublishedRow:
    """The row with the paper's values: itself, or the row that it is compared with."""
    return row if row.values else next(r for r in table.rows if r.values and r.label == row.against)


def of_datasets(table: PublishedTable, patterns: Sequence[str]) -> PublishedTable:
    """The table with those columns whose dataset or header fits a shell pattern; all without patterns."""
    if not patterns:
        return table
    if not table.datasets:
        raise BadInput(f"--dataset {patterns[0]}: table {table.name} has one dataset")
    names = list(zip(table.datasets, table.headers, strict=True))
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for pair in names for name in pair):
            raise unknown(f"dataset of table {table.name}", pattern, table.headers)
    fits = [any(fnmatchcase(name, pattern) for pattern in patterns for name in pair) for pair in names]
    places = [i for i, fit in enumerate(fits) if fit]
    rows = [replace(row, values=tuple(row.values[i] for i in places if row.values)) for row in table.rows]
    return replace(
        table,
        datasets=tuple(table.datasets[i] for i in places),
        headers=tuple(table.headers[i] for i in places),
        rows=tuple(rows),
    )


def _check_references(table: PublishedTable, where: str) -> None:
    labels = [row.label for row in table.rows if row.values]
    for row in table.rows:
        if not row.values and row.against not in labels:
            raise unknown(f"row with values in {where}", row.against, labels)
    for name in (name for figure in table.figures for name in figure.rows):
        if name not in [row.label for row in table.rows]:
            raise unknown(f"row in {where}", name, labels)
    for figure in table.figures:
        if figure.kind not in FIGURE_KINDS:
            raise unknown(f"kind of figure in {where}", figure.kind, FIGURE_KINDS)
    kind, columns = ("datasets", table.datasets) if table.datasets else ("metrics", table.metrics)
    if len(table.headers) != len(columns):
        raise BadInput(f"{where}: {len(table.headers)} headers for {len(columns)} {kind}")
    if len(set(columns)) != len(columns):
        raise BadInput(f"{where}: {kind} has an entry twice")
    _check_datasets(table, where)


def _check_datasets(table: PublishedTable, where: str) -> None:
    """Raise BadInput where keys of tables with several datasets do not fit together."""
    if table.datasets and (len(table.metrics) > 1 or table.dataset):
        raise BadInput(f"{where}: several datasets", allowed="one metric, a row may have its own; no dataset")
    named = [row.label for row in table.rows if row.metric]
    if named and not table.datasets:
        raise BadInput(f"{where}: row {named[0]!r} has a metric", allowed="only in a table with datasets")
    if min(table.mean_of, table.seeds - 1, *(row.mean_of for row in table.rows)) < 0 or table.margin <= 0:
        raise BadInput(f"{where} [table]: mean_of, seeds or margin is too small")


def _types(cls: type, *excluded: str) -> dict[str, type]:
    """Key -> TOML type of the fields of a dataclass: text, whole number or list."""
    hints = get_type_hints(cls)
    return {
        name: kind if kind in (str, int, float) else list
        for name, kind in hints.items()
        if name not in excluded
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
    if not isinstance(table, Mapping):
        raise BadInput(
            f"{where} = {table!r}", allowed=" with ".join(["a table", *filter(None, [", ".join(allowed)])])
        )
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
    if table.datasets:  # one metric
        return
    values = dict(zip(table.metrics, row.values, strict=False))
    names = dict(zip(table.metrics, table.headers, strict=True))
    for metric, precision in values.items():
        match = _PRECISION.match(metric)
        if match is None:
            continue
        recall, f = (values.get(f"{match['head']}{part}{match['tail']}") for part in ("recall", "f1"))
        if recall is not None and f is not None and not any(map(math.isnan, (precision, recall, f))):
            yield precision, recall, f, names[metric].partition(" ")[0]
