"""HFFNet-2d, the hierarchical CNN-Transformer of Han et al. (2025), and the paper's four other variants."""

from __future__ import annotations

from collections.abc import Mapping

from hmcbench import ModelSpec, Param, hookimpl
from hmcbench_hff.parameters import BACKBONE, PATCHES, TRANSFORMER, parameters, profiles

CITATION = (
    "R. Han, C.-B. Liu, W. Sun, S. Yu, H. Zheng, L. Deng: Machine learning of automatic hierarchical"
    " multi-label classification method for identifying metal failure mechanisms."
    " Scientific Reports 15, 19904 (2025), doi 10.1038/s41598-025-05076-z"
)


@hookimpl
def hmcbench_models() -> list[ModelSpec]:
    over_cnn, over_patches = parameters(BACKBONE, TRANSFORMER), parameters(PATCHES, TRANSFORMER)
    return [
        _spec("hffvt", "a ViT with fused level features (the paper's baseline)", over_patches),
        _spec("hffcnn", "a CNN with a classifier per level (Han 2025, ablation)", parameters(BACKBONE)),
        _spec("hff-cnn-vt", "CNN features, linearly projected, in a ViT (Han 2025, ablation)", over_cnn),
        _spec("hff-cnn-conv-vt", "CNN maps, 1x1 convolution, in a ViT (Han 2025, ablation)", over_cnn),
        _spec(
            "hffnet-2d",
            "CNN maps, a 2-D Transformer with class embedding, fused level features (Han 2025)",
            over_cnn,
            aliases=("hffnet2d", "hffnet"),
        ),
    ]


def _spec(name: str, summary: str, params: Mapping[str, Param], aliases: tuple[str, ...] = ()) -> ModelSpec:
    return ModelSpec(
        name=name,
        version="1",
        tasks=("hmc", "regression"),
        summary=summary,
        factory=f"hmcbench_hff.model:{name.replace('-', '_')}",
        params=params,
        profiles=profiles(params),
        requires=("torch", "timm"),
        extra="vision",
        citation=CITATION,
        licence="Apache-2.0",
        aliases=aliases,
        views=("pixels[size={image_size},channels={in_chans},tiles={tiles}]",),
        accelerated=True,
        expandable=True,
        check="hmcbench.torchkit.architectures:check",
    )
