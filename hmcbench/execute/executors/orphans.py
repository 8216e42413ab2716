"""Kills the processes of cells when the runner has died for any reason.

A thread of each worker notices the end of the runner, but code that holds the interpreter lock (a long call
into C) stops the thread, and children of the worker have no such thread. So each executor starts a shell
that reads a pipe: the runner writes the process groups that run, and when the pipe is closed, the shell
kills those of the last line.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from contextlib import suppress

# In the background, so that it is no child of this process: Ray, for example, kills the children of a dead
# process. A background job reads from /dev/null by default; hence descriptor 3. A process is killed by its
# own id too: it may not have made its group yet.
SCRIPT = """
exec 3<&0
{
    last=
    while read -r line; do last=$line; done
    for group in $last; do kill -s KILL -- "-$group" "$group"; done
} <&3 3<&- &
"""


class Watcher:
    """Kills the process groups of the last :meth:`update` if this process ends without :meth:`close`.

    No effect on systems without process groups.
    """

    def __init__(self) -> None:
        self._pipe = -1

    def update(self, groups: Iterable[int]) -> None:
        """Set the groups that run now, all of them."""
        if self._pipe < 0 and hasattr(os, "killpg"):
            self._begin()
        line = " ".join(map(str, groups)) + "\n"
        with suppress(OSError):  # no shell, or it was killed: the thread of each worker remains
            os.write(self._pipe, line.encode())

    def close(self) -> None:
        """End the shell without killing anything."""
        if self._pipe >= 0:
            self.update([])
            os.close(self._pipe)
            self._pipe = -1

    def _begin(self) -> None:
        read, self._pipe = os.pipe()
        os.set_blocking(self._pipe, False)  # a stopped shell must not block the run
        try:
            with suppress(OSError):
                subprocess.run(
                    ["/bin/sh", "-c", SCRIPT],
                    stdin=read,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd="/",  # keeps no other folder in use
                    start_new_session=True,  # Ctrl-C goes to the runner only
                    check=False,
                )
        finally:
            os.close(read)
