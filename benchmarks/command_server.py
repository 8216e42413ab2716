"""Starts ``hmcbench`` commands from a process that has imported what they need.

That saves most of the time of a start, in which a kill would show nothing. A command is a process of its own:
it can be killed, and its output goes to a file.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

MARK = "HMCBENCH_COMMAND_MARK"  # in the environment of a command and of all its processes

SERVER = f"""
import os, sys
from hmcbench.execute import cell, runner
from hmcbench.leaderboard import build
from hmcbench.publish import publish
from hmcbench.records import rescore
from hmcbench.derive import brought
from hmcbench.testing import helpers
from hmcbench.cli import board, bring, live, main, run
for line in sys.stdin:
    word, *rest = line.rstrip("\\n").split("\\t")
    if word == "ended":
        pid, status = os.waitpid(int(rest[0]), os.WNOHANG)
        print(os.waitstatus_to_exitcode(status) if pid else "", flush=True)
        continue
    pid = os.fork()
    if pid == 0:
        os.environ["{MARK}"], output, *arguments = rest
        if output:
            file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(file, 2)
        os.dup2(2, 1)
        main(arguments)
    print(pid, flush=True)
"""


class CommandServer:
    """The process that starts commands.

    Args:
        environment: added to that of this process.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = {**os.environ, **(environment or {})}

    def __enter__(self) -> CommandServer:
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=self._environment,
        )
        return self

    def __exit__(self, *_exc: object) -> None:
        with suppress(OSError):
            self._process.communicate()
        self._process.kill()

    def _ask(self, *words: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(*words, sep="\t", file=self._process.stdin, flush=True)
        return self._process.stdout.readline().strip()

    def start(self, mark: str, *arguments: str, output: Path | None = None) -> int:
        """The process of a new command; its output goes to a file, else to that of this process."""
        return int(self._ask("start", mark, str(output or ""), *arguments))

    def status(self, pid: int) -> int | None:
        """As that of a process that was waited for; None: it has not ended. Once it has, ask no more."""
        answer = self._ask("ended", str(pid))
        return int(answer) if answer else None


def living(marks: set[str]) -> set[str]:
    """Those of the marks that some process still carries."""
    alive = set()
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE:
                alive.add(process.environ().get(MARK, ""))
        except psutil.Error:
            continue
    return alive & marks
