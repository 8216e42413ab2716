"""Bootstrap draws of a row, and the folder that caches them.

Drawing takes nearly all of a board's time, and depends only on the stored predictions and the code. So draws
are kept in the cache folder, under a digest of all that they depend on. They are never published: their
weights are known, so each draw would be an equation for the truth of the samples, which may be secret.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import os
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from hmcbench.errors import BadInput
from hmcbench.files import cache_dir, replacing
from hmcbench.interfaces import MetricSpec
from hmcbench.leaderboard.inference import Basis
from hmcbench.registry.registry import load_object

FOLDER = "draws"
MOST_BYTES = 256 * 2**20
"""Largest size of the folder; the least recently used draws are removed first. A column takes 8 kB."""
_OLD = 24 * 3600.0  # seconds after which the writer of a temporary file must have been killed


@dataclass(frozen=True)
class Draws:
    """The draws of a row.

    Attributes:
        columns: column id -> (B,), bootstrap draws of the mean over seeds.
        points: metric -> (S,), the value of every seed over the test samples of all folds together; only
            for several folds.
        basis: column id -> the samples behind it.
        constant: whether the model predicts the same for all samples.
    """

    columns: dict[str, np.ndarray] = field(default_factory=dict)
    points: dict[str, np.ndarray] = field(default_factory=dict)
    basis: dict[str, Basis] = field(default_factory=dict)
    constant: bool = False


class DrawCache:
    """A folder of draws; damaged files are ignored, and so is a folder that cannot be written."""

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self.folder, self.most_bytes = folder, most_bytes
        self._written = False

    @classmethod
    def open(cls) -> DrawCache | None:
        """The cache of this user; None where its folder cannot be created."""
        with suppress(BadInput):
            return cls(cache_dir(FOLDER))
        return None

    def get(self, facts: Mapping[str, Any]) -> Draws | None:
        """The draws stored under these facts, or None."""
        path = self._path(facts)
        try:
            draws = _unpacked(path.read_bytes())
            os.utime(path)  # the time of the last use, for ``tidy``
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return draws

    def put(self, facts: Mapping[str, Any], draws: Draws) -> None:
        """Store draws under all the facts that they depend on."""
        with suppress(OSError), replacing(self._path(facts)) as path:
            path.write_bytes(_packed(draws))  # not synchronised to disk: lost draws are made again
            self._written = True

    def tidy(self) -> None:
        """After a ``put``, remove draws beyond the largest size, and files of killed writers."""
        if not self._written:
            return
        self._written = False
        with suppress(OSError):
            entries = [(entry.stat(), Path(entry.path)) for entry in os.scandir(self.folder)]
            size = 0
            for status, path in sorted(entries, key=lambda entry: -entry[0].st_mtime):
                size += status.st_size
                half_written = path.suffix == ".tmp" and time.time() - status.st_mtime > _OLD
                if half_written or (size > self.most_bytes and path.suffix != ".tmp"):
                    path.unlink(missing_ok=True)

    def _path(self, facts: Mapping[str, Any]) -> Path:
        text = json.dumps(facts, sort_keys=True)
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()}.draws"


def _packed(draws: Draws) -> bytes:
    """The content of a file, its own digest first."""
    file = io.BytesIO()
    parts: dict[str, Mapping[str, Any]] = {name: vars(draws)[name] for name in ("columns", "points", "basis")}
    names = json.dumps({part: list(rows) for part, rows in parts.items()})
    tables: dict[str, Any] = {part: _table(rows) for part, rows in parts.items()}
    np.savez(file, names=np.array(names), constant=np.array(draws.constant), **tables)
    content = file.getvalue()
    return hashlib.sha256(content).digest() + content


def _table(rows: Mapping[str, Any]) -> np.ndarray:
    return np.stack([np.asarray(row) for row in rows.values()]) if rows else np.zeros((0, 0))


def _unpacked(packed: bytes) -> Draws:
    """Raises ValueError where anything is damaged."""
    digest, content = packed[:32], packed[32:]
    if hashlib.sha256(content).digest() != digest:
        raise ValueError("damaged")
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        names = json.loads(str(stored["names"]))
        parts = {part: dict(zip(ids, stored[part], strict=True)) for part, ids in names.items()}
        constant = bool(stored["constant"])
    basis = {name: Basis(*map(int, row)) for name, row in parts["basis"].items()}
    return Draws(parts["columns"], parts["points"], basis, constant)


# --------------------------------------------------------------------------- what draws depend on


def code_facts(specs: Iterable[MetricSpec]) -> dict[str, Any]:
    """The code of draws: sources of hmcbench and of the metrics' packages, libraries and their threads.

    Raises:
        Exception: any error of importing a plugin's metric, and OSError or KeyError for code without a
            file; such draws cannot be stored.
    """
    from threadpoolctl import threadpool_info

    packages = {"hmcbench", *(name for spec in specs for name in _packages(spec))}
    libraries = [
        [info["internal_api"], info["version"], info.get("architecture", ""), info["num_threads"]]
        for info in threadpool_info()
        if info["user_api"] == "blas"
    ]
    return {
        "sources": {name: _sources(name) for name in sorted(packages)},
        "libraries": [np.__version__, scipy.__version__, *sorted(libraries)],
    }


def _packages(spec: MetricSpec) -> set[str]:
    """Top-level packages of a metric and its functions."""
    metric = load_object(spec.factory)
    parts = [metric, *(part for part in getattr(metric, "__dict__", {}).values() if callable(part))]
    modules = {part.__module__ for part in parts}
    if isinstance(spec.factory, str):
        modules.add(spec.factory.partition(":")[0])
    return {name.partition(".")[0] for name in modules}


@functools.cache
def _sources(package: str) -> str:
    """Digest of the sources of a package or of a single module."""
    module = sys.modules[package]
    folders = [Path(place) for place in getattr(module, "__path__", ())]
    files = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    digest = hashlib.sha256()
    for path in files or [Path(str(module.__file__))]:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
