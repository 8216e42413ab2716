"""Check the names of timm architectures while a run is planned, before any cell starts."""

from __future__ import annotations

import importlib
import importlib.util
import re
from functools import cache
from pathlib import Path

from hmcbench.errors import BadInput, close_matches
from hmcbench.interfaces import Task
from hmcbench.torchkit.recipes import SIZE_STEP

_NORMALISED = ("leaf", "conditional")
"""Heads whose outputs, for single paths, are logarithms of probabilities: their energy is 0 for any image."""

_REGISTERED = re.compile(r"^@register_model\s+def (\w+)\(", re.MULTILINE)


def check(
    *,
    architecture: str = "",
    backbone: str = "",
    mc_dropout: int = 0,
    dropout: float = 0.0,
    first_layer: str = "random",
    pretrained: bool | str = False,
    first_size: int = 0,
    image_size: int = 0,
    optimizer: str = "",
    momentum: float = 0.0,
    **_others: object,
) -> None:
    """The ``check`` of model specs that may name a timm network in one of the first two parameters.

    Names are looked up in timm's source, as importing timm and torch costs seconds. For a name that is
    not there (timm has aliases too) timm is imported and asked.

    Raises:
        BadInput: timm does not know the name; suggests similar ones. Or parameters that do not go together:
            passes with units left out of a network that is trained without dropout, a whitened first layer
            of trained weights, a first size that does not lead to the size of the images, a momentum that the
            optimizer does not take.
    """
    if mc_dropout and not dropout:
        raise BadInput(
            f"mc_dropout={mc_dropout}, but the network is trained without dropout",
            allowed="mc_dropout=0, or a model with dropout above 0",
        )
    if first_layer == "whitened" and pretrained:
        raise BadInput(
            "first_layer=whitened would replace trained weights",
            allowed="first_layer=random, or pretrained=false",
        )
    if first_size % SIZE_STEP or first_size > image_size:
        raise BadInput(
            f"first_size={first_size} with image_size={image_size}",
            allowed=f"0, or a multiple of {SIZE_STEP} up to {image_size}",
        )
    if optimizer == "adamw" and momentum >= 1:
        raise BadInput(
            f"momentum={momentum:g} is beta1 of adamw",
            allowed="0 and more, below 1; or optimizer=sgd",
        )
    name = architecture or backbone
    if name and name.partition(".")[0] not in _registered():  # what follows the dot are pretrained weights
        refuse_unknown(name)


def check_novelty(*, task: Task, head: str = "levels", novelty: str = "none", **_others: object) -> None:
    """The ``check_task`` of model specs with a choice of heads.

    Raises:
        BadInput: the energy of a head whose outputs have none.
    """
    if novelty == "energy" and head in _NORMALISED and task.kind == "hmc" and task.paths == "single":
        raise BadInput(
            f"novelty=energy says nothing with head={head}: its outputs are probabilities that sum to 1",
            allowed="novelty=neighbours, or head=levels or head=max",
        )


def refuse_unknown(name: str) -> None:
    """Ask timm itself; raises BadInput for a name that it does not know."""
    timm = importlib.import_module("timm")
    if not timm.is_model(name):
        guess = close_matches(name, timm.list_models())
        raise BadInput(
            f"unknown timm architecture {name!r}" + (f"; {guess}" if guess else ""),
            allowed="a name that timm.list_models() gives",
        )


@cache
def _registered() -> frozenset[str]:
    spec = importlib.util.find_spec("timm")
    folders = spec.submodule_search_locations if spec is not None else None
    files = [file for folder in folders or () for file in Path(folder, "models").glob("*.py")]
    return frozenset(n for file in files for n in _REGISTERED.findall(file.read_text(encoding="utf-8")))
