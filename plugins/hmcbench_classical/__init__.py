"""Classical machine learning: hand-made image features, scikit-learn estimators and XGBoost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hmcbench import FeaturizerSpec, ModelSpec, Param, hookimpl
from hmcbench.errors import NotApplicable
from hmcbench.interfaces import TaskKind, Value

if TYPE_CHECKING:
    from hmcbench import Task

_SIDE = "side of the square that images are brought to, in pixels"

# Short names of views for ``inputs``; O, E and EP are the inputs of Yu et al. 2022.
WORDS = {
    "auto": "texture|table",
    "O": "table",
    "E": "table+descriptors",
    "EP": "table+descriptors",
}


@hookimpl
def hmcbench_featurizers() -> list[FeaturizerSpec]:
    return [
        FeaturizerSpec(
            name="grey_histogram",
            version="1",
            summary="Share of pixels in each of 64 grey levels: all that brightness alone can tell",
            factory="hmcbench_classical.texture:GreyHistogram",
            params={"size": Param(64, _SIDE + "; small ones average shot noise away", low=1)},
            source="pixels[size={size},channels=1]",
        ),
        FeaturizerSpec(
            name="texture",
            version="1",
            summary="Grey-level statistics, co-occurrence, local binary patterns and oriented gradients",
            factory="hmcbench_classical.texture:Texture",
            params={"size": Param(128, _SIDE, low=16)},
            source="pixels[size={size},channels=1]",
            requires=("skimage",),
            extra="vision",
            citation="Haralick et al. 1973; Ojala et al. 2002; Dalal & Triggs 2005",
        ),
    ]


_BOTH: tuple[TaskKind, ...] = ("hmc", "regression")
_REGRESSION: tuple[TaskKind, ...] = ("regression",)
_CLASSES: tuple[TaskKind, ...] = ("hmc",)
_LEAF = Param(1, "least number of training samples in a leaf", low=1, aliases=("min_leaf",))
_MISSING = ("decision-tree", "forest", "xgboost", "hist-gradient-boosting")  # their trees split on NaN
_TREES = {
    "n_estimators": Param(300, "number of trees", low=1, aliases=("trees",)),
    "min_samples_leaf": _LEAF,
    "max_features": Param(0.0, "share of features tried at a split; 0: the library's own", low=0, high=1),
}

FORESTS = ("forest", "extra-trees")
MOST_NUMBERS = 300 * 2 * 2000
"""Numbers that one node of every tree of a flat forest has together. A tree of 2,000 training samples has
about 2,500 nodes: 300 trees take 24 GB for 2,000 classes, each with the shares of its two values."""


def check_forest(*, task: Task, strategy: str, n_estimators: int, **_others: Value) -> None:
    """Raise NotApplicable for a flat forest of so many classes that it would fill the memory."""
    if strategy != "flat" or task.hierarchy is None:
        return
    classes = task.hierarchy.n
    if n_estimators * classes * (2 if task.paths == "multiple" else 1) > MOST_NUMBERS:
        raise NotApplicable(
            f"every node of {n_estimators} trees keeps the shares of {classes:,} classes, tens of GB;"
            " pct-forest grows such trees in little memory"
        )


def check_members(*, task: Task, strategy: str, members: str, **_others: Value) -> None:
    """Raise NotApplicable for an ensemble with a forest that :func:`check_forest` refuses."""
    for name in members.split("+"):
        if name in FORESTS:
            trees = MODELS[name][3]["n_estimators"].default
            check_forest(task=task, strategy=strategy, n_estimators=int(str(trees)))


# name -> summary, tasks, citation, parameters
MODELS: dict[str, tuple[str, tuple[TaskKind, ...], str, dict[str, Param]]] = {
    "ridge": (
        "Linear regression with an L2 penalty",
        _REGRESSION,
        "Hoerl & Kennard 1970",
        {"alpha": Param(1.0, "strength of the penalty", low=0)},
    ),
    "logistic-regression": (
        "Logistic regression with an L2 penalty",
        _CLASSES,
        "Cox 1958",
        {"C": Param(1.0, "inverse strength of the penalty", low=1e-9)},
    ),
    "sgd": (
        "Linear model by stochastic gradient descent (squared or logistic loss)",
        _BOTH,
        "Bottou 2010",
        {
            "alpha": Param(1e-4, "strength of the penalty", low=0),
            "penalty": Param("l2", "its norm", choices=("l2", "l1", "elasticnet")),
        },
    ),
    "svm": (
        "Support vector machine with a Gaussian kernel (SVR, or SVC)",
        _BOTH,
        "Cortes & Vapnik 1995; Chang & Lin 2011",
        {
            "C": Param(1.0, "price of an error", low=1e-9),
            "gamma": Param(1.0, "of the kernel, times 1 / number of features", low=1e-9),
            "epsilon": Param(0.1, "free error of SVR, in standard deviations of the target", low=0),
        },
    ),
    "gaussian-process": (
        "Gaussian process with a Matern kernel and noise; cubic in the number of samples",
        _BOTH,
        "Rasmussen & Williams 2006",
        {
            "nu": Param(1.5, "smoothness", choices=(0.5, 1.5, 2.5)),
            "ard": Param(False, "a length scale for every feature"),
        },
    ),
    "knn": (
        "k nearest neighbours",
        _BOTH,
        "Cover & Hart 1967",
        {
            "n_neighbors": Param(5, "k; never more than there are samples", low=1),
            "weights": Param("distance", "of the neighbours", choices=("uniform", "distance")),
            "p": Param(2, "power of the Minkowski distance", choices=(1, 2)),
        },
    ),
    "decision-tree": (
        "One decision tree (CART)",
        _BOTH,
        "Breiman et al. 1984",
        {
            "max_depth": Param(0, "0: as deep as it gets", low=0),
            "min_samples_leaf": _LEAF,
            "ccp_alpha": Param(0.0, "cost of a leaf, for pruning", low=0),
        },
    ),
    "forest": (
        "Random forest",
        _BOTH,
        "Breiman, L. Random forests. Machine Learning 45, 5-32 (2001)",
        _TREES,
    ),
    "extra-trees": ("Extremely randomised trees", _BOTH, "Geurts et al. 2006", _TREES),
    "xgboost": (
        "Gradient boosted trees (XGBoost); on the GPU where there is one",
        _BOTH,
        "Chen & Guestrin 2016",
        {
            "n_estimators": Param(300, "number of trees", low=1),
            "learning_rate": Param(0.1, "weight of a tree", low=1e-6, high=1),
            "max_depth": Param(6, "of a tree", low=1),
            "subsample": Param(1.0, "share of samples that a tree sees", low=0.01, high=1),
            "colsample_bytree": Param(1.0, "share of features that a tree sees", low=0.01, high=1),
            "min_child_weight": Param(1.0, "least weight in a leaf", low=0),
        },
    ),
    "hist-gradient-boosting": (
        "Gradient boosted trees over binned features (scikit-learn)",
        _BOTH,
        "Ke et al. 2017 (LightGBM), as in scikit-learn",
        {
            "max_iter": Param(100, "number of trees", low=1),
            "learning_rate": Param(0.1, "weight of a tree", low=1e-6, high=1),
            "max_leaf_nodes": Param(31, "leaves of a tree", low=2),
            "min_samples_leaf": Param(20, _LEAF.help, low=1),
            "l2_regularization": Param(0.0, "penalty on leaves", low=0),
        },
    ),
    "mlp": (
        "Multilayer perceptron: two hidden layers of ReLU, Adam",
        _BOTH,
        "Rumelhart et al. 1986; Kingma & Ba 2015",
        {
            "hidden": Param(64, "units of a hidden layer", low=1),
            "alpha": Param(1e-4, "L2 penalty", low=0),
            "learning_rate_init": Param(3e-3, "of Adam", low=1e-7),
        },
    ),
    "naive-bayes": (
        "Gaussian naive Bayes",
        _CLASSES,
        "Hand & Yu 2001",
        {"var_smoothing": Param(1e-9, "share of the largest variance added to all", low=0)},
    ),
}


@hookimpl
def hmcbench_models() -> list[ModelSpec]:
    specs = [_spec(name, *row) for name, row in MODELS.items()]
    members = Param("xgboost+svm+gaussian-process", "models of this list, joined by +")
    return [*specs, _spec("ensemble", "Mean of several models' predictions", _BOTH, "", {"members": members})]


CHECKS = {**dict.fromkeys(FORESTS, "check_forest"), "ensemble": "check_members"}
UNSEEDED = ("ridge", "logistic-regression", "svm", "gaussian-process", "knn", "naive-bayes", "xgboost")


def _deterministic(name: str) -> bool | dict[str, tuple[Value, ...]]:
    """Nothing is drawn without a search, without principal components and without shares of samples."""
    if name not in UNSEEDED:
        return False
    shares: tuple[str, ...] = ("subsample", "colsample_bytree") if name == "xgboost" else ()
    return {"tuned": (False,), "inputs": ("auto", "O", "E"), **dict.fromkeys(shares, (1.0,))}


def _spec(
    name: str, summary: str, tasks: tuple[TaskKind, ...], citation: str, params: dict[str, Param]
) -> ModelSpec:
    boosts = name in ("xgboost", "ensemble")
    shared: dict[str, Any] = {
        "inputs": Param(
            "auto",
            "O (table), E (table and descriptors), EP (descriptors as principal components), or views;"
            " auto: image texture, else the table",
            aliases=("features",),
        ),
        "tuned": Param(False, "choose the parameters below among 12 candidates on validation data"),
    }
    if "hmc" in tasks:
        help_ = "which classifiers make up a hierarchical one; docs/classical.md explains them"
        shared["strategy"] = Param("flat", help_, choices=("flat", "level", "parent", "node"))
    return ModelSpec(
        name=name,
        version="2" if name in ("forest", "sgd") else "1",
        summary=summary,
        factory=f"hmcbench_classical.families:{name.replace('-', '_')}",
        params={**shared, **params},
        profiles={"standard": {"tuned": True}, "paper": {"tuned": True}},
        views=("{inputs:" + ";".join(f"{word}={view}" for word, view in WORDS.items()) + "}",),
        tasks=tasks,
        missing=name in _MISSING,
        requires=("sklearn", "xgboost") if boosts else ("sklearn",),
        extra="boost" if boosts else "",
        accelerated=boosts,
        deterministic=_deterministic(name),
        check_task=f"hmcbench_classical:{CHECKS[name]}" if name in CHECKS else "",
        citation=citation,
        aliases=("texture-forest",) if name == "forest" else (),
    )
