"""Functions on files as other file systems have them, for ``odd_filesystems.py``.

``HMCBENCH_FILE_SHIM=KIND:FOLDER`` and a ``sitecustomize`` that ``odd_filesystems.py`` writes put them in
place in every Python process, before anything else is imported. Only files below FOLDER are concerned.
``os.file_shim`` names the kind.
"""

from __future__ import annotations

import builtins
import datetime
import errno
import fcntl
import io
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

VARIABLE = "HMCBENCH_FILE_SHIM"
KINDS = ("no-locks", "not-exclusive", "two-seconds", "no-case", "jumping-clock", "all")
ONE_PATH = (
    *("open", "stat", "lstat", "mkdir", "unlink", "remove", "rmdir", "scandir", "listdir", "utime"),
    *("access", "chmod", "truncate", "readlink"),
)
TWO_PATHS = ("rename", "replace", "link", "symlink")
DAY_S = 86400.0
JUMPS_S = (0.0, 3600.0, -3600.0, DAY_S, -DAY_S, 400 * DAY_S, -4000 * DAY_S)
RACE_S = 0.02  # between looking for a file and making it, where O_EXCL is not kept
ORIGINAL = {name: getattr(os, name) for name in (*ONE_PATH, *TWO_PATHS, "fstat")}


def install(kind: str, root: str) -> None:
    """Put the functions in place."""
    rng = random.Random()  # another one in every process
    kinds = KINDS[:-1] if kind == "all" else (kind,)
    if "no-case" in kinds:
        _fold_case(root)
    if "no-locks" in kinds:
        _refuse_locks(root)
    if "not-exclusive" in kinds:
        _break_exclusive(root, rng)
    if "two-seconds" in kinds or "jumping-clock" in kinds:
        _change_times(root, coarse="two-seconds" in kinds, shifted="jumping-clock" in kinds)
    if "jumping-clock" in kinds:
        _jump(rng)
    os.file_shim = kind  # type: ignore[attr-defined]


def _below(path: Any, root: str) -> bool:
    if not isinstance(path, (str, bytes, os.PathLike)):
        return False
    return f"{os.path.abspath(os.fsdecode(path))}/".startswith(f"{root}/")  # noqa: PTH100


def _refuse_locks(root: str) -> None:
    """No flock, no lockf, no second name for a file."""

    def refuse(*_args: Any, **_kwargs: Any) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    fcntl.flock = fcntl.lockf = refuse  # type: ignore[assignment]
    for name in ("link", "symlink"):
        _wrap_refused(name, getattr(os, name), root)


def _wrap_refused(name: str, function: Callable[..., Any], root: str) -> None:
    def call(source: Any, target: Any, **kwargs: Any) -> Any:
        if _below(target, root):
            raise OSError(errno.EPERM, os.strerror(errno.EPERM), target)
        return function(source, target, **kwargs)

    setattr(os, name, call)


def _break_exclusive(root: str, rng: random.Random) -> None:
    """O_EXCL looks, and makes the file a moment later, as old network file systems do."""
    function = os.open

    def call(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if flags & os.O_EXCL and dir_fd is None and _below(path, root):
            if os.path.lexists(path):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
            time.sleep(rng.uniform(0.0, RACE_S))
            flags &= ~os.O_EXCL
        return function(path, flags, mode, dir_fd=dir_fd)

    os.open = call


def _change_times(root: str, *, coarse: bool, shifted: bool) -> None:
    """Times of files in steps of two seconds and files without numbers; or times of a clock that jumped."""

    def changed(status: os.stat_result) -> os.stat_result:
        shift = JUMPS_S[status.st_ino % len(JUMPS_S)] if shifted else 0.0
        fields, names = list(status[:10]), ("atime", "mtime", "ctime")
        more: dict[str, Any] = {"st_blksize": status.st_blksize, "st_blocks": status.st_blocks}
        for i, name in enumerate(names):
            ns = getattr(status, f"st_{name}_ns") + int(shift * 1e9)
            ns -= ns % 2_000_000_000 if coarse else 0
            fields[7 + i] = ns // 10**9
            more |= {f"st_{name}": ns / 1e9, f"st_{name}_ns": ns}
        if coarse:
            fields[1] = 0  # st_ino
        return os.stat_result(fields, more)

    def wrap(name: str) -> None:
        function = getattr(os, name)

        def call(path: Any, *args: Any, **kwargs: Any) -> os.stat_result:
            status: os.stat_result = function(path, *args, **kwargs)
            return changed(status) if name == "fstat" or _below(path, root) else status

        setattr(os, name, call)

    for name in ("stat", "lstat", "fstat"):
        wrap(name)


def _jump(rng: random.Random) -> None:
    """The wall clock jumps at one look in twenty; the monotonic clock goes on."""
    offset = 0.0
    original, original_ns = time.time, time.time_ns

    def jump() -> float:
        nonlocal offset
        if rng.random() < 0.05:
            offset = rng.choice(JUMPS_S)
        return offset

    time.time = lambda: original() + jump()
    time.time_ns = lambda: original_ns() + int(jump() * 1e9)

    class JumpingDatetime(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> JumpingDatetime:
            return cls.fromtimestamp(original() + jump(), tz)

    datetime.datetime = JumpingDatetime  # type: ignore[misc]


def _fold_case(root: str) -> None:
    """A name finds a file whose name differs in case alone; the file keeps the name that it was made with."""

    def stored(path: Any) -> Any:
        if not _below(path, root):
            return path
        place = root
        for part in Path(os.path.relpath(os.fsdecode(path), root)).parts:
            if part == ".":
                continue
            if not _exists(f"{place}/{part}"):
                part = next((name for name in _names(place) if name.casefold() == part.casefold()), part)
            place = f"{place}/{part}"
        return os.fsencode(place) if isinstance(path, bytes) else place

    def wrap(name: str, paths: int) -> None:
        function = getattr(os, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if kwargs.get("dir_fd") is None and kwargs.get("src_dir_fd") is None:
                args = (*map(stored, args[:paths]), *args[paths:])
            return function(*args, **kwargs)

        setattr(os, name, call)

    for name in ONE_PATH:
        wrap(name, 1)
    for name in TWO_PATHS:
        wrap(name, 2)
    builtin = builtins.open
    file_io = io.FileIO

    def opened(file: Any, *args: Any, **kwargs: Any) -> Any:
        return builtin(stored(file), *args, **kwargs)

    class FoldedFileIO(file_io):
        def __init__(self, file: Any, *args: Any, **kwargs: Any) -> None:
            super().__init__(stored(file), *args, **kwargs)

    builtins.open = io.open = opened
    io.FileIO = FoldedFileIO  # type: ignore[misc]


def _exists(path: str) -> bool:
    try:
        ORIGINAL["lstat"](path)
    except OSError:
        return False
    return True


def _names(folder: str) -> list[str]:
    try:
        return list(ORIGINAL["listdir"](folder))
    except OSError:
        return []


def install_from_environment() -> None:
    kind, _, root = os.environ.get(VARIABLE, "").partition(":")
    if kind:
        install(kind, root)
