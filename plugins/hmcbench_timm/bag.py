"""Several images as one sample: one network for all of them, and their features pooled.

Pooling by the mean, by gated attention [Ilse et al. 2018], or by an LSTM over the series in its order.
"""

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

LEAST = 1e-8  # variance of an image that counts as one grey level


class MeanPooling(nn.Module):
    """Features (B, K, D) and which of the K are there, bool (B, K) -> (B, D)."""

    def forward(self, features: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        return (features * there[:, :, None]).sum(1) / there.sum(1, keepdim=True)


class AttentionPooling(nn.Module):
    """A weighted mean; the weight of an image is a function of its features alone."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.what, self.gate = nn.Linear(features, width), nn.Linear(features, width)
        self.score = nn.Linear(width, 1)

    def forward(self, features: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        hidden = self.what(features).tanh() * self.gate(features).sigmoid()
        scores = self.score(hidden)[:, :, 0].masked_fill(~there, float("-inf"))
        pooled: torch.Tensor = (features * scores.softmax(1)[:, :, None]).sum(1)
        return pooled


class RecurrentPooling(nn.Module):
    """The state of an LSTM after the last image that is there."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(features, features, batch_first=True)

    def forward(self, features: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        states: torch.Tensor = self.lstm(features)[0]
        places = torch.arange(there.shape[1], device=there.device)
        last = torch.where(there, places, 0).amax(1)
        return states[torch.arange(len(last), device=last.device), last]


class Bag(nn.Module):
    """Logits per level of several grey images.

    Shape: (B, K, H, W), images of one grey level are missing -> the output of the head. Each image is brought
    to mean 0 and deviation 1 by itself; missing ones do not reach the network, but for the first of a sample
    that has none.
    """

    def __init__(self, body: nn.Module, features: int, pooling: str, width: int, task: Task) -> None:
        super().__init__()
        self.body = body
        self.pool: nn.Module = MeanPooling()
        if pooling == "attention":
            self.pool = AttentionPooling(features, width)
        elif pooling == "lstm":
            self.pool = RecurrentPooling(features)
        self.head = make_head("levels", features, task)

    def missing_images(self, pixels: torch.Tensor) -> torch.Tensor:
        """See :class:`hmcbench.torchkit.model.TorchModel`."""
        values = pixels.flatten(2)
        return (values.amax(2) == values.amin(2))[:, :, None, None]

    def forward(self, x: torch.Tensor) -> Any:
        samples, count = x.shape[:2]
        variance, mean = torch.var_mean(x, dim=(2, 3), keepdim=True, correction=0)
        there = variance[:, :, 0, 0] > LEAST
        there[:, 0] |= ~there.any(1)
        images = (x - mean) * variance.clamp_min(LEAST).rsqrt()
        seen = self.body(images[there][:, None])  # (images that are there, D)
        features = seen.new_zeros(samples, count, seen.shape[1]).index_put((there,), seen)
        with torch.autocast(x.device.type, enabled=False):
            pooled = self.pool(features.float(), there)
        return self.head(pooled)


def build(task: Task, *, pooling: str, width: int, **network: Any) -> Bag:
    """The module of a task; ``network``: keywords of :func:`hmcbench.torchkit.timm_network`."""
    body = timm_network(in_chans=1, owner="bag", **network)
    return Bag(body, body.head_hidden_size, pooling, width, task)


def create(**params: Any) -> TorchModel:
    """The factory of the model ``bag``; its spec describes the parameters."""
    names = ("architecture", "stem_stride", "image_size", "pretrained", "pooling", "width")
    network = {name: params.pop(name) for name in names}
    params.pop("images")  # of the view
    if params["compile"] in ("auto", "graphs"):  # a graph has one shape, and the images of a batch vary
        params["compile"] = "off"
    pretrained = network["pretrained"]
    network["pretrained"] = pretrained is True  # the weights of a file are loaded into the whole network
    return TorchModel(
        partial(build, **network),
        Recipe(**params),
        view="pixel_series",
        stacked=True,
        facts={"pretrained": pretrained is True},
        pretrained=pretrained,
    )
