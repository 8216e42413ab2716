"""Networks of segmentation-models-pytorch over encoders of timm: U-Net, FPN, DeepLabv3+."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from hmcbench import Inputs, Labelled, Run, Scores, Task
from hmcbench.errors import BadInput
from hmcbench.files import write_atomic
from hmcbench.interfaces import Value
from hmcbench.torchkit import weights
from hmcbench.torchkit.layout import Layout, level_sizes
from hmcbench.torchkit.measure import count_parameters
from hmcbench.torchkit.pretrained import without_retries
from hmcbench_masks.models.images import full_size, grey, labelled_images, maps_of, normalised, reduced
from hmcbench_masks.models.sides import check_sides
from hmcbench_masks.models.tiles import in_tiles
from hmcbench_masks.models.training import CropRecipe, CropTrainer, TrainingImage

SETTINGS = "model.json"


def build(architecture: str, encoder: str, *, width: int, pretrained: bool, classes: int) -> nn.Module:
    """A network from grey images float (B, 1, H, W) to logits (B, classes, H, W).

    Args:
        architecture: ``unet`` [Ronneberger et al. 2015], ``fpn`` [Kirillov et al. 2019] or ``deeplabv3plus``
            [Chen et al. 2018].
        encoder: a network of timm that gives feature maps.
        width: channels of the decoder.

    Raises:
        BadInput: an encoder that has no feature maps, or whose published weights cannot be loaded.
    """
    library: Any = importlib.import_module("segmentation_models_pytorch")
    common = {"encoder_weights": "imagenet" if pretrained else None, "in_channels": 1, "classes": classes}
    decoders: dict[str, dict[str, Any]] = {
        "unet": {"decoder_channels": [max(8, width * k // 16) for k in (16, 10, 6, 3, 2)]},
        "fpn": {"decoder_pyramid_channels": 2 * width, "decoder_segmentation_channels": width},
        "deeplabv3plus": {"decoder_channels": width},
    }
    wide = decoders[architecture]
    name = {"unet": "Unet", "fpn": "FPN", "deeplabv3plus": "DeepLabV3Plus"}[architecture]
    try:
        with without_retries() if pretrained else nullcontext():
            network: nn.Module = getattr(library, name)(f"tu-{encoder}", **common, **wide)
    except Exception as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise BadInput(
            f"encoder {encoder} cannot be used ({reason})", allowed="a network of timm with feature maps"
        ) from None
    return network


class PixelNetwork:
    """A network that labels every pixel; one softmax per level, or a sigmoid per class for several paths.

    Args:
        architecture, encoder, width, pretrained: see :func:`build`.
        reduce: images are reduced by this factor; scores are brought back to full size.
        tile, overlap: pixels of the reduced image; see :func:`hmcbench_masks.models.tiles.in_tiles`.
        recipe: of the training.
    """

    def __init__(
        self,
        *,
        architecture: str,
        encoder: str = "resnet10t",
        width: int = 96,
        pretrained: bool = False,
        reduce: int = 2,
        tile: int = 256,
        overlap: int = 32,
        **recipe: Any,
    ) -> None:
        self.recipe = CropRecipe(**recipe)
        check_sides(self.recipe.crop, tile, overlap)
        self.architecture, self.encoder, self.width, self.pretrained = (
            architecture,
            encoder,
            width,
            pretrained,
        )
        self.reduce, self.tile, self.overlap = reduce, tile, overlap
        self.facts: dict[str, Value] = {"pretrained": pretrained}

    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        """Train on crops; the weights are those of the epoch with the best validation mIoU."""
        self._prepare(run)
        table = self._targets(maps_of(train).legend)
        sides = [self._micrographs(part, table) if len(part) else [] for part in (train, valid)]
        trainer = CropTrainer(self.module, self._layout, self.recipe, run, self.tile, self.overlap)
        self.facts["epoch_used"] = trainer.fit(*sides)
        self.facts["precision"] = trainer.precision
        self.facts["parameters"] = count_parameters(self.module)
        self.module.eval()

    def _prepare(self, run: Run) -> None:
        self._threads, self._device, self._task = run.threads, torch.device(run.device), run.task
        torch.set_num_threads(run.threads)
        torch.manual_seed(run.seed)
        self._layout = Layout(run.task, self._device)
        network = build(
            self.architecture,
            self.encoder,
            width=self.width,
            pretrained=self.pretrained,
            classes=outputs(run.task),
        )
        self.module = network.to(self._device).to(memory_format=torch.channels_last)

    def _targets(self, legend: np.ndarray) -> torch.Tensor:
        """Row of the legend -> targets of a pixel, int64 (M, L) or bool (M, C)."""
        return self._layout.encode(legend)

    def _micrographs(self, samples: Labelled, table: torch.Tensor) -> list[TrainingImage]:
        return [
            TrainingImage.of(normalised(pixels), numbers, table, self._device)
            for pixels, numbers in labelled_images(samples, self.reduce)
        ]

    def predict(self, inputs: Inputs) -> Iterator[Iterator[Scores]]:
        """Bands of rows, per image."""
        torch.set_num_threads(self._threads)
        return (self._bands(grey(row)) for row in inputs.views["image"])

    def _bands(self, pixels: np.ndarray) -> Iterator[Scores]:
        small = reduced(pixels, self.reduce)
        mean, deviation = float(small.mean()), max(float(small.std()), 1.0)

        def scores(tiles: np.ndarray) -> np.ndarray:
            images = torch.from_numpy((tiles.astype(np.float32) - mean) / deviation)[:, None]
            with torch.inference_mode():
                output = self.module(images.to(self._device).contiguous(memory_format=torch.channels_last))
                return self._probabilities(output).cpu().numpy()

        bands = in_tiles(small, scores, self.tile, self.overlap)
        columns = self._layout.hierarchy.n
        for band in (
            bands if self.reduce == 1 else full_size(np.concatenate(list(bands)), pixels.shape, self.reduce)
        ):
            yield Scores(band[..., :columns], band[..., columns:] if band.shape[2] > columns else None)

    def _probabilities(self, output: torch.Tensor) -> torch.Tensor:
        """Logits (B, K, h, w) -> probabilities of classes, and of ``stop`` if any, (B, h, w, C + L)."""
        batch, _, height, width = output.shape
        flat = output.permute(0, 2, 3, 1).reshape(batch * height * width, -1)
        values, stop = self._layout.probabilities(split(flat, self._task))
        joined = values if stop is None else torch.cat([values, stop], dim=1)
        return joined.reshape(batch, height, width, -1)

    def save(self, folder: Path) -> None:
        """Writes ``weights.safetensors`` and ``model.json``."""
        weights.save_module(self.module, folder / weights.WEIGHTS)
        write_atomic(folder / SETTINGS, json.dumps({"facts": self.facts}, indent=1, sort_keys=True) + "\n")

    def load(self, folder: Path, run: Run) -> None:
        """Replaces ``fit``. Raises BadInput for files that are damaged or of another network."""
        pretrained, self.pretrained = self.pretrained, False
        self._prepare(run)
        self.pretrained = pretrained
        try:
            self.facts = dict(json.loads((folder / SETTINGS).read_text(encoding="utf-8"))["facts"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadInput(f"{folder / SETTINGS} cannot be read ({error})", allowed=weights.ALLOWED) from None
        weights.load_module(self.module, folder / weights.WEIGHTS)
        self.module.eval()

    def describe(self) -> Mapping[str, Value]:
        """Parameters, and the epoch whose weights are used."""
        return dict(self.facts)


def outputs(task: Task) -> int:
    """Channels of the output: those of all levels with their ``stop``, or one per class."""
    return sum(level_sizes(task))


def split(flat: torch.Tensor, task: Task) -> list[torch.Tensor]:
    """Logits (n, K) -> logits of every level, (n, n_k) each."""
    return list(flat.split(level_sizes(task), dim=1))


unet = partial(PixelNetwork, architecture="unet")
fpn = partial(PixelNetwork, architecture="fpn")
deeplabv3plus = partial(PixelNetwork, architecture="deeplabv3plus")
