"""Locks on cells, for several runs that share one results folder, on one machine or on several.

``locks/`` beside the records holds one file per running cell, created with ``O_EXCL`` (which network file
systems support), and one per run with its host, process and a heartbeat. The lock of a dead run is taken
over. Whether a process of this machine is alive, the system knows; a run of another machine counts as dead
when its heartbeat has not changed for a time on the monotonic clock of this run. Wall clocks are never
compared, so a wrong or changed clock has no effect.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from hmcbench.files import host_tag, process_start, replacing, sweep_temporary, this_host
from hmcbench.records.record import short_key

BEAT_S = 10.0
STALE_S = 120.0  # a network file system may show a file as it was a minute ago
GUARD = ".take"


class Locks:
    """The locks of one run. A context: entering writes the run's own file, leaving releases all locks.

    Args:
        folder: of the locks, the same for all runs that share records.
        beat_s, stale_s: seconds between heartbeats, and after how many without one a run of another
            machine counts as dead.
        clock: monotonic; for tests.
        host: for tests.
    """

    def __init__(
        self,
        folder: Path,
        *,
        beat_s: float = BEAT_S,
        stale_s: float = STALE_S,
        clock: Callable[[], float] = time.monotonic,
        host: str = "",
    ) -> None:
        self._folder, self._beat_s, self._stale_s, self._clock = folder, beat_s, stale_s, clock
        self._host = host or this_host()
        self._tag = host_tag(self._host)
        self.owner = f"{os.getpid()}.{self._tag}.{secrets.token_hex(6)}"
        self._held: set[str] = set()
        self._seen: dict[str, tuple[Any, float]] = {}  # runs of other machines: heartbeat, and since when
        self._beats, self._file = 0, -1
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat_on, daemon=True, name="heartbeat")

    def __enter__(self) -> Locks:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self._run_file(self.owner), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        try:
            self.beat()
        except OSError:
            self._forget()
            raise
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stop.set()
        self._thread.join()
        for key in list(self._held):
            self.release(key)
        self.sweep()
        self._forget()  # after the locks: a lock needs the file of its run

    def _forget(self) -> None:
        os.close(self._file)
        self._run_file(self.owner).unlink(missing_ok=True)

    def _run_file(self, owner: str) -> Path:
        return self._folder / f"{owner}.run"

    def _lock_file(self, key: str) -> Path:
        return self._folder / f"{short_key(key)}.lock"

    def beat(self) -> None:
        """Write the heartbeat in place, which works on a full disk."""
        self._beats += 1
        process = {"host": self._host, "pid": os.getpid(), "born": process_start(os.getpid())}
        os.pwrite(self._file, json.dumps({"beat": f"{self._beats:012d}", **process}).encode(), 0)
        os.fsync(self._file)

    def _beat_on(self) -> None:
        while not self._stop.wait(self._beat_s):
            with suppress(OSError):
                self.beat()

    def claim(self, key: str) -> bool:
        """Try to lock the cell ``key``; False: another run holds the lock. Never waits."""
        if self._take(self._lock_file(key)):
            self._held.add(key)
            return True
        return False

    def holds(self, key: str) -> bool:
        """Whether this run still holds the lock: after a long pause another run may have taken it over."""
        return key in self._held and _owner_of(self._lock_file(key)) == self.owner

    def release(self, key: str) -> None:
        if self.holds(key):
            self._lock_file(key).unlink(missing_ok=True)
        self._held.discard(key)

    def dead(self, owner: str) -> bool:
        """Whether a run is known to be dead; False while that is not known yet."""
        if owner == self.owner:
            return False
        if owner.isdigit():  # a bare process id: of a process that was no run
            return not psutil.pid_exists(int(owner))
        run_file = _read(self._run_file(owner))
        if self._is_here(owner):
            pid = int(owner.partition(".")[0])
            if not psutil.pid_exists(pid):
                return True
            if run_file:  # else it is not written yet, or the process id was used again
                return process_start(pid) != run_file.get("born")
        beat, now = run_file.get("beat"), self._clock()
        before, since = self._seen.setdefault(owner, (beat, now))
        if before != beat:
            self._seen[owner] = beat, now
            return False
        return now - since > self._stale_s

    def sweep(self) -> None:
        """Remove the locks and files of dead runs of this machine."""
        sweep_temporary(self._folder, self.dead)
        for path in self._folder.glob("*.lock*"):
            owner = _owner_of(path)
            if owner and self._is_here(owner) and self.dead(owner) and self._take(path):
                path.unlink(missing_ok=True)
        for path in self._folder.glob("*.run"):
            if self._is_here(path.stem) and self.dead(path.stem):
                path.unlink(missing_ok=True)

    def _is_here(self, owner: str) -> bool:
        return owner.split(".")[1:2] == [self._tag] and owner.partition(".")[0].isdigit()

    def _take(self, path: Path) -> bool:
        if self._create(path):
            return True
        owner = _owner_of(path)
        if owner is None or not self.dead(owner or path.name):
            return False
        # Two runs may find the same lock stale. Only the holder of the guard replaces it, and only if its
        # owner is still the same; the guard is itself a lock that can be taken over.
        guard = path.with_name(path.name + GUARD)
        if not self._take(guard):
            return False
        try:
            if _owner_of(path) != owner:
                return False
            with replacing(path) as temporary:
                temporary.write_text(self._content(), encoding="utf-8")
            return True
        finally:
            guard.unlink(missing_ok=True)

    def _create(self, path: Path) -> bool:
        try:
            file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            return False
        try:
            os.write(file, self._content().encode())
            os.fsync(file)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        finally:
            os.close(file)
        return True

    def _content(self) -> str:
        since = datetime.now(UTC).isoformat(timespec="seconds")  # for humans; never compared
        return json.dumps({"owner": self.owner, "host": self._host, "pid": os.getpid(), "since": since})


def _read(path: Path) -> dict[str, Any]:
    """The content of a file; empty if it is missing or incomplete."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _owner_of(lock: Path) -> str | None:
    """The owner of a lock; None: there is no lock; empty: a run died while it wrote the lock."""
    owner = str(_read(lock).get("owner", ""))
    return owner if owner or lock.exists() else None
