"""A trained network as files: tensors in safetensors, settings in JSON. Reading executes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from hmcbench.errors import BadInput
from hmcbench.files import replacing

FORMAT = 1
WEIGHTS, SETTINGS, FEATURES = "weights.safetensors", "model.json", "features.safetensors"
ALLOWED = "files written by hmcbench run"


def save_module(module: nn.Module, path: Path) -> None:
    """Write all parameters and buffers; tensors that share memory are written once per name."""
    save_tensors(module.state_dict(), path)


def save_tensors(state: Mapping[str, torch.Tensor], path: Path) -> None:
    """Write tensors by name; raises BadInput where they cannot be written, as on a full disk."""
    plain = {k: v.detach().cpu().clone(memory_format=torch.contiguous_format) for k, v in state.items()}
    try:
        with replacing(path) as fresh:
            save_file(plain, fresh)
    except SafetensorError as error:  # what it makes of an OSError
        raise BadInput(f"{path.name} cannot be written ({str(error).splitlines()[0]})") from None


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a file by name; raises BadInput for a missing or damaged file."""
    try:
        state: dict[str, torch.Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadInput(f"{path} cannot be read ({reason.splitlines()[0]})", allowed=ALLOWED) from None
    return state


def load_module(module: nn.Module, path: Path) -> None:
    """Fill ``module``; raises BadInput for a file that is missing, damaged, or of another network."""
    state = read_state(path)
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()[1:2]] or ["other names or shapes"]
        raise BadInput(f"{path} holds the weights of another network ({lines[0][:160]})") from None


def read_settings(path: Path) -> dict[str, Any]:
    """Read ``model.json``; raises BadInput for a file that is missing, damaged or of a later format."""
    try:
        settings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if settings["format"] > FORMAT:
            raise BadInput(f"{path} has format {settings['format']}", allowed=f"up to {FORMAT}")
        missing = {"input", "threads", "normalise", "mean", "std", "facts"} - set(settings)
        if missing:
            raise KeyError(f"no {', '.join(sorted(missing))}")
        return settings
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadInput(f"{path} cannot be read ({error})", allowed=ALLOWED) from None
