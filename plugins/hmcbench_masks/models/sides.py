"""Checks the parameters of networks while a run is planned; imports no torch."""

from __future__ import annotations

from typing import Any

from hmcbench.errors import BadInput
from hmcbench.torchkit.architectures import check as check_name

GROUPS = 32
STRIDE = 32  # of the deepest maps: sides of crops and tiles are multiples of it


def check(*, encoder: str, crop: int, tile: int, overlap: int, **_others: object) -> None:
    """The ``check`` of the specs.

    Raises:
        BadInput: no name or one that timm does not know, a side that the network cannot take, or an overlap
            that is not less than the tile.
    """
    if not encoder:  # to the other check, an empty name is that of a model without a network of timm
        raise BadInput("encoder= names no network", allowed="a network of timm with feature maps")
    check_name(architecture=encoder)
    check_sides(crop, tile, overlap)


def check_fpn(*, width: int, **others: Any) -> None:
    """The same, and the width that the norm of a feature pyramid network can divide."""
    if width % GROUPS:
        raise BadInput(f"width={width}", allowed=f"a multiple of {GROUPS}, the groups of the norm of an FPN")
    check(**others)


def check_sides(crop: int, tile: int, overlap: int) -> None:
    """Raise BadInput for sides that the network cannot take."""
    for name, side in (("tile", tile), ("crop", crop)):
        if side % STRIDE:
            raise BadInput(f"{name}={side}", allowed=f"a multiple of {STRIDE}")
    if overlap >= tile:
        raise BadInput(f"overlap={overlap} with tile={tile}", allowed="less than the tile")
