"""The process of one cell, or of several that are fitted together.

The runner passes cells as plain data, a folder for each and two pipe ends. The files that the worker writes
to the folder (``result.json``, ``predictions.npz``, ``history.csv``, ``log.txt``) become the record; from the
exit status of a worker that dies, the runner derives a cause.
"""

from __future__ import annotations

import errno
import faulthandler
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from hmcbench.errors import HmcbenchError, PluginError, one_line
from hmcbench.execute.reporter import Reporter
from hmcbench.files import write_atomic
from hmcbench.plan.cells import Cell
from hmcbench.records.record import HISTORY, record_json

RESULT, LOG = "result.json", "log.txt"
DISK_FULL = "disk full"  # ends the run, so no record has this cause


def main(
    cells: Sequence[Cell],
    folders: Sequence[str],
    works: Sequence[str],
    device: str,
    environment: Mapping[str, str],
    progress: Connection,
    alive: Connection,
) -> None:
    """Entry point of the process. Never raises; writes one ``result.json`` per cell."""
    _detach(alive)
    os.environ.clear()  # the fork server may have older variables
    os.environ.update(environment)
    parts = [Path(folder).absolute() for folder in folders]  # a model may change the working directory
    works = [str(Path(folder).absolute()) for folder in works]
    try:
        _redirect(parts[0] / LOG)
    except OSError:  # the runner was killed, and another has removed the folder; or the disk is full
        os._exit(1)
    for part in parts[1:]:  # one process has one log; every record of a failure needs it
        with suppress(OSError):
            os.link(parts[0] / LOG, part / LOG)
    if device.startswith("cuda:"):  # the cell sees one GPU, and calls it cuda:0
        os.environ["CUDA_VISIBLE_DEVICES"] = device.partition(":")[2]
        device = "cuda:0"
    reports = [Reporter(progress, part / HISTORY, i) for i, part in enumerate(parts)]
    left = dict(enumerate(reports))
    try:
        # imported here, after _detach: imports may take seconds, or fail
        from hmcbench.execute.cell import run_cells

        for index, result in run_cells(cells, parts, works, device, reports):
            conclude(left[index], parts[index], result)
            del left[index]
    except BaseException as error:  # any exception of a plugin becomes a record
        for index, report in left.items():
            conclude(report, parts[index], error)
    _flush()
    progress.close()
    os._exit(0)  # without waiting for threads and exit hooks of plugins


def conclude(report: Reporter, part: Path, result: Mapping[str, Any] | BaseException) -> None:
    """Write the result of a cell, or its failure, and report its end to the runner."""
    if isinstance(result, BaseException):
        content = failure(result)
        if not isinstance(result, HmcbenchError):
            _log(result)
    else:
        content = {"status": "ok", "cause": None, "message": ""} | dict(result)
    write_atomic(part / RESULT, _json(content))
    _flush()
    report.ended()


def _log(error: BaseException) -> None:
    with suppress(Exception):  # a model may have replaced the streams
        traceback.print_exception(error)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()


def _json(content: Mapping[str, Any]) -> bytes:
    """The content as JSON; that of a failure where JSON cannot hold it, which concerns this cell alone."""
    try:
        text = record_json(content)
    except (TypeError, ValueError, RecursionError) as error:
        _log(error)
        text = record_json(failure(PluginError(f"the result of the cell is not JSON ({error})")))
    return text.encode(errors="replace")  # a message may hold bytes of a file name that are no text


def failure(error: BaseException) -> dict[str, Any]:
    """Status, cause and a one-line message for an exception."""
    name = type(error).__name__
    text = one_line(str(error), 500)
    if isinstance(error, MemoryError) or name in ("OutOfMemoryError", "_ArrayMemoryError"):
        cause = "out of memory"
    elif isinstance(error, FloatingPointError):
        cause = "nan"
    elif isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        cause = DISK_FULL
    else:
        cause = "error"
    message = text if isinstance(error, HmcbenchError) else f"{name}: {text}" if text else name
    return {"status": "failed", "cause": cause, "message": message}


def _detach(alive: Connection) -> None:
    """Make a process group (so that the whole tree can be killed), and end when the runner ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "setsid"):
        os.setsid()

    def watch() -> None:
        with suppress(EOFError, OSError):
            alive.recv_bytes()  # nothing is sent: it returns when the runner has ended
        end_group(os.getpid())
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="runner-watch").start()


def end(pid: int) -> None:
    """Kill a running process and its group; the process may not have made its group yet."""
    end_group(pid)
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))


def end_group(pid: int) -> None:
    """Kill the process group that ``pid`` leads, itself included."""
    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGTERM)


def _redirect(log: Path) -> None:
    """Redirect all output, also of C libraries, to the cell's log."""
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)
    sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", closefd=False)
    faulthandler.enable(file=sys.stderr)
    warnings.simplefilter("default")
    print(f"started {time.strftime('%Y-%m-%dT%H:%M:%S%z')}")
