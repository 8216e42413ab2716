"""Image baselines: any architecture of timm as ``timm:NAME``, with heads for a hierarchy."""

from __future__ import annotations

from hmcbench import ModelSpec, Param, hookimpl
from hmcbench.torchkit.recipes import PARAMS, PROFILES


@hookimpl
def hmcbench_models() -> list[ModelSpec]:
    return [
        ModelSpec(
            name="timm",
            version="1",
            summary="a convolutional network or vision transformer of timm, with a head per level",
            factory="hmcbench_timm.network:create",
            params={
                "architecture": Param("resnet10t", "a name of timm.list_models()"),
                "head": Param(
                    "levels",
                    "levels: one linear layer per level; leaf: leaves only, upper levels are sums of leaves;"
                    " conditional: child given parent; max: maximum over descendants (C-HMCNN)",
                    choices=("levels", "leaf", "conditional", "max"),
                ),
                "stem_stride": Param(
                    "auto",
                    "stride of the first convolution: keep, 1, or auto: 1 for inputs below 128 px",
                    choices=("auto", "keep", "1"),
                ),
                **PARAMS,
            },
            profiles=PROFILES,
            variant="architecture",
            views=("pixels[size={image_size},channels={in_chans},tiles={tiles}]",),
            requires=("torch", "timm"),
            extra="vision",
            accelerated=True,
            citation="Ross Wightman, PyTorch Image Models, doi 10.5281/zenodo.4414861",
            licence="Apache-2.0",
        )
    ]
