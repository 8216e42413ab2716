"""The training loop of all networks on vectors: minibatches, Adam, early stopping, several members."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, fields
from typing import Any

import torch
from sklearn.metrics import average_precision_score

from hmcbench.torchkit.device import has_bfloat16
from hmcbench.torchkit.optim import rate_factor
from hmcbench_hmc.models.layers import VectorNetwork, set_generators

BLOCK = 512
"""Samples per forward pass outside training; fixed, so that scores depend on the sample alone."""
ReportEpoch = Callable[..., None]
"""``report(epoch, epochs, **values)``, as :attr:`hmcbench.interfaces.Run.report`."""


@dataclass(frozen=True, kw_only=True)
class VectorRecipe:
    """How a network is trained.

    Attributes:
        epochs: passes over the training samples, at most.
        batch_size: samples per step, at most: the batches of an epoch are of nearly equal size.
        optimizer: ``adam`` (weight decay as a penalty in the gradient) or ``adamw`` (decoupled).
        learning_rate: the highest one.
        weight_decay: of every parameter.
        schedule: ``constant`` or ``onecycle`` (:func:`hmcbench.torchkit.optim.rate_factor`).
        patience: end after so many epochs without a higher pooled average precision on the validation
            samples, with the weights of the best epoch; 0: all epochs, and the last weights.
        precision: of matrix products in training: ``float32``, ``bfloat16``, or ``auto``: bfloat16 where
            the device computes in it and batches are large enough to gain by it.
    """

    epochs: int
    batch_size: int
    optimizer: str
    learning_rate: float
    weight_decay: float
    schedule: str
    patience: int
    precision: str

    @classmethod
    def taken_from(cls, params: dict[str, Any]) -> VectorRecipe:
        """The recipe in a model's parameters, from which it is removed."""
        return cls(**{field.name: params.pop(field.name) for field in fields(cls)})

    def bfloat16(self, device: torch.device) -> bool:
        """Whether products are computed in bfloat16: 4 times as fast at batch 64 and width 1,000 on a CPU
        with AVX-512 BF16, and no faster at batch 4."""
        if self.precision == "auto":
            return self.batch_size >= 32 and has_bfloat16(device.type)
        return self.precision == "bfloat16"


@dataclass(frozen=True)
class VectorSamples:
    """Vectors float32 (N, F) and closed sets bool (N, C), on the device."""

    x: torch.Tensor
    y: torch.Tensor

    def __len__(self) -> int:
        return len(self.x)


def train(
    network: VectorNetwork,
    train: VectorSamples,
    valid: VectorSamples,
    recipe: VectorRecipe,
    seeds: Sequence[int],
    reports: Sequence[ReportEpoch],
    *,
    last_epoch: int = 0,
) -> list[int]:
    """Train the members of a network in place, each as if it were alone.

    Args:
        valid: for early stopping; may be empty. Without a positive pair, of which no epoch is better than
            another, all epochs are trained.
        seeds, reports: one per member; seeds are those of the order of samples and of dropout.
        last_epoch: end after so many epochs of the recipe's schedule; 0: after all.

    Returns:
        The epoch, from 1, whose weights each member has.

    Raises:
        FloatingPointError: the training loss of a member is not finite.
    """
    device = train.x.device
    set_generators(network, [torch.Generator(device).manual_seed(seed) for seed in seeds])
    orders = [torch.Generator().manual_seed(seed) for seed in seeds]
    network.prepare(train.y)
    optimizer = _optimizer(network, recipe)
    steps = math.ceil(len(train) / recipe.batch_size)
    judged = recipe.patience and bool(valid.y.any())
    best = Best(network, len(seeds), recipe.patience) if judged else None
    last = last_epoch or recipe.epochs
    for epoch in range(last):
        losses = torch.zeros(len(seeds), device=device)
        index = torch.stack([torch.randperm(len(train), generator=order) for order in orders]).to(device)
        for i, batch in enumerate(index.tensor_split(steps, dim=1)):
            factor = rate_factor(recipe.schedule, epoch * steps + i, recipe.epochs * steps, 0)
            for group in optimizer.param_groups:
                group["lr"] = recipe.learning_rate * factor * group["factor"]
            losses += _step(network, train.x[batch], train.y[batch], optimizer, recipe) * batch.shape[1]
        values = [{"train_loss": loss} for loss in (losses / len(train)).tolist()]
        _check_finite(values, epoch)
        if best is not None:
            merits = validation_precision(network, valid)
            best.update(epoch + 1, merits)
            values = [{**v, "valid_precision": m} for v, m in zip(values, merits, strict=True)]
        for report, value in zip(reports, values, strict=True):
            report(epoch + 1, last, **value)
        if best is not None and best.ended:
            break
    network.eval()
    return [last] * len(seeds) if best is None else best.restore()


def _optimizer(network: VectorNetwork, recipe: VectorRecipe) -> torch.optim.Optimizer:
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[recipe.optimizer]
    groups: dict[float, list[torch.nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        groups.setdefault(network.rates.get(name, 1.0), []).append(parameter)
    parts = [{"params": parameters, "factor": factor} for factor, parameters in groups.items()]
    optimizer: torch.optim.Optimizer
    optimizer = kind(parts, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True)
    return optimizer


def _step(
    network: VectorNetwork,
    x: torch.Tensor,
    y: torch.Tensor,
    optimizer: torch.optim.Optimizer,
    recipe: VectorRecipe,
) -> torch.Tensor:
    """Move the weights once; the losses (M,) before it."""
    network.train()
    optimizer.zero_grad(set_to_none=True)
    half = recipe.bfloat16(x.device)
    with torch.autocast(x.device.type, dtype=torch.bfloat16) if half else nullcontext():
        losses = network.loss(x, y)
    losses.sum().backward()
    optimizer.step()
    return losses.detach()


def _check_finite(values: list[dict[str, float]], epoch: int) -> None:
    for value in values:
        if not math.isfinite(value["train_loss"]):
            raise FloatingPointError(f"the training loss is {value['train_loss']} in epoch {epoch + 1}")


@torch.inference_mode()
def scores(network: VectorNetwork, x: torch.Tensor) -> torch.Tensor:
    """Scores (M, N, C) of samples (N, F), by blocks of equal size.

    The last block is filled up with zeros: a product of fewer rows may have other last digits.
    """
    network.eval()
    members = len(next(network.parameters()))
    blocks = []
    for block in x.split(BLOCK):
        padded = torch.cat([block, block.new_zeros(-len(block) % 16, block.shape[1])])
        blocks.append(network.probabilities(padded.expand(members, -1, -1))[:, : len(block)].float())
    return torch.cat(blocks, dim=1)


def validation_precision(network: VectorNetwork, valid: VectorSamples) -> list[float]:
    """Average precision of all pairs of sample and class, at least one of them positive, for every member."""
    truth = valid.y.flatten().cpu().numpy()
    members = scores(network, valid.x).flatten(1).cpu().numpy()
    return [float(average_precision_score(truth, values)) for values in members]


class Best:
    """The state of every member at its best epoch on validation, until it has waited for too long."""

    def __init__(self, network: VectorNetwork, members: int, patience: int) -> None:
        self._live = list(network.state_dict().values())  # views: they follow the training
        self._kept = [tensor.clone() for tensor in self._live]
        self._merits, self._epochs = [-math.inf] * members, [0] * members
        self._patience, self._now = patience, 0

    def update(self, epoch: int, merits: Sequence[float]) -> None:
        """Keep the members that are better than before and have not stopped yet."""
        for k, merit in enumerate(merits):
            if merit > self._merits[k] and not self._stopped(k):
                self._merits[k], self._epochs[k] = merit, epoch
                for kept, live in zip(self._kept, self._live, strict=True):
                    kept[k] = live[k]
        self._now = epoch

    def _stopped(self, k: int) -> bool:
        return self._now - self._epochs[k] >= self._patience

    @property
    def ended(self) -> bool:
        """Whether all members have stopped."""
        return all(self._stopped(k) for k in range(len(self._epochs)))

    def restore(self) -> list[int]:
        """Give the members their best weights; the epochs of these."""
        with torch.no_grad():
            for kept, live in zip(self._kept, self._live, strict=True):
                live.copy_(kept)
        return self._epochs
