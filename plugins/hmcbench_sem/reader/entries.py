"""One picture as a data folder lists it, in whatever way; and how names of files and classes are read."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

HIERARCHY = "hierarchy.csv"
SIDES = {
    "": "",
    "train": "train",
    "training": "train",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
    "test": "test",
    "shifted": "shifted",
}
"""What an index may call a side -> the side."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One picture as it is listed.

    Attributes:
        file: relative to the data folder, ``/`` between the parts.
        paths: its labels, each a path of names from the top level down (or one flat name).
        where: the place to name in a problem: the file, or ``index.csv:12``.
        group: samples of one group stay on one side; empty if it has none.
        split: side; empty if undecided.
    """

    file: str
    paths: tuple[tuple[str, ...], ...]
    where: str
    group: str = ""
    split: str = ""

    @property
    def id(self) -> str:
        """The sample's id: the file in Unicode's composed form, which all systems agree on."""
        return unicodedata.normalize("NFC", self.file)


def split_label(label: str) -> tuple[str, ...]:
    """``a/b`` to its names, each trimmed and in composed form."""
    return tuple(clean(name) for name in label.split("/"))


def clean(name: str) -> str:
    """A class name as it is compared: trimmed, Unicode composed."""
    return unicodedata.normalize("NFC", name.strip())


def printable(name: str) -> str:
    """A file name as it may be shown: what is no text is escaped."""
    return name if is_text(name) else "".join(c if is_text(c) else ascii(c)[1:-1] for c in name)


def is_text(name: str) -> bool:
    """Whether a file name holds no control characters and no bytes that are not UTF-8."""
    # Only some of what cannot be printed is refused: cameras put narrow spaces into names.
    return name.isprintable() or not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in name)
