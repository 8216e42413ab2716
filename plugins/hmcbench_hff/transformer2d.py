"""Transformer encoder on feature maps (HFFNet-2d paper, "Transformer2D module").

Positions are the pixels of a map, channels are the features, and every linear layer is a 1x1
convolution, so maps go in and maps of the same shape come out.
"""

from __future__ import annotations

from timm.layers.norm import LayerNorm2d
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from hmcbench_hff.blocks import initialise


class MultiHeadAttention2D(nn.Module):
    """Self-attention between the positions of a map (paper, "MultiHeadAttention2D submodule").

    One 1x1 convolution ``qkv``, softmax(Q K^T / sqrt(head_dim)) V in each head, heads concatenated,
    one 1x1 convolution ``proj``.

    Choices: head_dim = channels / heads (the paper names head_dim, not its size), which is usual and
    gives 128 at the published sizes; both convolutions have a bias; the default dropout is 0 (the
    paper mentions none).
    """

    def __init__(self, channels: int, *, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.head_dim = channels // heads
        self.dropout = dropout
        self.qkv = nn.Conv2d(channels, 3 * channels, kernel_size=1)
        self.proj = nn.Conv2d(channels, channels, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, H, W) -> (B, C, H, W)."""
        batch, channels, height, width = x.shape
        qkv = self.qkv(x).permute(0, 2, 3, 1)  # (B, 3C, H, W) -> (B, H, W, 3C), no copy with channels last
        # -> (B, H*W, 3, heads, head_dim) -> (3, B, heads, H*W, head_dim)
        qkv = qkv.reshape(batch, height * width, 3, self.heads, self.head_dim).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        rate = self.dropout if self.training else 0.0
        y = scaled_dot_product_attention(q, k, v, dropout_p=rate)  # scales by 1 / sqrt(head_dim)
        # (B, heads, H*W, head_dim) -> (B, H*W, heads, head_dim) -> (B, H, W, C) -> (B, C, H, W)
        y = y.transpose(1, 2).reshape(batch, height, width, channels).permute(0, 3, 1, 2)
        merged: Tensor = self.proj(y)
        return merged


class FeedForward2D(nn.Sequential):
    """Two 1x1 convolutions with a GELU between them (paper, "FeedForward2D submodule").

    (B, C, H, W) -> (B, hidden, H, W) -> (B, C, H, W); the paper's dim2 is C, hidden_dim is hidden.
    """

    def __init__(self, channels: int, *, hidden: int, dropout: float = 0.0) -> None:
        super().__init__(
            nn.Conv2d(channels, hidden, kernel_size=1),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Conv2d(hidden, channels, kernel_size=1),
        )


class EncoderLayer2D(nn.Module):
    """Attention, then feed-forward, each on normalised input and added to its input.

    Choice: the paper shows neither norms nor residual sums. Both are taken from ViT: pre-norm
    (LayerNorm over the channels of each position) and residual sums, without which 12 layers hardly
    train.
    """

    def __init__(self, channels: int, *, heads: int, hidden: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm1 = LayerNorm2d(channels)
        self.attention = MultiHeadAttention2D(channels, heads=heads, dropout=dropout)
        self.norm2 = LayerNorm2d(channels)
        self.feed_forward = FeedForward2D(channels, hidden=hidden, dropout=dropout)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, H, W) -> (B, C, H, W)."""
        x = x + self.attention(self.norm1(x))
        forwarded: Tensor = self.feed_forward(self.norm2(x))
        return x + forwarded


class Transformer2D(nn.Module):
    """A stack of encoder layers (paper, "Transformer2D module") and, after pre-norm, a last norm.

    At the paper's sizes (channels 1536, depth 12, heads 12, hidden 3072) it has 226,698,240
    parameters: per layer 4 C^2 + 2 C hidden weights and 9 C + hidden biases and norm values,
    and 2 C in the last norm.

    Args:
        channels: width of the maps (the paper's dim2).
        depth: number of layers.
        heads: attention heads; must divide ``channels``.
        hidden: width inside the feed-forward (the paper's mlp_dim or hidden_dim).
        dropout: rate on attention weights and inside the feed-forward while training.
    """

    def __init__(
        self, channels: int, *, depth: int = 12, heads: int = 12, hidden: int = 3072, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(EncoderLayer2D(channels, heads=heads, hidden=hidden, dropout=dropout) for _ in range(depth))
        )
        self.norm = LayerNorm2d(channels)
        self.apply(initialise)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, H, W) -> (B, C, H, W)."""
        y: Tensor = self.norm(self.layers(x))
        return y
