"""Trains a network on crops that are turned, scaled and shifted together with their label maps."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from hmcbench import Run
from hmcbench.torchkit.device import autocast, reliable_precision, usual_precision
from hmcbench.torchkit.layout import Layout
from hmcbench.torchkit.optim import rate_factor
from hmcbench_masks.models.tiles import BATCH, in_tiles

UNLABELLED = -1


@dataclass(frozen=True, kw_only=True)
class CropRecipe:
    """Keywords of the training; the specs say what they mean."""

    epochs: int = 20
    crops: int = 8
    crop: int = 128
    batch_size: int = 8
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    dice: float = 1.0
    turns: str = "any"
    precision: str = "float32"


@dataclass(frozen=True, eq=False)
class TrainingImage:
    """One image on the device.

    Attributes:
        pixels: float32 (1, 1, h, w), normalised.
        numbers: float32 (1, 1, h, w), rows of the legend, -1 where not labelled.
        table: row of the legend -> targets, int64 (M, L) or bool (M, C).
    """

    pixels: torch.Tensor
    numbers: torch.Tensor
    table: torch.Tensor

    @staticmethod
    def of(
        pixels: np.ndarray, numbers: np.ndarray, table: torch.Tensor, device: torch.device
    ) -> TrainingImage:
        """Of arrays (h, w)."""
        both = torch.from_numpy(np.stack([pixels, numbers]).astype(np.float32)).to(device)
        return TrainingImage(both[:1, None], both[1:, None], table)

    def warped(self, theta: torch.Tensor, side: int) -> tuple[torch.Tensor, torch.Tensor]:
        """A crop (1, side, side) and its rows of the legend, int64 (side, side), by one affine map.

        Args:
            theta: float (1, 2, 3), from the crop's coordinates to those of the image, both -1 to 1.
        """
        grid = F.affine_grid(theta, [1, 1, side, side], align_corners=False)
        pixels = F.grid_sample(self.pixels, grid, padding_mode="reflection", align_corners=False)
        numbers = F.grid_sample(
            self.numbers, grid, mode="nearest", padding_mode="reflection", align_corners=False
        )
        return pixels[0], numbers[0, 0].round().long()


class Warps:
    """Random crops: turned, mirrored or not, with other contrast and brightness.

    Args:
        side: of a crop, in pixels.
        turns: ``any`` turns by any angle and scales by up to a quarter, which makes fine texture blurred;
            ``right`` turns by right angles, and every pixel of the crop is one of the image.
    """

    def __init__(self, seed: int, side: int, device: torch.device, turns: str = "any") -> None:
        self.random, self.side, self.device = np.random.default_rng(seed), side, device
        self.turns = turns

    def draw(self, image: TrainingImage) -> tuple[torch.Tensor, torch.Tensor]:
        """One crop of an image; see :meth:`TrainingImage.warped`."""
        u = self.random.random(8)
        height, width = image.pixels.shape[2:]
        angle, scale, mirror = 2 * math.pi * u[0], 1.25 ** (2 * u[1] - 1), 1.0 if u[2] < 0.5 else -1.0
        room = [max(0.0, 1 - self.side / size) for size in (width, height)]
        x, y = (2 * u[3] - 1) * room[0], (2 * u[4] - 1) * room[1]
        if self.turns == "right":
            angle, scale = math.pi / 2 * int(4 * u[0]), 1.0
            x, y = self._whole(x, width), self._whole(y, height)
        cosine, sine = math.cos(angle) * scale * self.side, math.sin(angle) * scale * self.side
        theta = torch.tensor(
            [[[mirror * cosine / width, -sine / width, x], [mirror * sine / height, cosine / height, y]]],
            dtype=torch.float32,
            device=self.device,
        )
        pixels, numbers = image.warped(theta, self.side)
        noise = torch.from_numpy(self.random.standard_normal(pixels.shape).astype(np.float32)).to(self.device)
        changed = pixels * 1.3 ** (2 * u[5] - 1) + 0.3 * (2 * u[6] - 1) + 0.15 * u[7] * noise
        return changed, numbers

    def _whole(self, centre: float, size: int) -> float:
        """The nearest centre of a crop, -1 to 1, whose pixels are those of the image.

        A smaller image lies in the middle of the crop; half a pixel beside it where one side is odd.
        """
        if size <= self.side:
            return ((size - self.side) % 2) / size
        start = round((centre + 1) * size / 2 - self.side / 2)
        return (2 * start + self.side) / size - 1


@dataclass
class CropTrainer:
    """Trains a module in place.

    Attributes:
        tile, overlap: those of predictions; large images of the validation side are read in such tiles.
        best: mean IoU on validation, and the weights that had it.
    """

    module: nn.Module
    layout: Layout
    recipe: CropRecipe
    run: Run
    tile: int = 256
    overlap: int = 32
    best: tuple[float, dict[str, torch.Tensor]] = field(default_factory=lambda: (-1.0, {}))

    @property
    def precision(self) -> str:
        """Of the forward pass: ``float32`` or ``bfloat16``; losses and predictions are float32."""
        crop, device = self.recipe.crop, self.layout.device
        wanted = reliable_precision(self.recipe.precision, self.module, [(1, crop, crop)], device)
        return usual_precision(device, self.module) if wanted == "auto" else wanted

    def fit(self, train: Sequence[TrainingImage], valid: Sequence[TrainingImage]) -> int:
        """Train; the number of the epoch whose weights the module ends with, from 1.

        Raises:
            FloatingPointError: a loss that is not finite.
        """
        recipe = self.recipe
        optimizer = torch.optim.AdamW(
            self.module.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
        )
        steps = max(1, math.ceil(len(train) * recipe.crops / recipe.batch_size))
        used = recipe.epochs
        for epoch in range(recipe.epochs):
            row = self._epoch(epoch, steps, train, optimizer)
            if valid and epoch >= recipe.epochs // 2:
                row["valid_miou"] = self._validate(valid)
                if row["valid_miou"] >= self.best[0]:
                    self.best = row["valid_miou"], copy.deepcopy(self.module.state_dict())
                    used = epoch + 1
            self.run.report(epoch + 1, recipe.epochs, **row)
        if self.best[1]:
            self.module.load_state_dict(self.best[1])
        return used

    def _epoch(
        self, epoch: int, steps: int, train: Sequence[TrainingImage], optimizer: torch.optim.Optimizer
    ) -> dict[str, float]:
        recipe, device, precision = self.recipe, self.layout.device, self.precision
        warps = Warps((self.run.seed * 1_000_003 + epoch) % 2**63, recipe.crop, device, recipe.turns)
        order = warps.random.permutation(np.resize(np.arange(len(train)), steps * recipe.batch_size))
        self.module.train()
        total = torch.zeros((), device=device)
        for step, rows in enumerate(order.reshape(steps, -1)):
            drawn = [warps.draw(train[i]) for i in rows]
            images = torch.stack([pixels for pixels, _ in drawn]).contiguous(
                memory_format=torch.channels_last
            )
            numbers = torch.stack([numbers for _, numbers in drawn])
            rate = recipe.learning_rate * rate_factor(
                "onecycle", epoch * steps + step, recipe.epochs * steps, 0
            )
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.zero_grad(set_to_none=True)
            with autocast(device, precision):
                output = self.module(images)
            loss = self._loss(output, numbers, train[0].table)
            loss.backward()
            nn.utils.clip_grad_norm_(self.module.parameters(), 1.0)
            optimizer.step()
            total += loss.detach()
        mean = float(total) / steps
        if not math.isfinite(mean):
            raise FloatingPointError(f"the training loss is {mean} in epoch {epoch + 1}")
        return {"train_loss": mean, "learning_rate": rate}

    def _loss(self, output: torch.Tensor, numbers: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
        """Mean over labelled pixels and levels of cross-entropy, plus Dice over the batch.

        Args:
            output: logits (B, K, h, w).
            numbers: rows of the legend (B, h, w), -1 where not labelled.
        """
        logits = output.float().permute(0, 2, 3, 1).flatten(0, 2)
        rows = numbers.flatten()
        if not (known := rows >= 0).all():
            logits, rows = logits[known], rows[known]
        if not len(rows):
            return output.sum() * 0
        pixels = rows.bincount(minlength=len(table)).float()
        parts = []
        for k, level in enumerate(logits.split(self.layout.sizes, dim=1)):
            if self.layout.single:
                sets = F.one_hot(table[:, k], level.shape[1]).float()
                hot, logs = F.embedding(rows, sets), level.log_softmax(1)
                entropy, shares = -(logs * hot).sum() / len(rows), logs.exp()
            else:
                sets = table[:, self.layout.columns[k]].float()
                hot = F.embedding(rows, sets)
                entropy, shares = F.binary_cross_entropy_with_logits(level, hot), level.sigmoid()
            area = pixels @ sets
            overlap = (2 * (shares * hot).sum(0) + 1) / (shares.sum(0) + area + 1)
            missed = (1 - overlap)[area > 0]
            parts.append(entropy + self.recipe.dice * missed.sum() / max(1, len(missed)))
        return torch.stack(parts).mean()

    def _validate(self, valid: Sequence[TrainingImage]) -> float:
        """Mean IoU of whole reduced images, over the levels and their classes that occur."""
        self.module.eval()
        counts = [torch.zeros(3, size, device=self.layout.device) for size in self.layout.sizes]
        with torch.inference_mode():
            for image in valid:
                top = 0
                for band in self._outputs(image.pixels):
                    rows = image.numbers[0, 0, top : top + len(band)]
                    top += len(band)
                    known = rows >= 0
                    self._count(counts, band[known], image.table[rows[known].long()])
        values = []
        for both, true, guess in counts:
            there = true > 0
            values.append((both / (true + guess - both).clamp_min(1))[there].mean())
        return float(torch.stack(values).nanmean())

    def _outputs(self, pixels: torch.Tensor) -> Iterator[torch.Tensor]:
        """Logits (h, w, K) of an image (1, 1, H, W), band by band.

        An image that has no more pixels than a batch of tiles is one band: it needs no more memory than a
        prediction. A larger one is read in tiles, as in a prediction.
        """
        height, width = pixels.shape[2:]
        if height * width <= BATCH * self.tile**2:
            padded = F.pad(pixels, (0, -width % 32, 0, -height % 32), mode="replicate")
            yield self._logits(padded)[0, :height, :width]
            return

        def logits(tiles: np.ndarray) -> np.ndarray:
            return self._logits(torch.from_numpy(tiles)[:, None].to(pixels.device)).float().cpu().numpy()

        for band in in_tiles(pixels[0, 0].cpu().numpy(), logits, self.tile, self.overlap):
            yield torch.from_numpy(band).to(pixels.device)

    def _logits(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 1, h, w) -> (B, h, w, K)."""
        output: torch.Tensor = self.module(images.contiguous(memory_format=torch.channels_last))
        return output.permute(0, 2, 3, 1)

    def _count(self, counts: Sequence[torch.Tensor], logits: torch.Tensor, targets: torch.Tensor) -> None:
        """Add the pixels (n, K) of every class of every level: right, true and guessed ones."""
        for k, level in enumerate(logits.split(self.layout.sizes, dim=1)):
            if self.layout.single:
                true = F.one_hot(targets[:, k], level.shape[1])
                guess = F.one_hot(level.argmax(1), level.shape[1])
            else:
                true, guess = targets[:, self.layout.columns[k]].long(), (level > 0).long()
            counts[k] += torch.stack([(true * guess).sum(0), true.sum(0), guess.sum(0)])
