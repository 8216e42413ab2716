"""HFFNet-2d, the hierarchical CNN-Transformer of Han et al. (2025), as a model of the benchmark."""

from __future__ import annotations

from hmcbench import ModelSpec, Param, hookimpl
from hmcbench.interfaces import Value
from hmcbench.torchkit.recipes import PARAMS, PROFILES

CITATION = (
    "R. Han, C.-B. Liu, W. Sun, S. Yu, H. Zheng, L. Deng: Machine learning of automatic hierarchical"
    " multi-label classification method for identifying metal failure mechanisms."
    " Scientific Reports 15, 19904 (2025), doi 10.1038/s41598-025-05076-z"
)

ARCHITECTURE: dict[str, Param] = {
    "backbone": Param("resnet50", "any timm architecture, for example resnet10t or convnext_tiny"),
    "stem_stride": Param(
        "auto",
        "auto: images below 128 px meet a first convolution of stride 1; keep: as published; 1: always 1",
        choices=("auto", "keep", "1"),
    ),
    "dim": Param(768, "channels of the features, and again of the class embedding", low=1),
    "depth": Param(12, "Transformer layers", low=0),
    "heads": Param(12, "attention heads; must divide 2 * dim", low=1),
    "mlp_dim": Param(3072, "hidden channels of the Transformer's feed-forward", low=1),
    "level_dim": Param(0, "width of each level's features; 0 = dim", low=0),
    "level_activation": Param(
        "gelu", "after each level's layer (none: the paper names none)", choices=("gelu", "relu", "none")
    ),
    "dropout": Param(0.0, "rate in the Transformer and on the fused features", low=0.0, high=0.9),
}

QUICK: dict[str, Value] = {
    "backbone": "resnet10t",
    "stem_stride": "keep",
    "dim": 128,
    "depth": 2,
    "heads": 4,
    "mlp_dim": 256,
    "epochs": 13,
    "batch_size": 16,
    "learning_rate": 1e-3,
}
STANDARD: dict[str, Value] = {
    "backbone": "resnet18",
    "dim": 256,
    "depth": 6,
    "heads": 8,
    "mlp_dim": 1024,
    "learning_rate": 1e-3,
}


@hookimpl
def hmcbench_models() -> list[ModelSpec]:
    return [
        ModelSpec(
            name="hffnet-2d",
            version="1",
            summary="CNN maps, a 2-D Transformer with class embedding, fused level features (Han 2025)",
            factory="hmcbench_hff.model:create",
            params={**PARAMS, **ARCHITECTURE},
            profiles={
                "quick": {**PROFILES["quick"], **QUICK},
                "standard": {**PROFILES["standard"], **STANDARD},
                "paper": PROFILES["paper"],  # the architecture's defaults are the paper's
            },
            requires=("torch", "timm"),
            extra="vision",
            citation=CITATION,
            licence="Apache-2.0",
            aliases=("hffnet2d", "hffnet"),
            views=("pixels[size={image_size},channels={in_chans},tiles={tiles}]",),
            accelerated=True,
        )
    ]
