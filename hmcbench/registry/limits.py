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


@contextmanager
def time_limit(seconds: float, reason: str) -> Iterator[bool]:
    """Raise :class:`TooSlow` with ``reason`` in the body where it takes more than ``seconds``.

    Yields:
        Whether this limit is set; a :class:`TooSlow` in the body is of an outer limit where it is not.
    """
    armed = _arm(seconds, reason)
    try:
        yield armed is not None
    finally:
        if armed is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, armed)


def _arm(seconds: float, reason: str) -> Any:
    """Set the alarm; the handler to put back, or None where there can be no alarm."""
    if not hasattr(signal, "setitimer") or signal.getitimer(signal.ITIMER_REAL)[0]:
        return None

    def stop(_number: int, _frame: Any) -> None:
        raise TooSlow(reason)

    try:
        previous = signal.signal(signal.SIGALRM, stop)
    except ValueError:  # not the main thread
        return None
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001), AGAIN_S)
    return previous if previous is not None else signal.SIG_DFL
