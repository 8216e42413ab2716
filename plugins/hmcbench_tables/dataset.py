"""The factory of the dataset ``table``."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from hmcbench.data.columns import Feature
from hmcbench.errors import BadInput, DataProblems
from hmcbench.interfaces import ColumnKind, Dataset, Task
from hmcbench_tables.content import OwnTable, read_content
from hmcbench_tables.problems import listed

NOTED = (
    "violation",
    "missing-value",
    "comma",
    "rare-parent",
    "duplicate",
    "clash",
    "small-class",
    "no-positive",
    "constant-target",
    "id",
)


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
            allowed="labels for classes, target for numbers",
            hint=f"--labels COLUMN,COLUMN or --target COLUMN; its columns are {columns}",
        )
    fatal = [p for p in content.report.problems if p.fatal and not (skip_bad and p.skippable)]
    if fatal:  # what is wrong with the whole table may follow from the rows
        raise DataProblems(content.table.source, [p for p in fatal if p.skippable] or fatal)
    return _dataset(content)


def _dataset(content: OwnTable) -> Dataset:
    rows = content.report.usable
    task, targets = _task(content, rows)
    columns = content.features.columns
    values = np.stack([column.values[rows] for column in columns], axis=1)
    ids = [f"line-{content.table.lines[row]:05d}" for row in rows]
    groups = None if content.groups is None else [content.groups[row] for row in rows]
    return Dataset(
        ids=ids,
        views={"table": values},
        columns={"table": [column.name for column in columns]},
        kinds={"table": [ColumnKind(values=column.names, missing=column.missing > 0) for column in columns]},
        targets=targets,
        task=task,
        fingerprint=_fingerprint(ids, columns, values, targets, task, groups),
        groups=groups,
        duplicates=[content.duplicates[row] for row in rows],
        notes=_notes(content),
    )


def _task(content: OwnTable, rows: Sequence[int]) -> tuple[Task, Any]:
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


def _fingerprint(
    ids: Sequence[str],
    columns: Sequence[Feature],
    values: np.ndarray,
    targets: Any,
    task: Task,
    groups: Sequence[str] | None,
) -> str:
    named = [text for column in columns for text in (column.name, *column.names, "")]
    digest = hashlib.sha256("\n".join((*ids, "", *named, "", *task.targets, "", *(groups or ()))).encode())
    if task.hierarchy is not None:
        digest.update(task.hierarchy.fingerprint.encode())
        targets = targets.toarray()
    for array in (values, targets):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _notes(content: OwnTable) -> list[str]:
    """What a reader of the board should know: rows left out, columns not used, violations, copies."""
    report, notes = content.report, []
    if report.bad:
        reasons = sorted({f"{p.where}: {p.what}" for p in report.problems if p.skippable})
        shown = "; ".join(reasons[:3]) + " ..." * (len(reasons) > 3)
        notes.append(f"rows left out: {len(report.bad)} ({shown})")
    unused = [f"{name} ({reason})" for name, reason in content.features.unused.items()]
    if unused:
        notes.append(f"columns not used: {listed(unused)}")
    missing = [f"{c.name} ({c.missing})" for c in content.features.columns if c.missing]
    if missing:
        notes.append(f"missing values: {listed(missing)}")
    return notes + [p.what for p in report.problems if p.kind in NOTED and not p.fatal]
