"""Blocks that the networks of the HFF family share.

Paper sections are those of Han et al., Scientific Reports 15, 19904 (2025), "Experimental methods".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from hmcbench.interfaces import Task
from hmcbench.torchkit.layout import level_rows

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {"gelu": nn.GELU, "relu": nn.ReLU, "none": nn.Identity}


def resized(maps: Tensor, grid: tuple[int, ...]) -> Tensor:
    """(B, C, H, W) -> (B, C, *grid), bicubic; unchanged where the size is right."""
    if tuple(maps.shape[-2:]) == grid:
        return maps
    return interpolate(maps, size=grid, mode="bicubic", antialias=True)


@torch.no_grad()
def initialise(module: nn.Module) -> None:
    """For ``apply``: weights from a truncated normal of deviation 0.02, biases zero, as in ViT."""
    if isinstance(module, nn.Linear | nn.Conv2d):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class PositionEmbedding2d(nn.Module):
    """A learnable map added to a feature map of the same size (paper, "HFFNet_2D network
    architecture": pos_embedding).

    Choice: for an image of another size the map is interpolated (bicubic), as is usual for ViT; the
    paper uses one size only.

    Args:
        channels: channels of the feature map.
        grid: (height, width) of the feature map at the usual image size.
    """

    def __init__(self, channels: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(1, channels, *grid))
        nn.init.trunc_normal_(self.weight, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, H, W) -> (B, C, H, W)."""
        return x + resized(self.weight, tuple(x.shape[-2:]))


class ClassEmbedding2d(nn.Module):
    """A learnable vector at every position, before the channels of a map (paper, "HFFNet_2D network
    architecture": cls_token expanded and concatenated along the channels).

    Choice: class channels first, then features, as a ViT puts its class token first.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(1, channels, 1, 1))
        nn.init.trunc_normal_(self.weight, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, H, W) -> (B, C_class + C, H, W)."""
        expanded = self.weight.expand(x.shape[0], -1, *x.shape[-2:])  # (1, C, 1, 1) -> (B, C, H, W)
        return torch.cat([expanded, x], dim=1)


class HierarchicalFusion(nn.Module):
    """One fully connected layer per level, their outputs concatenated, one classifier per level on all
    of them (paper, "Hierarchical feature fusion module" and "Classification output").

    Choices: the width of a level's features is a keyword (the paper does not give it); each is
    followed by a GELU, because two successive linear maps are only one of lower rank
    (``activation="none"`` is the literal reading).

    Args:
        channels: width of the image's representation (prim_rep).
        level_sizes: outputs per level, top first.
        level_dim: width of each level's features.
        activation: ``gelu``, ``relu`` or ``none``.
        dropout: rate on the fused features while training.
    """

    level_features = "level_fc"

    def __init__(
        self,
        channels: int,
        level_sizes: Sequence[int],
        *,
        level_dim: int,
        activation: str = "gelu",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        fused = level_dim * len(level_sizes)
        self.level_fc = nn.ModuleList(nn.Linear(channels, level_dim) for _ in level_sizes)
        self.activation = ACTIVATIONS[activation]()
        self.dropout = nn.Dropout(dropout)
        self.level_classifier = nn.ModuleList(nn.Linear(fused, size) for size in level_sizes)

    def forward(self, x: Tensor) -> list[Tensor]:
        """x: (B, C) -> logits of every level [(B, n_1), (B, n_2), ...]."""
        fused = torch.cat([self.activation(fc(x)) for fc in self.level_fc], dim=1)  # (B, levels * level_dim)
        fused = self.dropout(fused)
        return [classifier(fused) for classifier in self.level_classifier]

    def output_rows(self, task: Task) -> dict[str, list[tuple[int, str]]]:
        """See :class:`hmcbench.torchkit.expansion.Growing`."""
        return {f"level_classifier.{k}": rows for k, rows in enumerate(level_rows(task))}


class LevelClassifiers(nn.Module):
    """One fully connected layer per level on one vector, for HFFCNN, which has no fusion.

    (B, ``channels``) -> logits of every level [(B, n_1), (B, n_2), ...].
    """

    level_features = ""

    def __init__(self, channels: int, level_sizes: Sequence[int]) -> None:
        super().__init__()
        self.level_classifier = nn.ModuleList(nn.Linear(channels, size) for size in level_sizes)

    def forward(self, x: Tensor) -> list[Tensor]:
        return [classifier(x) for classifier in self.level_classifier]

    def output_rows(self, task: Task) -> dict[str, list[tuple[int, str]]]:
        """See :class:`hmcbench.torchkit.expansion.Growing`."""
        return {f"level_classifier.{k}": rows for k, rows in enumerate(level_rows(task))}
