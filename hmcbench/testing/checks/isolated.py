"""Runs the checks of one spec in a process of its own, ends it when a check takes too long, goes on.

So a check can time out, crash the interpreter or leave processes behind, and the others still run.
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
from hmcbench.testing import checks
from hmcbench.testing.checks.base import Outcome, conclude

START_S = 60.0  # for imports, before the first check
ENOUGH = 2  # checks that ended their process: the rest would most likely do the same
NOT_TRIED = f"not tried after {ENOUGH} checks that did not end well"


def outcomes(
    kind: str, reference: str, params: Mapping[str, Value], limit_s: float = 120.0
) -> Iterator[Outcome]:
    """The outcomes of all checks of a spec of an installed plugin, as they come.

    After a few checks that had to be ended, the rest is not tried.
    """
    todo = checks.CHECKS[kind]
    context = multiprocessing.get_context("spawn")  # nothing of this process, as on another machine
    name = reference.partition("[")[0].partition(":")[0]
    done = lost = 0
    while done < len(todo) and lost < ENOUGH:
        receive, send = context.Pipe(duplex=False)
        process = context.Process(target=_child, args=(kind, reference, dict(params), done, send))
        process.start()
        send.close()
        _, ended = _next(receive, process, START_S)
        while done < len(todo):
            outcome = None
            if not ended:
                outcome, ended = _next(receive, process, limit_s)
            if outcome is None:
                one = todo[done]
                lost += 1
                yield Outcome(kind, name, one.name, "failed", ended, one.why)
            else:
                yield outcome
            done += 1
            if ended:
                break
        _end(process)
    for one in todo[done:]:
        yield Outcome(kind, name, one.name, "skipped", NOT_TRIED)


def _next(receive: Connection, process: Any, limit_s: float) -> tuple[Outcome | None, str]:
    """The next outcome, or why there is none."""
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
    """Kill the process and what it has started."""
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
    """Entry point of the process. What a plugin prints goes nowhere."""
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        sys.stdout = sys.stderr = nowhere
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
        one = checks.subject(kind, reference, None, **params)
        send.send(None)  # the clock of the first check starts here
        for check in checks.CHECKS[kind][start:]:
            send.send(conclude(one, check))
        send.close()
        os._exit(0)  # threads that the plugin started have no say in when this ends
