"""Time limits of calls by an alarm."""

from __future__ import annotations

import signal
import threading
import time
from typing import Any

import pytest

from hmcbench.registry.limits import TooSlow, can_limit, time_limit

pytestmark = pytest.mark.skipif(not can_limit(), reason="needs alarms")


@pytest.mark.parametrize("seconds", [1e-12, 1e-4, 1e-3, 0.01])
def test_whenever_the_alarm_comes_nothing_stays_set(seconds: float) -> None:
    before = signal.getsignal(signal.SIGALRM)
    for _ in range(20):
        with pytest.raises(TooSlow, match="over"), time_limit(seconds, "over"):
            assert not can_limit()
            while True:
                time.sleep(0.001)
        assert can_limit() and signal.getsignal(signal.SIGALRM) is before


@pytest.mark.parametrize("name", ["setitimer", "signal"])
@pytest.mark.parametrize("raised", [None, ValueError, TooSlow])
def test_an_alarm_at_the_end_leaves_nothing_set(
    name: str, raised: type[BaseException] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It came before the timer was stopped, and the next one hit whatever ran half a second later."""
    before, call, body = signal.getsignal(signal.SIGALRM), getattr(signal, name), []

    def late(*arguments: Any) -> Any:
        if body:
            signal.raise_signal(signal.SIGALRM)
        return call(*arguments)

    monkeypatch.setattr(signal, name, late)
    try:
        with time_limit(60, "over"):
            body.append(1)
            if raised is not None:
                raise raised("in the body")
    except (ValueError, TooSlow) as error:
        assert type(error) is raised and str(error) == "in the body"
    finally:
        monkeypatch.undo()
        left = signal.getitimer(signal.ITIMER_REAL)[0]
        signal.setitimer(signal.ITIMER_REAL, 0)
    assert not left and signal.getsignal(signal.SIGALRM) is before


@pytest.mark.parametrize("seconds", [0.0, -5.0])
def test_without_time_the_body_does_not_begin(seconds: float) -> None:
    body = []
    with pytest.raises(TooSlow, match="over"), time_limit(seconds, "over"):
        body.append(1)
    assert not body and can_limit()


def test_within_another_limit_and_in_threads_there_is_none() -> None:
    seen = []
    with time_limit(60, "outer"), time_limit(0, "inner"):
        seen.append("inner")
    thread = threading.Thread(target=lambda: seen.append(can_limit()))
    thread.start()
    thread.join()
    assert seen == ["inner", False] and can_limit()
