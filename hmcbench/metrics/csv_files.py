"""``hmcbench score``: metrics of predictions in CSV files, without a suite and without a run.

``hierarchy.csv``: ``parent,child`` (an empty parent: top level; several rows for one child: a
DAG). ``truth.csv``: ``id,labels``, labels joined by ``|``, any depth; they are closed here.
``predictions.csv``: the same, or ``id,<class>,<class>,...`` with a probability per class. Scores are cut at
a threshold, or for single paths decided by the likeliest path.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hmcbench.errors import BadInput
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import MetricSpec, Paths, Task
from hmcbench.metrics.computing import compute, without_structure_of_sets
from hmcbench.metrics.decisions import Thresholds
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.label_tables import SETS, LabelTable, more, read_text, short
from hmcbench.registry.registry import default_registry

SINGLE_HINT = (
    "every row of the truth is one path: --paths single decides by the likeliest path, not by a threshold"
)


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
    read_text(hierarchy)  # says which line is not UTF-8
    classes = Hierarchy.from_csv(hierarchy)
    truth_table = LabelTable.read(truth, classes)
    if truth_table.header[1:] != ["labels"]:
        raise BadInput(f"{truth}:1: the header is {short(truth_table.header)}", allowed=SETS)
    predicted = LabelTable.read(predictions, classes)
    order = _matching_rows(truth_table, predicted)
    if paths == "single":
        for table in (truth_table, predicted):
            _single_paths(table, classes)
    evaluation = evaluation_of(classes, truth_table.values, predicted.values[order], threshold, paths)
    if specs is None:
        specs = default_registry().specs("metrics")
    results = compute(specs if predicted.scores else without_structure_of_sets(specs), evaluation)
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


def _single_paths(table: LabelTable, hierarchy: Hierarchy) -> None:
    """Raise BadInput at the first row whose labels lie on several paths."""
    several = table.several_paths(hierarchy)
    if several:
        raise BadInput(several, allowed="one path per row with --paths single", hint="--paths multiple")


def _matching_rows(truth: LabelTable, predicted: LabelTable) -> np.ndarray:
    """Rows of the predictions in the order of truth; raises BadInput where an id has no partner."""
    absent = [name for name in truth.lines if name not in predicted.lines]
    if absent:
        first = absent[0]
        where = f"{truth.path}:{truth.lines[first]}"
        raise BadInput(f"{where}: id {first!r} has no prediction in {predicted.path}{more(absent)}")
    extra = [name for name in predicted.lines if name not in truth.lines]
    if extra:
        first = extra[0]
        where = f"{predicted.path}:{predicted.lines[first]}"
        raise BadInput(f"{where}: id {first!r} is not in {truth.path}{more(extra)}")
    row = {name: i for i, name in enumerate(predicted.lines)}
    return np.array([row[name] for name in truth.lines], dtype=np.int64)
