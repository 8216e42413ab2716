"""Reads a folder tree whose folder names are the classes, to any depth."""

from __future__ import annotations

import os
import re
from pathlib import Path

from hmcbench.errors import BadInput, Problem
from hmcbench_sem.reader.entries import (
    HIERARCHY,
    Entry,
    clean,
    is_of_system,
    is_partition,
    printable,
    side_of,
)
from hmcbench_sem.reader.images import KNOWN_EXTENSIONS

_SYSTEM_LIKE = re.compile(r"[@$~]|#\D")


def read_folders(root: Path) -> tuple[list[Entry], list[Problem]]:
    """Every image below ``root``, labelled with the folders it lies in, and the problems.

    Hidden files and folders are skipped, and those that a system makes. Links are followed, except
    back into a folder above.

    Raises:
        BadInput: there is no image anywhere.
    """
    walk = _Walk()
    walk.visit(root, (), ())
    if not walk.entries and not any(p.kind == "no-class" for p in walk.problems):
        raise BadInput(
            f"{root} holds no image",
            allowed="sub-folders (the classes) with images, or an index.csv",
        )
    return walk.entries, [*walk.problems, *_partition_folders(walk.entries)]


def _partition_folders(entries: list[Entry]) -> list[Problem]:
    """A warning where folders that are read as classes look like partitions (train, test, ...)."""
    children: dict[tuple[str, ...], set[str]] = {}
    for entry in entries:
        (path,) = entry.paths
        for depth, name in enumerate(path):
            children.setdefault(path[:depth], set()).add(name)
    places = [
        (folder, sorted(filter(is_partition, names)))
        for folder, names in children.items()
        if any(side_of(name) == "train" for name in names)
        or (len(names) > 1 and all(map(is_partition, names)))
    ]
    if not places:
        return []
    folder, names = places[0]
    more = f" (and in {len(places) - 1} more folders)" if len(places) > 1 else ""
    what = f"the folders {', '.join(names)}{more} are read as classes; if they are a split, write an"
    what += " index.csv with the column split"
    return [Problem("/".join(folder) or ".", what, "split-folders", fatal=False)]


class _Walk:
    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.problems: list[Problem] = []

    def visit(self, folder: Path, names: tuple[str, ...], above: tuple[tuple[int, int], ...]) -> bool:
        """Read one folder and those in it; returns whether there was any image."""
        here = "/".join(names)
        try:
            status = folder.stat()
            children = sorted(os.scandir(folder), key=lambda child: child.name)
        except OSError as error:
            self._problem(here, f"the folder cannot be read: {error.strerror}", "unreadable")
            return False
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            self._problem(here, "a link back into a folder above it: not followed", "cycle", fatal=False)
            return True
        image = nested = False
        for child in children:
            if is_of_system(child.name) or child.name.lower() == HIERARCHY:
                continue
            if child.is_dir():
                nested = True
                image |= self.visit(Path(child.path), (*names, child.name), (*above, identity))
            else:
                image |= self._file(child.name, names)
        if not image and not nested and names:
            self._problem(here, "the folder holds no image", "empty-folder")
        elif image and names and _SYSTEM_LIKE.match(names[-1]):
            what = "looks like a folder that a system made; it is read as a class"
            self._problem(here, what, "system-folder", fatal=False)
        return image

    def _file(self, name: str, names: tuple[str, ...]) -> bool:
        file = "/".join((*names, name))
        if f".{name.rpartition('.')[2].lower()}" not in KNOWN_EXTENSIONS:
            self._problem(file, "no image by its extension: not read", "extension", fatal=False)
            return False
        if names:
            self.entries.append(Entry(file, (tuple(map(clean, names)),), where=printable(file)))
        else:
            self._problem(file, "lies in no class folder", "no-class")
        return True

    def _problem(self, where: str, what: str, kind: str, *, fatal: bool = True) -> None:
        self.problems.append(Problem(printable(where) or ".", what, kind, fatal=fatal))
