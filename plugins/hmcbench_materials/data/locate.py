"""Where a dataset's files are: as given, in an environment variable, in the cache, or missing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from hmcbench.data.sources import cached, variable
from hmcbench.errors import BadInput


def locate(dataset: str, files: Sequence[str], path: str = "") -> Path | None:
    """The first of ``files`` in the place given by ``path``, the environment or the cache; else None.

    ``path`` and the variable name a folder that holds the file, or the file itself under any name.

    Raises:
        BadInput: ``path`` or the variable is set and no such file is there.
    """
    place = path or os.environ.get(variable(dataset), "")
    if not place:
        return _in(cached(dataset), files)
    file = _in(Path(place).expanduser(), files)
    if file is None:
        origin = f"--data {dataset}={path}" if path else f"{variable(dataset)}={place}"
        reason = f"no {' or '.join(files)} in that folder" if Path(place).is_dir() else "no such file"
        raise BadInput(f"{origin}: {reason}", allowed=f"a folder with {files[0]}, or the file itself")
    return file


def _in(place: Path, files: Sequence[str]) -> Path | None:
    if place.is_file():
        return place
    return next((place / file for file in files if (place / file).is_file()), None)


def absent(dataset: str, *, fetchable: bool, reason: str = "", synthetic: bool = True) -> BadInput:
    """The error for data that are nowhere; it names the ways to give them."""
    ways = [
        f"--data {dataset}=PATH",
        f"{variable(dataset)}=PATH",
        f"the file in {cached(dataset)}",
        f"hmcbench data fetch {dataset}" if fetchable else "",
    ]
    return BadInput(
        f"the data of {dataset} are not here{reason}",
        allowed="; ".join(filter(None, ways)),
        hint=f"{dataset}[source=synthetic] runs on made-up samples" if synthetic else "",
    )
