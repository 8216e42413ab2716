"""Runs the checks of one spec in a process of its own, and in a new one after a check that ended it.

So a check may time out, crash the interpreter or leave processes running, and the others still run.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Mapping
from multiprocessing.connection import Connection
from typing import Any

from hmcbench.interfaces import Value
from hmcbench.registry.registry import default_registry
from hmcbench.testing import checks
from hmcbench.testing.checks.base import Outcome, conclude

START_S = 60.0  # for imports, before the first check
MOST_LOST = 2  # checks that end their process, before the remaining ones are skipped
NOT_TRIED = f"not tried after {MOST_LOST} checks that ended their process"


def outcomes(
    kind: str, reference: str, params: Mapping[str, Value], limit_s: float = 120.0
) -> Iterator[Outcome]:
    """The outcomes of all checks of a spec of an installed plugin, one by one."""
    context = multiprocessing.get_context("spawn")  # inherits nothing from this process
    name = reference.partition("[")[0].partition(":")[0]
    todo = checks.checks_of(kind, default_registry().get(kind, name))
    position = lost = 0
    while position < len(todo) and lost < MOST_LOST:
        receive, send = context.Pipe(duplex=False)
        process = context.Process(target=_child, args=(kind, reference, dict(params), position, send))
        process.start()
        send.close()
        _, ended = _next(receive, process, START_S)
        while position < len(todo):
            outcome = None
            if not ended:
                outcome, ended = _next(receive, process, limit_s)
            if outcome is None:
                lost += 1
                yield Outcome(kind, name, todo[position].name, "failed", ended, todo[position].why)
            else:
                yield outcome
            position += 1
            if ended:
                break
        _end(process)
    for check in todo[position:]:
        yield Outcome(kind, name, check.name, "skipped", NOT_TRIED)


def _next(receive: Connection, process: Any, limit_s: float) -> tuple[Outcome | None, str]:
    """The next outcome, or the reason why there is none."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        try:
            if receive.poll(0.1):
                return receive.recv(), ""
        except (EOFError, OSError):
            process.join(5)
            return None, f"the process ended with status {process.exitcode}"
    return None, f"not over after {limit_s:.0f} s; its process was killed"


def _end(process: Any) -> None:
    """Kill the process and its children."""
    import psutil

    try:
        family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
    except psutil.NoSuchProcess:
        family = []
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    process.join()


def _child(kind: str, reference: str, params: dict[str, Value], start: int, send: Connection) -> None:
    """Entry point of the process. The output of plugins is discarded."""
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        sys.stdout = sys.stderr = nowhere
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
        subject = checks.subject(kind, reference, None, **params)
        send.send(None)  # the time of the first check starts here
        for check in checks.checks_of(kind, subject.spec)[start:]:
            send.send(conclude(subject, check))
        send.close()
        os._exit(0)  # do not wait for threads that the plugin started
