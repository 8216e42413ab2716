"""From the rows of a sheet to a dataset, or to a report of what is wrong with it."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hmcbench.errors import DataProblems, Problem
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import DataReport, Dataset, Task
from hmcbench_materials.composition.periodic_table import SYMBOLS
from hmcbench_materials.data.sheet import Sheet

FEW = 3  # rows: one for each of train, validation and test
LISTED = 10  # rows in a note before the rest is only counted

_WARNED = ("sum", "reading", "constant-target", "duplicate", "clash", "small-class")


@dataclass(frozen=True, kw_only=True)
class Content:
    """What was read from a sheet. Sequences hold all N rows, the unusable ones included.

    Attributes:
        sheet: the table and its problems.
        features: float (N, F), what the source itself gives for each sample ("O" in the MCVN paper).
        names: of the F features.
        composition: view name -> float (N, 118).
        values: float (N, T), targets of a regression; or
        labels: the class ids of every sample.
        targets: names of the T targets.
        hierarchy: of the labels.
        groups: a split keeps the samples of a group together; None without groups.
    """

    sheet: Sheet
    features: np.ndarray
    names: Sequence[str]
    composition: Mapping[str, np.ndarray] = field(default_factory=dict)
    values: np.ndarray | None = None
    labels: Sequence[Sequence[str]] = ()
    targets: Sequence[str] = ()
    hierarchy: Hierarchy | None = None
    groups: Sequence[str] | None = None


def make_dataset(content: Content, *, skip_bad: bool, synthetic: bool, notes: Sequence[str]) -> Dataset:
    """The usable rows as a dataset.

    Raises:
        DataProblems: rows that cannot be used; with ``skip_bad`` only what remains without these rows.
    """
    problems = [*content.sheet.problems, *_checks(content)]
    fatal = [p for p in problems if p.fatal and not (skip_bad and p.skippable)]
    if fatal:
        raise DataProblems(content.sheet.table.source, fatal)
    rows = usable(content)
    views = {"table": content.features[rows], **{k: v[rows] for k, v in content.composition.items()}}
    ids = [f"line-{content.sheet.table.lines[i]:05d}" for i in rows]
    task, targets = _task(content, rows)
    return Dataset(
        ids=ids,
        views=views,
        columns={"table": tuple(content.names), **dict.fromkeys(content.composition, SYMBOLS)},
        targets=targets,
        task=task,
        fingerprint=_fingerprint(ids, content, views, targets),
        groups=None if content.groups is None else [content.groups[i] for i in rows],
        duplicates=[_digest(content.features[i]) for i in rows],
        synthetic=synthetic,
        share_targets=synthetic,  # also where a licence allows more: results hold no data of others
        notes=[*notes, *_left_out(content.sheet), *_warnings(problems)],
    )


def usable(content: Content) -> list[int]:
    """The rows that are not reported as unusable, in order."""
    return [row for row in range(len(content.sheet)) if row not in content.sheet.bad]


def _task(content: Content, rows: Sequence[int]) -> tuple[Task, Any]:
    if content.hierarchy is None:
        assert content.values is not None
        return Task(kind="regression", targets=tuple(content.targets)), content.values[rows]
    targets = content.hierarchy.encode([content.labels[i] for i in rows])
    paths, depth = content.hierarchy.label_shape(targets)
    levels = content.hierarchy.levels
    if (levels[content.hierarchy.leaves] < content.hierarchy.depth).any():
        depth = "ragged"  # leaves at different depths: a level needs to say that a path has ended
    return Task(paths=paths, depth=depth, hierarchy=content.hierarchy), targets


def _fingerprint(ids: Sequence[str], content: Content, views: Mapping[str, np.ndarray], targets: Any) -> str:
    digest = hashlib.sha256("\n".join((*ids, "", *content.names, "", *content.targets)).encode())
    if content.hierarchy is not None:
        digest.update(content.hierarchy.fingerprint.encode())
        targets = targets.toarray()
    for array in (*(views[name] for name in sorted(views)), targets):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _digest(row: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(row).tobytes()).hexdigest()[:16]


def _left_out(sheet: Sheet) -> list[str]:
    if not sheet.bad:
        return []
    reasons = sorted({f"{p.where}: {p.what}" for p in sheet.problems if p.skippable})
    more = f"; and {len(reasons) - LISTED} more" if len(reasons) > LISTED else ""
    return [f"rows left out: {len(sheet.bad)} ({'; '.join(reasons[:LISTED])}{more})"]


def _warnings(problems: Sequence[Problem]) -> list[str]:
    """One line for every kind of warning about rows that are used, with the first of its kind."""
    kinds: dict[str, list[Problem]] = defaultdict(list)
    for problem in problems:
        if not problem.fatal and problem.kind in _WARNED:
            kinds[problem.kind].append(problem)
    return [
        f"{first.where}: {first.what}" + (f" (and {len(more)} more such)" if more else "")
        for first, *more in kinds.values()
    ]


# --------------------------------------------------------------------------- problems of the whole table


def _checks(content: Content) -> list[Problem]:
    """Problems of the table as a whole: constant targets, copies, contradictions, small classes."""
    rows, name = usable(content), content.sheet.table.name
    if len(rows) < FEW:
        have = "no row" if not rows else f"{len(rows)} row" + "s" * (len(rows) > 1)
        what = f"{have} can be used; at least {FEW} are needed to train, to validate and to test"
        return [Problem(name, what, "few-rows", skippable=False)]
    return [*_constant(content, rows, name), *_copies(content, rows), *_rare(content, rows, name)]


def _constant(content: Content, rows: Sequence[int], name: str) -> list[Problem]:
    if content.values is None:
        single = len({tuple(content.labels[i]) for i in rows}) == 1
        what = f"every row has the label {', '.join(content.labels[rows[0]])}: there is nothing to learn"
        return [Problem(name, what, "one-class", skippable=False)] if single else []
    values = content.values[rows]
    constant = [t for t, column in zip(content.targets, values.T, strict=True) if np.ptp(column) == 0]
    if len(constant) == len(content.targets):
        what = f"all targets are constant ({', '.join(constant)}): there is nothing to learn"
        return [Problem(name, what, "constant-target", skippable=False)]
    if constant:
        what = f"constant targets, whose R2 is undefined: {', '.join(constant)}"
        return [Problem(name, what, "constant-target", fatal=False)]
    return []


def _copies(content: Content, rows: Sequence[int]) -> list[Problem]:
    """Rows with the same features: copies where the targets agree too, contradictions otherwise."""
    rows_by_digest: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        rows_by_digest[_digest(content.features[row])].append(row)
    problems: list[Problem] = []
    for members in rows_by_digest.values():
        if len(members) == 1:
            continue
        lines = "s" * (len(members) > 2) + " "
        lines += ", ".join(str(content.sheet.table.lines[i]) for i in members[1:LISTED])
        targets = {_targets(content, i) for i in members}
        agree = "the same targets" if len(targets) == 1 else "different targets"
        kind = "duplicate" if len(targets) == 1 else "clash"
        more = f" and {len(members) - LISTED} more" if len(members) > LISTED else ""
        what = f"the same features as line{lines}{more}, and {agree}; a split keeps them in one partition"
        problems.append(Problem(content.sheet.where(members[0]), what, kind, fatal=False))
    return problems


def _targets(content: Content, row: int) -> Any:
    return tuple(content.labels[row]) if content.values is None else content.values[row].tobytes()


def _rare(content: Content, rows: Sequence[int], name: str) -> list[Problem]:
    counts = Counter(label for i in rows for label in (content.labels[i] if content.labels else ()))
    rare = sorted(f"{label} ({n})" for label, n in counts.items() if n < 3)
    what = f"classes with fewer than 3 samples cannot be in every partition of a split: {', '.join(rare)}"
    return [Problem(name, what, "small-class", fatal=False)] if rare else []


# --------------------------------------------------------------------------- the report


def make_report(content: Content) -> DataReport:
    """What ``hmcbench data lint`` prints."""
    rows, sheet = usable(content), content.sheet
    facts = {"file": sheet.table.source, "rows": str(len(sheet)), "usable rows": str(len(rows))}
    facts["features"] = str(content.features.shape[1])
    if content.composition and rows:
        used = (content.composition["composition"][rows] > 0).any(axis=0)
        facts["elements"] = str(int(used.sum()))
    if content.groups is not None:
        facts["groups"] = str(len({content.groups[i] for i in rows}))
    if content.values is not None:
        for name, column in zip(content.targets, content.values[rows].T, strict=True):
            facts[f"target {name}"] = f"{column.min():g} to {column.max():g}" if rows else "no value"
    counts = Counter("+".join(content.labels[i]) for i in rows) if content.labels else Counter()
    for label, n in counts.most_common(LISTED):
        facts[f"label {label}"] = str(n)
    if len(counts) > LISTED:
        facts["further labels"] = f"{len(counts) - LISTED}, {sum(counts.values())} rows in all"
    return DataReport(sheet.table.source, facts, [*sheet.problems, *_checks(content)])
