"""Reads a folder tree whose folder names are the classes, to any depth."""

from __future__ import annotations

import os
from pathlib import Path

from hmcbench.errors import BadInput, Problem
from hmcbench_sem.reader.entries import HIERARCHY, SIDES, Entry, clean, printable
from hmcbench_sem.reader.images import KNOWN_EXTENSIONS

_IGNORED = {HIERARCHY, "__macosx", "thumbs.db", "desktop.ini"}


def read_folders(root: Path) -> tuple[list[Entry], list[Problem]]:
    """Every image below ``root``, labelled with the folders it lies in, and what is odd.

    Hidden files and folders are skipped. Links are followed, except back into a folder above.

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
    tops = {entry.paths[0][0].lower() for entry in walk.entries}
    if len(tops) > 1 and tops <= set(SIDES):
        what = f"the folders {', '.join(sorted(tops))} are read as classes; write splits into an index.csv"
        walk.problems.append(Problem(".", what, "split-folders", fatal=False))
    return walk.entries, walk.problems


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
        found = nested = False
        for child in children:
            if child.name.startswith(".") or child.name.lower() in _IGNORED:
                continue
            if child.is_dir():
                nested = True
                found |= self.visit(Path(child.path), (*names, child.name), (*above, identity))
            else:
                found |= self._file(child.name, names)
        if not found and not nested and names:
            self._problem(here, "the folder holds no image", "empty-folder")
        return found

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
