"""Kills the processes of cells when the runner is gone, whatever it died of.

A worker notices the end of its runner by a thread, but code that holds the interpreter (a long call into
C) lets no thread run, and its children know nothing of runners. So each executor has a shell beside it that
waits at a pipe: the runner writes down which process groups it has started, and when the pipe ends, the
last line says what is to be killed. It costs nothing per cell but that line.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from contextlib import suppress

# In the background, so that it is nobody's child: who tidies up after a dead process (Ray does) would
# take it along. There a shell reads from /dev/null unless told otherwise; hence descriptor 3. A process
# is killed by its own number too: it may not have made its group yet.
SCRIPT = """
exec 3<&0
{
    last=
    while read -r line; do last=$line; done
    for group in $last; do kill -s KILL -- "-$group" "$group"; done
} <&3 3<&- &
"""


class Watcher:
    """Kills the process groups it was last told of, should this process end without :meth:`close`.

    Without effect where there are no process groups.
    """

    def __init__(self) -> None:
        self._pipe = -1

    def tell(self, groups: Iterable[int]) -> None:
        """Which groups run now (all of them, each time)."""
        if self._pipe < 0 and hasattr(os, "killpg"):
            self._begin()
        line = " ".join(map(str, groups)) + "\n"
        with suppress(OSError):  # no shell, or somebody killed it: the thread of each worker is left
            os.write(self._pipe, line.encode())

    def close(self) -> None:
        """Let it end, having killed nothing."""
        if self._pipe >= 0:
            self.tell([])
            os.close(self._pipe)
            self._pipe = -1

    def _begin(self) -> None:
        read, self._pipe = os.pipe()
        os.set_blocking(self._pipe, False)  # a watcher that is stopped must not stop the run
        try:
            with suppress(OSError):
                subprocess.run(
                    ["/bin/sh", "-c", SCRIPT],
                    stdin=read,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd="/",  # it holds no folder in use
                    start_new_session=True,  # a Ctrl-C is for the runner
                    check=False,
                )
        finally:
            os.close(read)
