"""Trains many MCVNs at once, each as if it were alone.

A network is a row of one matrix of weights, so one step of Adam moves all of them, each with its
own learning rate. Rows do not depend on each other: a NaN stays in its row, and a network
has the same result in a bank of 240 as alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from hmcbench_materials.mcvn.architecture import Architecture
from hmcbench_materials.mcvn.network import Running, forward

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""(outputs (M, B, outputs), targets (M, B, ...)) -> loss of every sample (M, B)."""
ReportLosses = Callable[[int, torch.Tensor, torch.Tensor], None]
"""Called after an epoch with its number and all networks' training and validation losses, (M,) each."""
BETAS, EPSILON = (0.9, 0.999), 1e-8  # of Adam, as in torch
EVALUATIONS = 100  # per training, at most


@dataclass(frozen=True)
class BankRecipe:
    """How networks are trained.

    Attributes:
        epochs: passes over the training samples, at most.
        batch_size: samples per step; 0 for all of them.
        schedule: of the learning rate: ``constant``, ``cosine`` down to zero, or ``step``: .9 of it after
            every 500 batches.
        keep_best: end with the weights of the epoch whose validation loss was lowest.
        patience: epochs without a lower validation loss after which a network stops, with its best
            weights; 0: never.
    """

    epochs: int
    batch_size: int = 0
    schedule: str = "constant"
    keep_best: bool = False
    patience: int = 0

    def steps(self, samples: int) -> int:
        """Steps per epoch; no batch of one sample is left over, of which a batch norm makes zeros."""
        if not self.batch_size:
            return 1
        most = max(1, samples // 2) if self.batch_size > 1 else samples
        return min(math.ceil(samples / self.batch_size), most)

    def rate(self, epoch: int, step: int) -> float:
        """The factor of every learning rate in ``epoch`` and ``step``, both counted from 0."""
        if self.schedule == "cosine":
            return 0.5 * (1 + math.cos(math.pi * epoch / self.epochs))
        return 0.9 ** (step // 500) if self.schedule == "step" else 1.0


@dataclass(frozen=True)
class SampleGroups:
    """One partition: images (G, n, 504), table (G, n, N), targets (M, n, ...); G groups, M networks."""

    images: torch.Tensor
    table: torch.Tensor
    targets: torch.Tensor

    def __len__(self) -> int:
        return self.table.shape[1]

    @classmethod
    def cat(cls, groups: Sequence[SampleGroups]) -> SampleGroups:
        """Groups of equal sizes, concatenated."""
        parts = zip(*((g.images, g.table, g.targets) for g in groups), strict=True)
        return cls(*(torch.cat(part) for part in parts))

    def batch(self, index: torch.Tensor) -> SampleGroups:
        """The rows ``index`` (G, B) of every group."""
        group = torch.arange(len(index))[:, None]
        network = torch.arange(len(self.targets))[:, None]
        rows = index.repeat_interleave(len(network) // len(group), 0)
        return SampleGroups(self.images[group, index], self.table[group, index], self.targets[network, rows])


class Bank:
    """M networks of one architecture; weights (M, P), as :meth:`Architecture.initial` makes the rows.

    Attributes:
        ends: the epochs whose weights the networks have, (M,); None where no validation loss chose them.
    """

    def __init__(self, plan: Architecture, weights: torch.Tensor) -> None:
        self.plan = plan
        self.ends: torch.Tensor | None = None
        self.weights = weights.clone().requires_grad_()
        self.running = Running.start(len(weights), plan.fused, weights.dtype)

    def fit(
        self,
        train: SampleGroups,
        valid: SampleGroups,
        seeds: Sequence[int],
        loss: Loss,
        recipe: BankRecipe,
        adam: Adam,
        report: ReportLosses = lambda _epoch, _train, _valid: None,
        ends: torch.Tensor | None = None,
    ) -> None:
        """Train.

        Args:
            valid: may be empty.
            seeds: of the order of samples, one per group.
            ends: the epoch whose weights each network ends with, (M,); None where no earlier fit chose them.
        """
        orders = [torch.Generator().manual_seed(seed) for seed in seeds]
        reported = max(1, recipe.epochs // EVALUATIONS)
        checked = 1 if recipe.patience else reported
        keeps = recipe.keep_best or recipe.patience
        best = BestStates(self, recipe.patience) if keeps and len(valid) else None
        given = EndStates(self, ends) if ends is not None else None
        final = recipe.epochs if ends is None else max(1, int(ends.max()))
        for epoch in range(1, final + 1):
            losses = [
                self._step(batch, loss, adam, recipe.rate(epoch - 1, adam.steps))
                for batch in batches(train, orders, recipe)
            ]
            if given is not None:
                given.update(epoch)
            last = epoch == final
            if epoch % checked and not last:
                continue
            valid_losses = self.losses(valid, train, loss)
            if best is not None:
                last = best.update(valid_losses, epoch) or last
            if last or not epoch % reported:
                report(epoch, torch.stack(losses).mean(0), valid_losses)
            if last:
                break
        for states in (best, given):
            if states is not None:
                states.restore()
        self.ends = ends if best is None else best.ends

    def _step(self, batch: SampleGroups, loss: Loss, adam: Adam, rate: float) -> torch.Tensor:
        """One step of every network; the losses (M,) before it."""
        named = self.plan.unpack(self.weights)
        outputs, _ = forward(self.plan, named, batch.images, batch.table, self.running, training=True)
        losses = loss(outputs, batch.targets).mean(1)
        (gradient,) = torch.autograd.grad(losses.sum(), self.weights)
        adam.step(self.weights, gradient, rate)
        return losses.detach()

    @torch.no_grad()
    def predict(self, images: torch.Tensor, table: torch.Tensor, train: SampleGroups) -> torch.Tensor:
        """Outputs (M, B, outputs) for images (G, B, 504) and table (G, B, N).

        ``train`` are the training samples; looked at only where ``plan.attention`` is ``train``.
        """
        named = self.plan.unpack(self.weights)
        context: Sequence[torch.Tensor] = ()
        if self.plan.attention == "train":
            _, context = forward(self.plan, named, train.images, train.table, self.running)
        outputs, _ = forward(self.plan, named, images, table, self.running, context=context)
        return outputs

    def part(self, rows: slice) -> Bank:
        """A bank of a part of the networks."""
        part = Bank(self.plan, self.weights.detach()[rows])
        part.ends = None if self.ends is None else self.ends[rows]
        part.running = Running(self.running.mean[rows].clone(), self.running.variance[rows].clone())
        return part

    def losses(self, samples: SampleGroups, train: SampleGroups, loss: Loss) -> torch.Tensor:
        """Mean loss of every network, (M,); NaN where there are no samples."""
        if not len(samples):
            return torch.full((len(self.weights),), math.nan, dtype=self.weights.dtype)
        return loss(self.predict(samples.images, samples.table, train), samples.targets).mean(1)


class Adam:
    """Adam for M networks, each with its own learning rate and decoupled weight decay (AdamW), (M,) each."""

    def __init__(self, rates: torch.Tensor, decays: torch.Tensor) -> None:
        self._rates, self._decays = rates[:, None], decays[:, None]
        self._moments: tuple[torch.Tensor, ...] = ()
        self.steps = 0

    @torch.no_grad()
    def step(self, weights: torch.Tensor, gradient: torch.Tensor, rate: float) -> None:
        """Move the weights (M, P); ``rate`` is a factor of all learning rates."""
        if not self.steps:
            self._moments = (torch.zeros_like(weights), torch.zeros_like(weights))
        self.steps += 1
        first, second = self._moments
        first.lerp_(gradient, 1 - BETAS[0])
        second.lerp_(gradient.square(), 1 - BETAS[1])
        corrected = second.div(1 - BETAS[1] ** self.steps).sqrt_().add_(EPSILON)
        move = first / corrected * (rate * self._rates / (1 - BETAS[0] ** self.steps))
        weights.mul_(1 - rate * self._decays * self._rates).sub_(move)


class KeptStates:
    """A state of every network, to which it returns."""

    def __init__(self, bank: Bank) -> None:
        self._live = (bank.weights.detach(), bank.running.mean, bank.running.variance)
        self._kept = tuple(x.clone() for x in self._live)

    def keep(self, networks: torch.Tensor) -> None:
        """Keep the present state of some networks, bool (M,)."""
        for kept, live in zip(self._kept, self._live, strict=True):
            kept[networks] = live[networks]

    def restore(self) -> None:
        for kept, live in zip(self._kept, self._live, strict=True):
            live.copy_(kept)


class BestStates(KeptStates):
    """The state of every network at its lowest validation loss, until it stops for want of patience.

    Attributes:
        ends: the epochs of these states, (M,).
    """

    def __init__(self, bank: Bank, patience: int = 0) -> None:
        super().__init__(bank)
        self.ends = torch.zeros(len(bank.weights), dtype=torch.long)
        self._losses = torch.full((len(bank.weights),), math.inf, dtype=bank.weights.dtype)
        self._waited = torch.zeros(len(bank.weights), dtype=torch.long)
        self._patience = patience or math.inf

    def update(self, losses: torch.Tensor, epoch: int = 0) -> bool:
        """Keep what is better; whether every network has stopped."""
        better = (losses < self._losses) & (self._waited < self._patience)
        self._losses = torch.where(better, losses, self._losses)
        self._waited = torch.where(better, 0, self._waited + 1)
        self.ends[better] = epoch
        self.keep(better)
        return bool((self._waited >= self._patience).all())


class EndStates(KeptStates):
    """The state of every network after an epoch of its own."""

    def __init__(self, bank: Bank, ends: torch.Tensor) -> None:
        super().__init__(bank)
        self._ends = ends

    def update(self, epoch: int) -> None:
        self.keep(self._ends == epoch)


def batches(
    samples: SampleGroups, orders: Sequence[torch.Generator], recipe: BankRecipe
) -> Iterator[SampleGroups]:
    """One epoch: every group in an order of its own, in batches of nearly equal size."""
    steps = recipe.steps(len(samples))
    if steps == 1:
        yield samples
        return
    index = torch.stack([torch.randperm(len(samples), generator=order) for order in orders])
    for part in index.tensor_split(steps, dim=1):
        yield samples.batch(part)
