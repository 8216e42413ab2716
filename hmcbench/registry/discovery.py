"""Finds plugins: the entry points of one group, and the distribution of each.

``importlib.metadata`` does the same, but importing it (with ``email``, ``zipfile`` and ``socket``)
costs as much as everything else that hmcbench adds to ``import click``: ``hmcbench list models`` takes
1.7 to 2.0 times the processor time of ``import click`` with this module, and 2.8 times with the library
(Python 3.11, 177 distributions on the path; the promise is 2.5 and every plugin adds to it). So the
folders on ``sys.path`` are read here; ``importlib.metadata`` is used only where something other than a
folder may hold distributions.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple


class EntryPoint(NamedTuple):
    """One line ``name = module:object`` of an ``entry_points.txt``."""

    name: str
    value: str
    distribution: str
    version: str

    def load(self) -> Any:
        """The module, or the object in it; may raise anything that an import raises."""
        module, _, path = self.value.partition("[")[0].partition(":")
        loaded: Any = importlib.import_module(module.strip())
        for part in filter(None, path.strip().split(".")):
            loaded = getattr(loaded, part)
        return loaded


def entry_points(group: str) -> list[EntryPoint]:
    """The entry points of a group on ``sys.path``, sorted by name and value.

    Of two distributions with one name the first on the path counts, as it does for imports.
    """
    points = _of_metadata(group) if _needs_importlib_metadata() else _of_folders(group)
    return sorted(points, key=lambda point: (point.name, point.value))


def _needs_importlib_metadata() -> bool:
    """Whether a zip file or egg is on the path, or another finder than the usual one finds distributions."""
    finders = [f for f in sys.meta_path if hasattr(f, "find_distributions")]
    others = [f for f in finders if getattr(f, "__name__", "") != "PathFinder"]
    return bool(others) or any(p.endswith(".egg") or os.path.isfile(p) for p in sys.path)  # noqa: PTH113


def _of_folders(group: str) -> Iterator[EntryPoint]:
    seen: set[str] = set()
    for folder in dict.fromkeys(sys.path):
        try:
            names = os.listdir(folder or ".")  # noqa: PTH208 (pathlib is not imported yet)
        except OSError:
            continue
        for name in names:
            stem, dot, kind = name.rpartition(".")
            if not dot or kind not in ("dist-info", "egg-info"):
                continue
            project = stem.partition("-")[0].lower().replace(".", "_")
            if project not in seen:
                seen.add(project)
                yield from _of_distribution(os.path.join(folder, name), group)  # noqa: PTH118


def _of_distribution(folder: str, group: str) -> Iterator[EntryPoint]:
    values = dict(_section(_lines(folder, "entry_points.txt"), group))
    if not values:
        return
    metadata: dict[str, str] = {}
    for line in _lines(folder, "METADATA") or _lines(folder, "PKG-INFO"):
        key, colon, value = line.partition(":")
        if not colon:
            break  # the description begins
        metadata.setdefault(key.lower(), value.strip())
    for name, value in values.items():
        yield EntryPoint(name, value, metadata.get("name", "?"), metadata.get("version", "?"))


def _lines(folder: str, name: str) -> list[str]:
    try:
        with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:  # noqa: PTH118, PTH123
            return [line.strip() for line in file]
    except OSError:
        return []


def _section(lines: list[str], wanted: str) -> Iterator[tuple[str, str]]:
    section = ""
    for line in lines:
        if line.startswith("["):
            section = line.strip("[]").strip()
        elif section == wanted and line and not line.startswith("#"):
            name, _, value = line.partition("=")
            yield name.strip(), value.strip()


def _of_metadata(group: str) -> Iterator[EntryPoint]:
    from importlib.metadata import entry_points as all_entry_points

    for point in all_entry_points(group=group):
        metadata = point.dist.metadata if point.dist else {"Name": "?", "Version": "?"}
        yield EntryPoint(point.name, point.value, metadata["Name"], metadata["Version"])
