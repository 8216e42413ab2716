"""Augmentation on the device, batched, with parameters drawn per sample; mixup and cutmix.

Crop, flip and rotation are one affine map and one interpolation. The distributions are those of
torchvision's RandomResizedCrop, RandomHorizontalFlip, RandomRotation and RandomErasing, which the
HFFNet-2d paper names ("Data preprocessing") without giving their ranges.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from hmcbench.errors import BadInput
from hmcbench.torchkit.microscope import SEM, Microscope

TRIES = 10
"""Rectangles drawn per sample until one fits, as torchvision does."""


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Ranges of the random changes; a probability or range of 0 switches one off.

    Attributes:
        scale: area of the crop, as a share of the image.
        ratio: width / height of the crop.
        flip, flip_vertical: probabilities of mirroring.
        degrees: rotation by up to this angle, either way; corners are filled by reflection.
        contrast, brightness: after normalisation, x (1 + u contrast) + v brightness; u, v in -1..1.
        erase: probability of erasing one rectangle (set to 0, the mean after normalisation).
        erase_scale, erase_ratio: its area as a share, and height / width.
        microscope: its faults, after contrast and brightness.
    """

    scale: tuple[float, float] = (1.0, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    flip: float = 0.0
    flip_vertical: float = 0.0
    degrees: float = 0.0
    contrast: float = 0.0
    brightness: float = 0.0
    erase: float = 0.0
    erase_scale: tuple[float, float] = (0.02, 0.33)
    erase_ratio: tuple[float, float] = (0.3, 3.3)
    microscope: Microscope | None = None

    @property
    def resamples(self) -> bool:
        """Whether pixels are interpolated; mirroring alone moves them."""
        return bool(self.degrees) or self.scale != (1.0, 1.0)


AUGMENTATIONS: dict[str, Augmentation | None] = {
    "none": None,
    # For short trainings on small images. No interpolation: a crop or turn of 64 px blurs the fine
    # texture that separates the classes, and light networks then learn far more slowly.
    "light": Augmentation(flip=0.5, flip_vertical=0.5, contrast=0.2, brightness=0.2),
    # The paper's list. It gives no ranges: torchvision's defaults for crop and erasing, 15 degrees.
    "paper": Augmentation(scale=(0.08, 1.0), flip=0.5, degrees=15, erase=0.5),
    # light, and what a scanning electron microscope does to an image.
    "sem": Augmentation(flip=0.5, flip_vertical=0.5, contrast=0.2, brightness=0.2, microscope=SEM),
}


class Augmenter:
    """Augment a batch: ``augmenter(pixels, normalise)``.

    Args:
        name: a key of :data:`AUGMENTATIONS`.
        generator: where the random numbers come from; on the device of the batches.
    """

    def __init__(self, name: str, generator: torch.Generator) -> None:
        if name not in AUGMENTATIONS:
            raise BadInput(f"augment={name!r} is not known", allowed=", ".join(AUGMENTATIONS))
        self.ranges = AUGMENTATIONS[name]
        self.generator = generator

    def __call__(
        self, pixels: torch.Tensor, normalise: Callable[[torch.Tensor], torch.Tensor]
    ) -> torch.Tensor:
        """uint8 (B, C, H, W) -> normalised float32 (B, C, H, W)."""
        r = self.ranges
        if r is None:
            return normalise(pixels)
        n = len(pixels)
        moved = warp(pixels.float(), self._affine(n, r)) if r.resamples else self._mirror(pixels, r)
        x = normalise(moved)  # after the crop, so that its statistics are those of a whole image
        if r.contrast or r.brightness:
            u, v = self._uniform((2, n, 1, 1, 1), -1.0, 1.0)
            x = torch.addcmul(r.brightness * v, x, 1 + r.contrast * u)
        if r.microscope is not None:
            x = r.microscope(x, self.generator)
        return self._erase(x, r) if r.erase else x

    def _mirror(self, x: torch.Tensor, r: Augmentation) -> torch.Tensor:
        """Flip some samples without interpolation: x (B, C, H, W) of any dtype."""
        for axis, probability in ((3, r.flip), (2, r.flip_vertical)):
            if probability:
                chosen = self._uniform((len(x), 1, 1, 1), 0.0, 1.0) < probability
                x = torch.where(chosen, x.flip(axis), x)
        return x

    def _uniform(self, shape: tuple[int, ...], low: float, high: float) -> torch.Tensor:
        random = torch.rand(shape, generator=self.generator, device=self.generator.device)
        return random * (high - low) + low

    def _affine(self, n: int, r: Augmentation) -> torch.Tensor:
        """Maps from output to input coordinates (-1..1), (n, 2, 3): rotate, then flip, then crop."""
        height, width = self._rectangle(n, r.scale, (1 / r.ratio[1], 1 / r.ratio[0]), whole=True)
        x = self._uniform((n,), -1.0, 1.0) * (1 - width)
        y = self._uniform((n,), -1.0, 1.0) * (1 - height)
        sign_x = torch.where(self._uniform((n,), 0, 1) < r.flip, -1.0, 1.0)
        sign_y = torch.where(self._uniform((n,), 0, 1) < r.flip_vertical, -1.0, 1.0)
        angle = self._uniform((n,), -r.degrees, r.degrees) * (math.pi / 180)
        cos, sin = angle.cos(), angle.sin()
        a, b = width * sign_x, height * sign_y
        rows = [torch.stack([a * cos, -a * sin, x], 1), torch.stack([b * sin, b * cos, y], 1)]
        return torch.stack(rows, 1)

    def _rectangle(
        self, n: int, scale: tuple[float, float], ratio: tuple[float, float], *, whole: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Height and width (n,) as shares of the side, of an area in ``scale`` and height / width in
        ``ratio`` (log-uniform). The first of :data:`TRIES` draws that fits; if none does, all of the
        image (``whole``) or nothing."""
        area = self._uniform((n, TRIES), *scale)
        aspect = self._uniform((n, TRIES), math.log(ratio[0]), math.log(ratio[1])).exp()
        height, width = (area * aspect).sqrt(), (area / aspect).sqrt()
        fits = (height <= 1) & (width <= 1)
        first = fits.int().argmax(1, keepdim=True)
        any_fits = fits.any(1)
        fallback = 1.0 if whole else 0.0
        return (
            torch.where(any_fits, height.gather(1, first)[:, 0], fallback),
            torch.where(any_fits, width.gather(1, first)[:, 0], fallback),
        )

    def _erase(self, x: torch.Tensor, r: Augmentation) -> torch.Tensor:
        n = len(x)
        height, width = self._rectangle(n, r.erase_scale, r.erase_ratio, whole=False)
        chosen = self._uniform((n,), 0, 1) < r.erase
        mask = box(x.shape[2:], height, width, self._uniform((2, n), 0, 1)) & chosen[:, None, None]
        return x.masked_fill(mask[:, None], 0.0)


def box(size: Sequence[int], height: torch.Tensor, width: torch.Tensor, corner: torch.Tensor) -> torch.Tensor:
    """Bool (n, H, W): a rectangle per sample inside the image, ``height`` and ``width`` (n,) as shares
    of the sides, ``corner`` (2, n) as shares (0..1) of the free space above and left of it."""
    rows, columns = _interval(size[0], height, corner[0]), _interval(size[1], width, corner[1])
    return rows[:, :, None] & columns[:, None, :]


def _interval(side: int, share: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    """Bool (n, side): the pixels of an interval of ``share`` of the side; ``start`` as in :func:`box`."""
    length = (share * side).round()
    first = (start * (side - length + 1)).floor()
    pixel = torch.arange(side, device=share.device)
    return (pixel >= first[:, None]) & (pixel < (first + length)[:, None])


def warp(x: torch.Tensor, affine: torch.Tensor) -> torch.Tensor:
    """Bilinear affine resampling; beyond the border the image is mirrored.

    Args:
        x: float (B, C, H, W).
        affine: (B, 2, 3), output coordinates -> input coordinates, both -1..1 from edge to edge.
    """
    grid = F.affine_grid(affine, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


@dataclass(frozen=True)
class Goal:
    """The targets of a batch of images.

    An image mixed from two samples has two goals. As losses are linear in the (smoothed) targets, its
    loss is the sum of both, each times its share, for every kind of target.

    Attributes:
        targets: (B, ...) as :meth:`hmcbench.torchkit.layout.Layout.encode` returns them.
        share: float (B,), the share of every image that has these targets; None: 1.
        weight: float (B,), the weight of their samples in the loss; None: 1.
    """

    targets: torch.Tensor
    share: torch.Tensor | None = None
    weight: torch.Tensor | None = None

    @property
    def factor(self) -> torch.Tensor | None:
        """What the loss is multiplied by: share times weight."""
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
            inside the image, as in random erasing.
        seed: of the random numbers, which are few and drawn on the CPU.
    """

    def __init__(self, mixup: float, cutmix: float, seed: int) -> None:
        self.mixup, self.cutmix = mixup, cutmix
        self.random = np.random.default_rng(seed)

    def __call__(self, images: torch.Tensor, goal: Goal) -> tuple[torch.Tensor, list[Goal]]:
        """Images float (B, C, H, W) with the targets ``goal`` -> mixed images and their goals."""
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
        """Weight of the image itself at every pixel, (n, H, W)."""
        weights = self._share(self.mixup, n).to(device)[:, None, None].expand(n, *size)
        if not self.cutmix:
            return weights
        side = (1 - self._share(self.cutmix, n)).sqrt().to(device)
        corner = torch.from_numpy(self.random.random((2, n), dtype=np.float32)).to(device)
        paste = torch.from_numpy(self.random.random(n) < (0.5 if self.mixup else 1.0)).to(device)
        return torch.where(paste[:, None, None], (~box(size, side, side, corner)).float(), weights)

    def _share(self, a: float, n: int) -> torch.Tensor:
        """float32 (n,); all 1 where ``a`` is 0."""
        return torch.from_numpy((self.random.beta(a, a, n) if a else np.ones(n)).astype(np.float32))
