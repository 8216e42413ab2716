"""Any timm network as the backbone of the HFF family: images in, maps out."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from hmcbench.errors import BadInput
from hmcbench.torchkit.pretrained import timm_network


class OverBackbone(nn.Module):
    """A network whose ``backbone`` makes maps; with ``train=head`` everything after it is trained."""

    backbone: nn.Module

    def parts(self) -> tuple[list[nn.Module], nn.Module]:
        """See :class:`hmcbench.torchkit.freezing.Partly`."""
        heads = [part for name, part in self.named_children() if name != "backbone"]
        network = getattr(self.backbone, "network", self.backbone)
        assert isinstance(network, nn.Module)
        return heads, network


class MapBackbone(nn.Module):
    """A timm network without pooling and classifier, whose output is always a map (B, F, h, w).

    Outputs with channels last, and tokens, are converted to that form; class tokens are dropped.

    Args:
        architecture: a name of ``timm.list_models()``.
        in_chans, image_size, pretrained, stem_stride, owner: see :func:`hmcbench.torchkit.timm_network`.

    Attributes:
        channels: F.
        grid: (h, w) at ``image_size``.

    Raises:
        BadInput: an unknown name, weights that cannot be loaded, or an output that is not a map.
    """

    def __init__(
        self,
        architecture: str,
        *,
        in_chans: int,
        image_size: int,
        pretrained: bool,
        stem_stride: str = "auto",
        owner: str = "timm",
    ) -> None:
        super().__init__()
        self.network: Any = timm_network(
            architecture,
            in_chans=in_chans,
            image_size=image_size,
            pretrained=pretrained,
            stem_stride=stem_stride,
            pooled=False,
            owner=owner,
        )
        self.prefix_tokens = int(getattr(self.network, "num_prefix_tokens", 0))
        self.widths = {int(self.network.num_features), int(self.network.head_hidden_size)}
        self.eval()
        with torch.no_grad():  # a forward pass shows the grid of any network
            y = self.network(torch.zeros(1, in_chans, image_size, image_size))
        self.train()
        if not self._is_map(y) and not self._is_tokens(y):
            raise BadInput(
                f"backbone {architecture!r} gives no feature map (its output has shape {tuple(y.shape)})",
                hint="take a convolutional one, such as resnet50",
            )
        _, self.channels, *grid = self.as_map(y).shape
        self.grid: tuple[int, int] = (grid[0], grid[1])

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, in_chans, H, W) -> (B, F, h, w)."""
        return self.as_map(self.network(x))

    def as_map(self, y: Tensor) -> Tensor:
        """Any of (B, F, h, w), (B, h, w, F), (B, tokens, F) -> (B, F, h, w)."""
        if y.ndim == 3:  # (B, prefix + h*w, F) -> (B, h*w, F) -> (B, h, w, F)
            side = round((y.shape[1] - self.prefix_tokens) ** 0.5)
            y = y[:, self.prefix_tokens :].reshape(len(y), side, side, y.shape[2])
        elif y.shape[1] in self.widths:
            return y
        return y.permute(0, 3, 1, 2)

    def _is_map(self, y: Tensor) -> bool:
        return y.ndim == 4 and (y.shape[1] in self.widths or y.shape[3] in self.widths)

    def _is_tokens(self, y: Tensor) -> bool:
        """Whether ``y`` holds the tokens of a square map."""
        count = y.shape[1] - self.prefix_tokens
        return y.ndim == 3 and y.shape[2] in self.widths and round(count**0.5) ** 2 == count
