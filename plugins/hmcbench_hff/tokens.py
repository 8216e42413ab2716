"""Tokens in a row: blocks of the three networks with a one-dimensional Transformer.

Paper sections are those of Han et al., Scientific Reports 15, 19904 (2025).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hmcbench_hff.blocks import resized
from hmcbench_hff.transformer1d import Transformer1D


class PositionEmbedding1d(nn.Module):
    """A learnable vector per patch, added to the patches in a row ("HFFVT model", "HFF_CNN_VT model":
    the position encoding has as many entries as there are patches and is added directly).

    Choices: the class token gets none, as the paper counts patches only (a second learnable vector
    on a learnable token would change nothing). For an image of another size the row is reshaped to
    the grid of the patches, interpolated (bicubic) and flattened, as is usual for ViT; the paper uses
    one size only.

    Args:
        channels: width of a token.
        grid: (h, w) of the patches at the usual image size.
    """

    def __init__(self, channels: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.grid = grid
        self.weight = nn.Parameter(torch.empty(1, grid[0] * grid[1], channels))
        nn.init.trunc_normal_(self.weight, std=0.02)

    def forward(self, x: Tensor, grid: tuple[int, int]) -> Tensor:
        """x: (B, h*w, C), ``grid``: its (h, w) -> (B, h*w, C)."""
        weight: Tensor = self.weight
        if grid != self.grid:
            maps = weight.transpose(1, 2).reshape(1, -1, *self.grid)  # (1, N, C) -> (1, C, h, w)
            weight = as_tokens(resized(maps, grid))
        return x + weight


class ClassToken(nn.Module):
    """A learnable token before the others, as in ViT. (B, N, C) -> (B, 1 + N, C)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(1, 1, channels))
        nn.init.trunc_normal_(self.weight, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.weight.expand(len(x), -1, -1), x], dim=1)


class TokenEncoder(nn.Module):
    """Patches in a row -> the image's representation (prim_rep).

    Position embedding added, class token first, Transformer encoder; then the class token and the
    mean of the patches, concatenated ("Hierarchical feature fusion module": global average pooling
    of the patch embeddings, joined to the class embedding).

    Args:
        channels: width of a token (the paper's dim).
        grid: (h, w) of the patches at the usual image size.
        depth, heads, hidden, dropout: see :class:`Transformer1D`.

    Attributes:
        num_prefix_tokens: tokens before the patches (timm's name).
    """

    num_prefix_tokens = 1

    def __init__(
        self, channels: int, grid: tuple[int, int], *, depth: int, heads: int, hidden: int, dropout: float
    ) -> None:
        super().__init__()
        self.position = PositionEmbedding1d(channels, grid)
        self.class_token = ClassToken(channels)
        self.transformer = Transformer1D(channels, depth=depth, heads=heads, hidden=hidden, dropout=dropout)

    def forward(self, x: Tensor, grid: tuple[int, int]) -> Tensor:
        """x: (B, h*w, C), ``grid``: its (h, w) -> (B, 2 C)."""
        x = self.class_token(self.position(x, grid))  # (B, 1 + h*w, C)
        x = self.transformer(x)
        # (B, C) of the class token and (B, C) of the mean of the patches, concatenated
        return torch.cat([x[:, 0], x[:, 1:].mean(dim=1)], dim=1)


def as_tokens(maps: Tensor) -> Tensor:
    """(B, C, h, w) -> (B, h*w, C), row by row."""
    return maps.flatten(2).transpose(1, 2)
