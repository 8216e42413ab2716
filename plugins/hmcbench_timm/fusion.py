"""An image encoder and a table encoder, joined late or by a gate; either may be missing from a sample.

Modality dropout [Neverova et al. 2016, "ModDrop"] hides one of the two from some training samples, so that
the other alone is learned too.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from hmcbench.interfaces import Task
from hmcbench.metrics.base import is_rounding
from hmcbench.torchkit.heads import make_head
from hmcbench.torchkit.model import TorchModel
from hmcbench.torchkit.pretrained import timm_network
from hmcbench.torchkit.recipes import Recipe


class TableEncoder(nn.Module):
    """Numbers scaled by the training samples, names as columns of 0 and 1, two layers.

    Shape: (B, F), NaN where a value is missing -> (B, width). A missing number is the mean, and a further
    input says that it is missing; a missing name is no name at all.

    Args:
        columns: the number of values of each of the F columns, 0 for numbers.
    """

    def __init__(self, columns: Sequence[int], width: int) -> None:
        super().__init__()
        self.columns = tuple(columns)
        inputs = sum(n or 2 for n in columns)
        self.layers = nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.register_buffer("mean", torch.zeros(len(columns)))
        self.register_buffer("deviation", torch.ones(len(columns)))
        self.mean: torch.Tensor
        self.deviation: torch.Tensor

    def fit(self, rows: torch.Tensor) -> None:
        """Take means and deviations of the columns from training rows (N, F)."""
        known = ~rows.isnan()
        count = known.sum(0).clamp_min(1)
        filled = rows.double().nan_to_num(0.0)
        mean = filled.sum(0) / count
        variance = ((filled - mean).square() * known).sum(0) / count
        # sums of float32 are exact here, but each number is rounded to its last digit
        last = torch.finfo(rows.dtype).eps
        constant = torch.as_tensor(is_rounding(variance.numpy(), mean.numpy(), 1, last))
        self.mean.copy_(mean)
        self.deviation.copy_(torch.where(constant, 1.0, variance.sqrt()))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        scaled = ((rows - self.mean) / self.deviation).nan_to_num(0.0)
        missing = rows.isnan()
        parts = []
        for k, n in enumerate(self.columns):
            if n:
                place = rows[:, k].nan_to_num(0.0).long().clamp(0, n - 1)
                parts.append(F.one_hot(place, n) * ~missing[:, k, None])
            else:
                parts += [scaled[:, k, None], missing[:, k, None]]
        encoded: torch.Tensor = self.layers(torch.cat([part.float() for part in parts], dim=1))
        return encoded


class Fusion(nn.Module):
    """Logits per level from an image and a row of a table.

    * late: each encoder has its own head; a sample's logits are the mean over what it has.
    * gated: both are brought to one width, and a gate, from both, weighs them channel by channel
      [Arevalo et al. 2017, "Gated multimodal units"]; of a sample with one of them this one counts alone.

    A picture of one grey level or colour counts as missing, a row without any value too.

    Args:
        body: of timm, with pooled features.
        columns: see :class:`TableEncoder`.
        how: ``late`` or ``gated``.
        use: ``both``, or ``image`` or ``table`` alone.
        width: of the table's features, and of both at the gate.
        modality_dropout: share of the training samples that have both and are shown one.
    """

    def __init__(
        self,
        body: nn.Module,
        features: int,
        task: Task,
        columns: Sequence[int],
        *,
        how: str,
        use: str,
        width: int,
        modality_dropout: float,
    ) -> None:
        super().__init__()
        self.body, self.table = body, TableEncoder(columns, width)
        self.use, self.share = use, modality_dropout if use == "both" else 0.0
        self.gate: nn.Linear | None = None
        if how == "gated":
            self.project, self.gate = nn.Linear(features, width), nn.Linear(2 * width, width)
            self.head = make_head("levels", width, task)
        else:
            self.heads = nn.ModuleList([make_head("levels", n, task) for n in (features, width)])
        for part in self._not_used():  # they count as no parameters of the network
            part.requires_grad_(False)

    def _not_used(self) -> list[nn.Module]:
        """The parts that have no effect on the output."""
        if self.use == "both":
            return []
        if self.gate is not None:
            return [self.gate, self.table] if self.use == "image" else [self.gate, self.project, self.body]
        return [self.table, self.heads[1]] if self.use == "image" else [self.body, self.heads[0]]

    def fit_columns(self, rows: torch.Tensor) -> None:
        """See :class:`hmcbench.torchkit.model.TorchModel`."""
        self.table.fit(rows)

    def feature_layers(self) -> list[nn.Module]:
        """See :mod:`hmcbench.torchkit.novelty`: a layer behind what each encoder in use found."""
        of_encoders = {"both": slice(None), "image": slice(1), "table": slice(1, None)}[self.use]
        heads: Any = [self.head] if self.gate is not None else self.heads[of_encoders]
        return [head.levels[-1] for head in heads]

    def missing_images(self, pixels: torch.Tensor) -> torch.Tensor:
        """See :class:`hmcbench.torchkit.model.TorchModel`."""
        return ~_varies(pixels)[:, None, None, None]

    def forward(self, images: torch.Tensor, rows: torch.Tensor | None = None) -> Any:
        if rows is None:
            rows = images.new_full((len(images), len(self.table.columns)), float("nan"))
        read = self.table(rows)
        if self.use == "table":  # the image network would be multiplied by 0
            if self.gate is not None:
                return self.head(read)
            return [level.float() for level in self.heads[1](read)]
        there = torch.stack([_varies(images), (~rows.isnan()).any(1)], dim=1)  # (B, 2)
        weights = self._shown(there).float()
        seen = self.body(images)
        of_image, of_table = weights[:, :1], weights[:, 1:]
        if self.gate is None:
            levels = zip(self.heads[0](seen), self.heads[1](read), strict=True)
            return [of_image * a + of_table * b for a, b in levels]
        seen = self.project(seen).relu()
        gate = self.gate(torch.cat([seen, read], dim=1)).sigmoid()
        both = (weights > 0).all(1)[:, None]
        gates = torch.where(both, gate, of_image)
        return self.head(gates * seen + (1 - gates) * read)

    def _shown(self, there: torch.Tensor) -> torch.Tensor:
        """What counts of each sample, as weights of sum 1, (B, 2); half and half where nothing is there."""
        if self.use != "both":
            wanted = torch.tensor([self.use == "image", self.use == "table"], device=there.device)
            return wanted.expand(len(there), 2)
        if self.training and self.share:
            u = torch.rand(len(there), device=there.device)
            hidden = torch.stack([u < self.share / 2, (u >= self.share / 2) & (u < self.share)], dim=1)
            there = there & ~(hidden & there.all(1, keepdim=True))
        count = there.sum(1, keepdim=True)
        return torch.where(count > 0, there / count.clamp_min(1), 0.5)


def _varies(images: torch.Tensor) -> torch.Tensor:
    """Bool (B,): whether a channel has two values, of images (B, C, H, W)."""
    pixels = images.flatten(2)
    return (pixels.amax(2) > pixels.amin(2)).any(1)


def build(task: Task, *, columns: Sequence[int], network: dict[str, Any], **joint: Any) -> Fusion:
    """The module of a task; ``network``: keywords of :func:`hmcbench.torchkit.timm_network`."""
    body = timm_network(owner="fusion", **network)
    return Fusion(body, body.head_hidden_size, task, columns, **joint)


def create(**params: Any) -> TorchModel:
    """The factory of the model ``fusion``; its spec describes the parameters."""
    names = ("architecture", "stem_stride", "image_size", "in_chans", "pretrained")
    network = {name: params.pop(name) for name in names}
    joint = {name: params.pop(name) for name in ("how", "use", "width", "modality_dropout")}
    pretrained = network["pretrained"]
    network["pretrained"] = pretrained is True  # the weights of a file are loaded into the whole network
    return TorchModel(
        partial(build, network=network, **joint),
        Recipe(**params),
        beside="table",
        facts={"pretrained": pretrained is True},
        pretrained=pretrained,
    )
