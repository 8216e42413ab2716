"""Mixup and cutmix: training images made of two, and their targets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from hmcbench.torchkit.augment import box


@dataclass(frozen=True)
class Goal:
    """What a batch of images shows.

    An image made of two has two goals. As losses are linear in the (smoothed) targets, its loss is
    the sum of both, each times its share, for every kind of target.

    Attributes:
        targets: (B, ...) as :meth:`hmcbench.torchkit.layout.Layout.encode` gives them.
        share: float (B,), how much of every image shows them; None: all.
        weight: float (B,), how much the samples that they come from count in the loss; None: 1.
    """

    targets: torch.Tensor
    share: torch.Tensor | None = None
    weight: torch.Tensor | None = None

    @property
    def factor(self) -> torch.Tensor | None:
        """Of the loss: share times weight."""
        if self.share is None or self.weight is None:
            return self.share if self.weight is None else self.weight
        return self.share * self.weight

    def __getitem__(self, rows: slice) -> Goal:
        share, weight = (None if v is None else v[rows] for v in (self.share, self.weight))
        return Goal(self.targets[rows], share, weight)


class Mixer:
    """Blend every image with another of its batch, or paste a rectangle of the other into it.

    The share of the image itself is drawn per sample from Beta(a, a). With both parameters set,
    every sample is blended or pasted with equal probability.

    Args:
        mixup: a of the blends (Zhang et al. 2018); 0: none.
        cutmix: a of the rectangles (Yun et al. 2019); 0: none. Unlike there, a rectangle lies
            wholly inside the image, as those of random erasing.
        seed: of the random numbers (drawn on the CPU: few).
    """

    def __init__(self, mixup: float, cutmix: float, seed: int) -> None:
        self.mixup, self.cutmix = mixup, cutmix
        self.random = np.random.default_rng(seed)

    def __call__(self, images: torch.Tensor, goal: Goal) -> tuple[torch.Tensor, list[Goal]]:
        """images float (B, C, H, W) that show ``goal`` wholly -> the mixed ones, and what they show."""
        if not self.mixup and not self.cutmix:
            return images, [goal]
        n, device = len(images), images.device
        other = torch.from_numpy(self.random.permutation(n)).to(device, non_blocking=True)
        own = self._weights(n, images.shape[2:], device)
        share = own.mean((1, 2))
        weight = None if goal.weight is None else goal.weight[other]
        goals = [Goal(goal.targets, share, goal.weight), Goal(goal.targets[other], 1 - share, weight)]
        return torch.lerp(images[other], images, own[:, None]), goals

    def _weights(self, n: int, size: torch.Size, device: torch.device) -> torch.Tensor:
        """Of the image itself at every pixel, (n, H, W)."""
        weights = self._share(self.mixup, n).to(device)[:, None, None].expand(n, *size)
        if not self.cutmix:
            return weights
        side = (1 - self._share(self.cutmix, n)).sqrt().to(device)
        where = torch.from_numpy(self.random.random((2, n), dtype=np.float32)).to(device)
        paste = torch.from_numpy(self.random.random(n) < (0.5 if self.mixup else 1.0)).to(device)
        return torch.where(paste[:, None, None], (~box(size, side, side, where)).float(), weights)

    def _share(self, a: float, n: int) -> torch.Tensor:
        """float32 (n,); all 1 where ``a`` is 0."""
        return torch.from_numpy((self.random.beta(a, a, n) if a else np.ones(n)).astype(np.float32))
