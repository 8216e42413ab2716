"""How a network is trained: the parameters every torch model shares, and their three profiles.

Imports no torch, so that plugins can name these in their specs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hmcbench.interfaces import Param, Value


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Keywords of the training loop; :data:`PARAMS` says what each of them does."""

    epochs: int = 20
    batch_size: int = 32
    optimizer: str = "adamw"
    learning_rate: float = 2e-3
    momentum: float = 0.9
    weight_decay: float = 0.02
    schedule: str = "onecycle"
    warmup_epochs: float = 0.0
    clip_norm: float = 0.0
    augment: str = "light"
    normalise: str = "image"
    loss: str = "focal"
    focal_alpha: float = 1.0
    focal_gamma: float = 2.0
    label_smoothing: float = 0.1
    level_weights: str = ""
    balance: str = "none"
    mixup: float = 0.0
    cutmix: float = 0.0
    ema: float = 0.0
    patience: int = 0
    tiles: int = 1
    deterministic: bool = False
    compile: str = "auto"


_USUAL = Recipe()

PARAMS: Mapping[str, Param] = {
    "image_size": Param(64, "side of the square input in pixels", low=16, high=1024),
    "in_chans": Param(1, "channels of the input: 1 (grey) or 3", choices=(1, 3)),
    "pretrained": Param(False, "start from published ImageNet weights"),
    "epochs": Param(_USUAL.epochs, "passes over the training samples", low=1),
    "batch_size": Param(_USUAL.batch_size, "samples per step", low=2),
    "optimizer": Param(_USUAL.optimizer, "the optimizer", choices=("adamw", "sgd")),
    "learning_rate": Param(_USUAL.learning_rate, "the highest learning rate", low=0.0),
    "momentum": Param(_USUAL.momentum, "momentum of sgd, beta1 of adamw", low=0.0, high=1.0),
    "weight_decay": Param(_USUAL.weight_decay, "weight decay; adamw spares biases and norms", low=0.0),
    "schedule": Param(
        _USUAL.schedule, "the learning rate over time", choices=("constant", "cosine", "onecycle")
    ),
    "warmup_epochs": Param(_USUAL.warmup_epochs, "epochs of linear warm-up (constant and cosine)", low=0.0),
    "clip_norm": Param(_USUAL.clip_norm, "largest norm of the gradient; 0 = no limit", low=0.0),
    "augment": Param(
        _USUAL.augment, "changes made to training images", choices=("none", "light", "paper", "sem")
    ),
    "normalise": Param(
        _USUAL.normalise,
        "image: every image to mean 0, deviation 1; dataset: by mean and deviation of the training pixels",
        choices=("image", "dataset"),
    ),
    "loss": Param(_USUAL.loss, "loss per level", choices=("focal", "cross_entropy")),
    "focal_alpha": Param(_USUAL.focal_alpha, "factor of the focal loss", low=0.0),
    "focal_gamma": Param(_USUAL.focal_gamma, "focusing exponent of the focal loss", low=0.0),
    "label_smoothing": Param(
        _USUAL.label_smoothing, "probability given to the other classes", low=0.0, high=0.9
    ),
    "level_weights": Param(_USUAL.level_weights, "weights of the levels, as 1,2; empty: level k weighs k"),
    "balance": Param(
        _USUAL.balance,
        "rare classes: sampling draws them more often, weights count them more in the loss",
        choices=("none", "sampling", "weights"),
    ),
    "mixup": Param(_USUAL.mixup, "blend pairs of images with shares from Beta(a, a); 0 = off", low=0.0),
    "cutmix": Param(_USUAL.cutmix, "paste a part of one image into another, the same; 0 = off", low=0.0),
    "ema": Param(_USUAL.ema, "decay per step of the running mean of weights; 0 = off", low=0.0, high=1.0),
    "patience": Param(
        _USUAL.patience,
        "stop after so many epochs without gain on validation, keep the best; 0: all epochs, keep the last",
        low=0,
    ),
    "tiles": Param(
        _USUAL.tiles,
        "cut images into so many tiles per side, each of image_size; scores are joined",
        low=1,
        high=16,
    ),
    "deterministic": Param(_USUAL.deterministic, "on a GPU: the same bits every time, slower"),
    "compile": Param(
        _USUAL.compile,
        "on: torch.compile; graphs: CUDA graphs; auto: graphs for small batches on a GPU, else off",
        choices=("auto", "on", "graphs", "off"),
    ),
}

PROFILES: Mapping[str, Mapping[str, Value]] = {
    # About 100 s for resnet10t on 1,600 images and two cores; lighter networks want more epochs.
    "quick": {"epochs": 9, "patience": 12},
    "standard": {
        "image_size": 128,
        "epochs": 100,
        "batch_size": 64,
        "augment": "paper",
        "patience": 30,
    },
    # Han et al. 2025, "Data preprocessing and model training". The paper names no alpha, gamma or
    # smoothing (the defaults stand), and no validation set (so the last epoch is used).
    "paper": {
        "image_size": 224,
        "in_chans": 3,
        "pretrained": True,
        "epochs": 200,
        "batch_size": 16,
        "optimizer": "sgd",
        "learning_rate": 1e-4,
        "momentum": 0.937,
        "weight_decay": 5e-4,
        "schedule": "cosine",
        "augment": "paper",
        "normalise": "dataset",
        "level_weights": "",
        "patience": 0,
    },
}
