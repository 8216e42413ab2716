"""Weights of a file as the start of a training: what fits is taken, what does not is named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from hmcbench.errors import BadInput
from hmcbench.files import weights_file
from hmcbench.torchkit.weights import read_state

__all__ = ["Transfer", "transfer"]  # what plugins may use

ALLOWED = "a .safetensors file, or a state dict of torch (read with weights_only)"
NESTED = ("state_dict_ema", "model_ema", "state_dict", "model", "teacher", "student")
"""Names under which files of trainings keep the weights beside other values."""
LISTED = 5


@dataclass(frozen=True)
class Transfer:
    """What was taken from a file.

    Attributes:
        taken: names of the network's tensors that were filled.
        adapted: those among them whose input channels were adapted.
        other_shape: the network's tensors with another shape in the file, as ``name (10, 8) not (5, 8)``.
        missing: tensors that the file does not have.
        unused: tensors of the file that the network does not have.
    """

    taken: tuple[str, ...]
    adapted: tuple[str, ...]
    other_shape: tuple[str, ...]
    missing: tuple[str, ...]
    unused: tuple[str, ...]

    def note(self) -> str:
        """One line for the record."""
        total = len(self.taken) + len(self.other_shape) + len(self.missing)
        parts = [f"{len(self.taken)} of {total} tensors taken"]
        for what, names in (
            ("adapted to the input channels", self.adapted),
            ("of another shape", self.other_shape),
            ("not in the file", self.missing),
            ("of the file not used", self.unused),
        ):
            if names:
                more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
                parts.append(f"{what}: {', '.join(names[:LISTED])}{more}")
        return "; ".join(parts)


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name; nothing in it is executed.

    Raises:
        BadInput: a file that cannot be read, or without tensors.
    """
    path = weights_file(str(path))
    if path.suffix == ".safetensors":
        return read_state(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of a damaged file, of many kinds
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise BadInput(
            f"{path} cannot be read ({reason})",
            allowed=ALLOWED,
            hint="a whole pickled network is not read: save its state_dict()",
        ) from None
    for name in NESTED:
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            content = content[name]
    state = {str(k): v for k, v in content.items() if isinstance(v, Tensor)} if _is_map(content) else {}
    if not state:
        raise BadInput(f"{path} holds no tensors by name", allowed=ALLOWED)
    return state


def _is_map(content: object) -> bool:
    return isinstance(content, Mapping)


@torch.no_grad()
def transfer(module: nn.Module, path: Path) -> Transfer:
    """Fill ``module`` with the tensors of a file that have its names and shapes.

    The file may hold the network, or a part of it, under other names above: ``module.``, ``body.``,
    ``backbone.network.``; the pair of such prefixes with the most common names is used. First convolutions
    are adapted to other input channels: the sum for one channel, equal shares for three.

    Raises:
        BadInput: a file that cannot be read, or of which nothing fits.
    """
    state, target = read_weights(path), module.state_dict()
    source, place = _prefixes(state, target)
    given = {place + name.removeprefix(source): x for name, x in state.items() if name.startswith(source)}
    taken: list[str] = []
    adapted: list[str] = []
    other: list[str] = []
    for name, tensor in target.items():
        if name not in given:
            continue
        value = given[name]
        if value.shape != tensor.shape:
            fitting = _with_channels(value, tensor.shape)
            if fitting is None:
                other.append(f"{name} {tuple(value.shape)} not {tuple(tensor.shape)}")
                continue
            adapted.append(name)
            value = fitting
        tensor.copy_(value)
        taken.append(name)
    # a count of batches says nothing of a network
    if not any(not name.endswith("num_batches_tracked") for name in taken):
        raise BadInput(f"none of the weights of {path} fits", allowed="weights of the same architecture")
    return Transfer(
        tuple(taken),
        tuple(adapted),
        tuple(other),
        tuple(name for name in target if name not in given),
        tuple(name for name in state if place + name.removeprefix(source) not in target),
    )


def _prefixes(state: Iterable[str], target: Iterable[str]) -> tuple[str, str]:
    """What to take from the names of the file, and to put before those of the network."""
    named, wanted = list(state), set(target)
    pairs = [(source, place) for source in _starts(named) for place in _starts(wanted)]

    def common(pair: tuple[str, str]) -> int:
        source, place = pair
        return sum(n.startswith(source) and place + n.removeprefix(source) in wanted for n in named)

    return max(pairs, key=lambda pair: (common(pair), -len(pair[0]) - len(pair[1]), pair))


def _starts(names: Iterable[str]) -> list[str]:
    """The first one and two parts of names, with their points; and none."""
    starts = {""}
    for name in names:
        parts = name.split(".")
        starts |= {".".join(parts[:k]) + "." for k in (1, 2) if len(parts) > k}
    return sorted(starts)


def _with_channels(weight: Tensor, shape: torch.Size) -> Tensor | None:
    """The weight of a convolution (O, I, h, w) for another number of input channels; None if it is none."""
    if weight.ndim != 4 or len(shape) != 4 or weight.shape[:1] != shape[:1] or weight.shape[2:] != shape[2:]:
        return None
    if {weight.shape[1], shape[1]} != {1, 3}:
        return None
    if shape[1] == 1:
        return weight.sum(dim=1, keepdim=True)
    return weight.expand(-1, 3, -1, -1) / 3
