"""Any ``nn.Module`` as a model of the benchmark."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

from hmcbench.data.views import Rows
from hmcbench.errors import BadInput
from hmcbench.files import write_atomic
from hmcbench.interfaces import Inputs, Labelled, Run, Scores, Task, Value, WarmStart
from hmcbench.torchkit.data import Normaliser, PixelBatches, untile
from hmcbench.torchkit.device import precision, seed_epoch
from hmcbench.torchkit.engine import EVALUATION_BATCH, EncodedImages, Trainer
from hmcbench.torchkit.expansion import expand
from hmcbench.torchkit.layout import Layout
from hmcbench.torchkit.measure import count_multiply_adds, count_parameters
from hmcbench.torchkit.recipes import Recipe
from hmcbench.torchkit.weights import (
    FORMAT,
    SETTINGS,
    WEIGHTS,
    load_module,
    read_settings,
    read_state,
    save_module,
)


class TorchModel:
    """Implements :class:`hmcbench.interfaces.Model` for a network.

    Args:
        build: called with the task after torch was seeded; returns the module (its outputs are
            described in :mod:`hmcbench.torchkit`).
        recipe: how to train it.
        view: the view of images, uint8 (N, H, W) or (N, H, W, 3); or of images cut into T tiles,
            (N, T, H, W[, 3]): each tile is learnt from, and scores are means over an image's tiles.
        facts: values for ``describe()``, for example ``{"pretrained": True}``.

    Attributes:
        module: the network after ``fit``, in eval mode on the run's device.
    """

    def __init__(
        self,
        build: Callable[[Task], nn.Module],
        recipe: Recipe,
        *,
        view: str = "pixels",
        facts: Mapping[str, Value] | None = None,
    ) -> None:
        self.build, self.recipe, self.view = build, recipe, view
        self.facts: dict[str, Value] = dict(facts or {})
        self.module: nn.Module = nn.Identity()

    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        """Build and train. Takes up a checkpoint in ``run.folder`` if there is one."""
        self._threads, self._device = run.threads, torch.device(run.device)
        torch.set_num_threads(run.threads)
        seed_epoch(run.seed, -1)
        layout = self._layout = Layout(run.task, self._device)
        sides = []
        for side in (train, valid):
            rows, tiles = untile(side.views[self.view])
            targets = layout.encode(side.targets).repeat_interleave(
                tiles, dim=0
            )  # tiles show what their image does
            sides.append(EncodedImages(PixelBatches(rows, self._device), targets))
        self._normaliser = Normaliser(self.recipe.normalise, sides[0].pixels)
        module = self.build(run.task)
        if run.init_from is not None:
            self._start_from(run.init_from, module, run.task)
        module = module.to(self._device)
        module = module.to(memory_format=torch.channels_last)
        self.module = module
        shape = self._shape = sides[0].pixels.shape
        with torch.no_grad():
            layout.check(module.eval()(torch.zeros(1, *shape, device=self._device)))
        self.facts["parameters"] = count_parameters(module)
        self.facts["multiply_adds"] = count_multiply_adds(module, shape, self._device)
        trainer = Trainer(module, layout, self._normaliser, self.recipe, run, *sides)
        trainer.fit()
        module.eval()
        self.facts["epochs_trained"] = len(trainer.history)
        if trainer.accumulator.limit < self.recipe.batch_size:  # memory ran out
            self.facts["images_per_pass"] = trainer.accumulator.limit
        self.facts["epoch_used"] = trainer.best.epoch or len(trainer.history)

    def predict(self, inputs: Inputs) -> Scores:
        """Probabilities (N, C), and of ``stop`` (N, L) where paths may end early."""
        torch.set_num_threads(self._threads)
        rows, tiles = untile(inputs.views[self.view])
        pixels = PixelBatches(rows, self._device, keep=False)
        values = np.empty((len(pixels), self._layout.hierarchy.n), dtype=np.float32)
        stop = np.empty((len(pixels), self._layout.depth), dtype=np.float32) if self._layout.stops else None
        done = 0
        with torch.inference_mode():
            for block in pixels.blocks(EVALUATION_BATCH):
                images = self._normaliser(block).contiguous(memory_format=torch.channels_last)
                with precision(self._device, self.module):
                    output = self.module(images)
                classes, ends = self._layout.probabilities(output)
                here = slice(done, done + len(block))
                values[here] = classes.cpu().numpy()
                if ends is None:
                    stop = None  # one logit per class leaves no room for it
                elif stop is not None:
                    stop[here] = ends.cpu().numpy()
                done += len(block)
        if tiles > 1:
            values = values.reshape(len(inputs), tiles, -1).mean(1)
            stop = None if stop is None else stop.reshape(len(inputs), tiles, -1).mean(1)
        return Scores(values, stop)

    @property
    def layout(self) -> Layout:
        """Levels and classes of the task, after ``fit`` or ``load``."""
        return self._layout

    def prepare(self, pixels: np.ndarray) -> torch.Tensor:
        """uint8 (n, H, W[, 3]) as the module takes them: float32 (n, C, H, W), normalised, on its device."""
        (block,) = PixelBatches(Rows(pixels), self._device).blocks(len(pixels))
        return self._normaliser(block).contiguous(memory_format=torch.channels_last)

    def probabilities(self, images: torch.Tensor) -> torch.Tensor:
        """Class probabilities (n, C) of prepared images."""
        with torch.inference_mode(), precision(self._device, self.module):
            return self._layout.probabilities(self.module(images))[0]

    def save(self, folder: Path) -> None:
        """``weights.safetensors``, and ``model.json`` with what else ``predict`` needs."""
        save_module(self.module, folder / WEIGHTS)
        kept = {
            "format": FORMAT,
            "input": list(self._shape),
            "threads": self._threads,
            "normalise": self._normaliser.kind,
            "mean": self._normaliser.mean,
            "std": self._normaliser.std,
            "facts": self.facts,
        }
        write_atomic(folder / SETTINGS, json.dumps(kept, indent=1, sort_keys=True) + "\n")

    def load(self, folder: Path, run: Run) -> None:
        """Take the place of ``fit``: predictions are those of the model that was saved, bit for bit
        on the CPU that made them. Raises BadInput for files that are damaged or do not fit."""
        kept = read_settings(folder / SETTINGS)
        self._threads, self._device = min(kept["threads"], run.threads), torch.device(run.device)
        self._layout = Layout(run.task, self._device)
        self._shape = tuple(kept["input"])
        self._normaliser = Normaliser.of(kept["normalise"], kept["mean"], kept["std"])
        self.facts = dict(kept["facts"])
        module = self.build(run.task)
        load_module(module, folder / WEIGHTS)
        self.module = module.to(self._device).to(memory_format=torch.channels_last).eval()

    def _start_from(self, start: WarmStart, module: nn.Module, task: Task) -> None:
        """Take over the weights of a trained model, and the way in which it normalised images."""
        try:
            expand(module, read_state(start.folder / WEIGHTS), start.task, task)
        except BadInput as error:
            raise BadInput(f"the trained model cannot be started from: {error}") from None
        kept = read_settings(start.folder / SETTINGS)
        if kept["normalise"] == self._normaliser.kind:
            self._normaliser = Normaliser.of(kept["normalise"], kept["mean"], kept["std"])

    def describe(self) -> Mapping[str, Value]:
        """Parameters, multiply-adds per image, the epochs trained and the one whose weights are used."""
        return dict(self.facts)
