"""A model of tables as an ONNX graph.

:mod:`hmcbench.sklearnkit.onnx_estimators` writes the estimators; what makes one hierarchical model of them
(sums over end nodes, products along paths, one column per class) is added around them, in float32. A model of
another kind writes itself, with ``write_onnx`` (:class:`hmcbench.interfaces.Model`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hmcbench.errors import BadInput
from hmcbench.interfaces import Task
from hmcbench.sklearnkit.flat import Classes, EndNodes, Exclusive, Targets
from hmcbench.sklearnkit.local import NONE, ROOT, Local
from hmcbench.sklearnkit.model import EstimatorModel
from hmcbench.sklearnkit.onnx_estimators import predictions, probabilities
from hmcbench.sklearnkit.onnx_graph import OnnxGraph

__all__ = ["add_mean", "add_model"]  # what plugins may use


def can_be_added(model: Any) -> bool:
    """Whether :func:`add_model` takes models of this kind."""
    return isinstance(model, EstimatorModel) or hasattr(model, "write_onnx")


def add_model(graph: OnnxGraph, model: Any, task: Task) -> dict[str, str]:
    """The scores of a model on the graph's features: ``scores``, and ``stop`` where the model has it.

    Raises:
        BadInput: an estimator that cannot be converted; it is named.
    """
    if not isinstance(model, EstimatorModel):
        own: dict[str, str] = model.write_onnx(graph, task)
        return own
    parts = model.parts
    if parts[0][1] is None:
        return _solver(graph, parts[0][0], task)
    columns = {}
    for solver, places in parts:
        scores = _solver(graph, solver, task)["scores"]
        for i, place in enumerate(places if places is not None else ()):
            columns[int(place)] = graph.column(scores, i)
    return {"scores": graph.columns([columns[i] for i in sorted(columns)])}


def add_mean(graph: OnnxGraph, models: Any, task: Task) -> dict[str, str]:
    """The mean of the scores of several models."""
    every = [add_model(graph, model, task) for model in models]
    return {name: graph.mean([outputs[name] for outputs in every]) for name in every[0]}


def _solver(graph: OnnxGraph, solver: Any, task: Task) -> dict[str, str]:
    if isinstance(solver, EndNodes):
        shares = _exclusive(graph, solver.state())
        names = ("scores", "stop")
        sums = zip(names, solver.sums, strict=True)
        return {n: graph.op("MatMul", shares, graph.constant(m)) for n, m in sums if m is not None}
    if isinstance(solver, Local):
        return _local(graph, solver, task)
    if isinstance(solver, Classes):
        return {"scores": _classes(graph, solver.state())}
    if isinstance(solver, Targets):
        return {"scores": graph.columns([predictions(graph, e) for e in solver.state()["estimators"]])}
    raise BadInput(f"{type(solver).__name__} cannot be exported")


def _exclusive(graph: OnnxGraph, state: Any) -> str:
    """Probabilities of exclusive labels, (N, K)."""
    if state["estimator"] is None:
        return graph.filled([1.0])
    return probabilities(graph, state["estimator"])


def _classes(graph: OnnxGraph, state: Any) -> str:
    """The probability of every class by itself, (N, C)."""
    columns = {int(i): graph.filled([value]) for i, value in enumerate(state["frequency"])}
    varying = [int(i) for i in state["varying"]]
    if len(state["estimators"]) == 1 and len(varying) > 1:  # one estimator of several outputs
        shares = probabilities(graph, state["estimators"][0], len(varying))
        columns |= {place: graph.column(shares, i) for i, place in enumerate(varying)}
    else:
        for place, estimator in zip(varying, state["estimators"], strict=True):
            columns[place] = graph.column(probabilities(graph, estimator), 1)
    return graph.columns([columns[i] for i in sorted(columns)])


def _local(graph: OnnxGraph, solver: Local, task: Task) -> dict[str, str]:
    """Products along paths; with several parents the least."""
    hierarchy = task.hierarchy
    assert hierarchy is not None
    values: dict[int, str] = {}
    for group in solver.groups:
        shares = None if group.solver is None else _shares(graph, group)
        for i, column in enumerate(map(int, group.columns)):
            score = graph.filled([0.0])
            if shares is not None:
                score = graph.column(shares, i)
                if group.parent != ROOT:
                    score = graph.op("Mul", score, values[group.parent])
            values[column] = graph.op("Min", values[column], score) if column in values else score
    scores = graph.columns([values[i] for i in range(hierarchy.n)])
    if not solver.stops:
        return {"scores": scores}
    ended = []
    for k in range(1, hierarchy.depth + 1):
        level = graph.op("Gather", scores, graph.constant(hierarchy.level_classes(k), np.int64), axis=1)
        rest = graph.op("Sub", graph.constant([[1.0]]), graph.sum(level))
        ended.append(graph.op("Clip", rest, graph.constant(0.0), graph.constant(1.0)))
    return {"scores": scores, "stop": graph.columns(ended)}


def _shares(graph: OnnxGraph, group: Any) -> str:
    """(N, K): the probability of every class of a group, given its parent."""
    state = group.solver.state()
    if not isinstance(group.solver, Exclusive):
        shares = _classes(graph, state)
        return _normalised(graph, shares, state) if "may_end" in state else shares
    shares = _exclusive(graph, state)
    columns = {int(label): i for i, label in enumerate(state["labels"]) if label != NONE}
    return graph.columns(
        [
            graph.column(shares, columns[k]) if k in columns else graph.filled([0.0])
            for k in range(len(group.columns))
        ]
    )


def _normalised(graph: OnnxGraph, shares: str, state: Any) -> str:
    """Binary probabilities of siblings that exclude each other; their frequencies where all are 0."""
    total = graph.sum(shares)
    if state["may_end"]:
        axes = graph.constant([1], np.int64)
        absent = graph.op("Sub", graph.constant([[1.0]]), shares)
        total = graph.op("Add", total, graph.op("ReduceProd", absent, axes, keepdims=1))
    positive = graph.op("Greater", total, graph.constant([[0.0]]))
    divisor = graph.op("Where", positive, total, graph.constant([[1.0]]))
    frequency = graph.filled(state["frequency"])
    return graph.op("Where", positive, graph.op("Div", shares, divisor), frequency)
