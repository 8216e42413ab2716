"""The models of the field, one readable file each; nothing heavy is imported here.

``quick`` trains on batches of 64 with one cycle of the learning rate, as measured on the classic sets;
``standard`` and ``paper`` have the published optimiser, batch size and rate, and stop by validation.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from hmcbench import ModelSpec, Param
from hmcbench.interfaces import Value

_RECIPE: dict[str, Param] = {
    "members": Param(1, "networks that differ in their seed; their mean is the prediction", low=1),
    "mc_dropout": Param(
        0,
        "passes with units left out whose mean is the prediction; 0: none",
        low=0,
        high=1000,
        added=True,
    ),
    "epochs": Param(40, "passes over the training samples, at most", low=1),
    "batch_size": Param(64, "samples per step, at most", low=1),
    "optimizer": Param("adamw", "adam, or adamw with decoupled weight decay", choices=("adam", "adamw")),
    "learning_rate": Param(2e-3, "the highest learning rate", low=0.0),
    "weight_decay": Param(0.01, "of every parameter", low=0.0),
    "schedule": Param("onecycle", "of the learning rate", choices=("constant", "onecycle")),
    "patience": Param(
        0,
        "epochs without a higher pooled average precision on validation before the training ends, with the"
        " best weights; 0: all epochs, and the last weights",
        low=0,
    ),
    "precision": Param(
        "auto",
        "of matrix products in training; auto: bfloat16 where the device computes in it and it pays",
        choices=("auto", "float32", "bfloat16"),
    ),
}
_INPUTS = Param("table", "the view that is read, such as texture or embedding[...]", added=True)
_DROPOUT = Param(0.5, "share of hidden units set to 0 in training", low=0.0, high=0.95)
_HIDDEN = Param((1000, 1000), "widths of the hidden layers", low=1)
_WIDTH = Param(384, "units of a hidden layer", low=1)
_PENALTY = Param(0.1, "lambda: weight of the violations of the hierarchy", low=0.0)

# The published trainings; those that are not published are of the kind that the field uses.
_ADAM: dict[str, Value] = {
    "epochs": 200,
    "batch_size": 4,
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "weight_decay": 0.0,
    "schedule": "constant",
    "patience": 20,
}
_C_HMCNN = {**_ADAM, "epochs": 600, "learning_rate": 1e-4, "weight_decay": 1e-5, "hidden": (500, 500)}


SMALL_BATCH = 8
"""Samples per step up to which several networks are trained as one, if they are small enough."""
SMALL_WIDTH = 256


def joint(*, batch_size: int, hidden: tuple[int, ...] = (), width: int = 0, **_others: Value) -> bool:
    """Whether the seeds of a network are trained in one process: where one is too small to fill a core."""
    return batch_size <= SMALL_BATCH and max((*hidden, width)) <= SMALL_WIDTH


def _network(
    name: str,
    summary: str,
    factory: str,
    citation: str,
    params: Mapping[str, Param],
    published: Mapping[str, Value],
    recipe: Mapping[str, Param] = MappingProxyType({}),
    **fields: Any,
) -> ModelSpec:
    fields = {
        "fit_many": "hmcbench_hmc.models.vectors:fit_many",
        "joint": "hmcbench_hmc.models:joint",
        "check": "hmcbench.torchkit.architectures:check",
        **fields,
    }
    return ModelSpec(
        name=name,
        version="1",
        summary=summary,
        factory=f"hmcbench_hmc.models.{factory}",
        params={**params, **_RECIPE, **recipe},
        profiles={"standard": published, "paper": published},
        views=("table",),
        requires=("torch", "safetensors"),
        extra="vision",
        accelerated=True,
        citation=citation,
        **fields,
    )


_PERCEPTRON = {"hidden": _HIDDEN, "dropout": Param(0.7, _DROPOUT.help, low=0.0, high=0.95)}
_FOREST = {
    "trees": Param(250, "number of trees", low=1),
    "projections": Param(20, "random projections of the classes a tree is grown on; 0: all classes", low=0),
}

MODELS: list[ModelSpec] = [
    _network(
        "mlp-bce",
        "Multilayer perceptron with a sigmoid per class and plain cross-entropy: the baseline of this field",
        "mlp:create",
        "Rumelhart et al. 1986; Kingma & Ba 2015",
        _PERCEPTRON,
        _C_HMCNN,
    ),
    _network(
        "c-hmcnn",
        "C-HMCNN(h): a perceptron, the maximum over descendants, and the loss that knows of it",
        "c_hmcnn:create",
        "E. Giunchiglia, T. Lukasiewicz: Coherent hierarchical multi-label classification networks, NeurIPS"
        " 2020",
        _PERCEPTRON,
        _C_HMCNN,
    ),
    _network(
        "hmcn-f",
        "HMCN-F: a layer and a local head per level, and a global head",
        "hmcn:create_f",
        "J. Wehrmann, R. Cerri, R. Barros: Hierarchical multi-label classification networks, ICML 2018",
        {"width": _WIDTH, "dropout": Param(0.6, _DROPOUT.help, low=0.0, high=0.95), "penalty": _PENALTY},
        _ADAM,
        recipe={"learning_rate": Param(6e-3, "the highest learning rate", low=0.0)},
    ),
    _network(
        "hmcn-r",
        "HMCN-R: as hmcn-f, with one recurrent cell for all levels",
        "hmcn:create_r",
        "J. Wehrmann, R. Cerri, R. Barros: Hierarchical multi-label classification networks, ICML 2018",
        {"width": _WIDTH, "dropout": Param(0.6, _DROPOUT.help, low=0.0, high=0.95), "penalty": _PENALTY},
        _ADAM,
    ),
    _network(
        "awx",
        "AWX: sigmoids for leaves, whose sum or norm is the score of the classes above",
        "awx:create",
        "L. Masera, E. Blanzieri: AWX: An integrated approach to hierarchical-multilabel classification "
        " (2019)",
        {
            "hidden": Param((500, 500, 500), _HIDDEN.help, low=1),
            "noise": Param(0.1, "deviation of the Gaussian noise after each hidden layer", low=0.0),
            "norm": Param(1.0, "n of the norm over leaves: 1 the clipped sum, 0 the maximum", low=0.0),
        },
        {**_ADAM, "epochs": 2000, "batch_size": 32, "learning_rate": 1e-5, "patience": 10},
        recipe={"learning_rate": Param(5e-4, "the highest learning rate", low=0.0)},
    ),
    _network(
        "hmc-lmlp",
        "HMC-LMLP: a perceptron per level, fed with the scores of the level above",
        "lmlp:create",
        "R. Cerri, R. Barros, A. de Carvalho: Hierarchical multi-label classification using local neural"
        " networks, J. Comput. Syst. Sci. 80 (2014)",
        {"width": Param(500, _WIDTH.help, low=1), "dropout": _DROPOUT},
        _ADAM,
    ),
    _network(
        "mbm",
        "MBM: a box per class, which holds a share of the sample's box",
        "mbm:create",
        "D. Patel et al.: Modeling label space interactions in multi-label classification using box"
        " embeddings, ICLR 2022",
        {
            "hidden": Param((500, 500), _HIDDEN.help, low=1),
            "dimensions": Param(64, "of the boxes", low=1),
            "dropout": _DROPOUT,
        },
        {
            **_ADAM,
            "optimizer": "adamw",
            "learning_rate": 1e-4,
            "weight_decay": 5e-4,
            "hidden": (1750, 1750),
            "dimensions": 1750,
            "dropout": 0.0,
        },
        recipe={"learning_rate": Param(2e-4, "the highest learning rate of the perceptron", low=0.0)},
    ),
    _network(
        "hmi",
        "HMI: a hyperplane of the hyperbolic ball per class, with penalties for implications and exclusions",
        "hmi:create",
        "B. Xiong, M. Cochez, M. Nayyeri, S. Staab: Hyperbolic embedding inference for structured multi-label"
        " prediction, NeurIPS 2022",
        {
            "hidden": Param((1000,), _HIDDEN.help, low=1),
            "dimensions": Param(64, "of the ball", low=2),
            "dropout": _DROPOUT,
            "penalty": Param(1e-4, _PENALTY.help, low=0.0),
        },
        _ADAM,
    ),
    _network(
        "hmc-duo",
        "Mean of c-hmcnn, over several seeds, and pct-forest",
        "duo:create",
        "of hmcbench; its parts are those of c-hmcnn and pct-forest",
        {**_PERCEPTRON, **_FOREST},
        _C_HMCNN,
        recipe={"members": Param(3, "seeds of c-hmcnn", low=1)},
        fit_many="",
    ),
    ModelSpec(
        name="pct",
        version="1",
        summary="Clus-HMC: one predictive clustering tree, pruned by an F-test",
        factory="hmcbench_hmc.models.trees:Pct",
        params={
            "leaf": Param(5, "least number of training samples in a leaf", low=1),
            "significance": Param(0.0, "of the F-test; 0: chosen on validation samples", low=0.0, high=1.0),
            "inputs": _INPUTS,
        },
        views=("{inputs}",),
        missing=True,
        deterministic=True,
        requires=("sklearn",),
        citation="C. Vens et al.: Decision trees for hierarchical multi-label classification, Machine"
        " Learning 73 (2008)",
    ),
    ModelSpec(
        name="pct-forest",
        version="1",
        summary="Clus-HMC-Ens: bagged predictive clustering trees, on random projections of the classes",
        factory="hmcbench_hmc.models.trees:PctForest",
        params={
            **_FOREST,
            "features": Param(1 / 3, "share of the features that is tried at a split", low=0.001, high=1.0),
            "leaf": Param(3, "least number of training samples in a leaf", low=1),
            "inputs": _INPUTS,
        },
        profiles={"paper": {"trees": 50, "projections": 0, "features": 1.0, "leaf": 5}},
        views=("{inputs}",),
        missing=True,
        requires=("sklearn",),
        citation="L. Schietgat et al.: Predicting gene function using hierarchical multi-label decision tree"
        " ensembles, BMC Bioinformatics 11 (2010); A. Joly et al.: Random forests with random projections of"
        " the output space, ECML 2014",
    ),
    ModelSpec(
        name="hiclass",
        version="1",
        summary="Local classifiers of hiclass, per node, per parent node or per level",
        factory="hmcbench_hmc.models.hiclass_adapter:Hiclass",
        params={
            "local": Param("parent", "where the classifiers are", choices=("node", "parent", "level")),
            "classifier": Param(
                "logistic-regression", "of a node", choices=("logistic-regression", "decision-tree")
            ),
        },
        variant="local",
        views=("table",),
        paths=("single",),
        hierarchies=("tree",),
        deterministic={"classifier": ("logistic-regression",)},
        requires=("sklearn", "hiclass"),
        extra="hmc",
        citation="F. Miranda, N. Koehnecke, B. Renard: HiClass: a Python library for local hierarchical"
        " classification, JMLR 24 (2023)",
    ),
    ModelSpec(
        name="boosting-per-class",
        version="1",
        summary="Gradient boosted trees (XGBoost), a booster per class on one matrix of binned features",
        factory="hmcbench_hmc.models.boosting:Boosting",
        params={
            "trees": Param(50, "per class", low=1),
            "depth": Param(4, "of a tree", low=1),
            "learning_rate": Param(0.1, "weight of a tree", low=1e-6, high=1.0),
            "subsample": Param(0.7, "share of samples and of features that a tree sees", low=0.01, high=1.0),
        },
        profiles={"standard": {"trees": 150}, "paper": {"trees": 150}},
        views=("table",),
        missing=True,
        requires=("sklearn", "xgboost"),
        extra="boost",
        accelerated=True,
        citation="T. Chen, C. Guestrin: XGBoost, KDD 2016",
    ),
]
