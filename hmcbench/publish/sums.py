"""``SHA256SUMS`` of a published suite: digests of all its files, in the format of ``sha256sum``.

Without truth, metrics cannot be recomputed; figures differ with every version of matplotlib. Digests show
whether the files are those that were published. The digest of ``SHA256SUMS`` itself stands for the whole
folder: quoted elsewhere, it makes a folder that was changed and published again visible too.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from hmcbench.errors import BadInput
from hmcbench.files import write_atomic

FILE = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64}) [ *](\S.*)")


def write_sums(folder: Path) -> Path:
    """Write the digests of all files of a suite's folder, hidden ones left out; the file written."""
    lines = [f"{digest_of(folder / name)}  {name}" for name in files_of(folder)]
    write_atomic(folder / FILE, "\n".join(lines) + "\n")
    return folder / FILE


def read_sums(folder: Path) -> dict[str, str] | None:
    """Relative path -> SHA-256; None where the folder has no such file.

    Raises:
        BadInput: a file of another format.
    """
    try:
        lines = (folder / FILE).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise BadInput(f"{folder / FILE} cannot be read ({error})") from None
    parsed = [_LINE.fullmatch(line) for line in lines]
    if not all(parsed):
        wrong = lines[parsed.index(None)]
        raise BadInput(f"{folder / FILE}: {wrong[:80]!r}", allowed="lines of a SHA-256 and a path")
    return {match[2]: match[1] for match in parsed if match}


def digest_of(path: Path) -> str:
    """SHA-256 of a file; empty where there is none."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def files_of(folder: Path) -> list[str]:
    """Relative paths of all files, sorted, without ``SHA256SUMS`` and hidden files and folders."""
    return sorted(name for name in _names(folder, "") if name != FILE)


def _names(folder: Path, before: str) -> Iterator[str]:
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield from _names(path, f"{before}{path.name}/")
        else:
            yield before + path.name
