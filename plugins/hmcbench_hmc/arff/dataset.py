"""The dataset ``arff`` and its report."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from hmcbench.errors import BadInput, DataProblems, Problem, unknown
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import ColumnKind, DataReport, Dataset, Paths, Task, Value
from hmcbench_hmc.arff.content import ALLOWED, ArffContent, find_files, read_content

DENSE = 2**24
"""Targets of more pairs of sample and class stay sparse."""
SIDES = ("train", "validation", "test")


def arff(
    *,
    path: str = "",
    name: str = "",
    xml: str = "",
    paths: str = "auto",
    unscored: str = "",
    confidence: float = 0.5,
    skip_bad: bool = False,
) -> Dataset:
    """A dataset of one ARFF file, or of a folder with train, valid and test files.

    Args:
        path: the file or folder.
        name: of the set, where the folder holds several.
        xml: the hierarchy in Mulan's form; found beside the file by itself.
        paths: ``single``, ``multiple``, or ``auto``: as the labels are.
        unscored: classes that no metric counts, joined by ``;``.
        confidence: the least confidence of a label that counts.
        skip_bad: leave out rows with problems.

    Raises:
        BadInput: no path, or no such files.
        DataProblems: files or rows that cannot be used.
    """
    content = _read(path, name, xml, confidence)
    excluded = tuple(filter(None, unscored.split(";")))
    return make_dataset(content, paths=paths, unscored=excluded, skip_bad=skip_bad)


def lint_arff(
    *, path: str = "", name: str = "", xml: str = "", confidence: float = 0.5, **_more: Value
) -> DataReport:
    """What ``hmcbench data lint PATH --dataset arff`` prints."""
    try:
        return make_report(_read(path, name, xml, confidence))
    except DataProblems as error:
        return DataReport(str(path), {}, error.problems)


def _read(path: str, name: str, xml: str, confidence: float) -> ArffContent:
    if not path:
        raise BadInput("the dataset arff needs its files", allowed=ALLOWED, hint="add --data arff=PATH")
    place, labels = (os.path.expanduser(text) for text in (path, xml))  # noqa: PTH111 (~x may be a name)
    return read_content(find_files(Path(place), name), path, labels, confidence)


def make_dataset(
    content: ArffContent,
    *,
    paths: str = "auto",
    unscored: Sequence[str] = (),
    skip_bad: bool = False,
    synthetic: bool = False,
    share_targets: bool = True,
    notes: Sequence[str] = (),
) -> Dataset:
    """The rows of all files as a dataset; see :func:`arff`.

    Raises:
        DataProblems: rows that cannot be used, unless ``skip_bad`` leaves them out.
    """
    fatal = [p for p in content.problems if p.fatal and not (skip_bad and p.skippable)]
    if fatal:
        raise DataProblems(content.source, fatal, unlisted=_unlisted(content, fatal))
    table = np.concatenate([part.rows.table for part in content.parts.values()])
    if not len(table):
        raise DataProblems(content.source, [Problem(".", "no row can be used", "no-rows", skippable=False)])
    for label in unscored:
        if label not in content.hierarchy.classes:
            raise unknown("class in unscored", label, content.hierarchy.classes)
    targets = content.hierarchy.encode([label for part in content.parts.values() for label in part.labels])
    shape, depth = content.hierarchy.label_shape(targets)
    if paths == "single" and shape == "multiple":
        raise BadInput(f"{content.source}: some rows have several label paths", allowed="paths=multiple")
    kinds = [
        ColumnKind(a.values, bool(np.isnan(column).any()))
        for a, column in zip(content.features, table.T, strict=True)
    ]
    ids = _ids(content)
    rows = [row.tobytes() for row in np.ascontiguousarray(table)]
    described = any(kind.values or kind.missing for kind in kinds)
    return Dataset(
        ids=ids,
        views={"table": table},
        columns={"table": [a.name for a in content.features]},
        kinds={"table": kinds} if described else {},
        targets=targets.toarray() if targets.shape[0] * targets.shape[1] <= DENSE else targets,
        task=Task(
            paths=shape if paths == "auto" else _paths(paths),
            depth=depth,
            hierarchy=content.hierarchy,
            unscored=tuple(unscored),
        ),
        fingerprint=_fingerprint(content, ids, rows, targets),
        duplicates=[hashlib.sha256(row).hexdigest()[:16] for row in rows],
        split=None if "" in content.parts else [s for s, p in content.parts.items() for _ in p.labels],
        synthetic=synthetic,
        share_targets=share_targets,
        notes=[*notes, *_notes(content)],
    )


def _paths(text: str) -> Paths:
    return "single" if text == "single" else "multiple"


def _ids(content: ArffContent) -> list[str]:
    """Keys where the files have unique ones, else side and line."""
    keys = [key for part in content.parts.values() for key in part.rows.keys]
    if all(keys) and len(set(keys)) == len(keys):
        return keys
    return [
        f"{side or 'line'}-{line:06d}" for side, part in content.parts.items() for line in part.rows.lines
    ]


def _fingerprint(content: ArffContent, ids: Sequence[str], rows: Sequence[bytes], targets: csr_array) -> str:
    columns = [(a.name, a.kind, a.values) for a in content.features]
    digest = hashlib.sha256(repr((list(ids), columns, content.hierarchy.fingerprint)).encode())
    digest.update(b"".join(rows))
    digest.update(targets.indices.astype("<i4").tobytes() + targets.indptr.astype("<i8").tobytes())
    return digest.hexdigest()


def _notes(content: ArffContent) -> list[str]:
    """How many rows were left out, and the first warning of each kind."""
    count, left_out = _bad_rows(content), [p for p in content.problems if p.fatal]
    notes = [f"rows left out: {count} (first: {left_out[0].where}: {left_out[0].what})"] if left_out else []
    kinds: dict[str, list[Problem]] = {}
    for problem in content.problems:
        if not problem.fatal:
            kinds.setdefault(problem.kind, []).append(problem)
    for kind, (first, *listed) in kinds.items():
        more = len(listed) + content.more.get((kind, False), 0)
        notes.append(f"{first.where}: {first.what}" + (f" (and {more} more such)" if more else ""))
    return notes


def _unlisted(content: ArffContent, fatal: Sequence[Problem]) -> int:
    """How many problems of the kinds of these are counted only."""
    kinds = {problem.kind for problem in fatal}
    return sum(n for (kind, is_fatal), n in content.more.items() if is_fatal and kind in kinds)


def _bad_rows(content: ArffContent) -> int:
    """Rows with a fatal problem: a row has one at most."""
    more = sum(count for (_kind, fatal), count in content.more.items() if fatal)
    return sum(problem.fatal for problem in content.problems) + more


# --------------------------------------------------------------------------- the report


def make_report(content: ArffContent) -> DataReport:
    """Counts and problems of a dataset."""
    further = [problem for part in content.parts.values() for problem in part.file.unlisted()]
    return DataReport(content.source, facts_of(content), [*content.problems, *further])


def facts_of(content: ArffContent) -> dict[str, str]:
    """Name -> value: rows, features, missing values, classes, labels."""
    parts, hierarchy = content.parts, content.hierarchy
    tables = [part.rows.table for part in parts.values()]
    cells = sum(table.size for table in tables)
    missing = sum(int(np.isnan(table).sum()) for table in tables)
    nominal = sum(1 for a in content.features if a.kind == "nominal")
    facts = {"rows": f"{sum(map(len, tables)):,}"}
    facts |= {f"rows of {side}": f"{len(parts[side].labels):,}" for side in SIDES if side in parts}
    bad = _bad_rows(content)
    facts |= {"rows that cannot be read": f"{bad:,}"} if bad else {}
    facts["features"] = f"{len(content.features):,}" + (f", {nominal} of them nominal" if nominal else "")
    facts["missing values"] = f"{missing:,} ({missing / cells:.2%})" if cells else "0"
    kind = "tree" if hierarchy.is_tree else "DAG"
    edges = f"{len(hierarchy.edge_index):,} edges"
    facts["classes"] = f"{hierarchy.n:,}, a {kind} of {edges} and {hierarchy.depth} levels"
    labels = [label for part in parts.values() for label in part.labels]
    if labels:
        facts |= _label_facts(hierarchy, labels)
    return facts


def _label_facts(hierarchy: Hierarchy, labels: Sequence[tuple[str, ...]]) -> dict[str, str]:
    targets = hierarchy.encode(labels)
    ends = hierarchy.most_specific(targets)
    paths, depth = hierarchy.label_shape(targets)
    used = len(np.unique(targets.indices))
    return {
        "labels of a row": f"{ends.nnz / len(labels):.2f}, with ancestors {targets.nnz / len(labels):.2f}",
        "label paths": f"{paths}, {'to a leaf' if depth == 'full' else 'ending anywhere'}",
        "classes without a row": f"{hierarchy.n - used:,}",
    }
