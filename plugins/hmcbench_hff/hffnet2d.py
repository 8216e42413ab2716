"""HFFNet-2d: a CNN, a Transformer on its maps, and one classifier per level on fused features.

Han, Liu, Sun, Yu, Zheng, Deng, "Machine learning of automatic hierarchical multi-label
classification method for identifying metal failure mechanisms", Scientific Reports 15, 19904
(2025), doi 10.1038/s41598-025-05076-z. docs/hffnet-2d.md describes each block and its open questions.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hmcbench_hff.backbone import OverBackbone
from hmcbench_hff.blocks import ClassEmbedding2d, HierarchicalFusion, PositionEmbedding2d
from hmcbench_hff.transformer2d import Transformer2D


class HFFNet2d(OverBackbone):
    """Image -> logits of every level.

    Blocks, with the paper's section ("Experimental methods", "HFFNet_2D network architecture"
    unless another is named):

    1. ``backbone``: the convolutional part of ResNet50, maps of 1/32 of the image's side. The
       paper says "first four convolutional blocks" and 1/32; both hold if these are the four
       residual stages, so all four are used.
    2. ``adapter``: 1x1 convolution to ``dim`` channels ("HFF_CNN_Conv_VT model" and "Results":
       convolutions instead of a linear projection).
    3. ``position``: learnable map of the same height and width, added.
    4. ``class_embedding``: learnable vector, expanded over the map and concatenated along the
       channels. Inside, the map has 2 ``dim`` channels: the paper's dim2 ("FeedForward2D
       submodule"); its sentence that ``dim`` is the Transformer's width ("Adjustable parameters")
       contradicts this.
    5. ``transformer``: Transformer2D ("Transformer2D module").
    6. averages over the positions of the class half and of the feature half, concatenated (prim_rep).
    7. ``fusion``: one layer per level, concatenation, one classifier per level ("Hierarchical
       feature fusion module", "Classification output").

    Choices where the paper gives nothing are described with each block: norms and residual sums
    (:class:`~hmcbench_hff.transformer2d.EncoderLayer2D`), head width, order of the concatenation,
    width and activation of the level features, other image sizes.

    Args:
        backbone: images (B, in_chans, H, W) -> maps (B, ``backbone_channels``, h, w).
        level_sizes: outputs per level, top first.
        backbone_channels: channels of the backbone's maps.
        grid: (h, w) of those maps at the usual image size.
        dim: channels of the features, and again of the class embedding.
        depth, heads, mlp_dim: of the Transformer; ``heads`` divides 2 ``dim``.
        level_dim: width of each level's features; 0 means ``dim``.
        level_activation: ``gelu``, ``relu`` or ``none``, after each level's layer.
        dropout: rate in the Transformer and on the fused features while training.
    """

    def __init__(
        self,
        backbone: nn.Module,
        level_sizes: Sequence[int],
        *,
        backbone_channels: int = 2048,
        grid: tuple[int, int] = (7, 7),
        dim: int = 768,
        depth: int = 12,
        heads: int = 12,
        mlp_dim: int = 3072,
        level_dim: int = 0,
        level_activation: str = "gelu",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.dim = dim
        self.backbone = backbone
        self.adapter = nn.Conv2d(backbone_channels, dim, kernel_size=1)
        self.position = PositionEmbedding2d(dim, grid)
        self.class_embedding = ClassEmbedding2d(dim)
        self.transformer = Transformer2D(2 * dim, depth=depth, heads=heads, hidden=mlp_dim, dropout=dropout)
        self.fusion = HierarchicalFusion(
            2 * dim, level_sizes, level_dim=level_dim or dim, activation=level_activation, dropout=dropout
        )

    def represent(self, maps: Tensor) -> Tensor:
        """maps of the backbone: (B, backbone_channels, h, w) -> prim_rep (B, 2 dim)."""
        x = self.position(self.adapter(maps))  # (B, dim, h, w)
        x = self.transformer(self.class_embedding(x))  # (B, 2 dim, h, w), class channels first
        class_map, feature_map = x.split(self.dim, dim=1)
        # twice (B, dim, h, w) -> (B, dim), concatenated
        return torch.cat([class_map.mean(dim=(2, 3)), feature_map.mean(dim=(2, 3))], dim=1)

    def forward(self, x: Tensor) -> list[Tensor]:
        """x: (B, in_chans, H, W) -> logits of every level [(B, n_1), (B, n_2), ...]."""
        logits: list[Tensor] = self.fusion(self.represent(self.backbone(x)))
        return logits
