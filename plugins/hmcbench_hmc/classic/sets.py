"""Which sets there are, what is known about them, and where their files are.

The files are those of github.com/EGiunchiglia/C-HMCNN at one commit (``sources.csv`` has size and checksum of
each). Their train, valid and test files are the sides of the published results.
"""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path

from hmcbench.data.sources import Source, cached, variable
from hmcbench.errors import BadInput
from hmcbench_hmc.arff import SUFFIXES
from hmcbench_hmc.arff.content import side_of

DATASET = "hmc-classic"
BASE = (
    "https://raw.githubusercontent.com/EGiunchiglia/C-HMCNN/e887855ab4b3b8f22e4fafc80a0a33c1d1ac0041/HMC_data"
)
YEAST = ("cellcycle", "church", "derisi", "eisen", "gasch1", "gasch2", "pheno", "seq", "spo")
GO_ROOTS = ("GO0003674", "GO0005575", "GO0008150")
"""Molecular function, cellular component, biological process: published scores leave them out."""


@dataclass(frozen=True)
class ClassicSet:
    """A set of the field.

    Attributes:
        unscored: classes that published scores leave out.
        origin: who made it.
    """

    name: str
    origin: str
    unscored: tuple[str, ...] = ()


_VENS = "Vens, Struyf, Schietgat, Dzeroski & Blockeel, Mach. Learn. 73, 185 (2008); Clare (2003)"
SETS = {
    s.name: s
    for s in (
        *(ClassicSet(f"{name}_FUN", _VENS) for name in YEAST),
        *(ClassicSet(f"{name}_GO", _VENS, GO_ROOTS) for name in YEAST if name != "church"),
        ClassicSet("Diatoms", "Dimitrovski et al., Ecol. Inform. 7, 19 (2012)"),
        ClassicSet("ImCLEF07A", "Dimitrovski et al., Pattern Recognit. 44, 2436 (2011)"),
    )
}
SYNTHETIC = ("synthetic-tree", "synthetic-dag")


def sources(name: str) -> dict[str, Source]:
    """Side -> original file of a set."""
    table = Path(__file__).with_name("sources.csv").read_text(encoding="utf-8")
    rows = (row for row in csv.DictReader(table.splitlines()) if row["set"] == name)
    return {
        row["side"]: Source(BASE, row["path"], row["sha256"], int(row["size"]), Path(row["path"]).name)
        for row in rows
    }


def find(name: str, path: str = "") -> dict[str, Path]:
    """Side -> file of a set in the folder ``path``, else that of the environment, else the cache.

    Empty where no folder is named and the cache does not have all of its files.

    Raises:
        BadInput: a folder is named and does not have them.
    """
    place = path or os.environ.get(variable(DATASET), "")
    folder = Path(place).expanduser() if place else cached(DATASET)
    files = _in(folder, name)
    absent = sorted(set(sources(name)) - set(files))
    if absent and place:
        what = "no such folder" if not folder.is_dir() else f"no {absent[0]} file of {name}"
        raise BadInput(
            f"{place}: {what}",
            allowed="a folder with files such as " + ", ".join(s.file for s in sources(name).values()),
        )
    return {} if absent else files


def _in(folder: Path, name: str) -> dict[str, Path]:
    """The files of a set in a folder and two levels below it."""
    patterns = (f"{below}*" for below in ("", "*/", "*/*/"))
    files = (file for pattern in patterns for file in sorted(folder.glob(pattern)))
    sides = ((side_of(file.name), file) for file in files if file.name.lower().endswith(SUFFIXES))
    return {side: file for (stem, side), file in sides if stem == name and side}


def at_hand(*, set: str, path: str = "", **_more: object) -> bool:
    """Whether a set can be loaded without being fetched; a folder that is named counts, whatever it has."""
    return set in SYNTHETIC or bool(path or os.environ.get(variable(DATASET))) or bool(find(set))
