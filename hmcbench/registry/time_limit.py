"""Limits what a stranger's plugin can do to the rest while it is imported or asked for its specs.

It gets ``LIMIT_S`` seconds, prints to standard error (so that ``--json`` stays JSON), the working
directory is put back, and ``os._exit``, which would end the command without a word, raises. This guards
against mistakes, not against malice: a plugin is a program that runs as you. The time limit is an alarm
signal. It costs nothing where there is no stranger, and cannot work on Windows, outside the main thread,
where an alarm is running already, or while C code does not return.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

LIMIT_S = 10.0
AGAIN_S = 0.5  # the alarm comes again, for who swallows exceptions and goes on


class TooSlow(BaseException):
    """Raised into a plugin whose time is over; no ``except Exception`` of it catches this."""


@contextmanager
def guarded(spent: float) -> Iterator[None]:
    """Around one import or one hook of a plugin that has taken ``spent`` seconds before.

    Raises:
        TooSlow: all calls together took more than ``LIMIT_S``.
    """
    out, armed, leave = sys.stdout, None, os._exit
    try:
        where = os.getcwd()  # noqa: PTH109 (as it is)
    except OSError:  # a folder that is gone
        where = ""
    sys.stdout = sys.stderr
    os._exit = _refusal(os.getpid(), leave)  # type: ignore[assignment]
    try:
        armed = _arm(LIMIT_S - spent)
        yield
    finally:
        try:
            if armed is not None:
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, armed)
        finally:
            sys.stdout, os._exit = out, leave
            if where:
                os.chdir(where)


def _refusal(here: int, leave: Callable[[int], NoReturn]) -> Callable[[int], NoReturn]:
    """Stands for ``os._exit`` in this process; a child that the plugin forks may leave."""

    def refuse(status: int) -> NoReturn:
        if os.getpid() != here:
            leave(status)
        raise SystemExit(f"os._exit({status}), which would end every command")

    return refuse


def _arm(seconds: float) -> Any:
    """Set the alarm; the handler to put back, or None where there can be no alarm."""
    if not hasattr(signal, "setitimer") or signal.getitimer(signal.ITIMER_REAL)[0]:
        return None
    try:
        previous = signal.signal(signal.SIGALRM, _stop)
    except ValueError:  # not the main thread
        return None
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001), AGAIN_S)
    return previous if previous is not None else signal.SIG_DFL


def _stop(_number: int, _frame: Any) -> None:
    raise TooSlow(
        f"its import and hooks take more than {LIMIT_S:g} s; HMCBENCH_PLUGINS=builtin leaves strangers out"
    )
