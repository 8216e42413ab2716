"""A timm network with a head for a hierarchy."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import nn

from hmcbench.interfaces import Task
from hmcbench.torchkit.heads import make_head
from hmcbench.torchkit.model import TorchModel
from hmcbench.torchkit.pretrained import timm_network
from hmcbench.torchkit.recipes import Recipe


class Network(nn.Module):
    """Pooled features of a timm network, dropout, head.

    Shape: (B, in_chans, H, W) -> the output of the head (:mod:`hmcbench.torchkit.heads`).
    """

    def __init__(self, body: nn.Module, features: int, head: str, task: Task, dropout: float = 0.0) -> None:
        super().__init__()
        self.body = body
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.head = make_head(head, features, task)

    def forward(self, x: torch.Tensor) -> Any:
        return self.head(self.dropout(self.body(x)))  # (B, features) inside

    def parts(self) -> tuple[list[nn.Module], nn.Module]:
        """See :class:`hmcbench.torchkit.freezing.Partly`."""
        return [self.head], self.body


def build(task: Task, *, head: str, dropout: float = 0.0, **network: Any) -> Network:
    """The network of a task; ``network``: keywords of :func:`hmcbench.torchkit.timm_network`."""
    body = timm_network(**network)
    return Network(body, body.head_hidden_size, head, task, dropout)


def create(**params: Any) -> TorchModel:
    """The factory of the model ``timm``; its spec describes the parameters."""
    names = ("head", "dropout", "architecture", "stem_stride", "image_size", "in_chans", "pretrained")
    network = {name: params.pop(name) for name in names}
    pretrained = network["pretrained"]
    network["pretrained"] = pretrained is True  # the weights of a file are loaded into the whole network
    return TorchModel(
        partial(build, **network),
        Recipe(**params),
        facts={"pretrained": pretrained is True},
        pretrained=pretrained,
    )
