"""What ``hmcbench data lint`` says about a table."""

from __future__ import annotations

from collections.abc import Mapping

from hmcbench.interfaces import DataReport
from hmcbench_tables.content import OwnTable, read_content
from hmcbench_tables.labels import FORMS, counts
from hmcbench_tables.suspects import formulas, give_away, groups

SHOWN = 30  # columns and classes with a line of their own


def lint(*, skip_bad: bool = False, **params: str) -> DataReport:
    """The report on a table; without labels or targets, on its features alone.

    ``skip_bad`` is a parameter of the dataset; lint lists the rows with problems either way.

    Raises:
        BadInput: a file, column or parameter that cannot be used.
    """
    content = read_content(**params)
    for kind, what in (*give_away(content), *groups(content), *formulas(content)):
        content.report.note(kind, what)
    return DataReport(content.table.source, _facts(content), content.report.problems)


def _facts(content: OwnTable) -> Mapping[str, str]:
    usable = content.report.usable
    facts = {
        "file": content.table.source,
        "rows": f"{len(content.table):,}",
        "usable rows": f"{len(usable):,}",
        "features": str(len(content.features.columns)),
    }
    if content.groups is not None:
        facts["groups"] = f"{len({content.groups[row] for row in usable} - {''}):,}"
    for column in content.features.columns[:SHOWN]:
        facts[f"column {column.name}"] = _described(column.values, column.names)
    if len(content.features.columns) > SHOWN:
        facts["further columns"] = str(len(content.features.columns) - SHOWN)
    for name, reason in content.features.unused.items():
        facts[f"not used {name}"] = reason
    return facts | _goal(content, usable)


def _described(values: object, names: tuple[str, ...]) -> str:
    """``number, 0.2 to 17, 12 missing`` or ``nominal, 3 values: L, M, H``."""
    import numpy as np

    cells = np.asarray(values)
    missing = int(np.isnan(cells).sum())
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    text = f"nominal, {len(names)} values: {shown}" if names else _range(cells[~np.isnan(cells)])
    return text + (f", {missing:,} missing" if missing else "")


def _range(cells: object) -> str:
    import numpy as np

    present = np.asarray(cells)
    return f"number, {present.min():g} to {present.max():g}" if len(present) else "number"


def _goal(content: OwnTable, usable: list[int]) -> dict[str, str]:
    """The classes with their rows, or the range of every target."""
    facts: dict[str, str] = {}
    for name, column in zip(content.targets, content.values[usable].T, strict=True):
        facts[f"target {name}"] = f"{column.min():g} to {column.max():g}" if len(column) else "no value"
    if content.labels is None:
        return facts
    hierarchy = content.labels.hierarchy
    levels = f"{hierarchy.depth} level{'s' * (hierarchy.depth > 1)}"
    facts["labels"] = f"{FORMS[content.labels.form]}: {hierarchy.n} classes on {levels}"
    numbers = counts(content.labels, usable)
    for name, count in list(numbers.items())[:SHOWN]:
        facts[f"class {name}"] = f"{count:,} rows, {count / max(1, len(usable)):.1%}"
    if len(numbers) > SHOWN:
        facts["further classes"] = str(len(numbers) - SHOWN)
    broken = sum(map(len, content.labels.violations.values()))
    if content.labels.form == "columns" and hierarchy.depth > 1:
        facts["label violations"] = f"{broken} (a child without its parent)"
    return facts
