"""HFFCNN: the CNN alone with a classifier per level; no Transformer, no fusion.

Han et al., Scientific Reports 15, 19904 (2025), "HFFCNN model".
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from hmcbench_hff.backbone import OverBackbone
from hmcbench_hff.blocks import LevelClassifiers


class HFFCNN(OverBackbone):
    """Image -> logits of every level.

    1. ``backbone``: the convolutional part of ResNet50, as in HFFNet-2d.
    2. global average over the positions, ResNet's own.
    3. ``classifiers``: one fully connected layer per level ("Classification output").

    Choice: the paper says only that the fusion module and HFFVT are removed. So each classifier reads
    the pooled features, and there are no level features.

    Args:
        backbone: images (B, in_chans, H, W) -> maps (B, ``backbone_channels``, h, w).
        level_sizes: outputs per level, top first.
        backbone_channels: channels of the backbone's maps.
        grid: (h, w) of those maps; not used.
    """

    def __init__(
        self,
        backbone: nn.Module,
        level_sizes: Sequence[int],
        *,
        backbone_channels: int = 2048,
        grid: tuple[int, int] = (7, 7),
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifiers = LevelClassifiers(backbone_channels, level_sizes)

    def forward(self, x: Tensor) -> list[Tensor]:
        """x: (B, in_chans, H, W) -> logits of every level [(B, n_1), (B, n_2), ...]."""
        maps = self.backbone(x)  # (B, backbone_channels, h, w)
        logits: list[Tensor] = self.classifiers(maps.mean(dim=(2, 3)))
        return logits
