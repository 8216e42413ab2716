"""Lists the pictures of a data folder with their labels; no picture is opened.

Labels are the names of nested folders, or stand in an ``index.csv``. With a ``hierarchy.csv`` its
names are the classes.
"""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from hmcbench.errors import BadInput, Problem, close_matches
from hmcbench.hierarchy.hierarchy import Hierarchy, lint, lookalikes, path_id, read_edges
from hmcbench_sem.reader import class_folders, index_csv
from hmcbench_sem.reader.entries import HIERARCHY, Entry, clean, is_text, means_missing
from hmcbench_sem.reader.further_columns import is_target

INDEX = "index.csv"
_ABSENT = "does not exist"


@dataclass
class Listing:
    """The pictures of a data folder with their class ids.

    Attributes:
        root: the folder that files are relative to.
        source: of the labels: ``folders``, ``levels`` or ``labels``; ``targets``: there are none.
        entries: those without a problem so far, in the order of the source.
        labels: one tuple of class ids per entry, each the end of a path.
        hierarchy: from ``hierarchy.csv``, where there is one.
        problems: of the others, and warnings.
        notes: for the record.
    """

    root: Path
    source: str
    entries: list[Entry]
    problems: list[Problem]
    labels: list[tuple[str, ...]] = field(default_factory=list)
    hierarchy: Hierarchy | None = None
    notes: list[str] = field(default_factory=list)


def read_listing(path: Path) -> Listing:
    """Read a data folder, or an index file.

    Raises:
        BadInput: no folder or index at ``path``, or a table that cannot be read at all.
    """
    if not path.exists():
        raise BadInput(f"{path} does not exist", allowed="a folder of images, or an index.csv")
    if path.is_file() and path.suffix.lower() != ".csv":
        raise BadInput(f"{path} is a single file", allowed="a folder of images, or an index.csv")
    index = path if path.is_file() else path / INDEX
    root = index.parent
    if index.is_file():
        source, entries, problems = index_csv.read_index(index)
    else:
        source, (entries, problems) = "folders", class_folders.read_folders(root)
    listing = Listing(root, source, entries, problems)
    if not _read_hierarchy(listing):
        listing.entries = []  # without classes there are no labels
    _resolve(listing)
    _drop_repeats(listing)
    _check_files(listing)
    _warn_of_names(listing)
    flat = not any("/" in name for ids in listing.labels for name in ids)
    if source == "labels" and listing.hierarchy is None and listing.labels and flat:
        listing.notes.append("the labels show no hierarchy and there is no hierarchy.csv: one level")
    return listing


def _keep(listing: Listing, good: Sequence[bool]) -> None:
    listing.entries = [entry for entry, ok in zip(listing.entries, good, strict=True) if ok]
    listing.labels = [ids for ids, ok in zip(listing.labels, good, strict=True) if ok]


def _drop_repeats(listing: Listing) -> None:
    """Keep one entry of a file that is listed again; none where the labels or targets differ."""
    labels: dict[str, set[tuple[str, ...]]] = {}
    for entry, ids in zip(listing.entries, listing.labels, strict=True):
        targets = tuple(cell for name, cell in entry.extra.items() if is_target(name))
        labels.setdefault(entry.id, set()).add((*ids, *targets))
    seen: Counter[str] = Counter()
    good = []
    for entry in listing.entries:
        seen[entry.id] += 1
        clash = len(labels[entry.id]) > 1
        good.append(not clash and seen[entry.id] == 1)
        if seen[entry.id] > 1:
            what = f"{entry.file} is listed again" + (" with other labels or targets" if clash else "")
            kind = "two-paths" if clash else "repeated"
            listing.problems.append(Problem(entry.where, what, kind, fatal=clash))
    _keep(listing, good)


def _resolve(listing: Listing) -> None:
    """Turn label paths into class ids; entries for which that fails become problems."""
    known: dict[tuple[str, ...], str | _NoClass] = {}
    entries, listing.entries = listing.entries, []
    for entry in entries:
        for names in entry.paths:
            if names not in known:
                known[names] = _class_id(names, listing.hierarchy)
        classes = [known[names] for names in entry.paths]
        failed = next((each for each in classes if isinstance(each, _NoClass)), None)
        if failed is None:
            listing.entries.append(entry)
            listing.labels.append(tuple(sorted({str(each) for each in classes})))
        else:
            listing.problems.append(Problem(entry.where, failed.what, failed.kind))


@dataclass(frozen=True)
class _NoClass:
    kind: str
    what: str


def _class_id(names: tuple[str, ...], hierarchy: Hierarchy | None) -> str | _NoClass:
    """The class at the end of a path of names."""
    try:
        full = path_id(names)
    except BadInput as error:
        return _NoClass("class-name", error.what)
    if hierarchy is None or full in hierarchy:
        return full
    last = names[-1]
    if last not in hierarchy:
        guess = close_matches(last, hierarchy.classes)
        more = f"; {guess}" if guess else ""
        return _NoClass("unknown-class", f"class {last!r} is not in {HIERARCHY}{more}")
    row = hierarchy.ancestors[[hierarchy.index(last)]].indices
    above = {hierarchy.classes[i] for i in row}
    misplaced = next((name for name in names if name not in above), None)
    if misplaced is not None:
        return _NoClass("unknown-class", f"{HIERARCHY} does not put {last!r} below {misplaced!r}")
    return last


def _warn_of_names(listing: Listing) -> None:
    """Warnings for classes and groups whose names say that there is none, and for groups that look alike."""
    missing: dict[str, Entry] = {}
    groups: dict[str, Entry] = {}
    for entry in listing.entries:
        for name in {name for names in entry.paths for name in names}:
            if means_missing(name) and (listing.hierarchy is None or name not in listing.hierarchy):
                missing.setdefault(f"the class {name!r} looks like a missing value", entry)
        if entry.group:
            groups.setdefault(entry.group, entry)
            if means_missing(entry.group):
                what = f"the group {entry.group!r} looks like a missing value, and its images stay together"
                missing.setdefault(what, entry)
    for what, entry in missing.items():
        more = "; leave the cell empty" if listing.source != "folders" else ""
        listing.problems.append(Problem(entry.where, what + more, "missing-value", fatal=False))
    for twin, name, difference in lookalikes(groups):
        what = f"groups {twin!r} and {name!r} {difference}"
        listing.problems.append(Problem(groups[name].where, what, "alike", fatal=False))


def _read_hierarchy(listing: Listing) -> bool:
    """Read ``hierarchy.csv`` if it is there; False if it cannot be used."""
    if not (listing.root / HIERARCHY).is_file():
        return True
    table = read_edges(listing.root / HIERARCHY)
    problems = [*table.problems, *lint(table.edges, table.where)]
    listing.problems += problems
    if any(problem.fatal for problem in problems):
        return False
    listing.hierarchy = Hierarchy.from_edges(table.edges, descriptions=table.descriptions)
    return True


def _check_files(listing: Listing) -> None:
    """Find each file on disk; those that are missing, or are no files, become problems."""
    folders: dict[str, dict[str, str]] = {}
    good = []
    for i, entry in enumerate(listing.entries):
        why = _file_problem(listing.root, entry.file)
        if why == _ABSENT:
            file = _other_form(listing.root, entry.file, folders)
            listing.entries[i] = replace(entry, file=file)
            why = _file_problem(listing.root, file)
        good.append(not why)
        if why:
            listing.problems.append(Problem(entry.where, f"{entry.file!r} {why}", "missing"))
    _keep(listing, good)


def _other_form(root: Path, file: str, folders: dict[str, dict[str, str]]) -> str:
    """The file whose name is the same in Unicode's other form (Macs decompose names); else ``file``."""
    path = ""
    for name in file.split("/"):
        if path not in folders:
            try:
                names = os.listdir(f"{root}/{path}")  # noqa: PTH208 (names are wanted, not paths)
            except OSError:
                names = []
            folders[path] = {clean(there): there for there in names}
        path = f"{path}/{folders[path].get(clean(name), name)}".lstrip("/")
    return path


def _file_problem(root: Path, file: str) -> str:
    if file.startswith("/") or ".." in file.split("/") or re.match(r"[A-Za-z]:", file):
        return "is not inside the data folder"
    if not is_text(file):
        return "has a name that is not plain text"
    try:
        mode = os.stat(f"{root}/{file}").st_mode  # noqa: PTH116 (a Path costs more than the call)
    except (OSError, ValueError) as error:
        absent = isinstance(error, FileNotFoundError | NotADirectoryError)
        return _ABSENT if absent else f"cannot be read: {getattr(error, 'strerror', error)}"
    if stat.S_ISDIR(mode):
        return "is a folder, not an image"
    return "" if stat.S_ISREG(mode) else "is not a regular file"
