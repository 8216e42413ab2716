"""The Transformer encoder of ViT on tokens in a row, for the variants that are not "2d"."""

from __future__ import annotations

from functools import partial

from timm.layers.norm import LayerNorm
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from hmcbench_hff.blocks import initialise


class Transformer1D(nn.Module):
    """A stack of timm's ViT layers and a last norm.

    Choice: the paper says only that HFFVT follows the original ViT ("HFFVT model"), so the layers
    are ViT's: pre-norm, residual sums, biases everywhere. With equal weights a layer computes the
    same as :class:`~hmcbench_hff.transformer2d.EncoderLayer2D` on a map (tested), so that the
    variants differ in their inputs and not in the kind of layer.

    At the paper's sizes (channels 768, depth 12, heads 12, hidden 3072) it has 85,056,000 parameters.

    Args:
        channels: width of a token.
        depth: number of layers.
        heads: attention heads; must divide ``channels``.
        hidden: width inside the feed-forward (the paper's mlp_dim).
        dropout: rate on attention weights and on the output of each half of a layer while training.
    """

    def __init__(
        self, channels: int, *, depth: int = 12, heads: int = 12, hidden: int = 3072, dropout: float = 0.0
    ) -> None:
        super().__init__()
        layer = partial(
            Block,
            channels,
            heads,
            mlp_ratio=(hidden + 0.5) / channels,  # timm rounds ratio * channels down
            qkv_bias=True,
            proj_drop=dropout,
            attn_drop=dropout,
            norm_layer=LayerNorm,  # eps 1e-6, as in ViT
        )
        self.layers = nn.Sequential(*(layer() for _ in range(depth)))
        self.norm = LayerNorm(channels)
        self.apply(initialise)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, N, C) -> (B, N, C)."""
        y: Tensor = self.norm(self.layers(x))
        return y
