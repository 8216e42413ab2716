"""``classes.csv``: what the values of a mask mean."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hmcbench.errors import BadInput
from hmcbench.hierarchy.hierarchy import Hierarchy, path_id
from hmcbench_masks.reader.csv_file import read_rows

FILE = "classes.csv"
IGNORE = "ignore"
OTHER = "other"  # every value of a mask that has no row
MOST_DIGITS = 10  # of a value: those of 32 bits have no more
_ALLOWED = "the columns value and path, and perhaps objects"
_COLOUR = re.compile(r"#?([0-9a-fA-F]{6})|(\d{1,3})[ ,;]+(\d{1,3})[ ,;]+(\d{1,3})")
_YES = ("yes", "y", "1", "true", "x")


@dataclass(frozen=True)
class ClassTable:
    """What the values of masks mean.

    Attributes:
        labels: value -> ids of its classes; None where its pixels are not labelled. A value is a number, a
            colour as 256 * (256 * red + green) + blue + :data:`COLOUR`, or the name of a category;
            :data:`OTHER` stands for every value of a mask that is not in the table.
        objects: classes whose connected regions are objects.
    """

    labels: dict[int | str, tuple[str, ...] | None]
    objects: tuple[str, ...] = ()

    @property
    def hierarchy(self) -> Hierarchy:
        """All classes, at least one."""
        paths = {path for classes in self.labels.values() for path in classes or ()}
        if not paths:
            raise BadInput(f"{FILE} names no class", allowed="a row per value, with the path of its class")
        return Hierarchy.from_paths([path.split("/") for path in sorted(paths)])

    def sets(self) -> list[tuple[str, ...]]:
        """The different sets of classes, in the order of the table: the rows of the legend."""
        return list(dict.fromkeys(classes for classes in self.labels.values() if classes is not None))


COLOUR = 1 << 32
"""Added to the numbers of colours, so that they are no grey values."""


def colour_number(red: int, green: int, blue: int) -> int:
    """The number of a colour among the values of masks."""
    return COLOUR + (red << 16) + (green << 8) + blue


def value_text(value: int | str) -> str:
    """A value as ``classes.csv`` has it: ``3``, ``#ff0000``, or a name."""
    return f"#{value - COLOUR:06x}" if isinstance(value, int) and value >= COLOUR else str(value)


def colours(pixels: np.ndarray) -> np.ndarray:
    """int64 (H, W): the numbers of colours of (H, W, 3) uint8."""
    red, green, blue = (pixels[..., i].astype(np.int64) for i in range(3))
    numbers: np.ndarray = COLOUR + (red << 16) + (green << 8) + blue
    return numbers


def read_classes(file: Path, names: bool = False) -> ClassTable:
    """The table in ``classes.csv``.

    A row has a value (a number, a colour as ``#rrggbb`` or ``255 0 0``, or the name of a category) and the
    path of its class, top level first: ``fracture/ductile``. Several paths are joined by ``|``, the word
    ``ignore`` stands for pixels that are not labelled; the value ``other`` for all that have no row.
    ``objects`` is ``yes`` where connected regions are
    objects.

    Args:
        names: whether every value is the name of a category, also ``007`` and ``facade``.

    Raises:
        BadInput: no such file, no such columns, a value twice, or a path that is none.
    """
    rows = read_rows(file, f"a CSV file with {_ALLOWED}")
    header = [cell.lower() for cell in rows[0][1]] if rows else []
    if "value" not in header or "path" not in header:
        raise BadInput(f"{file}: its columns are {', '.join(header) or 'none'}", allowed=_ALLOWED)
    labels: dict[int | str, tuple[str, ...] | None] = {}
    objects: list[str] = []
    for line, cells in rows[1:]:
        row = dict(zip(header, cells, strict=False))
        where = f"{file}:{line}"
        text, classes = row.get("value", ""), classes_of(row.get("path", ""), where)
        value = category_name(text) if names and text else value_of(text, where)
        if value in labels:
            raise BadInput(f"{where}: the value {value_text(value)} stands here twice")
        labels[value] = classes
        if row.get("objects", "").lower() in _YES:
            objects += classes or ()
    return ClassTable(labels, tuple(dict.fromkeys(objects)))


def value_of(text: str, where: str) -> int | str:
    """A value of the table; raises BadInput for an empty one."""
    if not text:
        raise BadInput(f"{where}: no value", allowed="a number, a colour such as #ff0000, or a name")
    if text.isascii() and text.isdigit() and not (len(text) == 6 and text.startswith("0")):
        if len(text) > MOST_DIGITS:
            raise BadInput(
                f"{where}: the value {text[:20]}...", allowed=f"a number of up to {MOST_DIGITS} digits"
            )
        return int(text)
    match = _COLOUR.fullmatch(text)
    if match is None:
        return text
    if match[1]:
        return COLOUR + int(match[1], 16)
    parts = [int(match[i]) for i in (2, 3, 4)]
    if max(parts) > 255:
        raise BadInput(f"{where}: the colour {text}", allowed="three numbers from 0 to 255")
    return colour_number(*parts)


def classes_of(text: str, where: str) -> tuple[str, ...] | None:
    """The ids of the classes of a row; None for ``ignore``."""
    if text.lower() == IGNORE:
        return None
    try:
        paths = [path_id(path.split("/")) for path in text.split("|")]
    except BadInput as error:
        raise BadInput(f"{where}: {error.what}", allowed=f"paths as fracture/ductile, or {IGNORE}") from None
    return tuple(dict.fromkeys(paths))


def with_greys(
    labels: Mapping[int | str, tuple[str, ...] | None],
) -> dict[int | str, tuple[str, ...] | None]:
    """The same with every grey also as a colour, and the other way round, unless the table has that too."""
    greys = {colour_number(v, v, v): v for v in range(256)} | {v: colour_number(v, v, v) for v in range(256)}
    return {greys[v]: classes for v, classes in labels.items() if v in greys} | dict(labels)


def category_name(text: str) -> str:
    """The name of a category as ids of classes have it: in composed Unicode, without blanks around its parts.

    >>> category_name("crack / edge ")
    'crack/edge'
    """
    return "/".join(part.strip() for part in unicodedata.normalize("NFC", text).split("/"))


def category_keys(paths: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """Path of a category -> what stands for it: its name, or its whole path where several have that name.

    >>> category_keys([("defect", "pore"), ("cast", "pore"), ("crack",)])
    {('defect', 'pore'): 'defect/pore', ('cast', 'pore'): 'cast/pore', ('crack',): 'crack'}
    """
    distinct = dict.fromkeys(paths)
    counts = Counter(path[-1] for path in distinct)
    return {path: path[-1] if counts[path[-1]] == 1 else "/".join(path) for path in distinct}


def why_no_class(name: str) -> str:
    """Why a category of this name needs a row in ``classes.csv``; empty where it is a class as it stands.

    >>> why_no_class("crack/edge")
    ''
    >>> why_no_class("a//b").removeprefix("'a//b' cannot be a class: ")
    "the path 'a,,b' cannot be used: it has a gap; a row of classes.csv can give it a class"
    """
    try:
        path_id(name.split("/"))
    except BadInput as error:
        return f"{name!r} cannot be a class: {error.what}; a row of {FILE} can give it a class"
    return ""


def of_names(keys: Mapping[tuple[str, ...], str], background: str) -> ClassTable:
    """The table of shapes without ``classes.csv``: a category is its own class; the rest is background.

    Args:
        keys: see :func:`category_keys`; of each path :func:`why_no_class` has found that it can be a class.
    """
    labels: dict[int | str, tuple[str, ...] | None] = {background: (background,)} if background else {}
    for path, key in keys.items():
        labels[key] = (path_id("/".join(path).split("/")),)
    objects = (classes[0] for key, classes in labels.items() if classes and key != background)
    return ClassTable(labels, tuple(dict.fromkeys(objects)))


def with_categories(table: ClassTable, keys: Mapping[tuple[str, ...], str]) -> ClassTable:
    """The table with a row for every category that it covers: by its path, its name, or as ``other``.

    Args:
        keys: see :func:`category_keys`; of the categories that images have.

    Raises:
        BadInput: a row names several of them.
    """
    labels = dict(table.labels)
    for path, key in keys.items():
        full, name = "/".join(path), path[-1]
        if full in table.labels:
            labels[key] = table.labels[full]
        elif key != name and name in table.labels:
            others = [each for each in keys if each[-1] == name]
            if len(others) > 1:
                raise BadInput(
                    f"{FILE}: {name} is the name of {len(others)} categories",
                    allowed=" and ".join("/".join(each) for each in others),
                )
            labels[key] = table.labels[name]
        elif key not in labels and OTHER in labels:
            labels[key] = table.labels[OTHER]
    return ClassTable(labels, table.objects)
