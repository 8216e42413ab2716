"""The looks of each failure mechanism, how common they are, and the widths of pictures that show them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from hmcbench_sem.surfaces import mechanical, sections, thermal
from hmcbench_sem.surfaces.frame import Frame
from hmcbench_sem.surfaces.microscope import Specimen


@dataclass(frozen=True)
class Look:
    """One way in which a mechanism shows.

    Attributes:
        name: ``dimples``, unique.
        leaf: id of the class.
        share: of the pictures of its class.
        width: narrowest and widest picture, micrometres.
        draw: makes the surface.
        flat: a polished section is looked at from straight above.
    """

    name: str
    leaf: str
    share: float
    width: tuple[float, float]
    draw: Callable[[np.random.Generator, Frame], Specimen]
    flat: bool = False


LOOKS: tuple[Look, ...] = (
    Look("striations", "mechanical/fatigue", 0.6, (5, 60), mechanical.striations),
    Look("beach-marks", "mechanical/fatigue", 0.4, (800, 12000), mechanical.beach_marks),
    Look("dimples", "mechanical/plastic-deformation", 0.55, (20, 400), mechanical.dimples),
    Look("cleavage", "mechanical/plastic-deformation", 0.18, (30, 600), mechanical.cleavage),
    Look("quasi-cleavage", "mechanical/plastic-deformation", 0.15, (20, 300), mechanical.quasi_cleavage),
    Look("shear-facets", "mechanical/plastic-deformation", 0.12, (20, 600), mechanical.shear_facets),
    Look("intergranular", "mechanical/stress-corrosion-cracking", 0.6, (40, 900), mechanical.intergranular),
    Look(
        "branched-crack",
        "mechanical/stress-corrosion-cracking",
        0.4,
        (100, 3000),
        sections.branched_crack,
        True,
    ),
    Look("crack-network", "thermal/thermal-cycling", 0.75, (100, 5000), thermal.crack_network),
    Look("surface-cracks", "thermal/thermal-cycling", 0.25, (50, 1500), sections.surface_cracks, True),
    Look("spalled-scale", "thermal/oxide-spalling", 0.75, (30, 2000), thermal.spalled_scale),
    Look("scale-layers", "thermal/oxide-spalling", 0.25, (20, 500), sections.scale_layers, True),
    Look("deposits", "thermal/deposit-corrosion", 0.55, (10, 800), thermal.deposits),
    Look("glaze", "thermal/deposit-corrosion", 0.2, (20, 800), thermal.glaze),
    Look("internal-attack", "thermal/deposit-corrosion", 0.25, (20, 600), sections.internal_attack, True),
)
BARE = Look("machined", "", 0.0, (5, 12000), sections.machined)
BY_NAME: dict[str, Look] = {look.name: look for look in (*LOOKS, BARE)}


@cache
def of_leaf(leaf: str) -> tuple[Look, ...]:
    """The looks of one class."""
    return tuple(look for look in LOOKS if look.leaf == leaf)
