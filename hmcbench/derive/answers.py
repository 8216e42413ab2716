"""Predictions in CSV files: label sets, scores per class, or predicted targets, with their sample ids.

``id,labels`` (joined by ``|``, any depth; closed here), ``id,<class>,<class>,...`` with scores from 0 to 1,
or ``id,<target>,...``. Two further columns may stand anywhere: ``rater`` divides a file into the answers of
several persons, ``seconds`` is what a sample took.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hmcbench.errors import BadInput
from hmcbench.hierarchy.csv_rows import csv_rows
from hmcbench.interfaces import Task
from hmcbench.metrics.label_tables import LabelTable, more, new_id, number, read_text, score_columns, short
from hmcbench.records.predictions import Predictions

RATER, SECONDS = "rater", "seconds"
_Rows = list[tuple[int, list[str]]]


@dataclass(frozen=True, eq=False)
class Answers:
    """The predictions of one program or person for some samples.

    Attributes:
        path: the file.
        rater: who, where the file has the column; else empty.
        lines: id -> line, in the order of the rows.
        values: by these rows: float (N, C) scores or closed sets as 0 and 1; float (N, T) targets.
        only_sets: whether they are sets.
        seconds: float (N,) or None.
    """

    path: Path
    rater: str
    lines: Mapping[str, int]
    values: np.ndarray
    only_sets: bool
    seconds: np.ndarray | None


def read_answers(path: Path, task: Task) -> list[Answers]:
    """The answers in a file, by rater in the order in which they appear; one entry without such a column.

    Args:
        path: see the module.
        task: its classes, or its targets.

    Raises:
        BadInput: anything wrong with the file, as ``file:line``.
    """
    rows = csv_rows(read_text(path), str(path))
    _, header = next(rows, (1, []))
    for name in (RATER, SECONDS):
        if header.count(name) > 1:
            raise BadInput(f"{path}:1: the column {name!r} stands twice in the header")
    classes = task.hierarchy.classes if task.hierarchy is not None else task.targets
    more_columns = [name for name in (RATER, SECONDS) if name in header and name not in classes]
    if not header or header[0] != "id":
        raise BadInput(f"{path}:1: the header is {short(header)}", allowed=wanted_header(task))
    kept = [i for i, name in enumerate(header) if name not in more_columns]
    by_rater: dict[str, _Rows] = {}
    seconds: dict[tuple[str, str], float] = {}
    for line, cells in rows:
        if len(cells) != len(header):
            raise BadInput(f"{path}:{line}: {len(cells)} cells", allowed=f"{len(header)}, as in the header")
        named = {name: cells[header.index(name)] for name in more_columns}
        rater = named.get(RATER, "")
        if RATER in named and not rater:
            raise BadInput(f"{path}:{line}: no rater", allowed="a name in every row of the column rater")
        if SECONDS in named:
            seconds[rater, cells[0]] = _seconds(named[SECONDS], f"{path}:{line}")
        by_rater.setdefault(rater, []).append((line, [cells[i] for i in kept]))
    if not by_rater:
        raise BadInput(f"{path}:2: no rows below the header", allowed="at least one sample")
    columns = [header[i] for i in kept]
    return [
        _answers(path, rater, columns, lines, task, seconds if SECONDS in more_columns else None)
        for rater, lines in by_rater.items()
    ]


def wanted_header(task: Task) -> str:
    """The header of a file of predictions, in words."""
    if task.kind == "regression":
        return "the header id," + ",".join(task.targets)
    return "the header id,labels or id,<class>,<class>,..."


def _answers(
    path: Path,
    rater: str,
    header: list[str],
    rows: _Rows,
    task: Task,
    seconds: Mapping[tuple[str, str], float] | None,
) -> Answers:
    if task.hierarchy is None:
        lines, values = _targets(path, header, rows, task.targets)
        only_sets = False
    else:
        table = LabelTable.of_rows(path, header, rows, task.hierarchy)
        several = table.several_paths(task.hierarchy) if task.paths == "single" else ""
        if several:
            raise BadInput(several, allowed="one path per sample: this task has single paths")
        lines, only_sets = table.lines, not table.scores
        values = table.values if table.scores else table.values.toarray().astype(np.float64)
    taken = None if seconds is None else np.array([seconds[rater, name] for name in lines])
    return Answers(path, rater, lines, values, only_sets, taken)


def _targets(
    path: Path, header: list[str], rows: _Rows, targets: Sequence[str]
) -> tuple[dict[str, int], np.ndarray]:
    """Lines and predicted targets, float64 (N, T)."""
    columns = score_columns(path, header, targets, "target")
    lines: dict[str, int] = {}
    values = np.empty((len(rows), len(targets)))
    for i, (line, cells) in enumerate(rows):
        new_id(cells, header, f"{path}:{line}", lines)
        lines[cells[0]] = line
        numbers = [number(text) for text in cells[1:]]
        for text, name, value in zip(cells[1:], header[1:], numbers, strict=True):
            if not math.isfinite(value):
                raise BadInput(f"{path}:{line}: {name!r} is {text!r}", allowed="a finite number")
        values[i, columns] = numbers
    return lines, values


def _seconds(text: str, where: str) -> float:
    value = number(text)
    if not (math.isfinite(value) and value >= 0):
        raise BadInput(f"{where}: seconds is {text!r}", allowed="a number of seconds, 0 or more")
    return value


# --------------------------------------------------------------------------- the samples that are wanted


def matched(answers: Answers, wanted: Predictions, sides: Sequence[str], where: str) -> Iterator[str]:
    """The sides that answers cover: all of the first, and further ones whole or not at all.

    Args:
        answers: of a file.
        wanted: the samples of a split.
        sides: that the file may have; the first is required.
        where: the split, in words.

    Raises:
        BadInput: samples that are missing, or of no such side.
    """
    side_of = dict(zip(wanted.ids, wanted.side, strict=True))
    for name in answers.lines:
        side = side_of.get(name)
        if side not in sides:
            raise _not_wanted(answers, name, side, sides, where)
    for i, side in enumerate(sides):
        ids = wanted.of_side(side).ids
        absent = [name for name in ids if name not in answers.lines]
        if not absent:
            yield side
        elif i == 0 or len(absent) < len(ids):
            what = f"{answers.path}: no row for the {side} sample {absent[0]!r}{more(absent)} of {where}"
            who = f" by {answers.rater}" if answers.rater else ""
            raise BadInput(what + who, allowed=f"one row for each of its {len(ids)} {side} samples")


def _not_wanted(answers: Answers, name: str, side: str | None, sides: Sequence[str], where: str) -> BadInput:
    """The error for a sample that a file should not have."""
    known = f"a {side} sample" if side else "no sample that is predicted"
    hint = "--validation FILE takes the predictions of validation samples" if side == "validation" else ""
    return BadInput(
        f"{answers.path}:{answers.lines[name]}: {name!r} is {known} of {where}",
        allowed=f"samples of {' and '.join(sides)}",
        hint=hint,
    )


def opaque_id(fingerprint: str, sample: str) -> str:
    """The digest that stands for a sample of a dataset where its id would give labels away."""
    return "x" + hashlib.sha256(f"{fingerprint} {sample}".encode()).hexdigest()[:15]


def with_own_ids(answers: Answers, wanted: Predictions, fingerprint: str) -> Answers:
    """The answers with the ids of the dataset, where a file has the digests of an exported task.

    Raises:
        BadInput: a sample by its id and by its digest.
    """
    known = set(wanted.ids)
    if all(name in known for name in answers.lines):
        return answers
    own = {opaque_id(fingerprint, name): name for name in wanted.ids}
    lines: dict[str, int] = {}
    for name, line in answers.lines.items():
        sample = own.get(name, name)
        if sample in lines:
            raise BadInput(
                f"{answers.path}:{line}: {name!r} and line {lines[sample]} are the same sample",
                allowed="one row for each sample, by its id or by its digest",
            )
        lines[sample] = line
    return replace(answers, lines=lines)


def rows_of(answers: Answers, ids: Sequence[str]) -> np.ndarray:
    """Positions in ``answers.values`` of samples."""
    position = {name: i for i, name in enumerate(answers.lines)}
    return np.array([position[name] for name in ids], dtype=np.int64)
