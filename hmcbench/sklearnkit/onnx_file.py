"""A model of scikit-learn estimators as an ONNX file.

skl2onnx converts the estimators; what makes one hierarchical model of them (sums over end nodes, products
along paths, one column per class) is added as operations around them, in float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hmcbench.data.prepare import Preparation
from hmcbench.errors import BadInput, Unavailable
from hmcbench.interfaces import Task
from hmcbench.sklearnkit.flat import Classes, EndNodes, Exclusive, Targets
from hmcbench.sklearnkit.local import NONE, ROOT, Local
from hmcbench.sklearnkit.model import EstimatorModel

OPSET, ML_OPSET = 18, 3
FLOAT = np.float32


class OnnxGraph:
    """Operations so far; every method returns the name of its result.

    Args:
        source: the name of the input, float32 (N, width).
        width: columns of the model's features, once they are prepared.
    """

    def __init__(self, source: str, width: int) -> None:
        try:
            import onnx
            import skl2onnx  # noqa: F401
        except ImportError as error:
            raise Unavailable(f"an export needs {error.name}", hint="pip install 'hmcbench[onnx]'") from None
        self.onnx: Any = onnx
        self.source, self.width, self.features = source, width, source
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.domains = {"": OPSET, "ai.onnx.ml": ML_OPSET}
        self._count = 0

    def name(self, what: str) -> str:
        self._count += 1
        return f"{what}_{self._count}"

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        out = self.name(kind.lower())
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), [out], **attributes))
        return out

    def constant(self, value: Any, dtype: Any = FLOAT) -> str:
        name = self.name("constant")
        array = np.array(value, dtype=dtype, order="C")
        self.constants.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def filled(self, row: Any) -> str:
        """The numbers of ``row`` for every sample, (N, len(row))."""
        samples = self.op(
            "Slice", self.op("Shape", self.source), *(self.constant([i], np.int64) for i in (0, 1))
        )
        width = self.constant([len(row)], np.int64)
        return self.op("Expand", self.constant([row]), self.op("Concat", samples, width, axis=0))

    def prepare(self, way: Preparation) -> None:
        """From the columns of the data set to those of the model: nominal values, missing values."""
        parts = []
        for i, kind in enumerate(way.kinds):
            column = self.column(self.source, i)
            if way.one_hot and kind.values:
                equal = self.op("Equal", column, self.constant([np.arange(len(kind.values))]))
                column = self.op("Cast", equal, to=self.onnx.TensorProto.FLOAT)
            parts.append(column)
        self.features = self.columns(parts)
        if way.fills:
            known = self.op("Not", self.op("IsNaN", self.features))
            self.features = self.op("Where", known, self.features, self.constant([way.fills]))

    def column(self, table: str, place: int) -> str:
        """(N, K) -> (N, 1)."""
        return self.op("Gather", table, self.constant([place], np.int64), axis=1)

    def columns(self, parts: Sequence[str]) -> str:
        """(N, k) each, side by side."""
        return self.op("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]

    def sum(self, table: str) -> str:
        """(N, K) -> (N, 1)."""
        return self.op("ReduceSum", table, self.constant([1], np.int64), keepdims=1)

    def estimator(self, estimator: Any, output: int) -> str:
        """A converted estimator on the features: its output of that number."""
        import skl2onnx
        from skl2onnx.common.data_types import FloatTensorType

        shape = [("features", FloatTensorType([None, self.width]))]
        options = {id(estimator): {"zipmap": False}} if hasattr(estimator, "predict_proba") else {}
        try:
            model = skl2onnx.convert_sklearn(
                estimator,
                initial_types=shape,
                options=options,
                target_opset={"": OPSET, "ai.onnx.ml": ML_OPSET},
            )
        except Exception as error:  # each converter has its own
            reason = (str(error).strip().splitlines() or [""])[0][:160]
            kind = type(estimator).__name__
            raise BadInput(f"skl2onnx cannot convert {kind} ({type(error).__name__}: {reason})") from None
        self._missing_values(model, estimator)
        model = self.onnx.compose.add_prefix(model, f"{self.name('estimator')}_")
        for opset in model.opset_import:
            self.domains[opset.domain] = max(self.domains.get(opset.domain, 0), opset.version)
        inner = model.graph.input[0].name
        for node in model.graph.node:
            for i, name in enumerate(node.input):
                if name == inner:
                    node.input[i] = self.features
        self.nodes += model.graph.node
        self.constants += model.graph.initializer
        return str(model.graph.output[output].name)

    def _missing_values(self, model: Any, estimator: Any) -> None:
        """Send NaN where the trees of scikit-learn send it, which skl2onnx leaves out."""
        trees = [
            tree.tree_ for tree in getattr(estimator, "estimators_", [estimator]) if hasattr(tree, "tree_")
        ]
        ensembles = [node for node in model.graph.node if node.op_type.startswith("TreeEnsemble")]
        for i, node in enumerate(ensembles if trees else ()):
            own = trees if len(ensembles) == 1 else [trees[i]]  # of several outputs: an operation per tree
            values = {a.name: list(a.ints) for a in node.attribute}
            places = zip(values["nodes_treeids"], values["nodes_nodeids"], strict=True)
            left = [int(own[tree].missing_go_to_left[place]) for tree, place in places]
            name = "nodes_missing_value_tracks_true"
            kept = [a for a in node.attribute if a.name != name]
            del node.attribute[:]
            node.attribute.extend([*kept, self.onnx.helper.make_attribute(name, left)])

    def model(self, outputs: dict[str, str], raw_width: int) -> Any:
        """The whole as an ONNX model; ``outputs``: name in the file -> result."""
        helper, float_type = self.onnx.helper, self.onnx.TensorProto.FLOAT
        for name, result in outputs.items():
            self.nodes.append(helper.make_node("Identity", [result], [name]))
        graph = helper.make_graph(
            self.nodes,
            "hmcbench",
            [helper.make_tensor_value_info(self.source, float_type, ["samples", raw_width])],
            [helper.make_tensor_value_info(name, float_type, ["samples", None]) for name in outputs],
            self.constants,
        )
        imports = [helper.make_opsetid(domain, version) for domain, version in self.domains.items()]
        model = helper.make_model(graph, opset_imports=imports, ir_version=9)
        self.onnx.checker.check_model(model)
        return model


def add_model(graph: OnnxGraph, model: EstimatorModel, task: Task) -> dict[str, str]:
    """The scores of a model on the graph's features: ``scores``, and ``stop`` where the model has it.

    Raises:
        BadInput: an estimator that cannot be converted; it is named.
    """
    parts = model.parts
    if parts[0][1] is None:
        return _solver(graph, parts[0][0], task)
    columns = {}
    for solver, places in parts:
        scores = _solver(graph, solver, task)["scores"]
        for i, place in enumerate(places if places is not None else ()):
            columns[int(place)] = graph.column(scores, i)
    return {"scores": graph.columns([columns[i] for i in sorted(columns)])}


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
        return {"scores": graph.columns([_predicted(graph, e) for e in solver.state()["estimators"]])}
    raise BadInput(f"{type(solver).__name__} cannot be exported")


def _exclusive(graph: OnnxGraph, state: Any) -> str:
    """Probabilities of exclusive labels, (N, K)."""
    if state["estimator"] is None:
        return graph.filled([1.0])
    return graph.estimator(public(state["estimator"]), 1)


def _classes(graph: OnnxGraph, state: Any) -> str:
    """The probability of every class by itself, (N, C)."""
    columns = {int(i): graph.filled([value]) for i, value in enumerate(state["frequency"])}
    varying = [int(i) for i in state["varying"]]
    if len(state["estimators"]) == 1 and len(varying) > 1:  # one estimator of several outputs: (C', N, 2)
        shares = graph.estimator(public(state["estimators"][0]), 1)
        shares = graph.op("Reshape", shares, graph.constant([len(varying), -1, 2], np.int64))
        for i, place in enumerate(varying):
            one = graph.op("Gather", shares, graph.constant(i, np.int64), axis=0)
            columns[place] = graph.column(one, 1)
    else:
        for place, estimator in zip(varying, state["estimators"], strict=True):
            columns[place] = graph.column(graph.estimator(public(estimator), 1), 1)
    return graph.columns([columns[i] for i in sorted(columns)])


def _predicted(graph: OnnxGraph, estimator: Any) -> str:
    """The prediction of a regressor, (N, T)."""
    from sklearn.compose import TransformedTargetRegressor

    if not isinstance(estimator, TransformedTargetRegressor):
        out = graph.estimator(public(estimator), 0)
        return graph.op("Reshape", out, graph.constant([-1, _targets(estimator)], np.int64))
    scaler, inner = estimator.transformer_, estimator.regressor_
    out = graph.estimator(public(inner), 0)
    flat = graph.op("Reshape", out, graph.constant([-1, len(scaler.scale_)], np.int64))
    scaled = graph.op("Mul", flat, graph.constant([scaler.scale_]))
    return graph.op("Add", scaled, graph.constant([scaler.mean_]))


def _targets(estimator: Any) -> int:
    """How many numbers a regressor predicts."""
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    if hasattr(last, "n_outputs_"):
        return int(last.n_outputs_)
    shape = np.shape(getattr(last, "coef_", getattr(last, "_y", [0.0])))
    return int(shape[0]) if hasattr(last, "coef_") and len(shape) > 1 else shape[1] if len(shape) > 1 else 1


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


def public(estimator: Any) -> Any:
    """The estimator with types of scikit-learn alone (see ``own_types`` of :class:`EstimatorModel`)."""
    from sklearn.pipeline import Pipeline

    if isinstance(estimator, Pipeline):
        steps = [(name, public(step)) for name, step in estimator.steps]
        steps = [(name, step) for name, step in steps if step is not None]
        return Pipeline(steps) if len(steps) > 1 else steps[0][1]
    return estimator.public() if hasattr(estimator, "public") else estimator
