"""HFF_CNN_VT and HFF_CNN_Conv_VT: the maps of a CNN as tokens of a one-dimensional Transformer.

Han et al., Scientific Reports 15, 19904 (2025), "HFF_CNN_VT model" and "HFF_CNN_Conv_VT model". The two
differ in how a map becomes tokens: by a linear projection, or by a 1x1 convolution.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn

from hmcbench_hff.backbone import OverBackbone
from hmcbench_hff.blocks import HierarchicalFusion
from hmcbench_hff.tokens import TokenEncoder, as_tokens


class CNNTokens(OverBackbone, ABC):
    """Image -> logits of every level; the common part of the two networks.

    1. ``backbone``: the convolutional part of ResNet50, as in HFFNet-2d.
    2. :meth:`tokens`: one vector of width ``dim`` per position of the map, in a row. Its layer is
       added by :meth:`add_layer`, between the others, so that weights are drawn in this order.
    3. ``encoder``: position embedding with as many entries as there are positions, class token,
       Transformer (:class:`TokenEncoder`).
    4. ``fusion``: as in HFFNet-2d.

    Choice: every position of the map is one patch; the paper gives no size, and there are only 7 x 7
    positions.

    Args:
        backbone: images (B, in_chans, H, W) -> maps (B, ``backbone_channels``, h, w).
        level_sizes: outputs per level, top first.
        backbone_channels: channels of the backbone's maps.
        grid: (h, w) of those maps at the usual image size.
        dim: width of a token.
        depth, heads, mlp_dim: of the Transformer; ``heads`` divides ``dim``.
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
        self.backbone = backbone
        self.add_layer(backbone_channels, dim)
        self.encoder = TokenEncoder(dim, grid, depth=depth, heads=heads, hidden=mlp_dim, dropout=dropout)
        self.fusion = HierarchicalFusion(
            2 * dim, level_sizes, level_dim=level_dim or dim, activation=level_activation, dropout=dropout
        )

    @abstractmethod
    def add_layer(self, channels: int, dim: int) -> None:
        """Add the layer that maps the ``channels`` of a position to a token."""

    @abstractmethod
    def tokens(self, maps: Tensor) -> Tensor:
        """maps: (B, backbone_channels, h, w) -> (B, h*w, dim)."""

    def forward(self, x: Tensor) -> list[Tensor]:
        """x: (B, in_chans, H, W) -> logits of every level [(B, n_1), (B, n_2), ...]."""
        maps = self.backbone(x)  # (B, backbone_channels, h, w)
        prim_rep = self.encoder(self.tokens(maps), tuple(maps.shape[-2:]))  # (B, 2 dim)
        logits: list[Tensor] = self.fusion(prim_rep)
        return logits


class HFFCNNVT(CNNTokens):
    """:class:`CNNTokens` where ``projection`` maps each position of the flattened maps ("first four
    convolutional blocks") linearly to a token.

    The paper expects fewer parameters than with convolutions; this is not so for the 1x1 convolution
    of :class:`HFFCNNConvVT`.
    """

    def add_layer(self, channels: int, dim: int) -> None:
        self.projection = nn.Linear(channels, dim)

    def tokens(self, maps: Tensor) -> Tensor:
        tokens: Tensor = self.projection(as_tokens(maps))
        return tokens


class HFFCNNConvVT(CNNTokens):
    """:class:`CNNTokens` where ``adapter``, a 1x1 convolution to ``dim`` channels as in HFFNet-2d,
    precedes the flattening to tokens.

    Two points that the paper does not mention:

    * A 1x1 convolution *is* the same linear map at every position. As every position is a token, this
      network computes the same as :class:`HFFCNNVT`, with as many parameters and, in PyTorch, initial
      weights of the same distribution (tested). The difference between the two rows of its table 2
      (5 of 392 images at level 2) is then the spread between trainings.
    * "HFF_CNN_Conv_VT model" adds a position encoding of as many entries as there are patches;
      "Results" explains its accuracy by a lack of position encoding. This class follows the first.
    """

    def add_layer(self, channels: int, dim: int) -> None:
        self.adapter = nn.Conv2d(channels, dim, kernel_size=1)

    def tokens(self, maps: Tensor) -> Tensor:
        return as_tokens(self.adapter(maps))
