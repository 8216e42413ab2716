"""The featurizer ``embedding``: pooled features of a frozen network."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from hmcbench.errors import BadInput
from hmcbench.files import weights_file
from hmcbench.torchkit.pretrained import timm_network
from hmcbench.torchkit.transfer import transfer
from hmcbench_timm.frozen import NO_FILE

SEED = 0  # of random weights
LEAST = 1e-3  # deviation of a flat image


class Embedding:
    """Pictures to the features that a network computes before its classifier.

    It computes on the CPU, one picture after another, so that features do not depend on what else is in a
    block.

    Args:
        backbone: ``timm:NAME``.
        weights: ``published``, ``random``, or a file (:func:`hmcbench.files.weights_file`) with all
            tensors of the network: timm's own names, or those of a network of hmcbench that has it as body.
        size, channels: of the input.
        normalise: ``weights``: by the mean and deviation that timm states for the published weights (their
            mean over colours for grey input); ``image``: each image to mean 0 and deviation 1.

    Raises:
        BadInput: an unknown network, or weights that cannot be loaded or are not all there.
    """

    def __init__(self, backbone: str, weights: str, size: int, channels: int, normalise: str) -> None:
        self.size, self.channels, self.normalise = size, channels, normalise
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            self.network: Any = timm_network(
                backbone.removeprefix("timm:"),
                in_chans=channels,
                image_size=size,
                pretrained=weights == "published",
                stem_stride="keep",
                without="weights=PATH in embedding[...] takes a file (docs/use.md), weights=random none",
            )
        if weights not in NO_FILE:
            self._fill(weights)
        self.network.eval().requires_grad_(False)
        config = self.network.pretrained_cfg
        mean, deviation = (np.array(config.get(k, (0.5,)), dtype=np.float32) for k in ("mean", "std"))
        if channels == 1:
            mean, deviation = mean.mean(keepdims=True), deviation.mean(keepdims=True)
        self._mean, self._deviation = (torch.as_tensor(x)[:, None, None] for x in (mean, deviation))

    def _fill(self, weights: str) -> None:
        path = weights_file(weights)
        transferred = transfer(self.network, path)
        absent = [
            *transferred.other_shape,
            *(n for n in transferred.missing if not n.endswith("num_batches_tracked")),
        ]
        if absent:  # a frozen layer with random weights would spoil all that follows it
            more = f" and {len(absent) - 3} more" if len(absent) > 3 else ""
            raise BadInput(
                f"{path} does not hold all weights of the network: {', '.join(absent[:3])}{more}",
                allowed="weights of the same architecture",
            )

    def transform(self, rows: np.ndarray) -> np.ndarray:
        """uint8 (n, H, W) or (n, H, W, 3) -> float32 (n, F)."""
        with torch.inference_mode():
            return np.stack([self.network(self._prepared(row))[0].numpy() for row in np.asarray(rows)])

    def _prepared(self, row: np.ndarray) -> torch.Tensor:
        """(1, C, H, W) of one picture, normalised."""
        planes = row[None] if row.ndim == 2 else row.transpose(2, 0, 1)
        image = torch.from_numpy(planes.astype(np.float32)) / 255
        if self.normalise == "image":
            image = (image - image.mean()) / image.std(correction=0).clamp_min(LEAST)
        else:
            image = (image - self._mean) / self._deviation
        return image[None]
