"""Atomic file writes, the cache folder, paths that files name, and the identity of machines and processes.

A file is written under a temporary name and renamed. The cache can be deleted at any time; its content is
computed again when needed. A process is identified by its machine, its id and its start time.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import secrets
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from hmcbench.errors import BadInput

__all__ = ["cache_dir", "listed_path", "replacing", "weights_file", "write_atomic"]  # what plugins may use

CACHE_VARIABLE = "HMCBENCH_CACHE"
WEIGHTS_VARIABLE = "HMCBENCH_WEIGHTS"


def cache_dir(*parts: str) -> Path:
    """The cache folder (``$HMCBENCH_CACHE``, else the user's), or a folder in it; created if absent."""
    root = os.environ.get(CACHE_VARIABLE)
    if not root:
        from platformdirs import user_cache_dir

        root = user_cache_dir("hmcbench", appauthor=False)
    folder = Path(root, *parts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            f"the cache folder {folder} cannot be created ({error.strerror})",
            hint=f"set {CACHE_VARIABLE} to a folder that you may write to",
        ) from None
    return folder


def weights_file(text: str) -> Path:
    """The file at a path, or of that name in the folder ``$HMCBENCH_WEIGHTS``; raises BadInput without."""
    folder = os.environ.get(WEIGHTS_VARIABLE)
    for path in (Path(text).expanduser(), *([Path(folder, text)] if folder else [])):
        if path.is_file():
            return path
    where = f"nor in {WEIGHTS_VARIABLE}={folder}" if folder else f"and {WEIGHTS_VARIABLE} names no folder"
    raise BadInput(f"no file {text} here, {where}", allowed="the path of a file with weights")


def listed_path(text: str) -> PurePosixPath:
    """A path that stands in a file, whichever system wrote it: a backslash separates folders too.

    Nothing is looked up, and ``..`` stays: the caller decides which folders may be left.

    >>> listed_path("images\\\\a.png").parts, listed_path("./a.png").parts, listed_path("..\\\\a.png").parts
    (('images', 'a.png'), ('a.png',), ('..', 'a.png'))
    """
    return PurePosixPath(text.replace("\\", "/"))


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path``; it replaces ``path`` when the block ends without an error."""
    temporary = path.with_name(f".{path.name}-{new_owner()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:  # a full disk gives no name; the temporary name says nothing to a user
        if error.filename in (None, str(temporary)):
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_atomic(path: Path, data: bytes | str) -> None:
    """Write a whole file or nothing; readers see the old content or the new content, never a part.

    A device or a pipe (``/dev/null``) is written to: a file in its place would break other programs.
    """
    content = data.encode() if isinstance(data, str) else data
    if path.exists() and not path.is_file() and not path.is_dir():
        path.write_bytes(content)
        return
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Return when all files below a folder, and their names, are on the disk: they survive a power failure.

    A model may have left anything there: links, which may lead nowhere, and pipes, which would wait for a
    writer, hold nothing. What another program removes meanwhile is no longer needed.

    Raises:
        OSError: the disk is full or broken.
    """
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)  # noqa: PTH118 (as os.walk gives them)
            with suppress(FileNotFoundError):
                if stat.S_ISREG(os.lstat(path).st_mode):
                    _sync(path)
        sync_names(Path(root))


def sync_names(folder: Path) -> None:
    """Return when the names in a folder are on the disk; nothing where the system does not offer that."""
    with suppress(OSError):
        _sync(folder)


def _sync(path: str | Path) -> None:
    with suppress(PermissionError):  # a model may have written what only others may read
        file = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)


def new_owner() -> str:
    """A name for what this process has in work: ``process.host.random``."""
    return f"{os.getpid()}.{host_tag(this_host())}.{secrets.token_hex(6)}"


def has_ended(owner: str) -> bool:
    """Whether the process of an owner ran on this machine and is no more; of others nothing is known."""
    import psutil

    process, _, rest = owner.partition(".")
    here = process.isdigit() and rest.split(".")[0] == host_tag(this_host())
    return here and not psutil.pid_exists(int(process))


def sweep_temporary(folder: Path, dead: Callable[[str], bool] = has_ended) -> None:
    """Remove the temporary files in a folder whose writer was killed.

    Args:
        dead: whether the process of an owner (:func:`new_owner`) is known to be dead.
    """
    for path in folder.glob(".*.tmp"):
        if dead(path.name.removesuffix(".tmp").rpartition("-")[2]):
            with suppress(OSError):  # what cannot be removed harms nobody
                path.unlink(missing_ok=True)


# --------------------------------------------------------------------------- machines and processes

CONNECT_S = 5.0


@functools.cache
def this_host() -> str:
    """A text that two processes share exactly when each can see whether the other is alive."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()[:8])
    with suppress(OSError):
        parts.append(str(Path("/proc/self/ns/pid").readlink()))  # containers share all but this
    return " ".join(parts)


def host_tag(host: str) -> str:
    """Eight characters that stand for a host in the name of a file."""
    return hashlib.sha256(host.encode()).hexdigest()[:8]


@functools.cache
def processor_name(info: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name in the system with its family and model, as virtual machines cut names short."""
    try:
        lines = info.read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = dict(line.replace("\t", "").split(":", 1) for line in reversed(lines) if ":" in line)
    fields = {k.strip(): v.strip() for k, v in fields.items()}
    name = fields.get("model name", "")
    if not name or name.lower() == "unknown":
        name = fields.get("vendor_id", platform.machine())
    family, model = fields.get("cpu family"), fields.get("model")
    return f"{name} (family {family}, model {model})" if family and model else name


class OtherWork:
    """The work of other processes on the cores that this one may use, from now on."""

    WORK = ("user", "nice", "system", "irq", "softirq", "steal")  # what takes a core away; psutil's names

    def __init__(self) -> None:
        self._wall, self._own, self._all = self._now()

    def busy_cores(self) -> float:
        """How many cores they kept busy on average."""
        wall, own, total = self._now()
        return max(0.0, (total - self._all - (own - self._own)) / max(wall - self._wall, 1e-6))

    def _now(self) -> tuple[float, float, float]:
        """Seconds: of the clock, of this process, and of all work on these cores together."""
        import psutil

        times = psutil.cpu_times(percpu=True)
        mine = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(len(times))
        work = sum(getattr(times[i], name, 0.0) for i in mine if i < len(times) for name in self.WORK)
        return time.perf_counter(), time.process_time(), work


def process_start(pid: int) -> str:
    """When a process started, in ticks since boot; empty where the system does not report it."""
    with suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[19]
    return ""


@contextmanager
def no_main_module() -> Iterator[None]:
    """Processes that start meanwhile do not import the user's script, which may have no guard."""
    main = sys.modules["__main__"]
    kept = {name: getattr(main, name) for name in ("__file__", "__spec__") if hasattr(main, name)}
    try:
        for name in kept:
            setattr(main, name, None)
        yield
    finally:
        for name, value in kept.items():
            setattr(main, name, value)


def check_reachable(host: str, port: int) -> None:
    """Raise OSError where nothing listens; libraries that connect themselves may try for minutes."""
    socket.create_connection((host, port), CONNECT_S).close()
