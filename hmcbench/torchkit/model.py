"""Any ``nn.Module`` as a model of hmcbench."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from hmcbench.data.views import Rows
from hmcbench.errors import BadInput, NotApplicable
from hmcbench.files import write_atomic
from hmcbench.interfaces import Inputs, Labelled, Run, Scores, Task, Value, WarmStart
from hmcbench.torchkit import first_layer, first_size, novelty, weights
from hmcbench.torchkit.computing import Computation, as_before
from hmcbench.torchkit.data import Normaliser, PixelBatches, untile
from hmcbench.torchkit.device import seed_epoch
from hmcbench.torchkit.engine import EncodedImages, Trainer, improving_at_end
from hmcbench.torchkit.expansion import expand, is_other_taxonomy, take_body
from hmcbench.torchkit.freezing import freeze
from hmcbench.torchkit.layout import Layout, Output
from hmcbench.torchkit.measure import count_multiply_adds, count_parameters
from hmcbench.torchkit.passes import BlockPasses, turned, units_left_out
from hmcbench.torchkit.recipes import Recipe
from hmcbench.torchkit.targets import TargetLayout, layout_of
from hmcbench.torchkit.transfer import transfer


class TorchModel:
    """Implements :class:`hmcbench.interfaces.Model` for a network.

    Args:
        build: called with the task after torch was seeded; returns the module (its outputs are
            described in :mod:`hmcbench.torchkit`). With ``beside`` also with ``columns``, the number of
            values of each column, 0 for numbers; the module then has ``fit_columns(rows)``, which is called
            with the training rows, float32 (N, F). A module for which an image of one grey level is none has
            ``missing_images(pixels)``, bool (B, 1 or C, 1, 1): these stay of one grey level when augmented.
        recipe: how to train it.
        view: the view of images, uint8 (N, H, W) or (N, H, W, 3); or of images cut into T tiles,
            (N, T, H, W[, 3]): it is trained on tiles, and scores are means over an image's tiles.
        beside: a view of numbers (N, F), which the module's ``forward`` takes after the images, as float32
            (B, F), NaN where a value is missing; without it (None) the images are all that is known.
        stacked: whether the view is uint8 (N, H, W, K), K images of a sample, which the module takes as
            (B, K, H, W): they are no tiles, and no colours.
        facts: values for ``describe()``, for example ``{"pretrained": True}``.
        pretrained: the value of the parameter; a text is the path of a file whose weights the network
            starts from, where they fit (:func:`hmcbench.torchkit.transfer.transfer`). What ``True`` means
            is a matter of ``build``.

    Attributes:
        module: the network after ``fit``, in eval mode on the run's device.
    """

    def __init__(
        self,
        build: Callable[..., nn.Module],
        recipe: Recipe,
        *,
        view: str = "pixels",
        beside: str = "",
        stacked: bool = False,
        facts: Mapping[str, Value] | None = None,
        pretrained: bool | str = False,
    ) -> None:
        self.build, self.recipe, self.view = build, recipe, view
        self.beside, self.stacked = beside, stacked
        self.facts: dict[str, Value] = dict(facts or {})
        self.pretrained = pretrained
        self.module: nn.Module = nn.Identity()
        self._known: torch.Tensor | None = None
        self._passes = BlockPasses()

    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        """Build and train; resumes from a checkpoint in ``run.folder`` if there is one."""
        self.facts.pop("earlier_fit_s", None)
        trainer = self._train(train, valid, run)
        self.facts["epochs_trained"] = len(trainer.history)
        self.facts["epoch_used"] = trainer.best.epoch or len(trainer.history)
        if improving_at_end(trainer.history, self.recipe.epochs, self._layout.single):
            self.facts["improving_at_end"] = True

    def refit(self, train: Labelled, run: Run) -> None:
        """Train a new network for as many epochs as ``fit`` kept, at the learning rates that they had."""
        none = slice(0)
        views = {name: rows.take(none) for name, rows in train.views.items()}
        valid = Labelled([], views, train.targets[none])
        self._train(train, valid, run, int(str(self.facts["epoch_used"])), self._computation)

    def _train(
        self,
        train: Labelled,
        valid: Labelled,
        run: Run,
        epochs: int = 0,
        computation: Computation | None = None,
    ) -> Trainer:
        """``epochs``, ``computation``: see :class:`Trainer`."""
        self._device = torch.device(run.device)
        torch.set_num_threads(run.threads)
        seed_epoch(run.seed, -1)
        layout = self._layout = layout_of(run.task, self._device)
        if isinstance(layout, TargetLayout):
            if self.recipe.novelty != "none":
                raise NotApplicable("novelty is measured where classes are predicted, not numbers")
            layout.fit(train.targets)
        fitted, checked = (self._partition(samples) for samples in (train, valid))
        self._normaliser = Normaliser(self.recipe.normalise, fitted.pixels)
        self._columns = self._kinds_of(train, run)
        module = self._build(run.task)
        if self.beside:
            fit_columns: Any = module.fit_columns
            fit_columns(fitted.beside[0].cpu())
        if isinstance(self.pretrained, str):
            self.facts["pretrained"] = True
            self.facts["pretrained_weights"] = transfer(module, Path(self.pretrained)).note()
        if run.init_from is not None:
            self._start_from(run.init_from, module, run.task)
        if self.recipe.first_layer == "whitened":
            self._whiten(module, fitted.pixels, run)
        self.module = module = module.to(self._device).to(memory_format=torch.channels_last)
        shape = self._shape = fitted.pixels.shape
        with torch.no_grad():
            layout.check(module.eval()(torch.zeros(1, *shape, device=self._device)))
        first_size.check(module, shape, self.recipe, self._device)
        self.facts["parameters"] = count_parameters(module)
        novelty.check(self.recipe.novelty, module)
        freeze(module, self.recipe.train)
        if self.recipe.train != "all":
            trained = [p.numel() for p in module.parameters() if p.requires_grad]
            self.facts["trained_parameters"] = sum(trained)
        self.facts["multiply_adds"] = count_multiply_adds(module, shape, self._device)
        trainer = Trainer(
            module, layout, self._normaliser, self.recipe, run, fitted, checked, epochs, computation
        )
        self._computation = trainer.computation
        trainer.fit()
        if trainer.earlier_s:  # of a fit, and of the second one after it
            earlier_s = float(str(self.facts.get("earlier_fit_s", 0))) + trainer.earlier_s
            self.facts["earlier_fit_s"] = round(earlier_s, 6)
        module.eval()
        self._known = self._features_of(train) if self.recipe.novelty == "neighbours" else None
        self.facts.update(self._computation.facts(self.recipe.batch_size))
        if trainer.accumulator.limit < self.recipe.batch_size:  # chosen so, or memory ran out
            self.facts["images_per_pass"] = trainer.accumulator.limit
        return trainer

    def _whiten(self, module: nn.Module, pixels: PixelBatches, run: Run) -> None:
        """Fill the first layer from some training images, as they are without augmentation."""
        if run.init_from is not None or self.facts.get("pretrained"):
            raise BadInput(
                "first_layer=whitened would replace trained weights",
                allowed="first_layer=random where a network starts from trained weights",
            )
        chosen = torch.linspace(0, len(pixels) - 1, min(len(pixels), first_layer.IMAGES)).long()
        images = self._normaliser(pixels.batch(chosen.to(self._device)))
        first_layer.whiten(module.to(self._device), images)

    def _features_of(self, train: Labelled) -> torch.Tensor:
        """Features (M, D) of some training images, or of their tiles."""
        rows, tiles = self._rows(train)
        chosen = np.linspace(0, len(rows) - 1, min(len(rows), novelty.MOST)).astype(int)
        beside = tuple(x[torch.as_tensor(chosen)] for x in self._beside(train, tiles))
        with novelty.Measure("neighbours", self.module) as measure:
            return torch.cat([measure.features for _ in self._outputs(rows.take(chosen), beside)])

    def _partition(self, samples: Labelled) -> EncodedImages:
        """The pixels, targets and further inputs of all tiles; a tile has those of its image."""
        rows, tiles = self._rows(samples)
        targets = self._layout.encode(samples.targets).repeat_interleave(tiles, dim=0)
        return EncodedImages(PixelBatches(rows, self._device), targets, self._beside(samples, tiles))

    def _rows(self, samples: Inputs) -> tuple[Rows, int]:
        """The rows of images, and how many tiles each image is cut into."""
        rows: Rows = samples.views[self.view]
        return (rows, 1) if self.stacked else untile(rows)

    def _beside(self, samples: Inputs, tiles: int) -> tuple[torch.Tensor, ...]:
        if not self.beside:
            return ()
        rows = torch.as_tensor(np.asarray(samples.views[self.beside]), dtype=torch.float32)
        return (rows.to(self._device).repeat_interleave(tiles, dim=0),)

    def _kinds_of(self, train: Labelled, run: Run) -> list[int] | None:
        """The number of values of each column of ``beside``, 0 for numbers; None without such a view."""
        if not self.beside:
            return None
        kinds = run.columns.get(self.beside)
        width = train.views[self.beside].shape[1]
        return [0] * width if kinds is None else [len(kind.values) for kind in kinds]

    def _build(self, task: Task) -> nn.Module:
        return self.build(task) if self._columns is None else self.build(task, columns=self._columns)

    def predict(self, inputs: Inputs) -> Scores:
        """Probabilities (N, C), and of ``stop`` (N, L) where paths may end early; or targets (N, T).

        Of several passes, their mean.
        """
        drawn = range(1, self.recipe.mc_dropout + 1) if self.recipe.mc_dropout else (0,)
        passes = [
            self._pass(inputs, number, orientation)
            for number in drawn
            for orientation in range(self.recipe.orientations)
        ]
        if len(passes) == 1:
            return passes[0]
        stops = [one_pass.stop for one_pass in passes if one_pass.stop is not None]
        values = np.mean([one_pass.values for one_pass in passes], axis=0)
        unlike = [one_pass.novelty for one_pass in passes if one_pass.novelty is not None]
        stop, mean_unlike = (np.mean(part, axis=0) if part else None for part in (stops, unlike))
        return Scores(values, stop, passes=passes, novelty=mean_unlike)

    def _pass(self, inputs: Inputs, number: int, orientation: int) -> Scores:
        """One prediction: see :mod:`hmcbench.torchkit.passes`."""
        torch.set_num_threads(self._computation.threads)
        rows, tiles = self._rows(inputs)
        dtype = np.float64 if isinstance(self._layout, TargetLayout) else np.float32
        values = np.empty((len(rows), self._layout.n), dtype=dtype)
        stop = np.empty((len(rows), self._layout.depth), dtype=np.float32) if self._layout.stops else None
        unlike = None if self.recipe.novelty == "none" else np.empty((len(rows), 1), dtype=np.float32)
        with novelty.Measure(self.recipe.novelty, self.module, self._known) as measure:
            for place, output in self._outputs(rows, self._beside(inputs, tiles), number, orientation):
                classes, ended = self._layout.scores(output)
                values[place] = classes.cpu().numpy()
                if ended is None:
                    stop = None  # one logit per class has no column for it
                elif stop is not None:
                    stop[place] = ended.cpu().numpy()
                if unlike is not None:
                    unlike[place, 0] = measure(output, self.layout).cpu().numpy()
        if tiles > 1:
            values = values.reshape(len(inputs), tiles, -1).mean(1)
            stop, unlike = (
                None if part is None else part.reshape(len(inputs), tiles, -1).mean(1)
                for part in (stop, unlike)
            )
        return Scores(values, stop, novelty=None if unlike is None else unlike[:, 0])

    def _outputs(
        self, rows: Rows, beside: tuple[torch.Tensor, ...], number: int = 0, orientation: int = 0
    ) -> Iterator[tuple[slice, Output]]:
        """The module's outputs for blocks of rows, and their places."""

        def run(pixels: torch.Tensor, place: slice) -> Output:
            images = self._computation.arranged(turned(self._normaliser(pixels), orientation))
            with self._computation.autocast(self._device):
                output: Output = self.module(images, *(x[place] for x in beside))
            return output

        pixels = PixelBatches(rows, self._device, keep=False)
        with torch.inference_mode(), units_left_out(self.module, number):
            yield from self._passes.over(pixels, run)

    @property
    def layout(self) -> Layout:
        """Levels and classes of the task, after ``fit`` or ``load``; raises NotApplicable for regression."""
        if isinstance(self._layout, TargetLayout):
            raise NotApplicable("this needs classes, and the network predicts numbers")
        return self._layout

    @property
    def normaliser(self) -> Normaliser:
        """From grey values to the module's input, after ``fit`` or ``load``."""
        return self._normaliser

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(channels, H, W) of the module's input, after ``fit`` or ``load``."""
        return tuple(self._shape)

    def prepare(self, pixels: np.ndarray) -> torch.Tensor:
        """uint8 (n, H, W[, 3]) -> the module's input: float32 (n, C, H, W), normalised, on its device."""
        (block,) = PixelBatches(Rows(pixels), self._device).blocks(len(pixels))
        return self._computation.arranged(self._normaliser(block))

    def probabilities(self, images: torch.Tensor) -> torch.Tensor:
        """Class probabilities (n, C) of prepared images."""
        with torch.inference_mode(), self._computation.autocast(self._device):
            return self.layout.probabilities(self.module(images))[0]

    def save(self, folder: Path) -> None:
        """Writes ``weights.safetensors``, and ``model.json`` with the other values for ``predict``."""
        weights.save_module(self.module, folder / weights.WEIGHTS)
        if self._known is not None:
            weights.save_tensors({"features": self._known}, folder / weights.FEATURES)
        targets = self._layout if isinstance(self._layout, TargetLayout) else None
        settings = {
            "format": weights.FORMAT,
            "input": list(self._shape),
            "threads": self._computation.threads,
            "precision": self._computation.precision,
            "layout": self._computation.layout,
            "normalise": self._normaliser.kind,
            "mean": self._normaliser.mean,
            "std": self._normaliser.std,
            "facts": self.facts,
            **({"targets": [targets.mean, targets.deviation]} if targets else {}),
            **({"columns": self._columns} if self.beside else {}),
        }
        write_atomic(folder / weights.SETTINGS, json.dumps(settings, indent=1, sort_keys=True) + "\n")

    def load(self, folder: Path, run: Run) -> None:
        """Replaces ``fit``: predictions are those of the saved model, bit for bit on the same CPU.
        Raises BadInput for files that are damaged or of another network."""
        settings = weights.read_settings(folder / weights.SETTINGS)
        self._device = torch.device(run.device)
        self._layout = layout_of(run.task, self._device)
        if isinstance(self._layout, TargetLayout):
            self._layout.mean, self._layout.deviation = settings["targets"]
        self._shape = tuple(settings["input"])
        self._normaliser = Normaliser.of(settings["normalise"], settings["mean"], settings["std"])
        self.facts = dict(settings["facts"])
        self._columns = settings["columns"] if self.beside else None
        module = self._build(run.task)
        weights.load_module(module, folder / weights.WEIGHTS)
        module = module.to(self._device)
        if self.recipe.novelty == "neighbours":
            self._known = weights.read_state(folder / weights.FEATURES)["features"].to(self._device)
        saved = {**settings, "threads": min(settings["threads"], run.threads)}
        self._computation = self._as_saved(saved, module, run.threads)
        self.module = self._computation.prepare(module).eval()

    def _as_saved(self, saved: Mapping[str, Any], module: nn.Module, threads: int) -> Computation:
        """How the training computed, as far as this device can; all images have the full size."""
        recipe = replace(self.recipe, first_size=0)
        try:
            return as_before(saved, module, self._shape, recipe, self._device, threads)
        except BadInput:  # trained where bfloat16 can be relied on for this network, as on a GPU
            in_float32 = replace(recipe, precision="float32")
            return as_before(saved, module, self._shape, in_float32, self._device, threads)

    def _start_from(self, start: WarmStart, module: nn.Module, task: Task) -> None:
        """Copy the weights of a trained model, of its body alone where the taxonomy is another one, and the
        statistics of its normaliser."""
        state = weights.read_state(start.folder / weights.WEIGHTS)
        try:
            if is_other_taxonomy(start.task, task):
                self.facts["taken_over"] = take_body(module, state)
            else:
                expand(module, state, start.task, task)
        except BadInput as error:
            raise BadInput(f"the trained model cannot be started from: {error}") from None
        settings = weights.read_settings(start.folder / weights.SETTINGS)
        if settings["normalise"] == self._normaliser.kind:
            self._normaliser = Normaliser.of(settings["normalise"], settings["mean"], settings["std"])

    def describe(self) -> Mapping[str, Value]:
        """Parameters, multiply-adds per image, the epochs trained and the one whose weights are used."""
        return dict(self.facts)
