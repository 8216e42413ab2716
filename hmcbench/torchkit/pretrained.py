"""timm networks without their classifier, by name, with random or published weights."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import torch
from torch import nn

from hmcbench.errors import BadInput
from hmcbench.files import check_reachable
from hmcbench.torchkit.architectures import refuse_unknown
from hmcbench.torchkit.measure import count_multiply_adds

CPU = torch.device("cpu")
SMALL = 128
"""Inputs below this side are small: see :func:`strided_stem`."""
LIGHT = 50_000_000
"""Most multiply-adds per image for which ``stem_stride=auto`` sets stride 1 on small inputs."""


def timm_network(
    architecture: str,
    *,
    in_chans: int,
    image_size: int,
    pretrained: bool = False,
    stem_stride: str = "auto",
    pooled: bool = True,
    owner: str = "timm",
    without: str = "",
) -> Any:
    """A timm network whose outputs are features.

    Args:
        architecture: a name of ``timm.list_models()``.
        in_chans: channels of the input; pretrained first layers are adapted by timm.
        image_size: side of the input; passed to networks that are built for one size.
        pretrained: load the published weights.
        stem_stride: of the first convolution: ``keep``, ``1``, or ``auto``: 1 for inputs below
            :data:`SMALL` if an image then costs at most :data:`LIGHT` (see :func:`strided_stem`), and where
            it can be.
        pooled: forward returns (B, ``head_hidden_size``) for a linear layer; otherwise the feature
            map (B, ``num_features``, h, w), or tokens (B, T, ``num_features``).
        owner: the model's name on the command line, for the error's hint.
        without: the error's hint where that is not ``--set OWNER.pretrained=false``.

    Raises:
        BadInput: an unknown name, a size that it cannot take, weights that cannot be loaded, or
            ``stem_stride=1`` for a network whose stem cannot have it.
    """
    refuse_unknown(architecture)
    timm = importlib.import_module("timm")
    options: dict[str, Any] = {"num_classes": 0, "in_chans": in_chans}
    if not pooled:
        options["global_pool"] = ""
    config = timm.get_pretrained_cfg(architecture)
    if config is not None and config.fixed_input_size:
        options["img_size"] = image_size
    try:
        with without_retries() if pretrained else nullcontext():
            network = timm.create_model(architecture, pretrained=pretrained, **options)
    except Exception as error:
        if not pretrained:
            raise _misfit(architecture, image_size, error) from error
        raise BadInput(
            f"pretrained weights of {architecture} could not be loaded ({_short(error)})",
            hint=without or f"--set {owner}.pretrained=false turns them off",
        ) from error
    shape = (1, in_chans, image_size, image_size)
    misfit = _trial(network, shape)
    if misfit is not None:
        raise _misfit(architecture, image_size, misfit) from misfit
    if stem_stride == "1" and (reason := _widen(network, shape, math.inf)):
        allowed = "stem_stride=keep or stem_stride=auto"
        raise BadInput(f"stem_stride=1 for {architecture}: {reason}", allowed=allowed)
    if stem_stride == "auto" and image_size < SMALL:
        _widen(network, shape, LIGHT)
    return network


@contextmanager
def without_retries() -> Iterator[None]:
    """Where the hub of published weights cannot be reached, use its cache on the disk, or fail at once.

    The hub's own package would retry for a minute, in every cell.
    """
    hub: Any = importlib.import_module("huggingface_hub.constants")
    before = hub.HF_HUB_OFFLINE
    hub.HF_HUB_OFFLINE = before or not _reachable(hub.ENDPOINT)
    try:
        yield
    finally:
        hub.HF_HUB_OFFLINE = before


def _reachable(address: str) -> bool:
    """Whether the host accepts connections; assumed behind a proxy."""
    parts = urlsplit(address)
    if getproxies() or not parts.hostname:
        return True
    port = parts.port or (80 if parts.scheme == "http" else 443)
    try:
        check_reachable(parts.hostname, port)
    except OSError:
        return False
    return True


def _widen(network: nn.Module, shape: tuple[int, int, int, int], limit: float) -> str:
    """Set the stem's stride to 1, unless that costs too much or the network is made for one size of map.

    Returns:
        Why it is kept; nothing where it was set.
    """
    stem = strided_stem(network)
    if stem is None:
        return "its first strided convolution has no stride of 2"
    stem.stride = (1, 1)
    error = _trial(network, shape)
    if error is None and count_multiply_adds(network, shape[1:], CPU) <= limit:
        return ""
    stem.stride = (2, 2)
    return "an image costs too much" if error is None else f"it takes no larger maps ({_short(error)})"


def _trial(network: nn.Module, shape: tuple[int, ...]) -> Exception | None:
    """The exception that a forward pass of zeros raises, if any."""
    network.eval()
    try:
        with torch.no_grad():
            network(torch.zeros(shape))
    except Exception as error:
        return error
    finally:
        network.train()
    return None


def _misfit(architecture: str, image_size: int, error: Exception) -> BadInput:
    return BadInput(
        f"{architecture} cannot take {image_size} px ({_short(error)})",
        hint="take another image_size: hmcbench show model NAME lists the parameters",
    )


def _short(error: Exception) -> str:
    """The innermost cause in a few words, as download errors are wrapped several times."""
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    if type(cause).__name__ == "OfflineModeIsEnabled":
        return "their host cannot be reached, and they are not on this disk"
    lines = str(cause).splitlines() or [""]
    return f"{type(cause).__name__}: {lines[0]}"[:160]


def strided_stem(network: nn.Module) -> nn.Conv2d | None:
    """The first strided convolution, if its stride is 2.

    Networks of stride 32 reduce an image of 64 px to 2 x 2 positions, and the lightest of them
    (MobileNets) then learn nothing in a few minutes. With this stride at 1 every later map has twice
    the positions per side, weights keep their shapes (published ones still load), and an image costs
    four times as much. Heavier networks (ResNets) learn without it. Patch embeddings have larger
    strides and are not changed.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and max(module.stride) > 1:
            return module if module.stride == (2, 2) else None
    return None
