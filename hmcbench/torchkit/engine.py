"""The training loop, and the running mean of the weights.

An epoch does not wait for the device: sums stay there and are read once at its end.
"""

from __future__ import annotations

import copy
import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import nn

from hmcbench.errors import BadInput
from hmcbench.interfaces import Run
from hmcbench.torchkit.augment import Augmenter, Goal, Mixer
from hmcbench.torchkit.checkpoint import Checkpoints
from hmcbench.torchkit.computing import Computation, as_before, choose
from hmcbench.torchkit.data import Normaliser, PixelBatches
from hmcbench.torchkit.device import Accumulator, make_forward, seed_epoch, settings
from hmcbench.torchkit.first_size import growing, resized, side_of
from hmcbench.torchkit.freezing import training_mode
from hmcbench.torchkit.layout import Layout
from hmcbench.torchkit.losses import sample_weights
from hmcbench.torchkit.optim import make_optimizer, rate_factor, set_learning_rate
from hmcbench.torchkit.passes import BlockPasses
from hmcbench.torchkit.recipes import Recipe
from hmcbench.torchkit.targets import TargetLayout, loss_of

GAIN = 0.02
"""What validation gains in the last quarter of a training that is said to have ended too early."""


@dataclass(frozen=True)
class EncodedImages:
    """Images of one partition, their targets as :meth:`Layout.encode` returns them, and further inputs.

    Attributes:
        beside: what the module's ``forward`` takes after the images, each (N, ...) on the device.
    """

    pixels: PixelBatches
    targets: torch.Tensor
    beside: tuple[torch.Tensor, ...] = ()

    def __len__(self) -> int:
        return len(self.pixels)


@dataclass
class BestEpoch:
    """The best epoch on validation so far: its number (from 1), its merit, its weights."""

    epoch: int = 0
    merit: list[float] = field(default_factory=list)
    weights: dict[str, torch.Tensor] | None = None


class Trainer:
    """Train ``module`` in place: ``Trainer(...).fit()``.

    The module ends with the weights of the best validation epoch if ``recipe.patience`` is set, else
    with those of the last; with ``recipe.ema`` these are running means.

    Args:
        valid: validation samples; may be empty.
        epochs: end after so many epochs of the recipe's schedule, whatever its patience; 0: as the recipe
            says.
        computation: how to compute; None: as the checkpoint or an earlier fit of this cell did
            (:attr:`Run.computation`), else chosen (:func:`hmcbench.torchkit.computing.choose`).

    Raises:
        FloatingPointError: as soon as an epoch's loss is not finite.
    """

    def __init__(
        self,
        module: nn.Module,
        layout: Layout | TargetLayout,
        normaliser: Normaliser,
        recipe: Recipe,
        run: Run,
        train: EncodedImages,
        valid: EncodedImages,
        epochs: int = 0,
        computation: Computation | None = None,
    ) -> None:
        self.last = epochs or recipe.epochs
        self.module, self.layout, self.normaliser = module, layout, normaliser
        self.recipe, self.run, self.train, self.valid = recipe, run, train, valid
        self.device = layout.device
        if train.beside and (recipe.mixup or recipe.cutmix):
            raise BadInput("mixup and cutmix are for images alone", allowed="mixup=0 and cutmix=0")
        self.loss = loss_of(layout, recipe)
        self.optimizer = make_optimizer(module, recipe)
        self.samples = max(1, round(len(train) * recipe.epoch_share))  # of an epoch
        # at least two samples a step: batch norms fail on one
        self.steps = max(1, min(math.ceil(self.samples / recipe.batch_size), self.samples // 2))
        identity = {"recipe": asdict(recipe), "seed": run.seed, "train": len(train), "valid": len(valid)}
        self.checkpoints = Checkpoints(run.folder, identity)
        self.resumed = self.checkpoints.load()
        self.computation = computation or self._computation()
        self.computation.prepare(module)
        graphs = recipe.compile in ("auto", "graphs")
        mode = "off" if train.beside and graphs else recipe.compile
        self.forward = make_forward(module, mode, recipe.batch_size, self.device, self.computation.precision)
        self.accumulator = Accumulator(module, self.computation.images_per_pass, self.forward)
        self.ema = Ema(module, recipe.ema) if recipe.ema else None
        self.evaluated = module if self.ema is None else self.ema.module  # validated and kept
        self.passes = BlockPasses()  # of the validation
        self.weights = None if recipe.balance == "none" else sample_weights(train.targets)
        self.best = BestEpoch()
        self.history: list[dict[str, float]] = []
        self.earlier_s = 0.0  # seconds of training before the checkpoint that this one has resumed from

    def _computation(self) -> Computation:
        """That of the checkpoint, else of an earlier fit of this cell, else chosen by measurement."""
        module, recipe, device, threads = self.module, self.recipe, self.device, self.run.threads
        shape = self.train.pixels.shape
        earlier = self.run.computation if self.resumed is None else self.resumed.get("computation", {})
        if earlier is not None:
            return as_before(earlier, module, shape, recipe, device, threads)
        steps = self.steps * recipe.epochs
        return choose(module, shape, recipe, device, threads=threads, steps=steps)

    def fit(self) -> None:
        with settings(self.device, deterministic=self.recipe.deterministic):
            self._epochs()
        self.module.load_state_dict(self.best.weights or self.evaluated.state_dict())

    def _epochs(self) -> None:
        recipe, first, start = self.recipe, self._resume(), time.perf_counter()
        for epoch in range(first, self.last):
            if recipe.patience and self.best.epoch and self._waited(epoch) >= recipe.patience:
                break
            row = self._epoch(epoch)
            row.update(self._validate())
            epochs = epoch + 1 - first
            row["seconds_left"] = (time.perf_counter() - start) / epochs * (self.last - epoch - 1)
            self._keep_best(epoch + 1, row)
            self.history.append(row)
            self.run.report(epoch + 1, self.last, **row)
            self._save(self.earlier_s + time.perf_counter() - start)

    def _waited(self, epoch: int) -> int:
        """Epochs since the best one. Those of smaller images do not count: validation images are whole."""
        recipe = self.recipe
        smaller = growing(recipe.first_size, self.train.pixels.shape[-1], recipe.epochs)
        return epoch - max(self.best.epoch, smaller)

    def _epoch(self, epoch: int) -> dict[str, float]:
        """One pass over the training samples; its row of the history."""
        start = time.perf_counter()
        seed, recipe = seed_epoch(self.run.seed, epoch), self.recipe
        augmenter = Augmenter(recipe.augment, torch.Generator(self.device).manual_seed(seed))
        mixer = Mixer(recipe.mixup, recipe.cutmix, seed)
        side = side_of(epoch, recipe.first_size, self.train.pixels.shape[-1], recipe.epochs)
        # Batches of nearly equal size, none of a single sample.
        order = self._order(seed)
        chunks = order.tensor_split(self.steps)
        training_mode(self.module)
        total = torch.zeros((), device=self.device)
        correct = torch.zeros(self.layout.depth, device=self.device)
        for i, (pixels, chunk) in enumerate(zip(self.train.pixels.batches(chunks), chunks, strict=True)):
            index = chunk.to(self.device, non_blocking=True)
            weight = self.weights[index] if self.weights is not None and recipe.balance == "weights" else None
            augmented = self._augmented(augmenter, pixels, side)
            images, goals = mixer(augmented, Goal(self.train.targets[index], weight=weight))
            step = epoch * self.steps + i
            inputs = (self.computation.arranged(images), *(x[index] for x in self.train.beside))
            loss, hits = self._step(inputs, goals, step)
            total += loss * len(chunk)
            correct += hits
        train_loss = float(total) / len(order)  # the epoch waits for the device only here
        if not math.isfinite(train_loss):
            raise FloatingPointError(
                f"the training loss is {train_loss} in epoch {epoch + 1}"
                f" (highest learning rate {recipe.learning_rate:g})"
            )
        return {
            "train_loss": train_loss,
            **{f"train_level{k}_accuracy": n / len(order) for k, n in enumerate(correct.tolist(), start=1)},
            "learning_rate": self._rate(step),
            "images_per_second": self.samples / (time.perf_counter() - start),
        }

    def _augmented(self, augmenter: Augmenter, pixels: torch.Tensor, side: int) -> torch.Tensor:
        """Augmented images of this side; those that the network takes for none stay of one grey level.

        A rectangle, a streak or noise in them would be something to see.
        """
        images = augmenter(resized(pixels, side), self.normaliser)
        missing: Any = getattr(self.module, "missing_images", None)
        if missing is None:
            return images
        return torch.where(missing(pixels), images[:, :, :1, :1], images)

    def _order(self, seed: int) -> torch.Tensor:
        """The samples of an epoch, int64 (n,) on the CPU: each at most once, or drawn by their weights.

        A single sample is used twice: a batch norm over one pixel of one sample has no variance.
        """
        generator = torch.Generator().manual_seed(seed)
        if self.weights is not None and self.recipe.balance == "sampling":
            order = torch.multinomial(self.weights.cpu(), self.samples, replacement=True, generator=generator)
        else:
            order = torch.randperm(len(self.train), generator=generator)[: self.samples]
        return order.repeat(2) if len(order) == 1 else order

    def _step(
        self, inputs: Sequence[torch.Tensor], goals: list[Goal], step: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Change the weights once; the loss, and the number of correct decisions per level."""
        hits: list[torch.Tensor] = []

        def run(rows: slice) -> torch.Tensor:
            output = self.forward(*(x[rows] for x in inputs))
            parts = [goal[rows] for goal in goals]
            with torch.no_grad():
                hits.extend(self.layout.correct(output, part.targets, part.share) for part in parts)
            losses = [self.loss(output, part.targets, part.factor) for part in parts]
            return losses[0] if len(losses) == 1 else torch.stack(losses).sum()

        self.optimizer.zero_grad(set_to_none=True)
        loss = self.accumulator.backward(len(inputs[0]), run, hits.clear)
        if self.recipe.clip_norm:
            nn.utils.clip_grad_norm_(self.module.parameters(), self.recipe.clip_norm)
        set_learning_rate(self.optimizer, self._rate(step))
        self.optimizer.step()
        if self.ema is not None:
            self.ema.update(step)
        return loss, torch.stack(hits).sum(0)

    def _rate(self, step: int) -> float:
        recipe = self.recipe
        warmup = round(recipe.warmup_epochs * self.steps)
        return recipe.learning_rate * rate_factor(recipe.schedule, step, recipe.epochs * self.steps, warmup)

    def _validate(self) -> dict[str, float]:
        """Loss and level accuracies on the validation partition; nothing where it is empty."""
        if not len(self.valid):
            return {}
        self.evaluated.eval()
        loss = torch.zeros((), device=self.device)
        correct = torch.zeros(self.layout.depth, device=self.device)

        def run(pixels: torch.Tensor, rows: slice) -> tuple[torch.Tensor, torch.Tensor]:
            """The sum of the losses, and the number of correct decisions per level."""
            targets = self.valid.targets[rows]
            images = self.computation.arranged(self.normaliser(pixels))
            output = self.evaluated(images, *(x[rows] for x in self.valid.beside))
            return self.loss(output, targets) * len(pixels), self.layout.correct(output, targets)

        with torch.inference_mode(), self.computation.autocast(self.device):
            for _, (losses, hits) in self.passes.over(self.valid.pixels, run):
                loss += losses
                correct += hits
        accuracies = (correct / len(self.valid)).tolist()
        return {
            "valid_loss": float(loss) / len(self.valid),
            **{f"level{k}_accuracy": accuracy for k, accuracy in enumerate(accuracies, start=1)},
        }

    def _keep_best(self, epoch: int, row: dict[str, float]) -> None:
        """Single paths: the highest mean of the level accuracies, then the lowest loss. Sets of labels:
        the lowest loss, as their thresholds are chosen later."""
        if not self.recipe.patience or "valid_loss" not in row:
            return
        merit = [-row["valid_loss"]]
        if self.layout.single:
            accuracies = [row[f"level{k}_accuracy"] for k in range(1, self.layout.depth + 1)]
            merit.insert(0, sum(accuracies) / len(accuracies))
        if not self.best.epoch or merit > self.best.merit:
            self.best = BestEpoch(epoch, merit, copy.deepcopy(self.evaluated.state_dict()))

    def _save(self, seconds: float) -> None:
        self.checkpoints.save(
            {
                "seconds": seconds,
                "module": self.module.state_dict(),
                "ema": None if self.ema is None else self.ema.module.state_dict(),
                "images_per_pass": self.accumulator.limit,
                "computation": asdict(self.computation),
                "optimizer": self.optimizer.state_dict(),
                "best": vars(self.best),
                "history": self.history,
            }
        )

    def _resume(self) -> int:
        """Resume from a checkpoint, if there is one; the number of finished epochs."""
        state, self.resumed = self.resumed, None
        if state is None:
            return 0
        self.module.load_state_dict(state["module"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.ema is not None:
            self.ema.module.load_state_dict(state["ema"])
        self.accumulator.limit = state["images_per_pass"]
        self.best = BestEpoch(**state["best"])
        self.history = state["history"]
        self.earlier_s = state.get("seconds", 0.0)  # checkpoints of earlier versions lack it
        for epoch, row in enumerate(self.history, start=1):
            self.run.report(epoch, self.last, **row)
        return len(self.history)


def improving_at_end(history: Sequence[Mapping[str, float]], epochs: int, single: bool) -> bool:
    """Whether a training of ``epochs`` epochs ended at that limit while validation still gained.

    The best epoch of the last quarter is better than all before it by more than :data:`GAIN`: single paths:
    in the mean of the level accuracies; sets of labels: by that share of the loss.
    """
    last = max(1, epochs // 4)
    if len(history) < epochs or epochs <= last or "valid_loss" not in history[-1]:
        return False
    if single:
        names = [name for name in history[-1] if re.fullmatch(r"level\d+_accuracy", name)]
        merits = [sum(row[name] for name in names) / len(names) for row in history]
        return max(merits[-last:]) - max(merits[:-last]) > GAIN
    losses = [row["valid_loss"] for row in history]
    return 1 - min(losses[-last:]) / min(losses[:-last]) > GAIN


class Ema:
    """Exponential moving average: after every step, mean = d mean + (1 - d) weights.

    d rises with the steps to ``decay``, as min(decay, (1 + t) / (10 + t)), so that short trainings
    forget their random start. Buffers (the statistics of batch norms) are those of the network.

    Attributes:
        module: a copy of the network, in eval mode, with the averaged weights.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.module = copy.deepcopy(module).eval().requires_grad_(False)
        self._mean = tuple[torch.Tensor, ...](self.module.parameters())
        self._now = tuple[torch.Tensor, ...](module.parameters())
        self._buffers = list(zip(self.module.buffers(), module.buffers(), strict=True))

    @torch.no_grad()
    def update(self, step: int) -> None:
        """After the optimizer's step number ``step`` (from 0)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self._mean, self._now, 1 - decay)
        for mean, now in self._buffers:
            mean.copy_(now)
