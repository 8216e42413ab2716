"""How unlike the training images an image is, for samples of classes that a network was never shown.

- ``energy``: minus the logarithm of the sum of the exponentials of its logits at the deepest level [Liu et
  al. 2020, section 3, with temperature 1]; of a sigmoid per class, minus the sum of log(1 + exp(logit)) over
  all classes [Wang et al. 2021]. Log-probabilities have none: it would be 0 for every image.
- ``neighbours``: distance to the tenth nearest training image in feature space [Sun et al. 2022], where
  features are the inputs of the last linear layer, scaled to length 1. A network whose classes are read from
  several vectors names a layer behind each with ``feature_layers()``; these inputs are scaled one by one,
  joined, and scaled again.
"""

from __future__ import annotations

from typing import Any

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


def check(kind: str, module: nn.Module) -> None:
    """Before a training: whether a network has this measure.

    Raises:
        BadInput: no linear layer whose inputs are features, or outputs without an energy.
    """
    if kind == "neighbours" and not _feature_layers(module):
        raise BadInput("novelty=neighbours: the network has no linear layer", allowed="novelty=energy")
    if kind == "energy" and any(getattr(part, "normalised", False) for part in module.modules()):
        raise BadInput(
            "novelty=energy says nothing of a network whose outputs are probabilities that sum to 1",
            allowed="novelty=neighbours",
        )


def _feature_layers(module: nn.Module) -> list[nn.Module]:
    """The layers whose inputs are features: those that the network names, else its last linear one."""
    named: Any = getattr(module, "feature_layers", None)
    if named is not None:
        return list(named())
    linear: list[nn.Module] = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
    return linear[-1:]


class Measure:
    """The novelty of every image of a pass; a context in which the network passes on its features.

    Args:
        kind: ``none``, ``energy`` or ``neighbours``.
        known: features (M, D) of training images, for ``neighbours``.

    Attributes:
        features: float32 (B, D) of the last pass, inputs of the feature layers with length 1.

    Raises:
        BadInput: see :func:`check`, but for the energy: kept models with a constant one can be read. After a
            pass also where ``known`` has another width, as a release that joined other layers kept it.
    """

    def __init__(self, kind: str, module: nn.Module, known: torch.Tensor | None = None) -> None:
        self._kind, self._known = kind, known
        if kind == "neighbours":
            check(kind, module)
        self._layers = _feature_layers(module) if kind == "neighbours" else []
        self._inputs: dict[nn.Module, torch.Tensor] = {}

    def __enter__(self) -> Measure:
        self._handles = [layer.register_forward_pre_hook(self._keep) for layer in self._layers]
        return self

    def __exit__(self, *_error: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _keep(self, layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        self._inputs[layer] = F.normalize(inputs[0].float().flatten(1), dim=1)

    @property
    def features(self) -> torch.Tensor:
        """Of the last pass; see the class."""
        parts = [self._inputs[layer] for layer in self._layers]
        return parts[0] if len(parts) == 1 else F.normalize(torch.cat(parts, dim=1), dim=1)

    def __call__(self, output: Output, layout: Layout) -> torch.Tensor:
        """float32 (B,), after the pass that gave ``output``."""
        if self._kind == "energy":
            return energy(output, layout)
        assert self._known is not None
        features, kept = self.features, self._known.shape[1]
        if features.shape[1] != kept:  # as of a release that joined other layers
            raise BadInput(
                f"novelty=neighbours: the kept features have {kept} values, those of the network"
                f" {features.shape[1]}: another release of hmcbench, or of a plugin, kept them",
                hint="run the cell again",
            )
        return distance(features, self._known)


def distance(features: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """float32 (B,): from each of (B, D) to its :data:`K`-th nearest of ``known`` (M, D), Euclidean."""
    apart = torch.cdist(features, known, compute_mode="donot_use_mm_for_euclid_dist")  # exact for any batch
    return apart.kthvalue(min(K, len(known)), dim=1).values
