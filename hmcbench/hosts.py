"""Which machine this is, when a process of it was born, and whether another machine can be reached."""

from __future__ import annotations

import functools
import hashlib
import socket
from contextlib import suppress
from pathlib import Path

KNOCK_S = 5.0


@functools.cache
def this_host() -> str:
    """Equal for two processes exactly when each can see whether the other lives."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()[:8])
    with suppress(OSError):
        parts.append(str(Path("/proc/self/ns/pid").readlink()))  # containers share all but this
    return " ".join(parts)


def tag(host: str) -> str:
    """Eight characters that stand for a host in the name of a file."""
    return hashlib.sha256(host.encode()).hexdigest()[:8]


def born(pid: int) -> str:
    """When a process started, in ticks since boot; empty where the system does not say."""
    with suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[19]
    return ""


def knock(host: str, port: int) -> None:
    """Raise OSError where nobody listens: libraries that go there themselves may try for minutes."""
    socket.create_connection((host, port), KNOCK_S).close()
