"""How unlike the training images an image is, for samples of classes that a network was never shown.

- ``energy``: minus the logarithm of the sum of the exponentials of its logits at the deepest level [Liu et
  al. 2020, section 3, with temperature 1]; of a sigmoid per class, minus the sum of log(1 + exp(logit)) over
  all classes [Wang et al. 2021].
- ``neighbours``: distance to the tenth nearest training image in feature space [Sun et al. 2022], where
  features are the inputs of the last linear layer, scaled to length 1.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from hmcbench.errors import BadInput
from hmcbench.torchkit.layout import Layout, Output

K = 10
"""The neighbour whose distance counts; the last one where there are fewer."""
MOST = 1000
"""Training images that are kept, evenly spaced; Sun et al. find a hundredth of ImageNet enough."""


def energy(output: Output, layout: Layout) -> torch.Tensor:
    """float32 (B,): the energy of every image."""
    if layout.softmax(output):
        return -output[-1].float().logsumexp(1)
    logits = [output] if isinstance(output, torch.Tensor) else list(output)
    return -torch.stack([F.softplus(level.float()).sum(1) for level in logits]).sum(0)


class Measure:
    """The novelty of every image of a pass; a context in which the network passes on its features.

    Args:
        kind: ``none``, ``energy`` or ``neighbours``.
        known: features (M, D) of training images, for ``neighbours``.

    Attributes:
        features: float32 (B, D) of the last pass, inputs of the last linear layer with length 1.
    """

    def __init__(self, kind: str, module: nn.Module, known: torch.Tensor | None = None) -> None:
        self._kind, self._known = kind, known
        self._layers = [layer for layer in module.modules() if isinstance(layer, nn.Linear)][-1:]
        if kind == "neighbours" and not self._layers:
            raise BadInput("novelty=neighbours: the network has no linear layer", allowed="novelty=energy")
        self.features = torch.zeros(0, 0)

    def __enter__(self) -> Measure:
        layers = self._layers if self._kind == "neighbours" else []
        self._handles = [layer.register_forward_pre_hook(self._keep) for layer in layers]
        return self

    def __exit__(self, *_error: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _keep(self, _layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        self.features = F.normalize(inputs[0].float().flatten(1), dim=1)

    def __call__(self, output: Output, layout: Layout) -> torch.Tensor:
        """float32 (B,), after the pass that gave ``output``."""
        if self._kind == "energy":
            return energy(output, layout)
        assert self._known is not None
        return distance(self.features, self._known)


def distance(features: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """float32 (B,): from each of (B, D) to its :data:`K`-th nearest of ``known`` (M, D), Euclidean."""
    apart = torch.cdist(features, known, compute_mode="donot_use_mm_for_euclid_dist")  # exact for any batch
    return apart.kthvalue(min(K, len(known)), dim=1).values
