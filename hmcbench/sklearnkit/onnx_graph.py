"""An ONNX graph that grows operation by operation: arithmetic, trees, distances, other ONNX models.

Columns that are compared or subtracted are float64, as in the estimators; scores leave in float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hmcbench.data.prepare import Preparation
from hmcbench.errors import BadInput, Unavailable

__all__ = ["OnnxGraph", "Trees"]  # what plugins may use

OPSET, ML_OPSET = 18, 3
FLOAT = np.float32
LARGEST = 2**31 - 2**20
"""Bytes; protobuf, and so ONNX, has no larger files."""


@dataclass(frozen=True)
class Trees:
    """Binary trees as arrays; every array but the last three has an entry per node, (nodes,).

    Attributes:
        tree, node: numbers of the node's tree, and of the node in it; a tree's first node is its root.
        left, right: numbers of its children; those of a leaf are not read.
        leaf: bool.
        feature, threshold: a row goes left where ``feature <= threshold`` (``<`` where ``strict``).
        missing_left: bool: whether a missing value goes left.
        at, target, value: ``value`` is added to the number ``target`` of the rows that end in a leaf, whose
            position in the other arrays is ``at``.
    """

    tree: np.ndarray
    node: np.ndarray
    left: np.ndarray
    right: np.ndarray
    leaf: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    at: np.ndarray
    target: np.ndarray
    value: np.ndarray


class OnnxGraph:
    """Operations so far; every method returns the name of its result.

    Args:
        source: the name of the input, float32 (N, raw columns).
        width: columns of the model's features, once they are prepared.

    Attributes:
        features: the name of the prepared features, float32 (N, width).
        usual: feature -> values that tell samples apart: thresholds of trees, means of scalers.
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
        self.usual: dict[int, list[float]] = {}
        self._count = 0

    def name(self, what: str) -> str:
        self._count += 1
        return f"{what}_{self._count}"

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        return self.ops(kind, 1, *inputs, **attributes)[0]

    def ops(self, kind: str, count: int, *inputs: str, domain: str = "", **attributes: Any) -> list[str]:
        """An operation of several results."""
        results = [self.name(kind.lower()) for _ in range(count)]
        node = self.onnx.helper.make_node(kind, list(inputs), results, domain=domain, **attributes)
        self.nodes.append(node)
        return results

    def constant(self, value: Any, dtype: Any = FLOAT) -> str:
        name = self.name("constant")
        array = np.array(value, dtype=dtype, order="C")
        self.constants.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def double(self, value: Any) -> str:
        """A constant in float64."""
        return self.constant(value, np.float64)

    def cast(self, name: str, to: type[np.floating[Any]] = FLOAT) -> str:
        return self.op("Cast", name, to=self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(to)))

    def filled(self, row: Any) -> str:
        """The numbers of ``row`` for every sample, (N, len(row))."""
        samples = self.op(
            "Slice", self.op("Shape", self.source), *(self.constant([i], np.int64) for i in (0, 1))
        )
        width = self.constant([len(row)], np.int64)
        return self.op("Expand", self.constant([row]), self.op("Concat", samples, width, axis=0))

    def prepare(self, way: Preparation) -> None:
        """From the columns of the dataset to those of the model: nominal values, missing values."""
        parts = []
        for i, kind in enumerate(way.kinds):
            column = self.column(self.source, i)
            if way.one_hot and kind.values:
                equal = self.op("Equal", column, self.constant([np.arange(len(kind.values))]))
                column = self.cast(equal)
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

    def mean(self, parts: Sequence[str]) -> str:
        """Float32 (N, K) each -> their mean."""
        return self.op("Div", self.op("Sum", *parts), self.constant(float(len(parts))))

    def both(self, positive: str) -> str:
        """Probabilities (N, 1) -> (N, 2): of not having a class, and of having it."""
        return self.columns([self.op("Sub", self.constant([[1.0]]), positive), positive])

    def scaled(self, table: str, mean: Any, scale: Any) -> str:
        """Float64 (N, K) -> (table - mean) / scale; None for what is left out."""
        if mean is not None:
            table = self.op("Sub", table, self.double([mean]))
        return table if scale is None else self.op("Div", table, self.double([scale]))

    def differences(self, table: str, rows: np.ndarray, power: int) -> str:
        """Float64 (N, F) -> (N, M): sums over columns of |table - row|^power, for M rows (M, F).

        One sample at a time, so that memory is M F numbers, and no digit is lost by a difference of squares.
        """
        helper, double = self.onnx.helper, self.onnx.TensorProto.DOUBLE
        axis, own = self.constant([1], np.int64), self.double(rows)
        sample, total = self.name("sample"), self.name("total")
        apart, positive = self.name("apart"), self.name("positive")
        size = (
            helper.make_node("Abs", [apart], [positive])
            if power == 1
            else helper.make_node("Mul", [apart, apart], [positive])
        )
        body = helper.make_graph(
            [
                helper.make_node("Sub", [own, sample], [apart]),
                size,
                helper.make_node("ReduceSum", [positive, axis], [total], keepdims=0),
            ],
            self.name("differences"),
            [helper.make_tensor_value_info(sample, double, [rows.shape[1]])],
            [helper.make_tensor_value_info(total, double, [len(rows)])],
        )
        return self.op("Scan", table, body=body, num_scan_inputs=1)

    def trees(self, table: str, trees: Trees, targets: int, base: Any = None, strict: bool = False) -> str:
        """Sums of the values of leaves, float32 (N, targets).

        Args:
            table: float32 (N, F).
            base: numbers (targets,) to begin with.
            strict: see :class:`Trees`.
        """
        self.bound(28 * len(trees.at) + 60 * len(trees.tree))
        limits = trees.threshold.astype(FLOAT)
        with np.errstate(over="ignore"):
            if not strict:  # of float32 values, those up to a float64 are those up to the float32 below it
                above = limits.astype(np.float64) > trees.threshold
                limits[above] = np.nextafter(limits[above], FLOAT(-np.inf))
        modes = np.where(trees.leaf, "LEAF", "BRANCH_LT" if strict else "BRANCH_LEQ")
        inner = ~trees.leaf
        if table == self.features:
            self.tell_apart(trees.feature[inner], trees.threshold[inner])
        (out,) = self.ops(
            "TreeEnsembleRegressor",
            1,
            table,
            domain="ai.onnx.ml",
            nodes_treeids=trees.tree.tolist(),
            nodes_nodeids=trees.node.tolist(),
            nodes_modes=modes.tolist(),
            nodes_featureids=np.where(inner, trees.feature, 0).tolist(),
            nodes_values=np.where(inner, limits, FLOAT(0)).tolist(),
            nodes_truenodeids=np.where(inner, trees.left, 0).tolist(),
            nodes_falsenodeids=np.where(inner, trees.right, 0).tolist(),
            nodes_missing_value_tracks_true=(trees.missing_left & inner).astype(int).tolist(),
            target_treeids=trees.tree[trees.at].tolist(),
            target_nodeids=trees.node[trees.at].tolist(),
            target_ids=trees.target.tolist(),
            target_weights=trees.value.astype(FLOAT).tolist(),
            n_targets=targets,
            **({} if base is None else {"base_values": [float(x) for x in base]}),
        )
        return out

    def tell_apart(self, features: Any, values: Any) -> None:
        """Note values of features for :attr:`usual`."""
        for feature, value in zip(features, values, strict=True):
            if np.isfinite(value):
                self.usual.setdefault(int(feature), []).append(float(value))

    def bound(self, size: float) -> None:
        """Raises BadInput where a part of ``size`` bytes does not fit into a file."""
        if size > LARGEST:
            raise BadInput(
                f"the file would take {size / 1e9:.1f} GB",
                allowed=f"up to {LARGEST / 1e9:.1f} GB: ONNX has no larger files",
                hint="train it with fewer trees or classes",
            )

    def embed(self, model: Any, given: str, output: int = 0) -> str:
        """Another ONNX model with one input, fed with ``given``: its output of that number."""
        model = self.onnx.compose.add_prefix(model, f"{self.name('part')}_")
        for opset in model.opset_import:
            self.domains[opset.domain] = max(self.domains.get(opset.domain, 0), opset.version)
        inner = model.graph.input[0].name
        for node in model.graph.node:
            for i, name in enumerate(node.input):
                if name == inner:
                    node.input[i] = given
        self.nodes += model.graph.node
        self.constants += model.graph.initializer
        return str(model.graph.output[output].name)

    def model(self, outputs: dict[str, str], raw_width: int) -> Any:
        """The whole as an ONNX model; ``outputs``: name in the file -> result."""
        self.bound(sum(len(constant.raw_data) for constant in self.constants))
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
