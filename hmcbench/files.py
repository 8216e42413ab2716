"""Where derived data live, and how files come into being: under a temporary name, then renamed.

Everything in the cache can be deleted at any time; it is made again when needed.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hmcbench.errors import BadInput
from hmcbench.hosts import tag, this_host

VARIABLE = "HMCBENCH_CACHE"


def cache_dir(*parts: str) -> Path:
    """The cache folder (``$HMCBENCH_CACHE``, else the user's), or a folder in it, made if absent."""
    given = os.environ.get(VARIABLE)
    if given:
        root = Path(given)
    else:
        from platformdirs import user_cache_path

        root = user_cache_path("hmcbench", appauthor=False)
    folder = root.joinpath(*parts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            f"the cache folder {folder} cannot be made ({error.strerror})",
            hint=f"set {VARIABLE} to a folder that you may write to",
        ) from None
    return folder


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place when the block ends well."""
    owner = f"{os.getpid()}.{tag(this_host())}.{secrets.token_hex(4)}"
    temporary = path.with_name(f".{path.name}-{owner}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:  # of a full disk the system says no name, and of ours nobody knows
        if error.filename in (None, str(temporary)):
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_atomic(path: Path, data: bytes | str) -> None:
    """Write a whole file or nothing; readers see the old content or the new, never a part."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(data.encode() if isinstance(data, str) else data)
        file.flush()
        os.fsync(file.fileno())


def sweep_temporary(folder: Path, dead: Callable[[str], bool]) -> None:
    """Remove the temporary files in a folder whose writer was killed.

    Args:
        dead: whether the process of that owner (``process.host.some``) is known to be dead.
    """
    for path in folder.glob(".*.tmp"):
        if dead(path.name.removesuffix(".tmp").rpartition("-")[2]):
            path.unlink(missing_ok=True)
