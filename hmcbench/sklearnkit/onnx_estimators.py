"""Single estimators in an ONNX graph: what skl2onnx converts well, and by hand what it does not.

By hand are scalers, neighbours, Gaussian processes, and the boosted trees of scikit-learn and XGBoost:
skl2onnx computes all in float32, where a difference of large numbers or an equal distance is lost.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from hmcbench.errors import BadInput
from hmcbench.sklearnkit.onnx_graph import FLOAT, ML_OPSET, OPSET, OnnxGraph, Trees

__all__ = ["predictions", "probabilities"]  # what plugins may use

Write = Callable[[OnnxGraph, Any, str], str]
"""``write(graph, estimator, columns)``, ``columns`` float64 (N, F): a classifier's probabilities, of several
outputs those of having each class; a regressor's predictions. Float32 (N, K)."""


def probabilities(graph: OnnxGraph, estimator: Any, outputs: int = 1) -> str:
    """Of a classifier on the graph's features: of its classes (N, K), or of having each of several (N, K)."""
    last, columns = _prepared(graph, estimator)
    write = _writer(last)
    if write is not None:
        return write(graph, last, columns)
    shares = _converted(graph, last, columns, 1)
    if outputs == 1:
        return shares
    both = graph.op("Reshape", shares, graph.constant([outputs, -1, 2], np.int64))
    having = graph.op("Gather", both, graph.constant(1, np.int64), axis=2)
    return graph.op("Transpose", having, perm=[1, 0])


def predictions(graph: OnnxGraph, estimator: Any) -> str:
    """Of a regressor on the graph's features, (N, T)."""
    from sklearn.compose import TransformedTargetRegressor

    if isinstance(estimator, TransformedTargetRegressor):
        scaler = estimator.transformer_
        flat = _predicted(graph, estimator.regressor_, len(scaler.scale_))
        scaled = graph.op("Mul", flat, graph.constant([scaler.scale_]))
        return graph.op("Add", scaled, graph.constant([scaler.mean_]))
    return _predicted(graph, estimator, _targets(estimator))


def _predicted(graph: OnnxGraph, estimator: Any, targets: int) -> str:
    last, columns = _prepared(graph, estimator)
    write = _writer(last)
    out = write(graph, last, columns) if write is not None else _converted(graph, last, columns, 0)
    return graph.op("Reshape", out, graph.constant([-1, targets], np.int64))


def _targets(estimator: Any) -> int:
    """How many numbers a regressor predicts."""
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    if hasattr(last, "n_outputs_"):
        return int(last.n_outputs_)
    shape = np.shape(getattr(last, "coef_", getattr(last, "_y", [0.0])))
    return int(shape[0]) if hasattr(last, "coef_") and len(shape) > 1 else shape[1] if len(shape) > 1 else 1


def _prepared(graph: OnnxGraph, estimator: Any) -> tuple[Any, str]:
    """The last step of a pipeline, and the columns that it reads, float64."""
    columns = graph.cast(graph.features, np.float64)
    *steps, last = _steps(estimator)
    for step in steps:
        columns = _transformed(graph, step, columns)
    return last, columns


def _steps(estimator: Any) -> list[Any]:
    """The steps of pipelines, as types of scikit-learn where they have them (see ``own_types`` of
    :class:`EstimatorModel`)."""
    if hasattr(estimator, "steps"):
        return [part for _, step in estimator.steps for part in _steps(step)]
    if estimator is None or isinstance(estimator, str):  # "passthrough"
        return []
    shown = estimator.public() if hasattr(estimator, "public") else estimator
    return [] if shown is None else [shown]


def _transformed(graph: OnnxGraph, step: Any, columns: str) -> str:
    from sklearn.preprocessing import StandardScaler

    from hmcbench.sklearnkit.inputs import ReducedTail

    if isinstance(step, StandardScaler):
        mean, scale = getattr(step, "mean_", None), getattr(step, "scale_", None)
        if mean is not None and scale is not None and step.n_features_in_ == graph.width:
            for side in (-scale, 0 * scale, scale):
                graph.tell_apart(range(graph.width), mean + side)
        return graph.scaled(columns, mean, scale)
    if isinstance(step, ReducedTail):
        width = len(step.scaler_.scale_) + step.keep
        head, tail = (
            graph.op("Gather", columns, graph.constant(np.arange(*ends), np.int64), axis=1)
            for ends in ((0, step.keep), (step.keep, width))
        )
        if step.pca_ is None:
            return head
        scaled = graph.scaled(tail, step.scaler_.mean_, step.scaler_.scale_)
        centred = graph.scaled(scaled, step.pca_.mean_, None)
        return graph.columns([head, graph.op("MatMul", centred, graph.double(step.pca_.components_.T))])
    return graph.cast(_converted(graph, step, columns, 0), np.float64)


def _converted(graph: OnnxGraph, estimator: Any, columns: str, output: int) -> str:
    """The output of that number of what skl2onnx makes of an estimator."""
    import skl2onnx
    from skl2onnx.common.data_types import FloatTensorType

    width = getattr(estimator, "n_features_in_", graph.width)
    options = {id(estimator): {"zipmap": False}} if hasattr(estimator, "predict_proba") else {}
    try:
        model = skl2onnx.convert_sklearn(
            estimator,
            initial_types=[("features", FloatTensorType([None, width]))],
            options=options,
            target_opset={"": OPSET, "ai.onnx.ml": ML_OPSET},
        )
    except Exception as error:  # each converter has its own
        reason = (str(error).strip().splitlines() or [""])[0][:160]
        kind = type(estimator).__name__
        raise BadInput(f"skl2onnx cannot convert {kind} ({type(error).__name__}: {reason})") from None
    _missing_values(model, estimator)
    return graph.embed(model, graph.cast(columns), output)


def _missing_values(model: Any, estimator: Any) -> None:
    """Send NaN where the trees of scikit-learn send it, which skl2onnx leaves out."""
    from onnx import helper

    trees = [tree.tree_ for tree in getattr(estimator, "estimators_", [estimator]) if hasattr(tree, "tree_")]
    ensembles = [node for node in model.graph.node if node.op_type.startswith("TreeEnsemble")]
    for i, node in enumerate(ensembles if trees else ()):
        own = trees if len(ensembles) == 1 else [trees[i]]  # of several outputs: an operation per tree
        values = {a.name: list(a.ints) for a in node.attribute}
        places = zip(values["nodes_treeids"], values["nodes_nodeids"], strict=True)
        left = [int(own[tree].missing_go_to_left[place]) for tree, place in places]
        name = "nodes_missing_value_tracks_true"
        kept = [a for a in node.attribute if a.name != name]
        del node.attribute[:]
        node.attribute.extend([*kept, helper.make_attribute(name, left)])


# --------------------------------------------------------------------------- by hand


def _writer(estimator: Any) -> Write | None:
    """How an estimator is written by hand: its own ``write_onnx``, or a function below."""
    if hasattr(estimator, "write_onnx"):
        return lambda graph, own, columns: str(own.write_onnx(graph, columns))
    names = {f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(estimator).__mro__}
    return next((write for name, write in BY_HAND.items() if name in names), None)


def _neighbours(graph: OnnxGraph, knn: Any, columns: str) -> str:
    """Weighted means of what the nearest training samples have; of equal distances the first counts."""
    powers = {"manhattan": 1, "euclidean": 2}
    if knn.effective_metric_ not in powers or not isinstance(knn.weights, str):
        raise BadInput(
            f"neighbours by metric {knn.effective_metric_} and weights {knn.weights!r} cannot be exported",
            allowed="p=1 or p=2, weights=uniform or weights=distance",
        )
    power = powers[knn.effective_metric_]
    distances = graph.differences(columns, np.asarray(knn._fit_X, dtype=np.float64), power)
    distances = graph.op("Sqrt", distances) if power == 2 else distances
    count = graph.constant([knn.n_neighbors], np.int64)
    nearest, places = graph.ops("TopK", 2, distances, count, axis=1, largest=0, sorted=1)
    weights = graph.op("Add", graph.op("Mul", nearest, graph.double(0.0)), graph.double(1.0))
    if knn.weights == "distance":  # equal samples alone count, where there are some
        equal = graph.cast(graph.op("Equal", nearest, graph.double(0.0)), np.float64)
        some = graph.op("Greater", graph.sum(equal), graph.double(0.0))
        weights = graph.op("Where", some, equal, graph.op("Reciprocal", nearest))
    having = graph.op("Gather", graph.double(_known(knn)), places, axis=0)  # (N, k, K)
    row = graph.op("Unsqueeze", weights, graph.constant([1], np.int64))  # (N, 1, k)
    total = graph.op("Squeeze", graph.op("MatMul", row, having), graph.constant([1], np.int64))
    return graph.cast(graph.op("Div", total, graph.sum(weights)))


def _known(knn: Any) -> np.ndarray:
    """What training samples have, float64 (M, K): classes as 0 and 1, or numbers."""
    known = np.asarray(knn._y, dtype=np.float64)
    if not hasattr(knn, "classes_"):
        return known.reshape(len(known), -1)
    if known.ndim == 2 and known.shape[1] > 1:
        return known
    return np.asarray(known.reshape(-1, 1) == np.arange(len(knn.classes_)), dtype=np.float64)


def _kernel(graph: OnnxGraph, kernel: Any, columns: str, rows: np.ndarray) -> str:
    """A kernel of new samples and of M training samples, float64 (N, M), or a number."""
    kind = type(kernel).__name__
    if kind in ("Product", "Sum"):
        parts = [_kernel(graph, part, columns, rows) for part in (kernel.k1, kernel.k2)]
        return graph.op("Mul" if kind == "Product" else "Add", *parts)
    if kind in ("ConstantKernel", "WhiteKernel"):  # no new sample is a training sample
        return graph.double(kernel.constant_value if kind == "ConstantKernel" else 0.0)
    if kind != "RBF" and (kind != "Matern" or kernel.nu not in (0.5, 1.5, 2.5)):
        raise BadInput(
            f"the kernel {kernel} cannot be exported",
            allowed="products and sums of constants, noise, RBF, and Matern of nu 0.5, 1.5 or 2.5",
        )
    scale = np.broadcast_to(kernel.length_scale, rows.shape[1])
    squares = graph.differences(graph.scaled(columns, None, scale), rows / scale, 2)
    if kind == "RBF":
        return graph.op("Exp", graph.op("Mul", squares, graph.double(-0.5)))
    root = graph.op("Sqrt", graph.op("Mul", squares, graph.double(2 * kernel.nu)))
    decay = graph.op("Exp", graph.op("Neg", root))
    if kernel.nu == 0.5:
        return decay
    terms = [graph.double(1.0), root]
    if kernel.nu == 2.5:
        terms.append(graph.op("Div", graph.op("Mul", root, root), graph.double(3.0)))
    return graph.op("Mul", graph.op("Sum", *terms), decay)


def _process(graph: OnnxGraph, process: Any, columns: str) -> str:
    """The mean of a Gaussian process."""
    known = _kernel(graph, process.kernel_, columns, process.X_train_)
    alpha = process.alpha_.reshape(len(process.X_train_), -1)
    mean = graph.op("MatMul", known, graph.double(alpha))
    mean = graph.op("Mul", mean, graph.double(np.reshape(process._y_train_std, (1, -1))))
    return graph.cast(graph.op("Add", mean, graph.double(np.reshape(process._y_train_mean, (1, -1)))))


def _process_of_classes(graph: OnnxGraph, process: Any, columns: str) -> str:
    """Laplace's approximation; of more than two classes, each against the others."""
    several = getattr(process.base_estimator_, "estimators_", None)
    if several is None:
        return graph.both(_laplace(graph, process.base_estimator_, columns))
    shares = graph.columns([_laplace(graph, binary, columns) for binary in several])
    return graph.op("Div", shares, graph.sum(shares))


def _laplace(graph: OnnxGraph, binary: Any, columns: str) -> str:
    """Algorithm 3.2 of Rasmussen & Williams, and the five error functions of scikit-learn; (N, 1)."""
    from scipy.linalg import solve_triangular
    from sklearn.gaussian_process._gpc import COEFS, LAMBDAS

    if not hasattr(binary, "kernel_"):  # a class that all or no training samples have
        return graph.filled([float(np.ravel(binary.y_)[0])])
    known = _kernel(graph, binary.kernel_, columns, binary.X_train_)
    mean = graph.op("MatMul", known, graph.double((binary.y_train_ - binary.pi_)[:, None]))
    through = solve_triangular(binary.L_, np.diag(binary.W_sr_), lower=True)
    v = graph.op("MatMul", known, graph.double(through.T))
    own = float(binary.kernel_.diag(binary.X_train_[:1])[0])  # these kernels have one variance everywhere
    variance = graph.op("Sub", graph.double([[own]]), graph.sum(graph.op("Mul", v, v)))
    # sqrt(pi / alpha) / (2 sqrt(2 pi variance)) is 1 / 2 for alpha = 1 / (2 variance)
    widened = graph.op("Mul", variance, graph.double(2 * LAMBDAS.T**2))
    root = graph.op("Sqrt", graph.op("Add", graph.double(1.0), widened))
    argument = graph.op("Div", graph.op("Mul", mean, graph.double(LAMBDAS.T)), root)
    return graph.cast(
        graph.op(
            "Add",
            graph.op("MatMul", _error_function(graph, argument), graph.double(COEFS / 2)),
            graph.double(float(COEFS.sum()) / 2),
        )
    )


def _error_function(graph: OnnxGraph, x: str) -> str:
    """erf of float64 (N, K) to 1e-14, by Gauss-Legendre: 2 x / sqrt(pi) times the integral of exp(-(x u)^2).

    onnxruntime has it in float32 only. The five coefficients reach 3,500 and nearly cancel, so that float32
    would leave three digits.
    """
    places, weights = np.polynomial.legendre.leggauss(40)
    x = graph.op("Clip", x, graph.double(-6.0), graph.double(6.0))  # beyond, erf is 1 to the last digit
    wide = graph.op("Unsqueeze", x, graph.constant([2], np.int64))  # (N, K, 1)
    inner = graph.op("Mul", wide, graph.double((places + 1) / 2))
    falls = graph.op("Exp", graph.op("Neg", graph.op("Mul", inner, inner)))
    integral = graph.op("MatMul", falls, graph.double(weights[:, None] / 2))
    integral = graph.op("Squeeze", integral, graph.constant([2], np.int64))
    return graph.op("Mul", graph.op("Mul", x, graph.double(2 / np.pi**0.5)), integral)


def _boosted(graph: OnnxGraph, boosting: Any, columns: str) -> str:
    """Histogram gradient boosting."""
    predictors = boosting._predictors
    nodes = [tree.nodes for step in predictors for tree in step]
    if any(part["is_categorical"].any() for part in nodes):
        raise BadInput("trees that split on sets of categories cannot be exported", allowed="numeric columns")
    together = np.concatenate(nodes)
    sizes = [len(part) for part in nodes]
    groups = len(predictors[0])
    tree = np.repeat(np.arange(len(nodes)), sizes)
    leaf = together["is_leaf"].astype(bool)
    trees = Trees(
        tree,
        np.concatenate([np.arange(size) for size in sizes]),
        together["left"],
        together["right"],
        leaf,
        together["feature_idx"],
        together["num_threshold"],
        together["missing_go_to_left"].astype(bool),
        np.flatnonzero(leaf),
        tree[leaf] % groups,
        together["value"][leaf],
    )
    sums = graph.trees(graph.cast(columns), trees, groups, np.ravel(boosting._baseline_prediction))
    if hasattr(boosting, "classes_"):
        return _shares(graph, sums, groups > 1)
    link = type(boosting._loss.link).__name__
    if link not in ("IdentityLink", "LogLink"):
        raise BadInput(f"boosting with {link} cannot be exported", allowed="loss=squared_error")
    return sums if link == "IdentityLink" else graph.op("Exp", sums)


OBJECTIVES = ("binary:logistic", "multi:softprob", "multi:softmax", "reg:squarederror")


def _xgboost(graph: OnnxGraph, boosting: Any, columns: str) -> str:
    """Trees of XGBoost, from its own JSON."""
    import xgboost

    booster = boosting.get_booster()
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    objective, kind = learner["objective"]["name"], learner["gradient_booster"]["name"]
    if objective not in OBJECTIVES or kind != "gbtree":
        raise BadInput(
            f"XGBoost with objective={objective} and booster={kind} cannot be exported",
            allowed=f"booster=gbtree, objective={' or '.join(OBJECTIVES)}",
        )
    content = learner["gradient_booster"]["model"]
    parts, group = content["trees"], np.array(content["tree_info"])
    if any(any(part["split_type"]) or part["tree_param"]["size_leaf_vector"] not in "01" for part in parts):
        raise BadInput(
            "XGBoost with categories or leaves of several outputs cannot be exported",
            allowed="numeric columns, multi_strategy=one_output_per_tree",
        )

    def joined(name: str, dtype: Any = np.int64) -> np.ndarray:
        return np.concatenate([np.array(part[name], dtype=dtype) for part in parts])

    sizes = [len(part["left_children"]) for part in parts]
    tree, left = np.repeat(np.arange(len(parts)), sizes), joined("left_children")
    leaf, values = left < 0, joined("split_conditions", FLOAT)
    trees = Trees(
        tree,
        np.concatenate([np.arange(size) for size in sizes]),
        left,
        joined("right_children"),
        leaf,
        joined("split_indices"),
        values,
        joined("default_left").astype(bool),
        np.flatnonzero(leaf),
        group[tree[leaf]],
        values[leaf],
    )
    # what sums begin with, whatever a version of XGBoost calls it: the sums of a row without its leaves
    row = xgboost.DMatrix(np.zeros((1, booster.num_features()), dtype=FLOAT))
    margin = np.ravel(booster.predict(row, output_margin=True)).astype(np.float64)
    ends = np.ravel(booster.predict(row, pred_leaf=True)).astype(np.int64)
    starts = np.cumsum([0, *sizes[:-1]])
    base = margin - np.bincount(group, values[starts + ends], len(margin))
    sums = graph.trees(graph.cast(columns), trees, len(margin), base, strict=True)
    if objective == "reg:squarederror":
        return sums
    several = objective == "binary:logistic" and len(margin) > 1
    return graph.op("Sigmoid", sums) if several else _shares(graph, sums, len(margin) > 1)


def _shares(graph: OnnxGraph, sums: str, several: bool) -> str:
    """Probabilities of exclusive classes from sums of trees."""
    return graph.op("Softmax", sums, axis=1) if several else graph.both(graph.op("Sigmoid", sums))


BY_HAND: dict[str, Write] = {
    "sklearn.KNeighborsClassifier": _neighbours,
    "sklearn.KNeighborsRegressor": _neighbours,
    "sklearn.GaussianProcessRegressor": _process,
    "sklearn.GaussianProcessClassifier": _process_of_classes,
    "sklearn.HistGradientBoostingClassifier": _boosted,
    "sklearn.HistGradientBoostingRegressor": _boosted,
    "xgboost.XGBClassifier": _xgboost,
    "xgboost.XGBRegressor": _xgboost,
}
