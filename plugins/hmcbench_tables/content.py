"""A table as features and labels or targets, with all problems: what both a run and lint read."""

from __future__ import annotations

import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from hmcbench.errors import BadInput
from hmcbench_tables.columns import Features, find, numbers, read_features, set_kinds
from hmcbench_tables.labels import Labels, counts, read_labels, without_missing
from hmcbench_tables.problems import RowProblems, listed
from hmcbench_tables.reading import TextTable, read_table

FEW = 3  # rows, or rows of a class: one for each of train, validation and test
_ID = re.compile(r"(^|[^a-z])(id|uid|udi|uuid|index|row|nr|no|number|serial|key)([^a-z]|$)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class OwnTable:
    """All N rows of a table, those that cannot be used included.

    Attributes:
        report: the problems, and which rows can be used.
        labels: or ``None`` for a regression, and for lint without labels.
        targets: names of the T targets.
        values: float (N, T).
        groups: N keys; ``None`` without groups.
        duplicates: N digests of the features.
    """

    table: TextTable
    report: RowProblems
    features: Features
    labels: Labels | None
    targets: Sequence[str]
    values: np.ndarray
    groups: Sequence[str] | None
    duplicates: Sequence[str]


def read_content(
    *,
    path: str = "",
    labels: str = "",
    form: str = "auto",
    parent: str = "",
    hierarchy: str = "",
    target: str = "",
    group: str = "",
    drop: str = "",
    kinds: str = "",
) -> OwnTable:
    """Read the file at ``path``; the parameters are those of the dataset ``table``.

    Raises:
        BadInput: a file, column or parameter that cannot be used.
    """
    if not path:
        raise BadInput(
            "the dataset table needs a file",
            hint="--table FILE.csv --labels COLUMN,COLUMN; --data where there is no --table",
        )
    path = os.path.expanduser(path)  # noqa: PTH111 (of pathlib, it raises for a file named ~x.csv)
    table = read_table(Path(path) if Path(path).exists() else Path(unquote(path)))
    report = RowProblems(table)
    if labels and target:
        raise BadInput("both labels and targets are named", allowed="labels for classes, target for numbers")
    if (parent or hierarchy) and not labels:
        option = "parent" if parent else "hierarchy"
        raise BadInput(f"{option} is named and no labels", hint="name the labels")
    roles = {
        option: find(table, text, option)
        for option, text in (
            ("labels", labels), ("parent", parent), ("target", target), ("group", group), ("drop", drop),
        )
    }  # fmt: skip
    _check_roles(roles)
    read = None
    if labels:
        read = read_labels(table, labels, report, form=form, parent=parent, hierarchy=hierarchy)
    values = _targets(table, roles["target"], report)
    kept = [name for name in table.columns if all(name not in names for names in roles.values())]
    features = read_features(table, kept, set_kinds(table, kinds), report)
    content = OwnTable(
        table=table,
        report=report,
        features=features,
        labels=read,
        targets=roles["target"],
        values=values,
        groups=_groups(table, roles["group"], report),
        duplicates=_digests(features, len(table)),
    )
    _check(content)
    return content


def _check_roles(roles: Mapping[str, Sequence[str]]) -> None:
    """A column has one use; only the parent may be among the labels as well."""
    uses: dict[str, str] = {}
    for option, names in roles.items():
        for name in names:
            first = uses.setdefault(name, option)
            if first != option and (first, option) != ("labels", "parent"):
                raise BadInput(f"the column {name!r} is named in {first} and in {option}", allowed="one use")


def _targets(table: TextTable, names: Sequence[str], report: RowProblems) -> np.ndarray:
    """Float (N, T); a missing target makes its row a problem."""
    columns = [numbers(name, table.column(name), report) for name in names]
    for name, column in zip(names, columns, strict=True):
        for row in np.flatnonzero(np.isnan(column)):
            if row not in report.bad:
                report.reject(int(row), "target", f"the target {name!r} is missing")
    return np.array(columns, dtype=np.float64).reshape(len(names), len(table)).T


def _groups(table: TextTable, names: Sequence[str], report: RowProblems) -> list[str] | None:
    """One key per row; rows without a value are a group of their own."""
    if not names:
        return None
    columns = [without_missing(table, name, report, what="group") for name in names]
    return [" / ".join(cells) if any(cells) else "" for cells in zip(*columns, strict=True)]


def _digests(features: Features, rows: int) -> list[str]:
    values = np.array([column.values for column in features.columns]).reshape(-1, rows).T
    return [hashlib.sha256(np.ascontiguousarray(row).tobytes()).hexdigest()[:16] for row in values]


# --------------------------------------------------------------------------- the table as a whole


def _check(content: OwnTable) -> None:
    """Problems of the table as a whole: too few rows, nothing to learn, copies, small classes."""
    report, usable = content.report, content.report.usable
    if len(usable) < FEW:
        what = f"{len(usable)} of {len(content.table)} rows can be used; at least {FEW} are needed"
        report.note("few-rows", what, fatal=True)
        return
    if not content.features.columns:
        reasons = listed(f"{name} ({reason})" for name, reason in content.features.unused.items())
        what = "no column is left as a feature" + (f": {reasons}" if reasons else "")
        report.note("no-features", what, fatal=True)
        return
    if content.groups is not None and len({content.groups[row] or f"row {row}" for row in usable}) < FEW:
        report.note("few-groups", f"the groups are fewer than {FEW}: they cannot be divided", fatal=True)
    if content.labels is not None:
        _check_classes(content.labels, usable, report)
    elif content.targets:
        _check_targets(content, usable)
    _copies(content, usable)
    _ids(content, usable)


def _check_classes(labels: Labels, usable: Sequence[int], report: RowProblems) -> None:
    rows_of = counts(labels, usable)
    if all(count in (0, len(usable)) for count in rows_of.values()):
        report.note("one-class", "every row has the same labels: there is nothing to learn", fatal=True)
        return
    absent = [name for name, count in rows_of.items() if not count]
    if absent:
        report.note("no-positive", f"classes that no row has: {listed(absent)}")
    small = [f"{name} ({count})" for name, count in rows_of.items() if 0 < count < FEW]
    if small:
        what = f"classes with fewer than {FEW} rows cannot be in every partition of a split: {listed(small)}"
        report.note("small-class", what)


def _check_targets(content: OwnTable, usable: Sequence[int]) -> None:
    constant = [
        name
        for name, column in zip(content.targets, content.values[usable].T, strict=True)
        if (column == column[0]).all()
    ]
    if constant:
        fatal = len(constant) == len(content.targets)
        content.report.note("constant-target", f"constant targets: {listed(constant)}", fatal=fatal)


def _copies(content: OwnTable, usable: Sequence[int]) -> None:
    """Rows with the same features: copies where what is to be predicted agrees, contradictions otherwise."""
    copies: dict[str, list[int]] = defaultdict(list)
    for row in usable:
        copies[content.duplicates[row]].append(row)
    same: list[list[int]] = []
    clashes: list[list[int]] = []
    for rows in copies.values():
        if len(rows) > 1:
            (same if len({answer(content, row) for row in rows}) == 1 else clashes).append(rows)
    for kind, sets, agree in (("duplicate", same, "the same"), ("clash", clashes, "different")):
        if sets:
            count = f"{sum(map(len, sets))} rows in {len(sets)} set{'s' * (len(sets) > 1)}"
            goal = ""
            if content.labels is not None or content.targets:
                goal = f" and {agree} {'labels' if content.labels is not None else 'targets'}"
            lines = content.report.lines(sets[0])
            what = f"{count} have the same features{goal}; a split keeps a set together: {lines}"
            content.report.note(kind, what + (" and others" if len(sets) > 1 else ""))


def _ids(content: OwnTable, usable: Sequence[int]) -> None:
    """Features that count the rows, or that are called an id and differ in every row."""
    for column in content.features.columns:
        cells = column.values[usable]
        whole = not column.names and not np.isnan(cells).any() and bool((cells == np.round(cells)).all())
        if not whole or len(np.unique(cells)) < len(cells):
            continue
        if (np.diff(cells) == 1).all() or _ID.search(column.name):
            what = f"column {column.name!r} looks like an id: another whole number in every row; drop it?"
            content.report.note("id", what)


def answer(content: OwnTable, row: int) -> tuple[object, ...]:
    """What is to be predicted for a row."""
    if content.labels is not None:
        return tuple(sorted(content.labels.rows[row]))
    return tuple(content.values[row].tolist())
