"""MCVN as a model of the benchmark; many fits are trained together (:func:`fit_together`)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hmcbench.errors import BadInput
from hmcbench.interfaces import Fit, Inputs, Labelled, Run, Scores, Value
from hmcbench.torchkit.weights import ALLOWED
from hmcbench_materials.mcvn import store
from hmcbench_materials.mcvn.architecture import HEADS, IMAGE, Architecture
from hmcbench_materials.mcvn.heads import head_for
from hmcbench_materials.mcvn.scaling import Components, Ranges, images_of, table_of
from hmcbench_materials.mcvn.train import Adam, Bank, BankRecipe, SampleGroups

ROWS = 1024
"""Samples per forward pass outside training, where they do not see each other."""
TOGETHER = 480
"""Networks in one bank, at most: more gain nothing and take memory."""


class Mcvn:
    """Implements :class:`hmcbench.interfaces.Model`; specs.py says what each keyword does."""

    def __init__(
        self,
        *,
        channels: str,
        attention: str,
        batch_norm: bool,
        convolution: bool,
        init: str,
        grey: int,
        members: int,
        epochs: int,
        batch_size: int,
        learning_rate: float,
        schedule: str,
        weight_decay: float,
        keep_best: bool,
        patience: int,
        with_validation: bool,
    ) -> None:
        self.parts: dict[str, Any] = {
            "channels": channels,
            "attention": attention,
            "batch_norm": batch_norm,
            "convolution": convolution,
        }
        self.init, self.grey, self.members = init, grey, members
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.recipe = BankRecipe(epochs, batch_size, schedule, keep_best, patience)
        self.with_validation = with_validation and not (keep_best or patience)
        self.components: Components | None = None
        self.ends: torch.Tensor | None = None  # epochs that a first fit chose, in a second one
        self.bank: Bank  # set by train_together, as are
        self.train: SampleGroups  # the training samples, where the attention is to them

    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        """Train ``members`` networks per target (or for all classes)."""
        (outcome,) = fit_together([Fit(self, train, valid, run)])
        if outcome is not None:
            raise outcome

    def refit(self, train: Labelled, run: Run) -> None:
        """Train new networks, each up to the epoch that ``fit`` kept, if it chose one."""
        refit_together([self], train, run)

    def predict(self, inputs: Inputs) -> Scores:
        """Regression (n, T); hmc: probabilities (n, C), and of ``stop`` (n, L) where paths end early."""
        torch.set_num_threads(self.threads)
        images, table = self.read(inputs)
        size = ROWS if self.plan.attention != "batch" else max(1, len(inputs))
        blocks = zip(torch.split(images, size), torch.split(table, size), strict=True)
        outputs = [self.bank.predict(image[None], rows[None], self.train) for image, rows in blocks]
        joined = torch.cat(outputs, dim=1)  # (members * networks, n, outputs)
        return self.head.scores(joined.reshape(self.members, self.head.networks, *joined.shape[1:]))

    def describe(self) -> Mapping[str, Value]:
        """Parameters of all networks together, how many there are, and what they were trained on."""
        networks = self.members * self.head.networks
        return {
            "parameters": networks * self.plan.parameters,
            "parameters_each": self.plan.parameters,
            "networks": networks,
            "fitted_on": self.fitted_on,
        }

    def save(self, folder: Path) -> None:
        """``weights.safetensors`` and ``model.json``; training samples only with ``attention=train``."""
        kept = store.FittedBank(
            self.bank,
            self.head,
            self.train,
            self.image_ranges,
            self.table_ranges,
            self.components,
            self.fitted_on,
            self.threads,
        )
        store.save(kept, folder)

    def load(self, folder: Path, run: Run) -> None:
        """Take the place of ``fit``; raises BadInput for files that are damaged or do not fit."""
        kept = store.load(folder, run)
        plan = kept.bank.plan
        same_parts = {name: getattr(plan, name) for name in self.parts} == self.parts
        expected = self.members * kept.head.networks, plan.parameters
        if not same_parts or plan.outputs != kept.head.outputs or tuple(kept.bank.weights.shape) != expected:
            what = f"{folder} holds an mcvn of other parameters or of another task"
            raise BadInput(what, allowed=ALLOWED)
        self.plan, self.bank, self.head, self.train = plan, kept.bank, kept.head, kept.train
        self.image_ranges, self.table_ranges = kept.image_ranges, kept.table_ranges
        self.components, self.fitted_on, self.threads = kept.components, kept.fitted_on, kept.threads

    def trains_on_validation(self, run: Run) -> bool:
        """Whether nothing is chosen on the validation samples, so that a fit may learn from them."""
        open_thresholds = (run.task.kind, run.task.paths) == ("hmc", "multiple")
        return self.with_validation and not (run.refit or open_thresholds)

    def prepare(self, train: Labelled, valid: Labelled, run: Run) -> Prepared:
        """Learn ranges and the head from the training samples; make the networks."""
        self.threads = run.threads
        on_both = bool(len(valid)) and self.trains_on_validation(run)
        self.fitted_on = "train and validation" if on_both else "train"
        sides = (train, valid) if on_both else (train,)
        self._learn(sides)
        targets = _stack([side.targets for side in sides])
        self.head = head_for(run.task, targets)

        def samples(partitions: Sequence[Labelled], targets: Any) -> SampleGroups:
            images, table = (torch.cat(parts) for parts in zip(*map(self.read, partitions), strict=True))
            encoded = self.head.encode(targets)  # (networks, n, ...)
            return SampleGroups(
                images[None], table[None], encoded.repeat(self.members, *[1] * (encoded.ndim - 1))
            )

        fitted = samples(sides, targets)
        checked = fitted.batch(torch.empty(1, 0, dtype=torch.long))
        if len(valid) and not on_both:
            checked = samples((valid,), _stack([valid.targets]))
        self.plan = Architecture(fitted.table.shape[2], self.head.outputs, **self.parts)
        seeds = np.random.SeedSequence(run.seed).generate_state(
            1 + self.members * self.head.networks, np.uint64
        )
        generators = [torch.Generator().manual_seed(int(seed >> 1)) for seed in seeds]
        weights = [self.plan.initial(generator, kind=self.init) for generator in generators[1:]]
        return Prepared(self, run, fitted, checked, torch.stack(weights), int(seeds[0] >> 1), self.ends)

    def _learn(self, sides: Sequence[Labelled]) -> None:
        """Ranges of both inputs, and the components, from the rows that are trained on."""
        self.table_ranges = Ranges.of(np.concatenate([self._table(side) for side in sides]))
        images = np.concatenate([self._images(side) for side in sides])
        self.image_ranges = Ranges.of(images)
        self.components = None
        if not self.parts["convolution"]:
            self.components = Components.of(self.image_ranges(images))

    def _table(self, inputs: Inputs) -> np.ndarray:
        return table_of(inputs) if self.parts["channels"] != "image" else np.zeros((len(inputs), HEADS))

    def _images(self, inputs: Inputs) -> np.ndarray:
        unused = self.parts["channels"] == "original"
        return np.zeros((len(inputs), IMAGE[0] * IMAGE[1])) if unused else images_of(inputs)

    def read(self, inputs: Inputs) -> tuple[torch.Tensor, torch.Tensor]:
        """Images (n, 504), or (n, 6) of components, and table (n, N), as the networks read them."""
        images = self.image_ranges(self._images(inputs))
        images = images * self.grey if self.components is None else self.components(images)
        return torch.as_tensor(images), torch.as_tensor(self.table_ranges(self._table(inputs)))


@dataclass(frozen=True)
class Prepared:
    """A fit before its training: one group of networks."""

    model: Mcvn
    run: Run
    train: SampleGroups
    valid: SampleGroups
    weights: torch.Tensor  # (networks, P)
    seed: int  # of the order of samples
    ends: torch.Tensor | None  # see Bank.fit

    @property
    def kind(self) -> tuple[Any, ...]:
        """Equal for fits that may share a bank: same layers, recipe and numbers of samples."""
        model = self.model
        sizes = (len(self.train), len(self.valid), len(self.weights))
        return (model.plan, model.recipe, model.head.kind, sizes, self.ends is None)


def fit_together(fits: Sequence[Fit]) -> list[Exception | None]:
    """Train the networks of all fits in banks; one outcome per fit."""
    torch.set_num_threads(max((fit.run.threads for fit in fits), default=1))
    outcomes: list[Exception | None] = [None] * len(fits)
    by_kind: dict[tuple[Any, ...], list[tuple[int, Prepared]]] = defaultdict(list)
    for i, fit in enumerate(fits):
        try:
            prepared = fit.model.prepare(fit.train, fit.valid, fit.run)
            by_kind[prepared.kind].append((i, prepared))
        except Exception as error:  # one bad fit leaves the others alone
            outcomes[i] = error
    for members in by_kind.values():
        most = max(1, TOGETHER // len(members[0][1].weights))
        for start in range(0, len(members), most):
            batch = members[start : start + most]
            train_together([prepared for _, prepared in batch])
            for i, prepared in batch:
                if not bool(torch.isfinite(prepared.model.bank.weights).all()):
                    rate = prepared.model.learning_rate
                    outcomes[i] = FloatingPointError(f"weights are not finite (learning rate {rate:g})")
    return outcomes


def refit_together(models: Sequence[Mcvn], train: Labelled, run: Run) -> None:
    """Second fits of models that have been fitted, on the same samples."""
    for model in models:
        model.ends = model.bank.ends
    none = Labelled([], {}, train.targets[:0])
    for outcome in fit_together([Fit(model, train, none, run) for model in models]):
        if outcome is not None:
            raise outcome


def train_together(group: Sequence[Prepared]) -> None:
    """Train one bank, and give every model its networks."""
    first, each = group[0].model, len(group[0].weights)
    bank = Bank(first.plan, torch.cat([p.weights for p in group]))
    pairs = [(p.model.learning_rate, p.model.weight_decay) for p in group]
    adam = Adam(*torch.tensor(pairs, dtype=torch.float64).repeat_interleave(each, 0).T)

    def report(epoch: int, train: torch.Tensor, valid: torch.Tensor) -> None:
        for k, prepared in enumerate(group):
            rows = slice(k * each, (k + 1) * each)
            values = {"train_loss": float(train[rows].mean()), "valid_loss": float(valid[rows].mean())}
            known = {name: value for name, value in values.items() if np.isfinite(value)}
            prepared.run.report(epoch, first.recipe.epochs, **known)

    train, valid = (SampleGroups.cat([getattr(p, side) for p in group]) for side in ("train", "valid"))
    ends = [p.ends for p in group if p.ends is not None]  # of all of them, or of none
    bank.fit(
        train,
        valid,
        [p.seed for p in group],
        first.head.loss,
        first.recipe,
        adam,
        report,
        torch.cat(ends) if ends else None,
    )
    for k, prepared in enumerate(group):
        prepared.model.bank = bank.part(slice(k * each, (k + 1) * each))
        keep = (
            prepared.train
            if first.plan.attention == "train"
            else prepared.train.batch(torch.empty(1, 0).long())
        )
        prepared.model.train = keep


def _stack(targets: Sequence[Any]) -> np.ndarray:
    """Targets of several partitions, concatenated, dense."""
    return np.concatenate([t.toarray() if hasattr(t, "toarray") else np.asarray(t) for t in targets])
