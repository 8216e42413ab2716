"""Predictions of a model, and checks of the returned scores against the contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from hmcbench.data.splits import Split, inputs
from hmcbench.errors import PluginError
from hmcbench.execute import resources
from hmcbench.hierarchy.label_maps import LabelMaps, joined
from hmcbench.interfaces import Dataset, ModelSpec, Scores, Task
from hmcbench.interfaces.objects import FAR
from hmcbench.records.predictions import Predictions
from hmcbench.records.score_bits import bits_for, rounded

Predicted = Scores | LabelMaps


def predicted_sides(split: Split) -> list[str]:
    """The validation partition and every test partition, without empty ones."""
    return [name for name, rows in split.sides.items() if name != "train" and len(rows)]


def predict_sides(
    model: Any,
    spec: ModelSpec,
    dataset: Dataset,
    views: Mapping[str, Any],
    split: Split,
    sides: Sequence[str],
    clock: resources.Clock,
) -> dict[str, Predicted]:
    """Partition -> scores, or label maps of a :class:`hmcbench.execute.pixels.PixelModel`.

    The clock has the time of ``test``.
    """
    model.predict(inputs(dataset, views, split.sides[sides[-1]][:1]))  # warm-up
    scores: dict[str, Predicted] = {}
    for name in sides:
        samples = inputs(dataset, views, split.sides[name])
        with clock.phase("predict") if name == "test" else nullcontext():
            predicted = model.predict(samples)
            if not isinstance(predicted, LabelMaps):
                predicted = check_scores(predicted, len(samples), dataset.task, spec)
            scores[name] = predicted
    return scores


def join_scores(
    dataset: Dataset, split: Split, scores: Mapping[str, Predicted], bits: int = 32
) -> Predictions:
    """The scores of all partitions, rounded to ``bits``, with the truth of their samples."""
    sides = list(scores)
    rows = np.concatenate([split.sides[name] for name in sides])
    maps = [part for part in scores.values() if isinstance(part, LabelMaps)]
    if maps:
        return Predictions(
            ids=[dataset.ids[i] for i in rows],
            side=[name for name in sides for _ in split.sides[name]],
            scores=np.zeros((len(rows), 0), dtype=np.float32),
            task=dataset.task,
            truth=dataset.targets[rows],
            groups=None if dataset.groups is None else [dataset.groups[i] for i in rows],
            maps=joined(maps),
        )
    parts = [part for part in scores.values() if isinstance(part, Scores)]
    values = np.concatenate([p.values for p in parts])
    bits = bits_for(values, bits) if dataset.task.kind == "hmc" else 32
    return Predictions(
        ids=[dataset.ids[i] for i in rows],
        side=[name for name in sides for _ in split.sides[name]],
        scores=rounded(values, bits) if bits < 32 else values,
        task=dataset.task,
        truth=dataset.targets[rows],
        stop=None if parts[0].stop is None else np.concatenate([p.stop for p in parts if p.stop is not None]),
        groups=None if dataset.groups is None else [dataset.groups[i] for i in rows],
        decisions=None if parts[0].decisions is None else np.concatenate([p.decisions for p in parts]),
        novelty=None
        if parts[0].novelty is None
        else np.concatenate([p.novelty for p in parts if p.novelty is not None]),
        training=training_counts(dataset, split.sides["train"]),
        bits=bits,
        unknown=np.isin(rows, list(split.unknown)) if split.unknown else None,
    )


def far_predictions(ids: Sequence[str], scores: Scores, beside: Predictions) -> Predictions:
    """Scores of samples of other data, with no class as truth, in the form of the predictions of a cell."""
    width = scores.values.shape[1]
    no_class: Any = csr_array((len(ids), width), dtype=bool)
    return Predictions(
        ids=list(ids),
        side=[FAR] * len(ids),
        scores=rounded(scores.values, beside.bits) if beside.bits < 32 else scores.values,
        task=beside.task,
        truth=np.zeros((len(ids), width), dtype=bool) if isinstance(beside.truth, np.ndarray) else no_class,
        stop=scores.stop,
        decisions=scores.decisions,
        novelty=scores.novelty,
        bits=beside.bits,
    )


def training_counts(dataset: Dataset, train: np.ndarray) -> np.ndarray | None:
    """int64 (C, 2): training samples of every class, and those with all of its parents.

    Only for several paths: information content, which needs them, is defined for these.
    """
    hierarchy = dataset.task.hierarchy
    if hierarchy is None or dataset.task.paths == "single" or dataset.task.unit == "pixel":
        return None
    truth = csr_array(dataset.targets[train], dtype=np.int64)
    parents, children = hierarchy.edge_index.T
    shape = (hierarchy.n, hierarchy.n)
    above = csr_array((np.ones(len(parents), dtype=np.int64), (parents, children)), shape=shape)
    wanted = np.asarray(above.sum(axis=0)).ravel()
    held = csr_array(truth @ above)  # (n, C): how many parents of a class a sample has
    complete = np.bincount(held.indices[held.data == wanted[held.indices]], minlength=hierarchy.n)
    complete[wanted == 0] = len(train)
    return np.stack([np.asarray(truth.sum(axis=0)).ravel(), complete], axis=1)


def check_scores(scores: Any, n: int, task: Task, spec: ModelSpec) -> Scores:
    """Scores as float32, logits as probabilities; raises an error for a wrong shape, type, NaN or range."""
    if not isinstance(scores, Scores):
        raise PluginError(f"model {spec.name}: predict returned {type(scores).__name__}, not Scores")
    values = np.asarray(scores.values, dtype=np.float64)
    columns = task.hierarchy.n if task.hierarchy is not None else len(task.targets)
    if values.shape != (n, columns):
        raise PluginError(f"model {spec.name}: scores of shape {values.shape}, expected {(n, columns)}")
    stop = None if scores.stop is None else np.asarray(scores.stop, dtype=np.float64)
    if task.hierarchy is not None and stop is not None and stop.shape != (n, task.hierarchy.depth):
        raise PluginError(
            f"model {spec.name}: stop of shape {stop.shape}, expected {(n, task.hierarchy.depth)}"
        )
    decided = None if scores.decisions is None else np.asarray(scores.decisions)
    if decided is not None and (decided.shape != values.shape or decided.dtype != bool):
        raise PluginError(
            f"model {spec.name}: decisions of shape {decided.shape} and type {decided.dtype}",
            allowed=f"booleans of shape {values.shape}",
        )
    novelty = None if scores.novelty is None else np.asarray(scores.novelty, dtype=np.float32)
    if novelty is not None and novelty.shape != (n,):
        raise PluginError(f"model {spec.name}: novelty of shape {novelty.shape}, expected {(n,)}")
    for array in (values, stop, novelty):
        if array is not None and not np.isfinite(array).all():
            bad = int((~np.isfinite(array)).reshape(n, -1).any(axis=1).sum())
            raise FloatingPointError(f"{bad} of {n} predictions are NaN or infinite")
    if task.kind == "regression":
        return Scores(values)
    if spec.scores == "logit":
        values, stop = to_probabilities(values, stop, task)
    if spec.scores == "ranking":
        return Scores(values.astype(np.float32), decisions=decided, novelty=novelty)
    if values.size and not (values.min() >= -1e-6 and values.max() <= 1 + 1e-6):
        raise PluginError(
            f"model {spec.name}: probabilities outside [0, 1] ({values.min():.9g} to {values.max():.9g})"
        )
    narrow = np.clip(values, 0, 1).astype(np.float32)
    passes = tuple(check_scores(one_pass, n, task, spec) for one_pass in scores.passes)
    stop = None if stop is None else np.clip(stop, 0, 1).astype(np.float32)
    return Scores(narrow, stop, decided, passes, novelty)


def to_probabilities(
    logits: np.ndarray, stop: np.ndarray | None, task: Task
) -> tuple[np.ndarray, np.ndarray | None]:
    """Softmax per level (with the stop output) for single paths, a sigmoid otherwise."""
    from scipy.special import expit, softmax

    assert task.hierarchy is not None
    if task.paths == "multiple":
        return expit(logits), stop
    out = np.empty_like(logits)
    ended = None if stop is None else np.empty_like(stop)
    for k in range(1, task.hierarchy.depth + 1):
        columns = task.hierarchy.level_classes(k)
        block = logits[:, columns]
        if stop is not None and ended is not None:
            soft = softmax(np.column_stack([block, stop[:, k - 1]]), axis=1)
            out[:, columns], ended[:, k - 1] = soft[:, :-1], soft[:, -1]
        else:
            out[:, columns] = softmax(block, axis=1)
    return out, ended
