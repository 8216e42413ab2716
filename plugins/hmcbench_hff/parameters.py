"""The parameters of the five models and their profiles."""

from __future__ import annotations

from collections.abc import Mapping

from hmcbench import Param
from hmcbench.interfaces import Value
from hmcbench.torchkit.recipes import PARAMS, PROFILES

BACKBONE: Mapping[str, Param] = {
    "backbone": Param("resnet50", "any timm architecture, for example resnet10t or convnext_tiny"),
    "stem_stride": Param(
        "auto",
        "auto: images below 128 px meet a first convolution of stride 1; keep: as published; 1: always 1",
        choices=("auto", "keep", "1"),
    ),
}
PATCHES: Mapping[str, Param] = {
    "patch_size": Param(16, "side of a patch in pixels; must divide image_size", low=1)
}
TRANSFORMER: Mapping[str, Param] = {
    "dim": Param(
        768, "width of a token; in hffnet-2d of the features, and again of the class embedding", low=1
    ),
    "depth": Param(12, "Transformer layers", low=0),
    "heads": Param(12, "attention heads; must divide dim, in hffnet-2d 2 * dim", low=1),
    "mlp_dim": Param(3072, "hidden channels of the Transformer's feed-forward", low=1),
    "level_dim": Param(0, "width of each level's features; 0 = dim", low=0),
    "level_activation": Param(
        "gelu", "after each level's layer (none: the paper names none)", choices=("gelu", "relu", "none")
    ),
    "dropout": Param(0.0, "rate in the Transformer and on the fused features", low=0.0, high=0.9),
}

# For random weights: SGD at 1e-4 fine-tunes a pretrained network, but hardly changes a new one. ViTs
# are trained from scratch by AdamW with warm-up (Dosovitskiy et al. 2021; weight decay of Touvron et
# al. 2021); the learning rate is for batches of 16. Not tuned.
SCRATCH: Mapping[str, Value] = {
    "pretrained": False,
    "optimizer": "adamw",
    "learning_rate": 2e-4,
    "momentum": 0.9,
    "weight_decay": 0.05,
    "warmup_epochs": 10.0,
    "clip_norm": 1.0,
}

QUICK_RECIPE: Mapping[str, Value] = {"epochs": 13, "batch_size": 16, "learning_rate": 1e-3}
QUICK_SIZES: Mapping[str, Value] = {
    "backbone": "resnet10t",
    "stem_stride": "keep",
    "patch_size": 8,
    "dim": 128,
    "depth": 2,
    "heads": 4,
    "mlp_dim": 256,
}
STANDARD_RECIPE: Mapping[str, Value] = {"learning_rate": 1e-3}
STANDARD_SIZES: Mapping[str, Value] = {
    "backbone": "resnet18",
    "dim": 256,
    "depth": 6,
    "heads": 8,
    "mlp_dim": 1024,
}


OWN_WEIGHTS = Param(
    False, "the PATH of a file with weights to start from; none are published", file=True, added=True
)


def _is_set(name: str, params: Mapping[str, Param]) -> bool:
    """Whether profiles and recipes set a parameter: not the weights of a network that has none published."""
    return name in params and params[name] is not OWN_WEIGHTS


def parameters(*blocks: Mapping[str, Param]) -> dict[str, Param]:
    """Those of the training, of ``blocks``, and ``recipe``; without a CNN no published weights."""
    params = {name: param for block in (PARAMS, *blocks) for name, param in block.items()}
    if BACKBONE not in blocks:
        params["pretrained"] = OWN_WEIGHTS
    params["recipe"] = Param(
        "published",
        "published: as the profile says; scratch: AdamW with warm-up and no pretrained weights",
        choices=("published", "scratch"),
        brings={"scratch": {name: value for name, value in SCRATCH.items() if _is_set(name, params)}},
    )
    return params


def profiles(params: Mapping[str, Param]) -> dict[str, dict[str, Value]]:
    """The values of each profile for these parameters; the defaults are the paper's sizes."""
    every = {
        "quick": {**PROFILES["quick"], **QUICK_RECIPE, **QUICK_SIZES},
        "standard": {**PROFILES["standard"], **STANDARD_RECIPE, **STANDARD_SIZES},
        "paper": PROFILES["paper"],
    }
    return {
        profile: {name: value for name, value in values.items() if _is_set(name, params)}
        for profile, values in every.items()
    }
