"""One picture as a data folder lists it, and how the names of classes, partitions and files are read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

HIERARCHY = "hierarchy.csv"
_SPELLINGS = {
    "train": ("train", "training", "\u8bad\u7ec3"),
    "validation": ("validation", "valid", "val", "validate", "dev", "devel", "development", "\u9a8c\u8bc1"),
    "test": ("test", "testing", "tst", "\u6d4b\u8bd5"),
    "shifted": ("shifted",),
}
SIDES = {word: side for side, words in _SPELLINGS.items() for word in words}
"""A word for a partition -> the side."""
_OTHER_PARTITIONS = re.compile(r"eval(uation)?|hold ?out|held ?out|unseen|(fold|split|cv) ?\d+")
_MISSING = {"", "nan", "nat", "none", "null", "nil", "na"}
_SYSTEM = {
    *("@eadir", "@tmp", "@recycle", "@recently-snapshot", "@sharesnap", "@__thumb"),
    *("#recycle", "#snapshot", "$recycle.bin", "recycler", "recycled", "system volume information"),
    *("__macosx", "lost+found", "network trash folder", "temporary items", "icon\r"),
    *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "__pycache__"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One picture as it is listed.

    Attributes:
        file: relative to the data folder, ``/`` between the parts.
        paths: its labels, each a path of names from the top level down (or one flat name).
        where: the place to name in a problem: the file, or ``index.csv:12``.
        group: samples of one group stay in one partition; empty if it has none.
        split: side; empty if undecided.
        extra: further columns of its row in the index, name -> cell.
    """

    file: str
    paths: tuple[tuple[str, ...], ...]
    where: str
    group: str = ""
    split: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)

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


def side_of(name: str) -> str:
    """The side that a word for a partition means, whatever its spelling; empty if it means none.

    >>> side_of("Train Set"), side_of("valid"), side_of("testing_data"), side_of("tensile")
    ('train', 'validation', 'test', '')
    """
    return SIDES.get(_partition_word(name), "")


def is_partition(name: str) -> bool:
    """Whether a folder of this name usually holds a partition of the data rather than a class."""
    word = _partition_word(name)
    return word in SIDES or _OTHER_PARTITIONS.fullmatch(word) is not None


def _partition_word(name: str) -> str:
    words = " ".join(re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", name).casefold()))
    return re.sub(r" ?(sets?|data|split|images?|imgs?|\u96c6)$", "", words)


def means_missing(name: str) -> bool:
    """Whether a cell or a folder says that there is no value: ``nan``, ``None``, ``N/A``, ``-``.

    >>> [means_missing(name) for name in ("NaN", "<NA>", "--", "Na", "none found")]
    [True, True, True, False, False]
    """
    return name != "Na" and "".join(c for c in name.casefold() if c.isalnum()) in _MISSING


def is_of_system(name: str) -> bool:
    """Whether an operating system, a NAS or a program made this file or folder; hidden ones included."""
    return name.startswith((".", "~$")) or name.casefold() in _SYSTEM


def printable(name: str) -> str:
    """A file name as it may be shown: what is no text is escaped."""
    return name if is_text(name) else "".join(c if is_text(c) else ascii(c)[1:-1] for c in name)


def is_text(name: str) -> bool:
    """Whether a file name holds no control characters and no bytes that are not UTF-8."""
    # Only some of what cannot be printed is refused: cameras put narrow spaces into names.
    return name.isprintable() or not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in name)
