"""The training loop.

Nothing in an epoch waits for the device: sums stay there and are read once at its end.
"""

from __future__ import annotations

import copy
import math
import time
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import nn

from hmcbench.interfaces import Run
from hmcbench.torchkit.augment import Augmenter
from hmcbench.torchkit.checkpoint import Checkpoints
from hmcbench.torchkit.data import Normaliser, Pixels
from hmcbench.torchkit.layout import Layout, Output
from hmcbench.torchkit.losses import LevelLoss
from hmcbench.torchkit.optim import make_optimizer, rate_factor, set_learning_rate
from hmcbench.torchkit.recipes import Recipe

EVALUATION_BATCH = 128
"""Images per forward pass outside training: fixed, so that scores depend on the image alone."""


def precision(device: torch.device) -> AbstractContextManager[Any]:
    """bfloat16 autocast where the device computes in it; float32 elsewhere (CPUs emulate it slowly)."""
    use = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=use)


def seed_epoch(seed: int, epoch: int) -> int:
    """Seed torch for one epoch and return that seed for further generators.

    As nothing random is carried over from the epoch before, a checkpoint needs no generator state.
    """
    value = (seed * 1_000_003 + epoch) % 2**63
    torch.manual_seed(value)
    return value


@dataclass(frozen=True)
class Samples:
    """Images of one side, and their targets as :meth:`Layout.encode` gives them."""

    pixels: Pixels
    targets: torch.Tensor

    def __len__(self) -> int:
        return len(self.pixels)


@dataclass
class Best:
    """The best epoch on validation so far: its number (from 1), its merit, its weights."""

    epoch: int = 0
    merit: list[float] = field(default_factory=list)
    weights: dict[str, torch.Tensor] | None = None


class Trainer:
    """Train ``module`` in place: ``Trainer(...).fit()``.

    With ``recipe.patience`` the module ends with the weights of the best validation epoch, without
    it with those of the last. Raises FloatingPointError as soon as an epoch's loss is not finite.
    """

    def __init__(
        self,
        module: nn.Module,
        layout: Layout,
        normaliser: Normaliser,
        recipe: Recipe,
        run: Run,
        train: Samples,
        valid: Samples,
    ) -> None:
        self.module, self.layout, self.normaliser = module, layout, normaliser
        self.recipe, self.run, self.train, self.valid = recipe, run, train, valid
        self.device = layout.device
        self.loss = LevelLoss(layout, recipe)
        self.optimizer = make_optimizer(module, recipe)
        self.steps = math.ceil(len(train) / recipe.batch_size)
        self.best = Best()
        self.history: list[dict[str, float]] = []
        identity = {"recipe": asdict(recipe), "seed": run.seed, "train": len(train), "valid": len(valid)}
        self.checkpoints = Checkpoints(run.folder, identity)

    def fit(self) -> None:
        recipe = self.recipe
        for epoch in range(self._resume(), recipe.epochs):
            if recipe.patience and self.best.epoch and epoch - self.best.epoch >= recipe.patience:
                break
            row = self._epoch(epoch)
            row.update(self._validate())
            self._keep_best(epoch + 1, row)
            self.history.append(row)
            self.run.report(epoch + 1, recipe.epochs, **row)
            self._save()
        if self.best.weights is not None:
            self.module.load_state_dict(self.best.weights)

    def _epoch(self, epoch: int) -> dict[str, float]:
        """One pass over the training samples; what it has to report."""
        start = time.perf_counter()
        seed = seed_epoch(self.run.seed, epoch)
        augmenter = Augmenter(self.recipe.augment, torch.Generator(self.device).manual_seed(seed))
        order = torch.randperm(len(self.train), generator=torch.Generator().manual_seed(seed)).to(self.device)
        self.module.train()
        total = torch.zeros((), device=self.device)
        # Batches of nearly equal size: a last one of a single sample would break batch norms.
        for i, index in enumerate(order.tensor_split(self.steps)):
            images = self._memory_format(augmenter(self.train.pixels.batch(index), self.normaliser))
            rate = self._rate(epoch * self.steps + i)
            loss = self._step(images, self.train.targets[index], rate)
            total += loss * len(index)
        train_loss = float(total) / len(self.train)  # the one wait of the epoch
        if not math.isfinite(train_loss):
            raise FloatingPointError(
                f"the training loss is {train_loss} in epoch {epoch + 1}"
                f" (highest learning rate {self.recipe.learning_rate:g})"
            )
        return {
            "train_loss": train_loss,
            "learning_rate": rate,
            "images_per_second": len(self.train) / (time.perf_counter() - start),
        }

    def _step(self, images: torch.Tensor, targets: torch.Tensor, rate: float) -> torch.Tensor:
        with precision(self.device):
            output: Output = self.module(images)
        loss = self.loss(output, targets)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.recipe.clip_norm:
            nn.utils.clip_grad_norm_(self.module.parameters(), self.recipe.clip_norm)
        set_learning_rate(self.optimizer, rate)
        self.optimizer.step()
        return loss.detach()

    def _rate(self, step: int) -> float:
        recipe = self.recipe
        warmup = round(recipe.warmup_epochs * self.steps)
        return recipe.learning_rate * rate_factor(recipe.schedule, step, recipe.epochs * self.steps, warmup)

    def _memory_format(self, images: torch.Tensor) -> torch.Tensor:
        return images.contiguous(memory_format=torch.channels_last)

    def _validate(self) -> dict[str, float]:
        """Loss and level accuracies on validation; nothing where it is empty."""
        if not len(self.valid):
            return {}
        self.module.eval()
        loss = torch.zeros((), device=self.device)
        right = torch.zeros(self.layout.depth, device=self.device)
        done = 0
        with torch.inference_mode(), precision(self.device):
            for block in self.valid.pixels.blocks(EVALUATION_BATCH):
                targets = self.valid.targets[done : done + len(block)]
                output = self.module(self._memory_format(self.normaliser(block)))
                loss += self.loss(output, targets) * len(block)
                right += self.layout.correct(output, targets)
                done += len(block)
        shares = (right / done).tolist()
        return {
            "valid_loss": float(loss) / done,
            **{f"level{k}_accuracy": share for k, share in enumerate(shares, start=1)},
        }

    def _keep_best(self, epoch: int, row: dict[str, float]) -> None:
        """Single paths are judged by the mean of the level accuracies, then by the loss; sets of
        labels by the loss alone, as they get their threshold later."""
        if not self.recipe.patience or "valid_loss" not in row:
            return
        merit = [-row["valid_loss"]]
        if self.layout.single:
            accuracies = [row[f"level{k}_accuracy"] for k in range(1, self.layout.depth + 1)]
            merit.insert(0, sum(accuracies) / len(accuracies))
        if not self.best.epoch or merit > self.best.merit:
            self.best = Best(epoch, merit, copy.deepcopy(self.module.state_dict()))

    def _save(self) -> None:
        self.checkpoints.save(
            {
                "module": self.module.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "best": {"epoch": self.best.epoch, "merit": self.best.merit, "weights": self.best.weights},
                "history": self.history,
            }
        )

    def _resume(self) -> int:
        """Take up a checkpoint, if there is one; the number of epochs that are done."""
        state = self.checkpoints.load()
        if state is None:
            return 0
        self.module.load_state_dict(state["module"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best = Best(**state["best"])
        self.history = state["history"]
        for epoch, row in enumerate(self.history, start=1):
            self.run.report(epoch, self.recipe.epochs, **row)
        return len(self.history)
