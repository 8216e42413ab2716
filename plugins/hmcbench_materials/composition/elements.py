"""The element table: 58 properties of the elements from H to Pu, from one of three places.

``auto`` takes XenonPy's own table where its preset has been synced, else assembles one from packages
that are alive (see :mod:`hmcbench_materials.composition.element_properties`); a path names a CSV file
of the user's own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from hmcbench.errors import BadInput, Unavailable
from hmcbench.files import cache_dir, replacing
from hmcbench_materials.composition.element_properties import ORIGINS, PROPERTIES
from hmcbench_materials.composition.periodic_table import COLUMN, SYMBOLS
from hmcbench_materials.tables import number, read_table

COVERED = 94  # H to Pu, as in XenonPy
NEIGHBOURS = 5  # elements that a missing value is taken from
ASSEMBLY = "1"  # changes with whatever changes an assembled table
PRESET_SHA256 = "9a885ac06c99dd79e63bbb431f46d8131f078239a42df028edfe1052a45a2888"
"""Of ``elements_completed.pd.xz`` as XenonPy publishes it. The file is a pickle: no other is opened."""


@dataclass(frozen=True)
class ElementTable:
    """Properties by atomic number.

    Attributes:
        values: float (118, P); nan in the rows of elements that the table does not cover.
        imputed: bool (118, P): values that no source has, taken from similar elements.
        properties: the P names.
        origin: where the values come from.
    """

    values: np.ndarray
    imputed: np.ndarray
    properties: Sequence[str]
    origin: str

    @property
    def covered(self) -> np.ndarray:
        """Bool (118,): the elements with values."""
        known: np.ndarray = np.isfinite(self.values).all(axis=1)
        return known

    @property
    def digest(self) -> str:
        """Hex digest of names and values: what descriptors depend on."""
        digest = hashlib.sha256("\n".join(self.properties).encode())
        digest.update(np.ascontiguousarray(self.values).tobytes())
        return digest.hexdigest()


KNOWN = ("auto", "assembled", "xenonpy")  # anything else is a file


def element_table(elements: str = "auto") -> ElementTable:
    """The table that ``elements`` names: ``auto``, ``assembled``, ``xenonpy`` or the path of a CSV file.

    Raises:
        BadInput: no such file, or a file that is no element table.
        Unavailable: packages are missing, or XenonPy's table has not been synced.
    """
    if elements == "auto":
        return _xenonpy() or assembled()
    if elements == "assembled":
        return assembled()
    if elements == "xenonpy":
        table = _xenonpy()
        if table is None:
            raise Unavailable(
                f"XenonPy's element table is not at {_preset_file()}",
                hint="python -c \"from xenonpy.datatools import preset; preset.sync('elements_completed')\"",
            )
        return table
    return read_elements(Path(elements))


def digest(*, elements: str = "auto", **_others: object) -> tuple[str, str]:
    """What descriptors depend on beside their parameters: the table's digest, and where it comes from."""
    table = element_table(elements)
    of_user = elements not in KNOWN
    return table.digest, Path(elements).name if of_user else table.origin


def read_elements(path: Path) -> ElementTable:
    """A user's table: the first column (or one called symbol) names elements, the others are numbers.

    Raises:
        BadInput: with file and line.
    """
    table = read_table(path)
    lowered = [name.casefold() for name in table.columns]
    key = lowered.index("symbol") if "symbol" in lowered else 0
    names = [name for place, name in enumerate(table.columns) if place != key]
    if not names:
        raise BadInput(f"{path} has no property", allowed="a column of symbols and columns of numbers")
    values = np.full((len(SYMBOLS), len(names)), np.nan)
    for line, row in zip(table.lines, table.rows, strict=True):
        if row[key] not in COLUMN:
            raise BadInput(f"{path}:{line}: {row[key]!r} is no element")
        read = [number(cell) for place, cell in enumerate(row) if place != key]
        for name, (_value, what, _kind) in zip(names, read, strict=True):
            if what:
                raise BadInput(f"{path}:{line}: {name}: {what}", allowed="a number in every cell")
        if np.isfinite(values[COLUMN[row[key]]]).any():
            raise BadInput(f"{path}:{line}: {row[key]} stands twice")
        values[COLUMN[row[key]]] = [value for value, _what, _kind in read]
    return ElementTable(values, np.zeros(values.shape, dtype=bool), names, str(path))


# --------------------------------------------------------------------------- XenonPy's own


def _preset_file() -> Path:
    return Path.home() / ".xenonpy" / "dataset" / "elements_completed.pd.xz"


def _xenonpy() -> ElementTable | None:
    """XenonPy's table, or None where it has not been synced."""
    file = _preset_file()
    if not file.is_file():
        return None
    if hashlib.sha256(file.read_bytes()).hexdigest() != PRESET_SHA256:
        raise BadInput(f"{file} is not the file that XenonPy publishes", hint="remove it, and sync it again")
    import pandas as pd

    frame: Any = pd.read_pickle(file)
    values = np.full((len(SYMBOLS), len(PROPERTIES)), np.nan)
    for symbol in frame.index:
        values[COLUMN[symbol]] = frame.loc[symbol, list(PROPERTIES)].to_numpy(dtype=float)
    return ElementTable(values, np.zeros(values.shape, dtype=bool), PROPERTIES, "XenonPy elements_completed")


# --------------------------------------------------------------------------- assembled


def assembled() -> ElementTable:
    """The table from mendeleev, pymatgen and matminer; made once, then read from the cache."""
    packages = {name: _version(name) for name in ("mendeleev", "pymatgen", "matminer")}
    key = hashlib.sha256(json.dumps([ASSEMBLY, packages]).encode()).hexdigest()[:16]
    path = cache_dir("elements") / f"assembled-{key}.npz"
    if not path.is_file():
        raw = collect()
        values = impute(raw)
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, values=values, imputed=np.isnan(raw) & np.isfinite(values))
    origin = ", ".join(f"{name} {number}" for name, number in packages.items())
    with np.load(path, allow_pickle=False) as stored:
        return ElementTable(stored["values"], stored["imputed"], PROPERTIES, f"assembled from {origin}")


def _version(package: str) -> str:
    try:
        return version(package)
    except ModuleNotFoundError:
        raise Unavailable(
            f"the element table needs {package}",
            hint="pip install 'hmcbench[materials]', or give a table of your own with elements=PATH",
        ) from None


def collect() -> np.ndarray:
    """Float (118, 58) as the packages have it; nan where they have nothing, and beyond Pu."""
    sources: dict[str, dict[str, np.ndarray]] = {
        "mendeleev": _mendeleev(),
        "pymatgen": _pymatgen(),
        "magpie": _magpie(),
    }
    raw = np.full((len(SYMBOLS), len(PROPERTIES)), np.nan)
    for place, origin in enumerate(ORIGINS.values()):
        column = sources[origin.package][origin.attribute].astype(float) * origin.scale
        if origin.zero_is_missing:
            column = np.where(column == 0, np.nan, column)
        raw[:COVERED, place] = column
    return raw


def _attributes(package: str) -> list[str]:
    return sorted({o.attribute for o in ORIGINS.values() if o.package == package})


def _mendeleev() -> dict[str, np.ndarray]:
    from mendeleev.fetch import fetch_table

    frame = fetch_table("elements").set_index("symbol").reindex(SYMBOLS[:COVERED])
    return {name: frame[name].to_numpy(dtype=float) for name in _attributes("mendeleev")}


def _pymatgen() -> dict[str, np.ndarray]:
    from pymatgen.core.periodic_table import Element

    data = [Element(symbol).data for symbol in SYMBOLS[:COVERED]]
    return {
        name: np.array([_leading_number(entry.get(name)) for entry in data])
        for name in _attributes("pymatgen")
    }


def _leading_number(value: object) -> float:
    """``"12.5 GPa"`` -> 12.5; nan for text without a number."""
    try:
        return float(str(value).split()[0])
    except (ValueError, IndexError):
        return float("nan")


def _magpie() -> dict[str, np.ndarray]:
    from matminer.utils.data import MagpieData
    from pymatgen.core.periodic_table import Element

    data = MagpieData(impute_nan=False)
    elements = [Element(symbol) for symbol in SYMBOLS[:COVERED]]
    return {
        name: np.array([float(data.get_elemental_property(e, name)) for e in elements])
        for name in _attributes("magpie")
    }


def impute(raw: np.ndarray) -> np.ndarray:
    """Fill gaps with the mean of the most similar elements, weighted by similarity; deterministic."""
    from sklearn.impute import KNNImputer
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler()
    filled = raw.copy()
    scaled = scaler.fit_transform(raw[:COVERED])
    imputer = KNNImputer(n_neighbors=NEIGHBOURS, weights="distance")
    completed = scaler.inverse_transform(imputer.fit_transform(scaled))
    filled[:COVERED] = np.where(np.isnan(raw[:COVERED]), completed, raw[:COVERED])
    return filled
