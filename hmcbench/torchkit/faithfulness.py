"""Whether maps mean anything: do marked pixels matter, and do maps depend on what was learnt?

* Deletion and insertion [Petsiuk et al. 2018]: the probability of the class while its marked pixels
  are replaced by the image's mean, most marked first, and while they are put into a blurred copy.
  A good map has a small area under the first curve and a large one under the second; maps drawn at
  random, as coarse as the real ones, say what small and large mean here.
* Randomised weights [Adebayo et al. 2018]: a map that stays the same when all weights are drawn anew
  shows the image, not the model.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from scipy.stats import spearmanr
from torch import nn
from torch.nn import functional as F

STEPS = 20
BLUR = 8
"""The copy for insertion has lost everything finer than 1 / BLUR of the side."""
Probability = Callable[[torch.Tensor], torch.Tensor]


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
        image: (C, H, W), normalised: 0 is its mean.
        saliency: (H, W); ties go to the upper left.
    """
    order = saliency.flatten().argsort(descending=True, stable=True)
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order), device=order.device)
    limits = torch.linspace(0, len(order), STEPS + 1, device=order.device).round()
    changed = (rank[None] < limits[:, None]).view(-1, 1, *saliency.shape)  # (STEPS + 1, 1, H, W)
    blurred = blur(image)
    with torch.inference_mode():
        deleted = probability(torch.where(changed, torch.zeros_like(image), image))
        inserted = probability(torch.where(changed, image, blurred))
    return Curves(deleted.float().tolist(), inserted.float().tolist())


def blur(image: torch.Tensor) -> torch.Tensor:
    """(C, H, W) without detail: averaged over blocks of 1 / BLUR of the side, then interpolated."""
    coarse = F.adaptive_avg_pool2d(image[None], BLUR)
    return F.interpolate(coarse, tuple(image.shape[-2:]), mode="bilinear")[0]


def random_maps(number: int, side: int, size: tuple[int, int], seed: int) -> torch.Tensor:
    """Uniform noise on ``side`` x ``side`` positions, interpolated: (number, H, W)."""
    noise = torch.rand(number, 1, side, side, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(noise, size, mode="bilinear")[:, 0]


def randomised(module: nn.Module, seed: int) -> nn.Module:
    """A copy whose weights are drawn anew: every parameter from a normal of its own mean and deviation.

    So that activations keep their scale and nothing else; single numbers stay.
    """
    made = copy.deepcopy(module)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in made.parameters():
            if weight.numel() > 1:
                noise = torch.randn(weight.shape, generator=generator).to(weight)
                weight.copy_(noise * weight.std() + weight.mean())
    return made.eval()


def similarity(one: torch.Tensor, other: torch.Tensor) -> float:
    """Rank correlation (Spearman) of two maps, -1 to 1; 0 where one of them is flat."""
    first, second = one.flatten().cpu().numpy(), other.flatten().cpu().numpy()
    if first.min() == first.max() or second.min() == second.max():
        return 0.0
    return float(spearmanr(first, second).statistic)
