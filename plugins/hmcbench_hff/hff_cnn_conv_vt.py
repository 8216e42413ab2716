"""HFF_CNN_Conv_VT: HFF_CNN_VT with a 1x1 convolution in place of the linear projection.

Han et al., Scientific Reports 15, 19904 (2025), "HFF_CNN_Conv_VT model".
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from hmcbench_hff.blocks import HierarchicalFusion
from hmcbench_hff.tokens import TokenEncoder, as_tokens


class HFFCNNConvVT(nn.Module):
    """Image -> logits of every level.

    1. ``backbone``: the convolutional part of ResNet50, as in HFFNet-2d.
    2. ``adapter``: 1x1 convolution to ``dim`` channels, as in HFFNet-2d; then the map is flattened
       to a row of tokens.
    3. ``encoder``: position embedding with as many entries as there are positions, class token,
       Transformer (:class:`TokenEncoder`).
    4. ``fusion``: as in HFFNet-2d.

    Two things that the paper leaves to be noticed:

    * A 1x1 convolution *is* the same linear map at every position. Once every position is a token,
      this network computes what :class:`~hmcbench_hff.hff_cnn_vt.HFFCNNVT` computes, with as many
      parameters and, in PyTorch, initial weights of the same distribution (tested). What the two
      rows of its table 2 differ by (5 of 392 images at level 2) is then the spread of a training.
    * "HFF_CNN_Conv_VT model" adds a position encoding of as many entries as there are patches;
      "Results" explains its accuracy by a lack of position encoding. The first is taken.

    Args: as :class:`~hmcbench_hff.hff_cnn_vt.HFFCNNVT`.
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
        self.backbone = backbone
        self.adapter = nn.Conv2d(backbone_channels, dim, kernel_size=1)
        self.encoder = TokenEncoder(dim, grid, depth=depth, heads=heads, hidden=mlp_dim, dropout=dropout)
        self.fusion = HierarchicalFusion(
            2 * dim, level_sizes, level_dim=level_dim or dim, activation=level_activation, dropout=dropout
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """x: (B, in_chans, H, W) -> logits of every level [(B, n_1), (B, n_2), ...]."""
        maps = self.adapter(self.backbone(x))  # (B, dim, h, w)
        prim_rep = self.encoder(as_tokens(maps), tuple(maps.shape[-2:]))  # (B, 2 dim)
        logits: list[Tensor] = self.fusion(prim_rep)
        return logits
