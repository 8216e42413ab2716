"""Where a spec of a third-party plugin comes from: a part of the keys of cells and of cached views.

Two plugins may have a model of one name and version, and an author edits a model without a new version. So
a key holds the distribution and its version, and for a plugin under development a digest of its source. A
plugin is under development where pip did not copy its files: an editable installation, or a module that lies
on the path. Built-in plugins have no origin: the versions of their specs say when results change.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hmcbench.interfaces import Spec
from hmcbench.registry.loading import Plugin

INSTALLED = ("site-packages", "dist-packages")
OWN = "hmcbench"  # code of the core that a plugin names as its factory


def origin_of(plugin: Plugin, spec: Spec) -> tuple[str, ...]:
    """Distribution, version and, for a plugin under development, the digest of its source; () if built-in."""
    if plugin.builtin:
        return ()
    package = plugin.distribution, plugin.version
    return (*package, source_digest(plugin, spec)) if in_development(plugin.distribution) else package


def in_development(distribution: str) -> bool:
    """Whether the source of an installed distribution may change without a new version."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import distribution as installed

    try:
        files = installed(distribution)
    except (PackageNotFoundError, ValueError):  # no distribution, or none with a name
        return True
    direct = json.loads(files.read_text("direct_url.json") or "{}")
    return bool(direct.get("dir_info", {}).get("editable")) or files.read_text("RECORD") is None


def source_digest(plugin: Plugin, spec: Spec) -> str:
    """Hex digest of the Python files of a plugin, and of the packages that the spec names."""
    named = [spec.factory, *(getattr(spec, name, "") for name in ("fit_many", "digest"))]
    modules = [_module_of(entry) for entry in named if entry]
    digest = hashlib.sha256()
    for name in sorted({top for module in (plugin.module, *modules) if (top := _package(module))}):
        for file, place in _files(name):
            if name == _package(plugin.module) or not set(INSTALLED) & set(file.parts):
                digest.update(f"{place}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _module_of(entry: Any) -> str:
    return entry if isinstance(entry, str) else str(getattr(entry, "__module__", ""))


def _package(reference: str) -> str:
    """The outermost package of ``package.module:name`` that holds code; empty for the core's own."""
    parts = reference.partition(":")[0].strip().split(".")
    for stop in range(1, len(parts) + 1):
        name = ".".join(parts[:stop])
        if _location(name)[0] or stop == len(parts):
            return "" if name.partition(".")[0] == OWN else name
    return ""


def _location(name: str) -> tuple[str, list[str]]:
    """The file of a module and the folders of a package; empty where there are none."""
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):  # not installed; or __main__, which has no spec
        return str(getattr(sys.modules.get(name), "__file__", None) or ""), []
    if spec is None:
        return "", []
    return (spec.origin or "") if spec.has_location else "", list(spec.submodule_search_locations or ())


def _files(name: str) -> Iterator[tuple[Path, str]]:
    """The Python files of a module or package, and the place of each in it."""
    file, folders = _location(name)
    if not folders and file:
        yield Path(file), name
    for folder in map(Path, folders):
        for path in sorted(folder.rglob("*.py")):
            yield path, f"{name}/{path.relative_to(folder).as_posix()}"
