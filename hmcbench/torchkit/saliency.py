"""Saliency maps: Grad-CAM of any network, level by level.

Grad-CAM [Selvaraju et al. 2017] weighs the channels of one layer by their mean gradient, sums them
and keeps positive values. captum computes it; this module finds the layer, and presents every kind
of layer to captum as a map: channels first, channels last (Swin), or tokens (ViT).

A network may name the layer: a property ``saliency_layer`` that returns one of its modules (an
attribute would be registered as a second module of the network). Else it is the last one whose
output is a grid of at least 4 x 4 positions (or the finest grid) and reaches the logits from
positions other than class tokens: the last maps of a CNN, the first norm of a ViT's last block.

Two tests of a map:

* Deletion and insertion [Petsiuk et al. 2018]: the probability of the class while pixels, most
  salient first, are replaced by the image's mean, and while they are copied into a blurred image.
  A good map has a small area under the first curve and a large one under the second, compared with
  random maps of the same coarseness.
* Randomised weights [Adebayo et al. 2018]: a map that does not change when all weights are drawn
  again shows the image, not the model.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import isqrt
from typing import Any

import torch
from captum.attr import LayerAttribution, LayerGradCam
from scipy.stats import spearmanr
from torch import nn
from torch.nn import functional as F

from hmcbench.errors import NotApplicable
from hmcbench.torchkit.layout import Layout, Output

LEAST_SIDE = 4
"""Positions per side that a map should have."""
STEPS = 20
BLUR = 8
"""The blurred image has no detail finer than 1 / BLUR of the side."""
ROUNDING = 1e-4
"""Below it the mean of a normalised image is 0 but for rounding."""
Probability = Callable[[torch.Tensor], torch.Tensor]
_NO_MAPS = (nn.Identity, nn.Dropout, nn.Softmax)  # their outputs may be attention matrices


@dataclass(frozen=True)
class Grid:
    """How the positions of a layer's output correspond to the image.

    Attributes:
        kind: ``first`` (B, F, h, w), ``last`` (B, h, w, F) or ``tokens`` (B, prefix + h * w, F).
        side: h = w.
        prefix: class and register tokens.
    """

    kind: str
    side: int
    prefix: int = 0

    def to_map(self, output: torch.Tensor) -> torch.Tensor:
        """-> (B, F, h, w)."""
        if self.kind == "first":
            return output
        if self.kind == "tokens":
            output = output[:, self.prefix :].reshape(len(output), self.side, self.side, -1)
        return output.permute(0, 3, 1, 2)

    def from_map(self, maps: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        """The inverse; class tokens are taken from ``output``."""
        if self.kind == "first":
            return maps
        maps = maps.permute(0, 2, 3, 1)
        if self.kind == "tokens":
            return torch.cat([output[:, : self.prefix], maps.flatten(1, 2)], dim=1)
        return maps


def grid_of(output: Any, prefix: int) -> Grid | None:
    """The grid of an output on a square image, if it has one."""
    if not isinstance(output, torch.Tensor) or not output.is_floating_point():
        return None
    _, *shape = output.shape
    if len(shape) == 3 and shape[1] == shape[2] > 1:
        return Grid("first", shape[1])
    if len(shape) == 3 and shape[0] == shape[1] > 1:
        return Grid("last", shape[0])
    if len(shape) == 2 and shape[0] > prefix + 1 and isqrt(shape[0] - prefix) ** 2 == shape[0] - prefix:
        return Grid("tokens", isqrt(shape[0] - prefix), prefix)
    return None


def find_layer(module: nn.Module, image: torch.Tensor) -> tuple[nn.Module, Grid]:
    """The layer for Grad-CAM (see the module) and the grid of its output.

    Args:
        module: in eval mode.
        image: (1, C, H, W), normalised.

    Raises:
        NotApplicable: no layer keeps positions.
    """
    prefix = max((int(getattr(m, "num_prefix_tokens", 0) or 0) for m in module.modules()), default=0)
    named = getattr(module, "saliency_layer", None)
    seen: list[tuple[nn.Module, Grid, torch.Tensor]] = []

    def remember(layer: nn.Module, _inputs: Any, output: Any) -> None:
        grid = grid_of(output, prefix)
        candidate = layer is named if named is not None else grid is not None and _is_candidate(layer, grid)
        if grid is not None and candidate and output.requires_grad:
            seen.append((layer, grid, output))

    hooks = [layer.register_forward_hook(remember) for layer in module.modules()]
    try:
        with torch.enable_grad():
            total = torch.stack([part.float().sum() for part in _parts(module(image.requires_grad_()))]).sum()
            outputs = [output for _, _, output in seen]
            gradients = torch.autograd.grad(total, outputs, allow_unused=True) if seen else ()
    finally:
        for hook in hooks:
            hook.remove()
    used = [
        (layer, grid)
        for (layer, grid, _), gradient in zip(seen, gradients, strict=True)
        if gradient is not None and bool(grid.to_map(gradient).any())
    ]
    if not used:
        raise NotApplicable(f"no layer of {type(module).__name__} keeps positions, so nothing can be shown")
    least = min(LEAST_SIDE, max(grid.side for _, grid in used))
    return next(entry for entry in reversed(used) if entry[1].side >= least)


def _is_candidate(layer: nn.Module, grid: Grid) -> bool:
    """Tokens only after a norm: elsewhere they may be queries, keys or hidden units."""
    if isinstance(layer, _NO_MAPS):
        return False
    return grid.kind != "tokens" or "norm" in type(layer).__name__.lower()


def _parts(output: Output) -> list[torch.Tensor]:
    return [output] if isinstance(output, torch.Tensor) else list(output)


class GradCam:
    """Maps of one network.

    Args:
        module: in eval mode, on the device of the images.
        layout: of its task.
        image: (1, C, H, W), normalised: any image, to find the layer with.

    Attributes:
        layer, grid: see :func:`find_layer`.
    """

    def __init__(self, module: nn.Module, layout: Layout, image: torch.Tensor) -> None:
        self.module, self.layout = module, layout
        self.layer, self.grid = find_layer(module, image.detach().clone())
        self._probe = nn.Identity()  # sees the layer's output as a map: what captum hooks

    def maps(self, images: torch.Tensor, level: int, classes: torch.Tensor) -> torch.Tensor:
        """Evidence for a class of a level at every pixel, as shares of each image's maximum.

        Args:
            images: (B, C, H, W), normalised.
            level: from 1.
            classes: int64 (B,), positions among the classes of the level.

        Returns:
            float32 (B, H, W) from 0 to 1, the maximum of each image; all 0 without evidence for the
            class.
        """
        return shares(self.evidence(images, level, classes))

    def evidence(self, images: torch.Tensor, level: int, classes: torch.Tensor) -> torch.Tensor:
        """The same before the division: float32 (B, H, W), at least 0, in units of the logit."""

        def logits(x: torch.Tensor) -> torch.Tensor:
            return self.layout.per_level(self.module(x))[level - 1]

        with self._probed():
            cam = LayerGradCam(logits, self._probe)
            coarse = cam.attribute(images.detach(), target=classes, relu_attributions=True)
        size = tuple(images.shape[-2:])
        maps: torch.Tensor = LayerAttribution.interpolate(coarse.detach().float(), size, "bilinear")
        return maps[:, 0].clamp_min(0)

    @contextmanager
    def _probed(self) -> Iterator[None]:
        """The layer's output passes through the probe as a map."""

        def through_probe(_layer: nn.Module, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
            return self.grid.from_map(self._probe(self.grid.to_map(output)), output)

        hook = self.layer.register_forward_hook(through_probe)
        try:
            yield
        finally:
            hook.remove()


def shares(evidence: torch.Tensor) -> torch.Tensor:
    """(B, H, W), each image divided by its maximum; all 0 where that is 0."""
    peak = evidence.amax(dim=(1, 2), keepdim=True)
    return torch.where(peak > 0, evidence / peak.clamp_min(torch.finfo(torch.float32).tiny), 0.0)


@dataclass(frozen=True)
class Curves:
    """Probabilities at the shares 0, 1/STEPS, ..., 1 of changed pixels; lists of STEPS + 1."""

    deletion: list[float]
    insertion: list[float]

    @property
    def deletion_area(self) -> float:
        return area(self.deletion)

    @property
    def insertion_area(self) -> float:
        return area(self.insertion)


def area(values: list[float]) -> float:
    """Under a curve over 0..1 with equal steps, by trapezoids.

    >>> area([1.0, 0.5, 0.0])
    0.5
    """
    return (sum(values) - (values[0] + values[-1]) / 2) / (len(values) - 1)


def curves(probability: Probability, image: torch.Tensor, saliency: torch.Tensor) -> Curves:
    """Deletion and insertion of one image.

    Args:
        probability: normalised images (B, C, H, W) -> probabilities of the class (B,).
        image: (C, H, W), normalised by itself, where 0 is its mean, or by the training images.
        saliency: (H, W); ties go to the upper left.
    """
    order = saliency.flatten().argsort(descending=True, stable=True)
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order), device=order.device)
    limits = torch.linspace(0, len(order), STEPS + 1, device=order.device).round()
    changed = (rank[None] < limits[:, None]).view(-1, 1, *saliency.shape)  # (STEPS + 1, 1, H, W)
    mean = image.mean(dim=(1, 2), keepdim=True)
    mean = torch.where(mean.abs() < ROUNDING, 0.0, mean)
    blurred = blur(image)
    with torch.inference_mode():
        deleted = probability(torch.where(changed, mean, image))
        inserted = probability(torch.where(changed, image, blurred))
    return Curves(deleted.float().tolist(), inserted.float().tolist())


def blur(image: torch.Tensor) -> torch.Tensor:
    """(C, H, W), averaged over blocks of 1 / BLUR of the side and interpolated."""
    coarse = F.adaptive_avg_pool2d(image[None], BLUR)
    return F.interpolate(coarse, tuple(image.shape[-2:]), mode="bilinear")[0]


def random_maps(number: int, side: int, size: tuple[int, int], seed: int) -> torch.Tensor:
    """Uniform noise on ``side`` x ``side`` positions, interpolated: (number, H, W)."""
    noise = torch.rand(number, 1, side, side, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(noise, size, mode="bilinear")[:, 0]


def randomised(module: nn.Module, seed: int) -> nn.Module:
    """A copy with random weights: every parameter is drawn from a normal of its own mean and deviation.

    So activations keep their scale only; parameters of one number stay.
    """
    random = copy.deepcopy(module)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in random.parameters():
            if weight.numel() > 1:
                noise = torch.randn(weight.shape, generator=generator).to(weight)
                weight.copy_(noise * weight.std() + weight.mean())
    return random.eval()


def similarity(first: torch.Tensor, second: torch.Tensor) -> float:
    """Rank correlation (Spearman) of two maps, -1 to 1; 0 where a map is constant."""
    values = [saliency.flatten().cpu().numpy() for saliency in (first, second)]
    if any(array.min() == array.max() for array in values):
        return 0.0
    return float(spearmanr(*values).statistic)
