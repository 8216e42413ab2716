"""MCVN's specs: its parameters, profiles and the transductive twin. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping

from hmcbench import ModelSpec, Param
from hmcbench.interfaces import Value

CITATION = (
    "Y. Yu, X. Wu, Q. Qian: Better utilization of materials' compositions for predicting their properties:"
    " Materials Composition Visualization Network (2022)"
)

# Main_Example.py and Trainer.py of github.com/yuyouyu32/MCVN; docs/mcvn.md has the whole comparison.
RELEASED: Mapping[str, Value] = {
    "init": "released",
    "grey": 255,
    "members": 1,
    "epochs": 10_000,
    "batch_size": 2,
    "learning_rate": 1e-3,
    "schedule": "step",
    "weight_decay": 0.0,
    "patience": 100,
}

PARAMS: dict[str, Param] = {
    "recipe": Param(
        "own",
        "released: the training of the code that the authors released",
        choices=("own", "released"),
        added=True,
        brings={"released": RELEASED},
    ),
    "tuned": Param(
        False, "choose learning rate, weight decay and batch size among 12 on validation data", added=True
    ),
    "channels": Param("both", "the inputs that are used (table 7)", choices=("both", "image", "original")),
    "attention": Param(
        "sample",
        "over the sample alone, as released; between it and the training set; or none (table 8)",
        choices=("sample", "train", "none"),
    ),
    "batch_norm": Param(True, "batch norm of the fused features (table 8)"),
    "convolution": Param(True, "false: six principal components in place of the convolutions (table 8)"),
    "init": Param(
        "uniform",
        "first weights; released: as in the authors' code",
        choices=("uniform", "released"),
        added=True,
    ),
    "grey": Param(1, "white in the composition image: 255 as published, or 1", choices=(1, 255)),
    "members": Param(6, "networks per target that differ in their seed; their mean is the prediction", low=1),
    "epochs": Param(400, "passes over the training samples", low=1),
    "batch_size": Param(32, "samples per step; 0: all of them", low=0),
    "learning_rate": Param(1e-2, "the highest learning rate of Adam", low=0.0),
    "schedule": Param(
        "cosine",
        "of the learning rate: constant, cosine down to zero, or step: .9 after every 500 batches",
        choices=("constant", "cosine", "step"),
    ),
    "weight_decay": Param(0.1, "decoupled from the gradient (AdamW)", low=0.0),
    "keep_best": Param(False, "end with the weights of the lowest validation loss, trained on train alone"),
    "patience": Param(
        0, "epochs without a lower validation loss before a network stops; 0: never", low=0, added=True
    ),
    "with_validation": Param(
        True, "train on the validation samples too, where nothing is chosen and no threshold fitted on them"
    ),
}

PROFILES: Mapping[str, Mapping[str, Value]] = {
    "quick": {"epochs": 150},
    "standard": {"members": 12},
    # One network per target and grey values up to 255. The paper names no optimiser, rate, batch or
    # number of epochs; recipe=released has those of the released code.
    "paper": {
        "grey": 255,
        "members": 1,
        "epochs": 1000,
        "learning_rate": 1e-3,
        "schedule": "constant",
        "weight_decay": 0.0,
    },
}

_VIEWS = "{channels:both=table+composition_image;image=composition_image;original=table}"


def _spec(name: str, summary: str, params: Mapping[str, Param], transductive: bool) -> ModelSpec:
    return ModelSpec(
        name=name,
        version="1",
        summary=summary,
        factory="hmcbench_materials.mcvn.search:create",
        fit_many="hmcbench_materials.mcvn.search:fit_many",
        params=params,
        profiles=PROFILES,
        requires=("torch", "sklearn"),
        extra="vision",
        citation=CITATION,
        licence="Apache-2.0",
        views=(_VIEWS,),
        tasks=("hmc", "regression"),
        transductive=transductive,
    )


def mcvn_models() -> list[ModelSpec]:
    """``mcvn``, and ``mcvn-transductive`` with attention between the samples of the batch."""
    transductive = {name: param for name, param in PARAMS.items() if name != "attention"}
    return [
        _spec("mcvn", "composition image and table, CNN and attention, fused (Yu 2022)", PARAMS, False),
        _spec(
            "mcvn-transductive",
            "MCVN with attention between the samples of the batch, as its text describes it",
            transductive,
            True,
        ),
    ]
