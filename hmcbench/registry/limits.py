"""A time limit for a call of third-party code, by an alarm signal.

There is no limit on Windows, outside the main thread, and where an alarm is set already; C code that does
not return is not interrupted.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

AGAIN_S = 0.5  # the alarm is repeated, for plugins that catch every exception


class TooSlow(BaseException):
    """Raised in code whose time is over; ``except Exception`` does not catch it."""


def can_limit() -> bool:
    """Whether a limit can be set here; where it cannot, a :class:`TooSlow` is of an outer limit."""
    import threading  # every command imports this module

    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        return False
    return not signal.getitimer(signal.ITIMER_REAL)[0]


@contextmanager
def time_limit(seconds: float, reason: str) -> Iterator[None]:
    """Raise :class:`TooSlow` with ``reason`` where the body takes more than ``seconds``.

    It is raised before the body where nothing is left.
    """
    if not can_limit():
        yield
        return
    if seconds <= 0:
        raise TooSlow(reason)

    ended = False

    def stop(_number: int, _frame: Any) -> None:
        if not ended:
            raise TooSlow(reason)

    previous = signal.getsignal(signal.SIGALRM)
    try:  # a short time may be over before the body begins; one that is rounded to 0 would never be
        signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001), AGAIN_S)
        yield
    finally:
        ended = True  # before any call: Python heeds alarms there, and one would leave the timer running
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL if previous is None else previous)
