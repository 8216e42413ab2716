"""Training parameters that all torch models share, and their three profiles.

Imports no torch, so that plugins can use these in their specs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from hmcbench.interfaces import Param, Value

SIZE_STEP = 16
"""Images that grow during a training (``first_size``) have sides that are multiples of it, in pixels."""


def _param(default: Value, help: str, **limits: Any) -> Any:
    return field(default=default, metadata={"param": Param(default, help, **limits)})


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Keywords of the training loop; each field holds its :class:`Param`."""

    epochs: int = _param(20, "passes over the training samples", low=1, passes=True)
    epoch_share: float = _param(
        1.0,
        "share of the training samples in an epoch, drawn anew for each; 1: every sample once",
        low=1e-6,
        high=1.0,
        added=True,
    )
    batch_size: int = _param(32, "samples per step", low=2)
    optimizer: str = _param("adamw", "the optimizer", choices=("adamw", "sgd"))
    learning_rate: float = _param(2e-3, "the highest learning rate", low=0.0)
    momentum: float = _param(0.9, "momentum of sgd, beta1 of adamw", low=0.0, high=1.0)
    weight_decay: float = _param(0.02, "weight decay; adamw spares biases and norms", low=0.0)
    schedule: str = _param(
        "onecycle", "the learning rate over time", choices=("constant", "cosine", "onecycle")
    )
    warmup_epochs: float = _param(0.0, "epochs of linear warm-up (constant and cosine)", low=0.0)
    clip_norm: float = _param(0.0, "largest norm of the gradient; 0 = no limit", low=0.0)
    augment: str = _param(
        "light", "changes made to training images", choices=("none", "light", "paper", "sem")
    )
    normalise: str = _param(
        "image",
        "image: every image to mean 0, deviation 1; dataset: by mean and deviation of the training pixels",
        choices=("image", "dataset"),
    )
    loss: str = _param("focal", "loss per level", choices=("focal", "cross_entropy"))
    focal_alpha: float = _param(1.0, "factor of the focal loss", low=0.0)
    focal_gamma: float = _param(2.0, "focusing exponent of the focal loss", low=0.0)
    label_smoothing: float = _param(0.1, "probability given to the other classes", low=0.0, high=0.9)
    level_weights: str = _param("", "weights of the levels, as 1,2; empty: level k weighs k")
    balance: str = _param(
        "none",
        "rare classes: sampling draws them more often, weights count them more in the loss",
        choices=("none", "sampling", "weights"),
    )
    mixup: float = _param(0.0, "blend pairs of images with shares from Beta(a, a); 0 = off", low=0.0)
    cutmix: float = _param(0.0, "paste a part of one image into another, the same; 0 = off", low=0.0)
    ema: float = _param(0.0, "decay per step of the running mean of weights; 0 = off", low=0.0, high=1.0)
    patience: int = _param(
        0,
        "stop after so many epochs without gain on validation, keep the best; 0: all epochs, keep the last",
        low=0,
    )
    tiles: int = _param(
        1,
        "cut images into so many tiles per side, each of image_size; scores are joined",
        low=1,
        high=16,
    )
    first_layer: str = _param(
        "random",
        "weights at the start; whitened: filters of the first convolution from patches of training images",
        choices=("random", "whitened"),
        added=True,
    )
    first_size: int = _param(
        0,
        "side of the first epoch's images in pixels, which grows to image_size over half of the epochs;"
        " 0: image_size throughout",
        low=0,
        high=1024,
        added=True,
    )
    train: str = _param(
        "all",
        "the part that is trained: head, last (head and last block), or all; the rest is frozen",
        choices=("all", "last", "head"),
        added=True,
    )
    mc_dropout: int = _param(
        0,
        "passes with units left out whose mean is the prediction; needs a network with dropout; 0: none",
        low=0,
        high=1000,
        added=True,
    )
    orientations: int = _param(
        1, "mirror images and rotations of a test image whose mean is taken", low=1, high=8, added=True
    )
    novelty: str = _param(
        "none",
        "how unlike the training images an image is: energy of its logits, or distance in feature space",
        choices=("none", "energy", "neighbours"),
        added=True,
    )
    deterministic: bool = _param(False, "on a GPU: the same bits every time, slower")
    precision: str = _param(
        "auto",
        "number format of products; auto: on a CPU the faster of the two, by a few timed steps",
        choices=("auto", "float32", "bfloat16"),
        added=True,
    )
    compile: str = _param(
        "auto",
        "on: torch.compile; graphs: CUDA graphs; auto: graphs for small batches on a GPU, else off",
        choices=("auto", "on", "graphs", "off"),
    )


PARAMS: Mapping[str, Param] = {
    "image_size": Param(64, "side of the square input in pixels", low=16, high=1024),
    "in_chans": Param(1, "channels of the input: 1 (grey) or 3", choices=(1, 3)),
    "pretrained": Param(
        False,
        "true: start from published ImageNet weights; or the PATH of a file with weights (docs/use.md)",
        file=True,
    ),
    **{option.name: option.metadata["param"] for option in fields(Recipe)},
}
"""The parameters of a network's spec: three of its input, and all of a :class:`Recipe`."""

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
    # smoothing (the defaults are used), and no validation set (so the last epoch is used).
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
