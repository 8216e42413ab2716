"""``hmcbench score``: metrics of predictions in CSV files, without a suite and without a run.

``hierarchy.csv``: ``parent,child`` (an empty parent: top level; several rows for one child: a
DAG). ``truth.csv``: ``id,labels``, labels joined by ``|``, any depth; they are closed here.
``predictions.csv``: the same, or ``id,<class>,<class>,...`` with a probability per class. Scores are cut at
a threshold, or for single paths decided by the likeliest path.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hmcbench.errors import BadInput, close_matches
from hmcbench.hierarchy.csv_rows import csv_rows
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import MetricSpec, Paths, Task
from hmcbench.metrics.computing import compute
from hmcbench.metrics.decisions import Thresholds
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.registry.registry import default_registry

SINGLE_HINT = (
    "every row of the truth is one path: --paths single decides by the likeliest path, not by a threshold"
)
_SETS = "the header id,labels"
_EITHER = "the header id,labels or id,<class>,<class>,..."


def score_files(
    hierarchy: Path | str,
    truth: Path | str,
    predictions: Path | str,
    threshold: float = 0.5,
    paths: Paths | None = None,
    specs: Sequence[MetricSpec] | None = None,
) -> dict[str, Any]:
    """Score predictions against truth.

    Args:
        hierarchy, truth, predictions: CSV files, see above.
        threshold: for scores of multiple paths: a class is predicted where its score reaches it.
        paths: ``single`` or ``multiple``; by default ``multiple`` for scores, and for sets ``single`` if
            every row of both files is one path.
        specs: the metrics; all that are installed by default.

    Returns:
        ``samples``, ``classes``, ``levels``, ``predictions`` (``sets`` or ``scores``), ``paths``,
        ``threshold`` (None where it is not used), ``notes`` (texts), ``metrics`` (id -> value), and
        ``left_out`` and ``failures`` (id -> reason) as :class:`hmcbench.metrics.computing.Results` has them.

    Raises:
        BadInput: anything wrong with a file, as ``file:line``, or with the threshold; rows of several
            paths where ``paths`` is ``single``.
    """
    if not 0 <= threshold <= 1:
        raise BadInput(f"--threshold {threshold} cannot be used", allowed="a number from 0 to 1")
    hierarchy, truth, predictions = Path(hierarchy), Path(truth), Path(predictions)
    _text(hierarchy)  # says which line is not UTF-8
    classes = Hierarchy.from_csv(hierarchy)
    truth_table = _Table.read(truth, classes)
    if truth_table.header[1:] != ["labels"]:
        raise BadInput(f"{truth}:1: the header is {_short(truth_table.header)}", allowed=_SETS)
    predicted = _Table.read(predictions, classes)
    order = _matching_rows(truth_table, predicted)
    if paths == "single":
        for table in (truth_table, predicted):
            _single_paths(table, classes)
    evaluation = evaluation_of(classes, truth_table.values, predicted.values[order], threshold, paths)
    if specs is None:
        specs = default_registry().specs("metrics")
    if not predicted.scores:
        # Sets are closed when they are read, so there is no raw decision left to judge.
        specs = [spec for spec in specs if spec.name not in ("incoherent_rate", "tice")]
    results = compute(specs, evaluation)
    single_truth = classes.label_shape(truth_table.values)[0] == "single"
    return {
        "samples": len(evaluation),
        "classes": classes.n,
        "levels": classes.depth,
        "predictions": "scores" if predicted.scores else "sets",
        "paths": evaluation.task.paths,
        "threshold": threshold if predicted.scores and evaluation.task.paths == "multiple" else None,
        "notes": [SINGLE_HINT] if predicted.scores and paths is None and single_truth else [],
        "metrics": dict(results),
        "left_out": results.left_out,
        "failures": results.failures,
    }


def evaluation_of(
    hierarchy: Hierarchy, truth: Any, predicted: Any, threshold: float, paths: Paths | None
) -> Evaluation:
    """What metrics read, of truth and of predicted sets or scores.

    By default scores have multiple paths, and sets a single one if every row, on both sides, has.

    Args:
        truth: closed boolean (N, C), dense or CSR.
        predicted: the same as CSR; or float (N, C) scores from 0 to 1 as an array.
        threshold: for scores of multiple paths.
    """
    if isinstance(predicted, np.ndarray):
        task = Task("hmc", paths or "multiple", hierarchy.label_shape(truth)[1], hierarchy)
        return Evaluation.of(task, truth, predicted, thresholds=Thresholds(threshold))
    if paths is None:
        shapes = {hierarchy.label_shape(sets)[0] for sets in (truth, predicted)}
        paths = "multiple" if "multiple" in shapes else "single"
    return Evaluation.of_sets(hierarchy, truth, predicted, paths)


def _single_paths(table: _Table, hierarchy: Hierarchy) -> None:
    """Raise BadInput at the first row whose labels lie on several paths."""
    if table.scores:
        return
    _, crowded = hierarchy.level_positions(table.values)
    several = np.flatnonzero(np.any(crowded, axis=1))
    if len(several):
        name, line = list(table.lines.items())[several[0]]
        raise BadInput(
            f"{table.path}:{line}: the labels of {name!r} lie on several paths",
            allowed="one path per row with --paths single",
            hint="--paths multiple",
        )


# --------------------------------------------------------------------------- tables


@dataclass
class _Table:
    """One file of truth or predictions.

    Attributes:
        path: the file.
        header: its first row.
        lines: id -> line, in the order of the rows.
        values: closed sets, boolean CSR (N, C), or scores, float64 (N, C), by class column.
    """

    path: Path
    header: list[str]
    lines: dict[str, int]
    values: Any

    @property
    def scores(self) -> bool:
        return isinstance(self.values, np.ndarray)

    @classmethod
    def read(cls, path: Path, hierarchy: Hierarchy) -> _Table:
        rows = csv_rows(_text(path), str(path))
        _, header = next(rows, (1, []))
        sets = header == ["id", "labels"]
        columns = None if sets else _score_columns(path, header, hierarchy)
        lines: dict[str, int] = {}
        parsed: list[Any] = []
        for line, cells in rows:
            where = f"{path}:{line}"
            if len(cells) != len(header):
                raise BadInput(f"{where}: {len(cells)} cells", allowed=f"{len(header)}, as in the header")
            _new_id(cells[0], where, lines)
            lines[cells[0]] = line
            parsed.append(_labels(cells[1], where, hierarchy) if sets else _numbers(cells, where, header))
        if not parsed:
            raise BadInput(f"{path}:2: no rows below the header", allowed="at least one sample")
        if columns is None:
            return cls(path, header, lines, hierarchy.encode(parsed))
        values = np.empty((len(parsed), hierarchy.n))
        values[:, columns] = parsed
        return cls(path, header, lines, values)


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}", allowed="a CSV file") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise BadInput(f"{path}:{line}: not UTF-8 text", hint="save it again as CSV UTF-8") from None
    if not text.strip():
        raise BadInput(f"{path}:1: the file is empty", allowed="a header and one row per sample")
    return text


def _score_columns(path: Path, header: list[str], hierarchy: Hierarchy) -> list[int]:
    """The class columns of a table of scores; raises BadInput unless each stands there once."""
    if len(header) < 2 or header[0] != "id":
        raise BadInput(f"{path}:1: the header is {_short(header)}", allowed=_EITHER)
    names = header[1:]
    for name in names:
        if name not in hierarchy:
            raise BadInput(
                f"{path}:1: unknown class {name!r} in the header",
                allowed=_EITHER,
                hint=close_matches(name, hierarchy.classes),
            )
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise BadInput(f"{path}:1: the column {twice[0]!r} stands twice in the header")
    absent = sorted(set(hierarchy.classes) - set(names))
    if absent:
        raise BadInput(
            f"{path}:1: no column for class {absent[0]!r}" + _more(absent), allowed="a score for every class"
        )
    return [hierarchy.index(name) for name in names]


def _new_id(name: str, where: str, lines: dict[str, int]) -> None:
    if not name:
        raise BadInput(f"{where}: no id")
    if name in lines:
        raise BadInput(f"{where}: id {name!r} stands twice, first in line {lines[name]}")


def _labels(cell: str, where: str, hierarchy: Hierarchy) -> list[str]:
    """The labels of one cell; an empty cell is a sample without any."""
    names = [name.strip() for name in cell.split("|")] if cell else []
    for name in names:
        if not name:
            raise BadInput(f"{where}: an empty label in {cell!r}", allowed="labels joined by one '|'")
        if name not in hierarchy:
            raise BadInput(
                f"{where}: unknown class {name!r}",
                allowed="a class of the hierarchy",
                hint=close_matches(name, hierarchy.classes),
            )
    return names


def _numbers(cells: list[str], where: str, header: list[str]) -> list[float]:
    numbers = []
    for text, name in zip(cells[1:], header[1:], strict=True):
        try:
            number = math.nan if "_" in text or not text.isascii() else float(text)
        except ValueError:
            number = math.nan
        if not 0 <= number <= 1:
            raise BadInput(f"{where}: the score of {name!r} is {text!r}", allowed="a number from 0 to 1")
        numbers.append(number)
    return numbers


def _matching_rows(truth: _Table, predicted: _Table) -> np.ndarray:
    """Rows of the predictions in the order of truth; raises BadInput where an id has no partner."""
    absent = [name for name in truth.lines if name not in predicted.lines]
    if absent:
        first = absent[0]
        where = f"{truth.path}:{truth.lines[first]}"
        raise BadInput(f"{where}: id {first!r} has no prediction in {predicted.path}{_more(absent)}")
    extra = [name for name in predicted.lines if name not in truth.lines]
    if extra:
        first = extra[0]
        where = f"{predicted.path}:{predicted.lines[first]}"
        raise BadInput(f"{where}: id {first!r} is not in {truth.path}{_more(extra)}")
    row = {name: i for i, name in enumerate(predicted.lines)}
    return np.array([row[name] for name in truth.lines], dtype=np.int64)


def _short(header: list[str]) -> str:
    text = ",".join(header)
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _more(ids: list[str]) -> str:
    return f" (and {len(ids) - 1} more)" if len(ids) > 1 else ""
