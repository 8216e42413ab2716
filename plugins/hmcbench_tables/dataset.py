"""The factory of the dataset ``table``."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from hmcbench.errors import BadInput, DataProblems
from hmcbench.interfaces import Dataset, Task
from hmcbench_tables.content import Content, read_content
from hmcbench_tables.report import listed

NOTED = ("violation", "duplicate", "clash", "small-class", "no-positive", "constant-target", "id")


def table(*, skip_bad: bool = False, **params: str) -> Dataset:
    """A table as a dataset; parameters in the spec.

    Raises:
        BadInput: a file, column or parameter that cannot be used, or neither labels nor targets.
        DataProblems: rows that cannot be used; with ``skip_bad`` only what remains without these rows.
    """
    content = read_content(**params)
    if content.labels is None and not content.targets:
        columns = listed(content.table.columns)
        raise BadInput(
            f"{content.table.source}: what is to be predicted?",
            allowed="labels=COLUMN;COLUMN for classes, target=COLUMN for numbers",
            hint=f"its columns are {columns}",
        )
    fatal = [p for p in content.report.problems if p.fatal and not (skip_bad and p.skippable)]
    if fatal:
        raise DataProblems(content.table.source, fatal)
    return _dataset(content)


def _dataset(content: Content) -> Dataset:
    rows = content.report.usable
    task, targets = _task(content, rows)
    names, values = views(content, rows)
    ids = [f"line-{content.table.lines[row]:05d}" for row in rows]
    groups = None if content.groups is None else [content.groups[row] for row in rows]
    return Dataset(
        ids=ids,
        views={"table": values},
        columns={"table": names},
        targets=targets,
        task=task,
        fingerprint=_fingerprint(ids, names, values, targets, task, groups),
        groups=groups,
        duplicates=[content.duplicates[row] for row in rows],
        notes=_notes(content),
    )


def _task(content: Content, rows: Sequence[int]) -> tuple[Task, Any]:
    if content.labels is None:
        return Task(kind="regression", targets=tuple(content.targets)), content.values[rows]
    hierarchy = content.labels.hierarchy
    targets = hierarchy.encode([content.labels.rows[row] for row in rows])
    paths, depth = hierarchy.label_shape(targets)
    if content.labels.form == "columns" and depth == "ragged":
        paths = "multiple"  # rows without any class, as most rows may be: nothing makes one class win
    if (hierarchy.levels[hierarchy.leaves] < hierarchy.depth).any():
        depth = "ragged"  # leaves at different depths: a level needs to say that a path has ended
    return Task(paths=paths, depth=depth, hierarchy=hierarchy), targets


def views(content: Content, rows: Sequence[int]) -> tuple[tuple[str, ...], np.ndarray]:
    """Names and values (n, F) of the features: a nominal column becomes a column of 0 and 1 for each of its
    values; a missing number becomes 0 with a further column that says so."""
    names: list[str] = []
    values: list[np.ndarray] = []
    for column in content.features.columns:
        cells = column.values[rows]
        if column.names:
            names += [f"{column.name}={name}" for name in column.names]
            values += [cells == position for position in range(len(column.names))]
            continue
        names.append(column.name)
        values.append(np.nan_to_num(cells))
        if np.isnan(cells).any():
            names.append(f"{column.name} missing")
            values.append(np.isnan(cells))
    return tuple(names), np.stack(values, axis=1).astype(np.float64)


def _fingerprint(
    ids: Sequence[str],
    names: Sequence[str],
    values: np.ndarray,
    targets: Any,
    task: Task,
    groups: Sequence[str] | None,
) -> str:
    digest = hashlib.sha256("\n".join((*ids, "", *names, "", *task.targets, "", *(groups or ()))).encode())
    if task.hierarchy is not None:
        digest.update(task.hierarchy.fingerprint.encode())
        targets = targets.toarray()
    for array in (values, targets):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _notes(content: Content) -> list[str]:
    """What a reader of the board should know: rows left out, columns not used, violations, copies."""
    report, notes = content.report, []
    if report.bad:
        reasons = sorted({f"{p.where}: {p.what}" for p in report.problems if p.skippable})
        notes.append(
            f"rows left out: {len(report.bad)} ({'; '.join(reasons[:3])}{' ...' * (len(reasons) > 3)})"
        )
    unused = [f"{name} ({reason})" for name, reason in content.features.unused.items()]
    if unused:
        notes.append(f"columns not used: {listed(unused)}")
    missing = [f"{c.name} ({c.missing})" for c in content.features.columns if c.missing]
    if missing:
        notes.append(f"missing values: {listed(missing)}")
    return notes + [p.what for p in report.problems if p.kind in NOTED and not p.fatal]
