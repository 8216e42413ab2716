"""The two-level hierarchy of metal failure mechanisms, and how many images each class has.

Classes and counts: Han et al., Scientific Reports 15, 19904 (2025), doi 10.1038/s41598-025-05076-z,
section "Dataset" and table 1. The descriptions are not the paper's.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FailureClass:
    """One class.

    Attributes:
        id: full path, ``mechanical/fatigue``.
        name: the name the paper gives it.
        description: its cause and its look in the microscope.
        train, test: images of table 1 (0 for the first level: it is the sum of its children).
    """

    id: str
    name: str
    description: str
    train: int = 0
    test: int = 0


CLASSES: tuple[FailureClass, ...] = (
    FailureClass(
        "mechanical",
        "Mechanical force-induced failure",
        "The part gave way under load: slowly under repeated load, at once under too much of it, or"
        " under steady tension in a medium that attacks it.",
    ),
    FailureClass(
        "mechanical/fatigue",
        "Metal fatigue",
        "Load that comes and goes lets a crack grow a little with every cycle. The fracture face shows"
        " fine parallel striations and, coarser, curved beach marks that run around the origin.",
        train=295,
        test=32,
    ),
    FailureClass(
        "mechanical/plastic-deformation",
        "Instantaneous stress-induced plastic deformation",
        "One overload in tension or compression. Voids open at inclusions and join: the face is covered"
        " with dimples of many sizes, parted by sharp, bright tear ridges.",
        train=329,
        test=36,
    ),
    FailureClass(
        "mechanical/stress-corrosion-cracking",
        "Stress corrosion cracking",
        "Tension and a corrosive medium together. Thin cracks follow the grain boundaries and branch;"
        " between them the surface often looks untouched.",
        train=124,
        test=13,
    ),
    FailureClass(
        "thermal",
        "Thermal effect-induced failure",
        "Heat did the damage: by straining the material over and over, or by changing what covers it.",
    ),
    FailureClass(
        "thermal/thermal-cycling",
        "Thermal cycling",
        "Heating and cooling strain neighbouring materials or layers unequally. Small cracks meet in a"
        " network of cells that coarsens with the number of cycles.",
        train=655,
        test=72,
    ),
    FailureClass(
        "thermal/oxide-spalling",
        "Oxide deposition spalling",
        "An oxide scale grown at high temperature cracks and flakes off because metal and oxide expand"
        " differently. Bright plates with steep edges lie above darker, bare metal.",
        train=186,
        test=20,
    ),
    FailureClass(
        "thermal/deposit-corrosion",
        "Deposition-induced thermal corrosion",
        "Salts from fuel or oil settle on the hot surface, melt and dissolve its protective oxide. One"
        " sees rough, granular deposits, clusters of crystals, and pits eaten into the metal.",
        train=182,
        test=20,
    ),
)

LEAVES: tuple[FailureClass, ...] = tuple(c for c in CLASSES if "/" in c.id)
LEAF_IDS: tuple[str, ...] = tuple(c.id for c in LEAVES)
DESCRIPTIONS: dict[str, str] = {c.id: f"{c.name}. {c.description}" for c in CLASSES}
