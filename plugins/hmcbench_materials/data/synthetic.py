"""Synthetic steels, alloys and plates: tables in the form of the real ones, so that a suite runs anywhere.

They follow simple rules with noise; everything made from them is called synthetic. Only
whole numbers are drawn, and only sums and products taken, so they are the same on every machine.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence

from hmcbench_materials.data.plates import FEATURES, PATHS
from hmcbench_materials.data.steel import NIMS_COLUMNS, SRIM_COLUMNS
from hmcbench_materials.tables import Table

ROWS = 240
_VALENCE = {  # outer electrons, which decide the lattice in the rules below
    **{"Al": 3, "Ti": 4, "Zr": 4, "V": 5, "Nb": 5, "Cr": 6, "Mo": 6, "Mn": 7, "Fe": 8, "Co": 9, "Ni": 10},
    "Cu": 11,
}
_SIZES = {"Zr": 160, "Mg": 160, "Ca": 197, "La": 187, "Al": 143, "Ti": 147, "Cu": 128, "Ni": 124, "Fe": 126}
_SIZES |= {"Co": 125, "Pd": 137, "B": 82, "Si": 115, "P": 106}

TextRows = list[list[str]]


def make_table(dataset: str, seed: int) -> Table:
    """The synthetic table of a dataset; ``seed`` draws others."""
    columns, draw = _TABLES[dataset]
    rows = draw(random.Random(f"{dataset} {seed}"))
    name = f"synthetic {dataset}"
    return Table(name, name, columns, rows, range(2, len(rows) + 2))


def _steel(rng: random.Random, bounds: Iterable[tuple[int, int]]) -> list[float]:
    """Amounts in thousandths of a per cent, drawn between bounds, as per cent."""
    return [rng.randint(low, high) / 1000 for low, high in bounds]


def _nims(rng: random.Random) -> TextRows:
    """Thirty heats, eight heat treatments each; ranges as in table 2 of the MCVN paper."""
    low = (280, 160, 370, 7, 3, 10, 10, 10, 0)
    high = (570, 350, 1300, 31, 30, 2780, 1120, 220, 240)
    rows: TextRows = []
    for _heat in range(ROWS // 8):
        c, si, mn, p, s, ni, cr, cu, mo = amounts = _steel(rng, zip(low, high, strict=True))
        inclusions = _steel(rng, ((0, 130), (0, 50), (0, 40)))
        reduction = rng.randint(420, 5530)
        for _treatment in range(8):
            tempering = 550 + 5 * rng.randint(0, 26)
            heats = (825 + 5 * rng.randint(0, 13), 825 + 5 * rng.randint(0, 8), tempering)
            hardness = 130 + 170 * c + 20 * si + 30 * mn + 12 * ni + 50 * cr + 120 * mo + 10 * cu
            hardness += 150 * c * cr - 0.35 * (tempering - 550) + rng.randint(-6, 6)
            tensile = 3.2 * hardness + 900 * p + rng.randint(-12, 12)
            fatigue = 0.5 * tensile - 250 * inclusions[0] - 900 * s + rng.randint(-10, 10)
            fracture = 900 + 0.8 * tensile - 500 * c + rng.randint(-30, 30)
            cells = (*heats, *amounts, reduction, *inclusions)
            targets = (round(v) for v in (fatigue, tensile, fracture, hardness))
            rows.append([*(f"{v:g}" for v in cells), *map(str, targets)])
    return rows


def _srim(rng: random.Random) -> TextRows:
    """Eighty-one steels with five words of processing."""
    low = (138, 130, 130, 0, 0, 0, 0, 0, 0, 0, 0)
    high = (520, 1150, 1740, 24, 9, 3320, 13920, 678, 1390, 800, 1000)
    words = ("arc", "forged", "bar", "quenched", "soft"), ("vacuum", "rolled", "plate", "normalised", "hard")
    rows: TextRows = []
    for _steel_number in range(81):
        amounts = _steel(rng, zip(low, high, strict=True))
        c, cr, v = amounts[0], amounts[6], amounts[10]
        process = [rng.choice(pair) for pair in zip(*words, strict=True)]
        hard = 250 * (process[3] == "quenched") + 120 * (process[4] == "hard")
        yields = 300 + 900 * c + 25 * cr + 150 * v + hard + rng.randint(-25, 25)
        tensile = 1.1 * yields + 90 + rng.randint(-25, 25)
        elongation = 38 - yields / 60 + rng.randint(-2, 2)
        reduction = 75 - yields / 40 + rng.randint(-4, 4)
        targets = (str(round(a)) for a in (yields, tensile, elongation, reduction))
        rows.append([*(f"{a:g}" for a in amounts), *targets, *process])
    return rows


def _shares(rng: random.Random, elements: Sequence[str]) -> list[tuple[str, int]]:
    """Elements with whole per cent that add up to 100."""
    cuts = sorted(rng.sample(range(5, 100, 5), len(elements) - 1))
    ends = [0, *cuts, 100]
    return [(e, ends[i + 1] - ends[i]) for i, e in enumerate(elements)]


def _glass(rng: random.Random) -> TextRows:
    """Many elements of different sizes freeze as a glass; few, or alike, crystallise."""
    rows: TextRows = []
    for _alloy in range(ROWS):
        shares = _shares(rng, rng.sample(sorted(_SIZES), rng.randint(2, 5)))
        mean = sum(share * _SIZES[e] for e, share in shares)
        spread = sum(share * abs(100 * _SIZES[e] - mean) for e, share in shares) // 10_000
        ease = spread + 6 * len(shares) + rng.randint(-3, 3)
        label = "CRA" if ease < 24 else "RMG" if ease < 42 else "BMG"
        rows.append(["".join(f"{e}{share}" for e, share in shares), label])
    return rows


def _phases(rng: random.Random) -> TextRows:
    """Valence decides between BCC and FCC; much aluminium orders, zirconium makes Laves phases."""
    rows: TextRows = []
    for _alloy in range(ROWS):
        ratios = _ratios(rng)
        total = sum(ratios.values())
        valence = sum(n * _VALENCE[e] for e, n in ratios.items()) / total + rng.randint(-2, 2) / 10
        lattices = ["FCC"] if valence >= 8 else ["BCC"] if valence < 6.9 else ["BCC", "FCC"]
        extra = (["B2"] if ratios.get("Al", 0) / total > 0.17 else []) + (["Laves"] if "Zr" in ratios else [])
        if ratios.get("Cu", 0) and ratios.get("Zr", 0):
            levels, phases = ["AM", "", ""], ["AM"]
        elif extra:
            levels, phases = ["MP", "IM", ""], [*lattices, *extra]
        else:
            single = len(lattices) == 1
            levels, phases = ["SP" if single else "MP", "SS", lattices[0] if single else "MSS"], lattices
        rows.append([_written(ratios), "+".join(phases), *levels])
    return rows


def _ratios(rng: random.Random) -> dict[str, float]:
    """Four to six elements with molar ratios between 0.2 and 2."""
    return {e: rng.randint(2, 20) / 10 for e in rng.sample(sorted(_VALENCE), rng.randint(4, 6))}


def _written(ratios: dict[str, float]) -> str:
    return "".join(e + ("" if n == 1 else f"{n:g}") for e, n in ratios.items())


def _hardness(rng: random.Random) -> TextRows:
    """Few outer electrons and much aluminium are hard."""
    rows: TextRows = []
    for _alloy in range(ROWS):
        ratios = _ratios(rng)
        total = sum(ratios.values())
        valence = sum(n * _VALENCE[e] for e, n in ratios.items()) / total
        hardness = 1050 - 95 * valence + 500 * ratios.get("Al", 0) / total + rng.randint(-30, 30)
        rows.append([_written(ratios), str(round(hardness))])
    return rows


def _plates(rng: random.Random) -> TextRows:
    """Every kind of fault shifts some of the measures."""
    signature = {kind: [rng.randint(-2, 2) for _ in FEATURES] for kind in PATHS}
    rows: TextRows = []
    for row in range(ROWS):
        kind = list(PATHS)[row % len(PATHS)]
        measures = [40 + 6 * shift + rng.randint(-10, 10) for shift in signature[kind]]
        rows.append([*map(str, measures), *(str(int(name == kind)) for name in PATHS)])
    return rows


_TABLES: dict[str, tuple[Sequence[str], Callable[[random.Random], TextRows]]] = {
    "nims-steel": ([name for name, _ in NIMS_COLUMNS], _nims),
    "srim-steel": (
        [*(name for name, _ in SRIM_COLUMNS), "melting", "hot working", "form", "treatment", "state"],
        _srim,
    ),
    "metallic-glass": (["Alloy", "GFA"], _glass),
    "hea-phases": (["Alloy", "Phase(s)", "ML-A", "ML-B", "ML-C"], _phases),
    "hea-hardness": (["Alloy", "hardness"], _hardness),
    "steel-plates": ([*FEATURES, *PATHS], _plates),
}
